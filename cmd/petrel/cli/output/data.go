package output

import (
	"slices"
	"sort"
	"strings"

	"petrel/expr/value"
	"petrel/expr/value/pyyaml"
)

// JSON writes a value as `st2 -j` does: indented by four, keys sorted.
func JSON(v value.Value) (string, error) {
	raw, err := value.ToJSON(v, value.JSONStyle{Pretty: true, Indent: "    ", ItemSep: ",", KeySep: ": ", SortKeys: true, ASCII: true})
	return string(raw), err
}

// YAML writes a value as `st2 -y` does.
func YAML(v value.Value) (string, error) {
	text, err := pyyaml.DumpWith(nil, v, pyyaml.DumpOptions{Indent: 4, ASCII: true, Pure: true})
	return string(text), err
}

// Pick keeps of an object the named attributes, dotted ones as nested objects;
// all attributes when none or "all" is named. What is not there or null is left out.
func Pick(item value.Value, attributes []string) value.Value {
	d, ok := item.(*value.Dict)
	if !ok {
		return item
	}
	out := value.NewDict()
	if len(attributes) == 0 || slices.Contains(attributes, "all") {
		for k, v := range d.All() {
			if v != nil {
				out.Set(k, v)
			}
		}
		return out
	}
	for _, name := range attributes {
		v := strictly(item, name)
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
		at.SetStr(parts[len(parts)-1], v)
	}
	return out
}

// strictly follows a dotted name through objects; nil when it leads nowhere.
func strictly(item value.Value, name string) value.Value {
	for part := range strings.SplitSeq(name, ".") {
		item = attribute(item, part)
	}
	return item
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
