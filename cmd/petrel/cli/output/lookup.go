package output

import (
	"fmt"
	"regexp"

	"petrel/expr/functions"
	"petrel/expr/value"
)

// plainKey is a dotted name; anything else is read as a JSON path.
var plainKey = regexp.MustCompile(`^([a-zA-Z0-9_-]+\.)*[a-zA-Z0-9_-]+$`)

// lookup is the part of a result that a key names: what a dotted name leads
// to, or the first match of a JSON path.
func lookup(result value.Value, key string) (value.Value, error) {
	if _, ok := result.(*value.Dict); !ok {
		return nil, fmt.Errorf("doc is not an instance of dict: type=<class '%s'> value='%s'", value.TypeName(result), value.Str(result))
	}
	if plainKey.MatchString(key) {
		return strictly(result, key), nil
	}
	found, err := functions.JSONPath(nil, result, key)
	if err != nil {
		return nil, fmt.Errorf("the key %q is no path: %w", key, err)
	}
	if l, isList := found.(*value.List); isList && len(l.Items) > 0 {
		return l.Items[0], nil
	}
	return nil, nil
}
