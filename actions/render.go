package actions

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"strings"

	"petrel/expr/value"
	"petrel/schema"
)

// Bounds of given parameters.
const (
	// MaxGiven is how many parameters may be given.
	MaxGiven = 1000
	// MaxValue is the size of one parameter, roughly that of its JSON.
	MaxValue = 1 << 20
	// MaxDepth is how deep lists and dicts in a parameter may be nested.
	MaxDepth = 64
)

// DefaultUser is whose keys st2kv.user reads when nobody is named.
const DefaultUser = "stanley"

// Live renders, casts and validates the parameters of a request and refuses
// immutable ones that are given. The outcome is what is stored with the
// execution: what was given, and the defaults that are templates of a text,
// because what they use (the trigger, say) is known only now. The error is an
// *Error.
func Live(ctx context.Context, in Input) (*value.Dict, error) {
	spec, err := Merged(in.Runner, in.Action)
	if err != nil {
		return nil, &Error{Stage: StageValidate, Message: err.Error(), Err: err}
	}
	return spec.live(ctx, in)
}

func (s *Spec) live(ctx context.Context, in Input) (*value.Dict, error) {
	given := in.Given
	if given == nil {
		given = value.NewDict()
	}
	if err := s.checkGiven(given); err != nil {
		return nil, err
	}
	g := in.graph(s, given.Len())
	if in.HasTrigger || in.Trigger != nil {
		g.set("trigger", in.Trigger, true)
	}
	for k, v := range given.All() {
		name := k.(string)
		t, err := newTemplate(v)
		if err != nil {
			return nil, (&node{name: name}).failed(err)
		}
		g.add(name, v, t)
	}
	known, err := in.resolve(ctx, s, g)
	if err != nil {
		return nil, s.veil(err, given)
	}
	out := value.NewDictSize(given.Len())
	for k := range given.All() {
		if err := s.castInto(out, k.(string), s.casts[k.(string)], known); err != nil {
			return nil, err
		}
	}
	for _, d := range s.defaults {
		if d.immutable || !d.text || given.Has(d.name) {
			continue
		}
		if v, _ := known.GetStr(d.name); value.Equal(v, d.value) {
			continue
		}
		if err := s.castInto(out, d.name, d.kind, known); err != nil {
			return nil, err
		}
	}
	if err := s.validate(out); err != nil {
		return nil, err
	}
	return out, s.checkImmutable(out)
}

// Final gives the parameters an action is run with, the runner's and the
// action's own: the stored ones, which are not rendered again, and the
// defaults, which are. The error is an *Error of StageFinal.
func Final(ctx context.Context, in Input) (runner, action *value.Dict, err error) {
	spec, err := Merged(in.Runner, in.Action)
	if err != nil {
		return nil, nil, &Error{Stage: StageFinal, Message: err.Error(), Err: err}
	}
	return spec.final(ctx, in)
}

func (s *Spec) final(ctx context.Context, in Input) (runner, action *value.Dict, err error) {
	given := in.Given
	if given == nil {
		given = value.NewDict()
	}
	g := in.graph(s, given.Len())
	for k, v := range given.All() {
		g.set(value.KeyText(k), v, true)
	}
	known, err := in.resolve(ctx, s, g)
	if err != nil {
		return nil, nil, final(s.veil(err, given))
	}
	runner, action = value.NewDictSize(s.Runner.Len()), value.NewDictSize(s.Action.Len())
	for k := range known.All() {
		name := k.(string)
		out := action
		if s.Runner.Has(name) {
			out = runner
		} else if !s.Action.Has(name) {
			continue
		}
		if err := s.castInto(out, name, s.casts[name], known); err != nil {
			return nil, nil, final(err)
		}
	}
	return runner, action, nil
}

// final marks an error as one of the last rendering.
func final(err error) error {
	if e, ok := err.(*Error); ok {
		e.Stage = StageFinal
	}
	return err
}

// graph begins with what templates may use besides parameters.
func (in *Input) graph(s *Spec, given int) *graph {
	g := newGraph(4 + given + len(s.defaults))
	g.set("st2kv", nil, false)
	g.set("action_context", orEmpty(in.Context), true)
	g.set("config_context", orEmpty(in.Config), true)
	return g
}

func orEmpty(d *value.Dict) *value.Dict {
	if d == nil {
		return value.NewDict()
	}
	return d
}

// resolve adds the defaults and renders all.
func (in *Input) resolve(ctx context.Context, s *Spec, g *graph) (*value.Dict, error) {
	if err := g.addDefaults(s.defaults); err != nil {
		return nil, err
	}
	// The datastore is made ready only for templates that name it. A parameter
	// of that name stands before it.
	if kv := &g.nodes[g.at("st2kv")]; kv.value == nil && kv.template == nil && len(kv.users) > 0 {
		kv.value = datastore(&store{ctx: ctx, kv: in.KV, user: in.datastoreUser()})
	}
	if in.KV != nil {
		ctx = context.WithValue(ctx, kvKey{}, in.KV)
	}
	return g.resolve(ctx)
}

// datastoreUser is whose keys st2kv.user reads.
func (in *Input) datastoreUser() string {
	if in.Context != nil {
		v, ok := in.Context.GetStr("api_user")
		if !ok {
			v, _ = in.Context.GetStr("user")
		}
		if name, ok := v.(string); ok && name != "" {
			return name
		}
	}
	if in.User != "" {
		return in.User
	}
	return DefaultUser
}

// castInto casts a resolved value by type and puts it into out.
func (s *Spec) castInto(out *value.Dict, name, kind string, known *value.Dict) error {
	v, _ := known.GetStr(name)
	if v == nil || kind == "" {
		out.SetStr(name, v)
		return nil
	}
	cast, err := Cast(kind, v)
	if err != nil {
		e := &Error{Stage: StageCast, Parameter: name, Message: err.Error(), Err: err}
		if s.secretAt(name) {
			e.Message, e.Err = strings.ReplaceAll(e.Message, value.Str(v), Masked), nil
		}
		return e
	}
	out.SetStr(name, cast)
	return nil
}

// validate holds the parameters against the merged schema.
func (s *Spec) validate(params *value.Dict) error {
	compiled, err := s.schema()
	if err == nil {
		if err = s.checkStorable(params); err != nil {
			return err
		}
		_, err = compiled.Clean(params)
	}
	if err == nil {
		return nil
	}
	e := &Error{Stage: StageValidate, Message: err.Error(), Err: err}
	if fault := schema.AsError(err); fault != nil && !fault.Meta {
		if len(fault.At) > 0 {
			e.Parameter = value.KeyText(fault.At[0])
		}
		fault = s.veilFault(fault)
		e.Message, e.Err = fault.Message, fault
	}
	return e
}

// checkImmutable refuses parameters that may not be given.
func (s *Spec) checkImmutable(params *value.Dict) error {
	found := &value.List{}
	for k := range params.All() {
		name := k.(string)
		if trueAt(orEmpty(dictAt(s.Action, name)), "immutable") || trueAt(orEmpty(dictAt(s.Runner, name)), "immutable") {
			found.Append(name)
		}
	}
	if found.Len() == 0 {
		return nil
	}
	return &Error{Stage: StageImmutable, Parameter: found.Items[0].(string),
		Message: fmt.Sprintf("Override of immutable parameter(s) %s is unsupported.", value.Repr(found))}
}

// checkGiven refuses what is too much before any of it is looked at.
func (s *Spec) checkGiven(given *value.Dict) error {
	if given.Len() > MaxGiven {
		return &Error{Stage: StageValidate, Message: fmt.Sprintf("%d parameters are given; the limit is %d", given.Len(), MaxGiven)}
	}
	for k, v := range given.All() {
		name, ok := k.(string)
		if !ok {
			return &Error{Stage: StageValidate, Message: fmt.Sprintf("the name of a parameter must be a text, not %s", value.Repr(k))}
		}
		if err := checkValue(name, v); err != nil {
			return err
		}
	}
	return nil
}

// checkStorable refuses what rendering may have made and JSON cannot hold.
func (s *Spec) checkStorable(params *value.Dict) error {
	for k, v := range params.All() {
		if err := checkValue(k.(string), v); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(name string, v value.Value) error {
	c := checker{left: MaxValue}
	if fault := c.check(v, 0); fault != "" {
		return &Error{Stage: StageValidate, Parameter: name, Message: fmt.Sprintf("Parameter %q %s", name, fault)}
	}
	return nil
}

// checker walks a value and says what is wrong with it.
type checker struct{ left int }

func (c *checker) check(v value.Value, depth int) string {
	if depth > MaxDepth {
		return fmt.Sprintf("is nested deeper than the limit of %d levels", MaxDepth)
	}
	c.left -= 4
	switch x := v.(type) {
	case string:
		c.left -= len(x)
		if strings.IndexByte(x, 0) >= 0 {
			return "holds a NUL character, which cannot be stored"
		}
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return "is no finite number"
		}
	case *big.Int:
		c.left -= x.BitLen() / 3
	case *value.List:
		for _, item := range x.Items {
			if fault := c.check(item, depth+1); fault != "" {
				return fault
			}
		}
	case *value.Dict:
		for k, item := range x.All() {
			if fault := c.check(k, depth+1); fault != "" {
				return fault
			}
			if fault := c.check(item, depth+1); fault != "" {
				return fault
			}
		}
	}
	if c.left < 0 {
		return fmt.Sprintf("is larger than the limit of %d bytes", MaxValue)
	}
	return ""
}

// sizeOf is about how many bytes a value's JSON has; it stops counting at the limit.
func sizeOf(v value.Value, limit int) int {
	c := checker{left: limit}
	c.check(v, 0)
	return limit - c.left
}
