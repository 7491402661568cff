package schema

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"petrel"
	"petrel/expr/value"
)

// Error says that a value does not fit a schema (or, when Meta, that a schema
// is not one).
type Error struct {
	// Message is one line: `1 is not of type 'string'`.
	Message string
	// Keyword is the schema's word that was not satisfied.
	Keyword string
	// Path leads to the value at fault, SchemaPath to the keyword: dict keys
	// and list indexes (int64). Below an anyOf or oneOf both begin at what it
	// was applied to, as jsonschema shows them; At always begins at the root.
	Path       []value.Value
	SchemaPath []value.Value
	At         []value.Value
	// Where leads to the value at fault from the root of what was checked. Path
	// starts below the last anyOf or oneOf, as jsonschema shows it.
	Where []value.Value
	// Instance is the value at fault, Schema the schema it was held against.
	Instance value.Value
	Schema   value.Value
	// Meta marks a fault of the schema itself.
	Meta bool
}

// Error is the message alone, as StackStorm's API answers it.
func (e *Error) Error() string { return e.Message }

// Text is the whole error over several lines as Python's str() gives it: with
// the part of the schema and the value at fault.
func (e *Error) Text() string {
	what, where := "schema", "instance"
	if e.Meta {
		what, where = "metaschema", "schema"
	}
	var b strings.Builder
	b.WriteString(e.Message)
	b.WriteString("\n\nFailed validating " + value.Quote(e.Keyword) + " in " + what)
	if n := len(e.SchemaPath); n > 0 {
		writeIndex(&b, e.SchemaPath[:n-1])
	}
	b.WriteString(":\n" + indent(pretty(e.Schema, prettyWidth)))
	b.WriteString("\n\nOn " + where)
	writeIndex(&b, e.Path)
	b.WriteString(":\n" + indent(pretty(e.Instance, prettyWidth)))
	return b.String()
}

// Field is the whole path to the value at fault, joined by dots.
func (e *Error) Field() string { return dotted(e.At) }

// Attribute is Path joined by dots, which is what StackStorm names in texts.
func (e *Error) Attribute() string { return dotted(e.Path) }

func dotted(path []value.Value) string {
	parts := make([]string, len(path))
	for i, p := range path {
		parts[i] = value.KeyText(p)
	}
	return strings.Join(parts, ".")
}

// As lets errors.As find a *petrel.Error of kind Invalid in it.
func (e *Error) As(target any) bool {
	t, ok := target.(**petrel.Error)
	if ok {
		*t = &petrel.Error{Kind: petrel.Invalid, Message: e.Message, Field: e.Field()}
	}
	return ok
}

// AsError is the schema error in err's chain, or nil.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

func writeIndex(b *strings.Builder, path []value.Value) {
	for _, p := range path {
		b.WriteString("[" + value.Repr(p) + "]")
	}
}

func indent(text string) string {
	lines := strings.Split(text, "\n")
	return "    " + strings.Join(lines, "\n    ")
}

// shown is the repr of a value for a message, cut at MaxShown.
func shown(v value.Value) string { return cut(reprWithin(v)) }

func shownAll(items []value.Value) string {
	var b strings.Builder
	for i, item := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		if b.Len() > MaxShown {
			b.WriteString("...")
			break
		}
		b.WriteString(shown(item))
	}
	return b.String()
}

// reprWithin writes no more of a huge value than an error can show.
func reprWithin(v value.Value) string {
	b := value.NewBudget(context.Background(), value.Limits{Bytes: 4 << 20, Depth: 2 * MaxDepth})
	text, err := value.ToRepr(b, v)
	if err != nil {
		return "<" + value.TypeName(v) + " too large to be shown>"
	}
	return text
}

func cut(text string) string {
	if len(text) <= MaxShown {
		return text
	}
	end := MaxShown
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "..."
}
