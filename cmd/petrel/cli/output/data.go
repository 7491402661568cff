package output

import (
	"sort"
	"strings"

	"petrel/expr/value"
)

// JSON writes a value as `st2 -j` does: indented by four, keys sorted.
func JSON(v value.Value) (string, error) {
	raw, err := value.ToJSON(v, value.JSONStyle{Pretty: true, Indent: "    ", ItemSep: ",", KeySep: ": ", SortKeys: true, ASCII: true})
	return string(raw), err
}

// Pick keeps of an object the named attributes, dotted ones as nested objects;
// all attributes when none or "all" is named.
func Pick(item value.Value, attributes []string, t Transforms) value.Value {
	d, ok := item.(*value.Dict)
	if !ok {
		return item
	}
	out := value.NewDict()
	if len(attributes) == 0 || contains(attributes, "all") {
		for k, v := range d.All() {
			out.Set(k, t.apply(value.Str(k), v))
		}
		return out
	}
	for _, name := range attributes {
		v := nested(item, name)
		if v == nil {
			continue
		}
		at := out
		parts := strings.Split(name, ".")
		for _, part := range parts[:len(parts)-1] {
			inner, isDict := attribute(at, part).(*value.Dict)
			if !isDict {
				inner = value.NewDict()
				at.SetStr(part, inner)
			}
			at = inner
		}
		at.SetStr(parts[len(parts)-1], t.apply(name, v))
	}
	return out
}

func sortedKeys(item value.Value) []string {
	d, ok := item.(*value.Dict)
	if !ok {
		return nil
	}
	keys := make([]string, 0, d.Len())
	for _, k := range d.Keys() {
		keys = append(keys, value.Str(k))
	}
	sort.Strings(keys)
	return keys
}
