package output

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"petrel/expr/value"
	"petrel/expr/value/pyyaml"
)

// unfolded is a line width no YAML text reaches, so that none is folded.
const unfolded = 1 << 30

// ExecutionOptions change how an execution is written.
type ExecutionOptions struct {
	Key        string // print this part of the result only
	HasKey     bool
	WithSchema bool // add the schema that the result suggests
}

// Execution writes an execution's attributes as `name: value` lines,
// collections as indented YAML below their name.
// st2: st2client/st2client/formatters/execution.py
func Execution(item value.Value, attributes []string, t Transforms, o ExecutionOptions) (string, error) {
	if o.HasKey {
		part, err := lookup(attribute(item, "result"), o.Key)
		if err != nil {
			return "", err
		}
		return block(part)
	}
	var b strings.Builder
	for i, name := range attributes {
		if i > 0 {
			b.WriteString("\n")
		}
		v := t.apply(name, nested(item, name))
		if s, isText := v.(string); isText {
			v = structured(clean(s))
		}
		switch x := v.(type) {
		case *value.Dict, *value.List:
			text, err := yamlText(x)
			if err != nil {
				return "", err
			}
			if length(x) > 0 {
				text = "\n" + text
			}
			b.WriteString(name + ": " + clean(strings.ReplaceAll(text, "\n", "\n  ")))
		default:
			b.WriteString(name + ": " + value.Str(v))
		}
	}
	if o.WithSchema {
		box, err := schemaBox(attribute(item, "result"))
		if err != nil {
			return "", err
		}
		b.WriteString("\n\n" + box)
	}
	return b.String(), nil
}

func yamlText(v value.Value) (string, error) {
	text, err := pyyaml.DumpWith(nil, v, pyyaml.DumpOptions{Indent: 2, Width: unfolded, Pure: true})
	// YAML writes a line break inside a quoted text as an empty line; st2 leaves those out.
	return strings.ReplaceAll(strings.TrimSuffix(string(text), "\n"), "\n\n", "\n"), err
}

func length(v value.Value) int {
	switch x := v.(type) {
	case *value.Dict:
		return x.Len()
	case *value.List:
		return len(x.Items)
	}
	return 0
}

// structured is what a text that looks like an object or a list says; the text
// itself when it is neither.
func structured(s string) value.Value {
	if len(s) < 2 || !(s[0] == '{' && s[len(s)-1] == '}' || s[0] == '[' && s[len(s)-1] == ']') {
		return s
	}
	v, err := value.ParseLiteral(s)
	if err != nil {
		return s
	}
	switch v.(type) {
	case *value.Dict, *value.List:
		return v
	}
	return s
}

// block is a value by itself: text as it is, collections as YAML.
func block(v value.Value) (string, error) {
	switch x := v.(type) {
	case *value.Dict, *value.List:
		text, err := yamlText(x)
		return clean(text), err
	case string:
		return clean(x), nil
	}
	return value.Str(v), nil
}

// lookup follows a dotted key into a result; list items are named by number.
func lookup(v value.Value, key string) (value.Value, error) {
	for _, part := range strings.Split(key, ".") {
		switch x := v.(type) {
		case *value.Dict:
			v, _ = x.GetStr(part)
		case *value.List:
			n, err := value.ParseInt(part, 10)
			i, ok := value.AsInt(n)
			if err != nil || !ok || i < 0 || int(i) >= len(x.Items) {
				return nil, nil
			}
			v = x.Items[i]
		default:
			return nil, nil
		}
	}
	return v, nil
}

// schemaBox frames the output schema that a result suggests.
func schemaBox(result value.Value) (string, error) {
	schema, err := yamlText(value.DictOf("output_schema", inferred(result)))
	if err != nil {
		return "", err
	}
	lines := append([]string{"Based on the action output the following inferred schema was built:", ""}, strings.Split(schema, "\n")...)
	lines = append(lines, "")
	width := 0
	for _, l := range lines {
		width = max(width, utf8.RuneCountInString(l))
	}
	rule := "+" + strings.Repeat("-", width+2) + "+"
	var b strings.Builder
	b.WriteString(rule + "\n")
	for _, l := range lines {
		fmt.Fprintf(&b, "| %s%s |\n", l, strings.Repeat(" ", width-utf8.RuneCountInString(l)))
	}
	return b.String() + rule, nil
}

// inferred describes a value: objects by their properties, lists by their
// first item. st2: st2client/st2client/utils/schema.py
func inferred(v value.Value) value.Value {
	out := value.NewDict()
	d, ok := v.(*value.Dict)
	if !ok {
		return out
	}
	for k, item := range d.All() {
		out.Set(k, describe(item))
	}
	return out
}

func describe(v value.Value) *value.Dict {
	switch x := v.(type) {
	case nil:
		return value.DictOf("type", "null")
	case bool:
		return value.DictOf("type", "boolean")
	case float64:
		return value.DictOf("type", "number")
	case string:
		return value.DictOf("type", "string")
	case *value.List:
		d := value.DictOf("type", "array")
		if len(x.Items) > 0 {
			d.SetStr("items", describe(x.Items[0]))
		}
		return d
	case *value.Dict:
		return value.DictOf("type", "object", "properties", inferred(x))
	}
	return value.DictOf("type", "integer")
}
