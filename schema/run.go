package schema

import (
	"errors"

	"petrel/expr/value"
)

// run is one check of one value.
type run struct {
	dialect Dialect
	budget  value.Budget
	found   collector
	// path and schemaPath lead from where the collector began to where the
	// check is.
	path, schemaPath []value.Value
	base, schemaBase int
}

// errEnough ends a check that has found all it needs.
var errEnough = errors.New("enough")

// picking says which of several faults is kept.
type picking int

const (
	pickFirst   picking = iota // the first; the check ends there
	pickBest                   // best_match: the shortest path, others before anyOf and oneOf
	pickDeepest                // what best_match takes of the faults below an anyOf or oneOf
)

// collector keeps one fault of those found.
type collector struct {
	pick            picking
	best            *fault
	depth, strength int
}

// fault is an error that may yet turn out not to be the one told; its text is
// only written when it is.
type fault struct {
	message          func() string
	keyword          string
	path, schemaPath []value.Value
	at               []value.Value // path from the root
	instance, schema value.Value
	context          *fault // the pick of the faults below an anyOf or oneOf
	where            []value.Value
}

// deepest follows the context of anyOf and oneOf down.
func (f *fault) deepest() *fault {
	where := f.path
	for f.context != nil {
		f = f.context
		where = append(where[:len(where):len(where)], f.path...)
	}
	f.where = where
	return f
}

func (f *fault) error() *Error {
	return &Error{
		Message: f.message(), Keyword: f.keyword, Path: f.path, SchemaPath: f.schemaPath, At: f.at,
		Instance: f.instance, Schema: f.schema, Where: f.where,
	}
}

// wants says whether a fault of this kind would be kept.
func (c *collector) wants(depth int, weak bool) bool {
	strength := 1
	if weak {
		strength = 0
	}
	if c.best != nil {
		switch c.pick {
		case pickFirst:
			return false
		case pickBest:
			if depth > c.depth || depth == c.depth && strength <= c.strength {
				return false
			}
		case pickDeepest:
			if depth < c.depth || depth == c.depth && strength >= c.strength {
				return false
			}
		}
	}
	c.depth, c.strength = depth, strength
	return true
}

// fail reports a fault of a rule at the place where the check is.
func (r *run) fail(n *node, rule *rule, v value.Value, message func() string) error {
	return r.failIn(n, rule.keyword, v, nil, message)
}

func (r *run) failIn(n *node, keyword string, v value.Value, context *fault, message func() string) error {
	weak := keyword == "anyOf" || keyword == "oneOf"
	if !r.found.wants(len(r.path)-r.base, weak) {
		return nil
	}
	at := append([]value.Value(nil), r.path...)
	r.found.best = &fault{
		message: message, keyword: keyword, instance: v, schema: n.doc, context: context,
		at:         at,
		path:       at[r.base:],
		schemaPath: append([]value.Value(nil), r.schemaPath[r.schemaBase:]...),
	}
	if r.found.pick == pickFirst {
		return errEnough
	}
	return nil
}

// node checks a value against a subschema.
func (r *run) node(n *node, v value.Value) error {
	if err := r.budget.Enter(); err != nil {
		return err
	}
	defer r.budget.Leave()
	if n.refuse {
		return r.failIn(n, "", v, nil, func() string { return "False schema does not allow " + shown(v) })
	}
	for i := range n.rules {
		rule := &n.rules[i]
		if err := r.budget.Step(1); err != nil {
			return err
		}
		if rule.err != nil {
			return rule.err
		}
		if rule.keyword == "$ref" {
			if err := rule.check(r, n, rule, v); err != nil {
				return err
			}
			continue
		}
		r.schemaPath = append(r.schemaPath, rule.keyword)
		err := rule.check(r, n, rule, v)
		r.schemaPath = r.schemaPath[:len(r.schemaPath)-1]
		if err != nil {
			return err
		}
	}
	return nil
}

// none stands for no step in a path.
type none struct{}

// descend checks a part of a value; at is the part's key or index, in the
// step in the schema, none{} where there is none.
func (r *run) descend(n *node, v, at, in value.Value) error {
	if _, skip := at.(none); !skip {
		r.path = append(r.path, at)
	}
	if _, skip := in.(none); !skip {
		r.schemaPath = append(r.schemaPath, in)
	}
	err := r.node(n, v)
	if _, skip := at.(none); !skip {
		r.path = r.path[:len(r.path)-1]
	}
	if _, skip := in.(none); !skip {
		r.schemaPath = r.schemaPath[:len(r.schemaPath)-1]
	}
	return err
}

// aside runs a check whose faults do not count by themselves, and gives the
// one it would pick.
func (r *run) aside(pick picking, check func() error) (*fault, error) {
	found, base, schemaBase := r.found, r.base, r.schemaBase
	r.found, r.base, r.schemaBase = collector{pick: pick}, len(r.path), len(r.schemaPath)
	err := check()
	best := r.found.best
	r.found, r.base, r.schemaBase = found, base, schemaBase
	if err == errEnough {
		err = nil
	}
	return best, err
}

// fits says whether a value is valid under a subschema.
func (r *run) fits(n *node, v value.Value) (bool, error) {
	f, err := r.aside(pickFirst, func() error { return r.node(n, v) })
	return f == nil, err
}
