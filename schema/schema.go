// Package schema checks values against JSON schemas as StackStorm does: JSON
// schema draft 4, with draft 3's boolean `required` on each property, defaults
// filled in before the check and null permitted where a parameter is optional.
// What is refused, which of several faults is told and in which words are
// those of Python's jsonschema 3.2.0, because clients show these texts.
package schema

import (
	"context"
	"fmt"
	"time"

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

// Bounds of a schema and of one check. A check also keeps to them where a
// schema refers to itself.
const (
	// MaxNodes is how many subschemas a schema may have, those behind a $ref
	// counted where they are reached from.
	MaxNodes = 20_000
	// MaxDepth is how deep schemas and values may be nested in a check.
	MaxDepth = 200
	// MaxSteps is how many keywords one check may look at.
	MaxSteps = 5_000_000
	// MaxTime is how long one check may take.
	MaxTime = time.Second
	// MaxShown is how many bytes of a value or schema an error shows.
	MaxShown = 16 << 10
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
	doc      value.Value // after the changes of AllowNone; shown in errors
	opts     Options
	root     *node
	defaults bool // there is a default somewhere that FillDefaults could use
}

// Compile compiles a schema. The error is an *Error with Meta set when the
// schema breaks the rules of its dialect.
func Compile(doc value.Value, opts Options) (*Schema, error) {
	if err := checkDepth(doc, 0); err != nil {
		return nil, err
	}
	if opts.AllowNone {
		if d, ok := doc.(*value.Dict); ok {
			doc = allowNone(d)
		}
	}
	if !opts.Unchecked {
		if err := metaschema(opts.Dialect).First(doc); err != nil {
			if e := AsError(err); e != nil {
				e.Meta = true
			}
			return nil, err
		}
	}
	c := &compiler{dialect: opts.Dialect, root: doc, nodes: map[nodeKey]*node{}}
	root, err := c.compile(doc, baseOf(doc))
	if err != nil {
		return nil, err
	}
	return &Schema{doc: doc, opts: opts, root: root, defaults: hasDefault(doc)}, nil
}

// MustCompile is Compile for schemas that are part of the program; it panics
// when one is wrong.
func MustCompile(doc value.Value, opts Options) *Schema {
	s, err := Compile(doc, opts)
	if err != nil {
		panic(fmt.Sprintf("schema: %v", err))
	}
	return s
}

// Doc is the schema as it is used, after the changes of AllowNone. It must not
// be changed.
func (s *Schema) Doc() value.Value { return s.doc }

// Validate checks a value. Of several faults it tells the one that jsonschema's
// best_match picks: the one nearest to the root. The error is an *Error, or
// another one when the check itself could not be done (a limit, a pattern that
// is no regular expression).
func (s *Schema) Validate(v value.Value) error { return s.check(v, pickBest) }

// First checks a value and tells the first fault in the order of the schema.
func (s *Schema) First(v value.Value) error { return s.check(v, pickFirst) }

// FillDefaults gives the value with the defaults of the schema filled in, also
// in nested objects and in the items of arrays. The value itself is left as it
// is; parts that need no change are shared.
func (s *Schema) FillDefaults(v value.Value) value.Value {
	doc, ok := s.doc.(*value.Dict)
	if !ok || !s.defaults {
		return v
	}
	if kind, _ := doc.GetStr("type"); kind != "object" {
		return v
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return v
	}
	return fillObject(value.Copy(d).(*value.Dict), doc, 0)
}

// Clean fills the defaults in and validates the outcome, which it gives.
func (s *Schema) Clean(v value.Value) (value.Value, error) {
	if err := checkDepth(v, 0); err != nil {
		return nil, err
	}
	v = s.FillDefaults(v)
	return v, s.Validate(v)
}

func (s *Schema) check(v value.Value, pick picking) error {
	r := &run{dialect: s.opts.Dialect, found: collector{pick: pick}}
	r.budget.Reset(context.Background(), value.Limits{Steps: MaxSteps, Depth: MaxDepth, Time: MaxTime, Bytes: 64 << 20})
	err := r.node(s.root, v)
	if err != nil && err != errEnough {
		return err
	}
	f := r.found.best
	if f == nil {
		return nil
	}
	if pick == pickBest {
		f = f.deepest()
	}
	return f.error()
}

// checkDepth refuses what is nested so deep that walking it would be a danger.
func checkDepth(v value.Value, depth int) error {
	if depth > MaxDepth {
		return &value.LimitError{Limit: "levels of depth", Max: fmt.Sprint(MaxDepth)}
	}
	switch x := v.(type) {
	case *value.Dict:
		for _, item := range x.All() {
			if err := checkDepth(item, depth+1); err != nil {
				return err
			}
		}
	case *value.List:
		for _, item := range x.Items {
			if err := checkDepth(item, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func hasDefault(v value.Value) bool {
	switch x := v.(type) {
	case *value.Dict:
		if x.Has("default") {
			return true
		}
		for _, item := range x.All() {
			if hasDefault(item) {
				return true
			}
		}
	case *value.List:
		for _, item := range x.Items {
			if hasDefault(item) {
				return true
			}
		}
	}
	return false
}
