package aliases

import (
	"context"
	"errors"
	"strings"
	"sync"

	"petrel"
	"petrel/expr"
	"petrel/expr/jinja"
	"petrel/expr/value"
)

// strict renders what an alias says of a run that was accepted, lenient what
// it says of one that ended; so does the original.
var (
	strict  = sync.OnceValue(func() *jinja.Env { return jinja.NewEnv(jinja.Options{}) })
	lenient = sync.OnceValue(func() *jinja.Env { return jinja.NewEnv(jinja.Options{Lenient: true}) })
)

// Said is an answer that was rendered.
type Said struct {
	Enabled bool
	// Message is the rendered format. HasMessage is false when the alias has
	// none, and the client says something of its own.
	Message    string
	HasMessage bool
	// Extra is for the adapters, such as {slack: {color: ...}}. It is a text with
	// the reason when it could not be rendered; nil when there is none.
	Extra value.Value
}

// Acknowledge renders the alias's ack for a run that was accepted. Execution
// and alias are what the API shows of them. A name that is not defined is told
// in the text.
// st2: st2api/st2api/controllers/v1/aliasexecution.py
func Acknowledge(ctx context.Context, a *petrel.Alias, execution, alias *value.Dict) Said {
	ack := Ack(a)
	out := Said{Enabled: ack.Enabled}
	vars := value.DictOf("execution", execution, "actionalias", alias)
	if ack.HasFormat {
		text, err := renderText(ctx, strict(), ack.Format, vars)
		if err != nil {
			text = `Cannot render "format" in field "ack" for alias. ` + err.Error()
		} else {
			vars.Set("message", text)
		}
		out.Message, out.HasMessage = text, true
	}
	if ack.Extra != nil {
		extra, err := RenderValues(ctx, ack.Extra, vars)
		if err != nil {
			out.Extra = `Cannot render "extra" in field "ack" for alias. ` + err.Error()
		} else {
			out.Extra = extra
		}
	}
	return out
}

// Finished renders the alias's result for a run that ended; a nil alias or one
// without a format gives the default text. What cannot be rendered is told in
// the text.
// st2: contrib/chatops/actions/format_execution_result.py
func Finished(ctx context.Context, a *petrel.Alias, execution, alias *value.Dict) Said {
	out := Said{Enabled: true, HasMessage: true}
	vars := value.DictOf("six", sixModule(), "execution", execution)
	var result Answer
	if a != nil {
		vars.Set("alias", alias)
		result = Result(a)
		if !result.Enabled {
			return Said{}
		}
	}
	if result.Extra != nil {
		extra, err := RenderValues(ctx, result.Extra, vars)
		if err != nil {
			out.Extra = `Cannot render "extra" in field "result" for alias. ` + err.Error()
		} else {
			out.Extra = extra
		}
	}
	if !result.HasFormat {
		out.Message, out.HasMessage = DefaultResult(execution), false
		return out
	}
	text, err := renderText(ctx, lenient(), result.Format, vars)
	if err != nil {
		text = `Cannot render "format" in field "result" for alias. ` + err.Error() + "\n\n" + DefaultResult(execution)
	}
	out.Message = text
	return out
}

func renderText(ctx context.Context, env *jinja.Env, source string, vars jinja.Vars) (string, error) {
	t, err := env.Compile(source)
	if err != nil {
		return "", err
	}
	return t.Render(ctx, vars)
}

// RenderValues renders the strings in a mapping strictly, at any depth; what
// holds no template keeps its type. The variables also stand in __context.
// st2: st2common/st2common/util/jinja.py, render_values
func RenderValues(ctx context.Context, mapping, vars *value.Dict) (*value.Dict, error) {
	all := value.NewDictSize(vars.Len() + 1)
	all.Set("__context", vars)
	for k, v := range vars.All() {
		all.Set(k, v)
	}
	out, err := renderValue(ctx, mapping, all, 0)
	if err != nil {
		return nil, err
	}
	return out.(*value.Dict), nil
}

// maxRenderDepth bounds the nesting of an extra or of immutable parameters.
const maxRenderDepth = 64

func renderValue(ctx context.Context, v value.Value, vars *value.Dict, depth int) (value.Value, error) {
	if depth > maxRenderDepth {
		return nil, petrel.Errorf(petrel.TooLarge, "the value is nested more than %d levels deep", maxRenderDepth)
	}
	switch x := v.(type) {
	case string:
		if !expr.HasJinja(x) && !strings.Contains(x, "{#") {
			return x, nil
		}
		return renderText(ctx, strict(), x, vars)
	case *value.Dict:
		out := value.NewDictSize(x.Len())
		for k, item := range x.All() {
			r, err := renderValue(ctx, item, vars, depth+1)
			if err != nil {
				return nil, err
			}
			out.Set(k, r)
		}
		return out, nil
	case *value.List:
		out := value.NewList(make([]value.Value, 0, x.Len())...)
		for _, item := range x.Items {
			r, err := renderValue(ctx, item, vars, depth+1)
			if err != nil {
				return nil, err
			}
			out.Append(r)
		}
		return out, nil
	}
	return v, nil
}

// InjectImmutable adds the alias's immutable parameters, rendered with what
// vars hold (st2kv and the run's context), to each run's parameters. One that
// the line gives too is refused.
// st2: inject_immutable_parameters
func InjectImmutable(ctx context.Context, a *petrel.Alias, runs []*value.Dict, vars *value.Dict) error {
	immutable := object(a.Immutable)
	if immutable == nil || immutable.Len() == 0 {
		return nil
	}
	rendered, err := RenderValues(ctx, immutable, vars)
	if err != nil {
		return petrel.Wrap(petrel.Invalid, err, "immutable_parameters of the alias \"%s\" cannot be rendered: %s", a.Name, reason(err))
	}
	for _, params := range runs {
		var overridden []string
		for k := range immutable.All() {
			if _, given := params.Get(k); given {
				overridden = append(overridden, value.KeyText(k))
			}
		}
		if len(overridden) > 0 {
			return &petrel.Error{Kind: petrel.Invalid, Field: overridden[0],
				Message: "Immutable arguments cannot be overriden: " + strings.Join(overridden, ",")}
		}
		for k, v := range rendered.All() {
			params.Set(k, v)
		}
	}
	return nil
}

// reason is the text of an error of the expression language; these texts are
// written for users.
func reason(err error) string {
	var e *petrel.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// sixModule is the part of Python's six that result formats use.
func sixModule() *value.Dict {
	walk := func(name string, item func(k, v value.Value) value.Value) *value.Func {
		return value.NewFunc(name, func(c *value.Call) (value.Value, error) {
			args, err := c.Bind(name, value.Req("d"))
			if err != nil {
				return nil, err
			}
			d, ok := args[0].(*value.Dict)
			if !ok {
				if u, undefined := args[0].(*value.Undefined); undefined {
					return nil, u.Err()
				}
				return nil, value.Errorf("AttributeError", "'%s' object has no attribute '%s'", value.TypeName(args[0]), strings.TrimPrefix(name, "iter"))
			}
			items := make([]value.Value, 0, d.Len())
			for k, v := range d.All() {
				items = append(items, item(k, v))
			}
			next := 0
			return value.NewIterator(func() (value.Value, bool, error) {
				if next >= len(items) {
					return nil, false, nil
				}
				next++
				return items[next-1], true, nil
			}), nil
		})
	}
	return value.DictOf(
		"iteritems", walk("iteritems", func(k, v value.Value) value.Value { return value.Tuple{k, v} }),
		"iterkeys", walk("iterkeys", func(k, _ value.Value) value.Value { return k }),
		"itervalues", walk("itervalues", func(_, v value.Value) value.Value { return v }),
	)
}
