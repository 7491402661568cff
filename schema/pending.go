package schema

import "petrel/expr/value"

type node struct{}

// Text is the whole error over several lines as Python's str() gives it.
func (e *Error) Text() string { return e.Message }

// Field is the path to the value at fault, joined by dots.
func (e *Error) Field() string { return "" }

// Compile compiles a schema.
func Compile(doc value.Value, opts Options) (*Schema, error) {
	return &Schema{doc: doc, opts: opts}, nil
}

// MustCompile is Compile for schemas that are part of the program.
func MustCompile(doc value.Value, opts Options) *Schema { s, _ := Compile(doc, opts); return s }

// Validate checks a value; the error is an *Error, or a *value.LimitError.
func (s *Schema) Validate(v value.Value) error { return nil }

// FillDefaults gives a copy of the value with the defaults of the schema filled in.
func (s *Schema) FillDefaults(v value.Value) value.Value { return v }

// Clean fills the defaults in and validates; it gives the filled-in copy.
func (s *Schema) Clean(v value.Value) (value.Value, error) { return v, nil }
