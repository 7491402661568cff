package actions

import (
	"fmt"
	"sync"

	"petrel"
	"petrel/expr/value"
	"petrel/schema"
)

// Parameter is one parameter of an action as it is in effect.
type Parameter struct {
	Name string
	// Schema is the merged schema: the runner's with the action's over it. It
	// must not be changed.
	Schema *value.Dict
	// FromRunner and FromAction say who declares it; both when the action
	// changes what the runner declares.
	FromRunner, FromAction bool
	// Type is the schema's type; empty when there is none.
	Type                        string
	Required, Secret, Immutable bool
	// Default is the default, when HasDefault says that there is one.
	Default    value.Value
	HasDefault bool
	// Position is the place among positional arguments, -1 when it has none.
	Position int
}

// Spec are the parameters of an action and its runner. It is shared between
// callers and must not be changed.
type Spec struct {
	ActionRef petrel.Ref
	// Runner and Action are the parameters as each declares them: name → schema.
	Runner, Action *value.Dict
	// Parameters are merged: the runner's first, each in its order.
	Parameters []Parameter

	index map[string]int
	// casts is the type that decides the cast; where runner and action both
	// declare a parameter, the runner's does.
	casts map[string]string
	// defaults are those of the action, then of the runner, ready to be used.
	defaults []*defaultOf
	schema   func() (*schema.Schema, error)
	secrets  *mask
}

// Find gives the parameter of that name, or nil.
func (s *Spec) Find(name string) *Parameter {
	if i, ok := s.index[name]; ok {
		return &s.Parameters[i]
	}
	return nil
}

// Schema is the schema that given parameters are held against: the merged
// parameters as properties, nothing beside them. An action without any
// parameters has an empty schema, which everything fits.
func (s *Spec) Schema() (*schema.Schema, error) { return s.schema() }

var specs = newCache[*Spec](1024)

// Merged gives the parameters in effect. The error says which text of the two
// is not a map of schemas.
func Merged(runner petrel.RunnerType, action petrel.Action) (*Spec, error) {
	parts := [...][]byte{runner.Parameters, action.Parameters, []byte(action.Ref), []byte(action.Name), []byte(action.Description)}
	return specs.get(parts[:], func() (*Spec, error) {
		r, err := parameters(runner.Parameters)
		if err != nil {
			return nil, fmt.Errorf("parameters of runner %q: %w", runner.Name, err)
		}
		a, err := parameters(action.Parameters)
		if err != nil {
			return nil, fmt.Errorf("parameters of action %q: %w", action.Ref, err)
		}
		return newSpec(r, a, action), nil
	})
}

// MergedFrom is Merged for parameters that are not yet part of a runner and an
// action; nil stands for none.
func MergedFrom(runner, own *value.Dict, action petrel.Action) *Spec {
	if runner == nil {
		runner = value.NewDict()
	}
	if own == nil {
		own = value.NewDict()
	}
	return newSpec(runner, own, action)
}

// parameters reads a map of schemas. A parameter that is null has an empty one.
func parameters(text petrel.JSON) (*value.Dict, error) {
	d, err := object(text)
	if err != nil {
		return nil, err
	}
	for name, v := range d.Clone().All() {
		switch v.(type) {
		case *value.Dict:
		case nil:
			d.Set(name, value.NewDict())
		default:
			return nil, fmt.Errorf("parameter %s must be an object, not %s", value.Str(name), value.TypeName(v))
		}
	}
	return d, nil
}

// object reads a JSON object; no text is an empty one.
func object(text petrel.JSON) (*value.Dict, error) {
	if text.Empty() {
		return value.NewDict(), nil
	}
	v, err := value.FromJSON(text)
	if err != nil {
		return nil, err
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("must be an object, not %s", value.TypeName(v))
	}
	return d, nil
}

func newSpec(runner, action *value.Dict, of petrel.Action) *Spec {
	s := &Spec{ActionRef: of.Ref, Runner: runner, Action: action, index: map[string]int{}, casts: map[string]string{}}
	merged := value.NewDictSize(runner.Len() + action.Len())
	deepUpdate(merged, runner)
	deepUpdate(merged, action)
	for k, v := range merged.All() {
		name, doc := value.KeyText(k), v.(*value.Dict)
		s.index[name] = len(s.Parameters)
		s.Parameters = append(s.Parameters, newParameter(name, doc, runner.Has(k), action.Has(k)))
	}
	for _, from := range []*value.Dict{action, runner} {
		for k, v := range from.All() {
			name, doc := value.KeyText(k), v.(*value.Dict)
			s.casts[name] = textAt(doc, "type")
			s.defaults = append(s.defaults, newDefault(name, doc))
		}
	}
	s.secrets = maskOf(merged)
	s.schema = sync.OnceValues(func() (*schema.Schema, error) {
		return schema.Compile(composed(merged, of.Name, of.Description), schema.Options{AllowNone: true})
	})
	return s
}

func newParameter(name string, doc *value.Dict, fromRunner, fromAction bool) Parameter {
	p := Parameter{
		Name: name, Schema: doc, FromRunner: fromRunner, FromAction: fromAction,
		Type: textAt(doc, "type"), Required: trueAt(doc, "required"), Secret: trueAt(doc, "secret"),
		Immutable: trueAt(doc, "immutable"), Position: -1,
	}
	p.Default, p.HasDefault = doc.GetStr("default")
	if pos, ok := doc.GetStr("position"); ok {
		if f, err := value.ToFloat(pos); err == nil {
			p.Position = int(f)
		}
	}
	return p
}

// deepUpdate sets all of from's entries in into; where both have an object,
// its entries are merged in turn.
func deepUpdate(into, from *value.Dict) {
	for k, v := range from.All() {
		sub, ok := v.(*value.Dict)
		if !ok {
			into.Set(k, v)
			continue
		}
		old, _ := into.Get(k)
		target := value.NewDict()
		if d, ok := old.(*value.Dict); ok {
			target = d.Clone()
		}
		deepUpdate(target, sub)
		into.Set(k, target)
	}
}

// composed is the schema of all parameters together.
func composed(merged *value.Dict, name, description string) *value.Dict {
	doc := propertiesSchema(merged, false)
	if merged.Len() > 0 {
		doc.SetStr("title", name)
		if description != "" {
			doc.SetStr("description", description)
		}
	}
	return doc
}

// propertiesSchema is the schema of an object with these properties, an empty
// schema when there are none. A property with an empty schema may be anything
// but null.
func propertiesSchema(properties *value.Dict, more bool) *value.Dict {
	doc := value.NewDict()
	if properties.Len() == 0 {
		return doc
	}
	known := value.NewDictSize(properties.Len())
	for k, v := range properties.All() {
		if d, ok := v.(*value.Dict); ok && d.Len() == 0 {
			v = anyType()
		}
		known.Set(k, v)
	}
	doc.SetStr("type", "object")
	doc.SetStr("properties", known)
	doc.SetStr("additionalProperties", more)
	return doc
}

func anyType() *value.Dict {
	choice := &value.List{}
	for _, kind := range []string{"array", "boolean", "integer", "number", "object", "string"} {
		choice.Append(value.DictOf("type", kind))
	}
	return value.DictOf("anyOf", choice)
}

func textAt(d *value.Dict, key string) string {
	v, _ := d.GetStr(key)
	text, _ := v.(string)
	return text
}

func trueAt(d *value.Dict, key string) bool {
	v, _ := d.GetStr(key)
	truth, err := value.Truth(nil, v)
	return truth && err == nil
}

func dictAt(d *value.Dict, key string) *value.Dict {
	v, _ := d.GetStr(key)
	sub, _ := v.(*value.Dict)
	return sub
}
