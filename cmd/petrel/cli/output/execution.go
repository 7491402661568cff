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
	WithSchema bool                // add the schema that the result suggests
	HintSchema bool                // say that there is --with-schema
	Name       func(string) string // how names are written; nil leaves them
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
		return escapes.Replace(value.Str(part)), nil
	}
	var b strings.Builder
	for i, name := range attributes {
		if i > 0 {
			b.WriteString("\n")
		}
		v := strictly(item, name)
		if s, isText := v.(string); isText {
			v = clean(s)
		}
		text, err := block(name, structured(t.apply(name, v)))
		if err != nil {
			return "", err
		}
		if o.Name != nil {
			name = o.Name(name)
		}
		b.WriteString(name + ": " + text)
	}
	if declared := nested(item, "action.output_schema"); declared == nil || isEmpty(declared) {
		switch {
		case o.WithSchema:
			box, err := schemaBox(attribute(item, "result"))
			if err != nil {
				return "", err
			}
			b.WriteString("\n\n" + box)
		case o.HintSchema:
			b.WriteString("\n\n** This action does not have an output_schema. Run again with --with-schema to see a suggested schema.")
		}
	}
	return escapes.Replace(b.String()), nil
}

func isEmpty(v value.Value) bool { return orNothing(v) == "" }

// block is a value behind its name: collections as YAML on lines of their own.
func block(name string, v value.Value) (string, error) {
	_, isList := v.(*value.List)
	if _, isDict := v.(*value.Dict); !isDict && !isList {
		return value.Str(v), nil
	}
	raw, err := pyyaml.DumpWith(nil, value.DictOf("v", v), pyyaml.DumpOptions{Indent: 2, Width: unfolded, ASCII: true, Pure: true})
	if err != nil {
		return "", err
	}
	text := strings.TrimSuffix(string(raw)[len("v:")+1:], "\n")
	if isList {
		text = "  " + strings.ReplaceAll(text, "\n", "\n  ")
	}
	// YAML writes a line break inside a quoted text as an empty line; st2 leaves those out.
	return strings.ReplaceAll("\n"+text, "\n\n", "\n"), nil
}

// structured is what a text that looks like an object or a list says; the value
// itself when it is neither.
func structured(v value.Value) value.Value {
	s, isText := v.(string)
	if !isText || len(s) < 2 || !strings.ContainsAny(s[:1], "{[") || !strings.ContainsAny(s[len(s)-1:], "}]") {
		return v
	}
	parsed, err := value.ParseLiteral(s)
	if err != nil {
		return v
	}
	switch parsed.(type) {
	case *value.Dict, *value.List:
		return parsed
	}
	return v
}

// schemaBox frames the output schema that a result suggests.
func schemaBox(result value.Value) (string, error) {
	d, ok := result.(*value.Dict)
	if !ok {
		return "", fmt.Errorf("a schema can be suggested for a result that is an object, not for %s", value.TypeName(result))
	}
	schema, err := pyyaml.DumpWith(nil, value.DictOf("output_schema", inferred(d)), pyyaml.DumpOptions{})
	if err != nil {
		return "", err
	}
	lines := strings.Split("Based on the action output the following inferred schema was built:\n\n"+string(schema), "\n")
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

// inferred describes an object's members. st2: st2client/st2client/utils/schema.py
func inferred(d *value.Dict) *value.Dict {
	out := value.NewDict()
	for k, v := range d.All() {
		kind := "integer"
		switch x := v.(type) {
		case nil:
			kind = "null"
		case bool:
			kind = "boolean"
		case float64:
			kind = "number"
		case string:
			kind = "string"
		case *value.List:
			kind = "array"
		case *value.Dict:
			out.Set(k, value.DictOf("type", "object", "parameters", inferred(x)))
			continue
		}
		out.Set(k, value.DictOf("type", kind))
	}
	return out
}
