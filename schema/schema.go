// Package schema checks values against JSON schemas as StackStorm does: JSON
// schema draft 4, with draft 3's boolean `required` on each property, defaults
// filled in before the check and null permitted where a parameter is optional.
// What is refused, which of several faults is told and in which words are
// those of Python's jsonschema 3.2.0, because clients show these texts.
package schema

import (
	"petrel/expr/value"
)

// Dialect is a way to read a schema.
type Dialect int

// The dialects.
const (
	// Custom is StackStorm's own: draft 4, but `required` is a boolean on each
	// property; secret, immutable and position are known keys.
	Custom Dialect = iota
	// Draft4 is plain draft 4, with `required` as a list.
	Draft4
)

// Options say how a schema is compiled. The zero value is StackStorm's dialect
// without further changes.
type Options struct {
	Dialect Dialect
	// AllowNone permits null for every optional property and every property
	// whose default is null (StackStorm's allow_default_none).
	AllowNone bool
	// Unchecked leaves out the check of the schema itself against its
	// metaschema; for schemas that are part of the program.
	Unchecked bool
}

// Schema is a compiled schema. It is safe for concurrent use.
type Schema struct {
	doc  value.Value // after the changes of AllowNone; shown in errors
	opts Options
	root *node
}
