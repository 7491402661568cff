package jinja

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"petrel/expr/value"
)

func TestUndeclared(t *testing.T) {
	env := NewEnv(Options{})
	for src, want := range map[string]string{
		"{{ a.b }} {{ c }}": "a c", "{% set x = y %}{{ x }}": "y", "{{ x }}{% set x = 1 %}": "x", "{% for i in l if i > m %}{{ i }}{{ loop.index }}{% endfor %}": "l m",
		"{{ range(3) }}{{ dict() }}": "", "{% macro m(a, b=c) %}{{ a }}{{ d }}{{ varargs }}{% endmacro %}{{ m(e) }}": "c d e",
		"{% if a %}{% set q = 1 %}{% endif %}{{ q }}": "a q", "{% with x = y %}{{ x }}{% endwith %}{{ x }}": "x y", "{% block b %}{{ z }}{{ self.b }}{% endblock %}": "z",
		"{{ a | default(b) }}{{ c is in(d) }}": "a b c d", "{% set ns.a = b %}": "b ns", "{% raw %}{{ a }}{% endraw %}": "", "{% import 'x' as y %}{{ y }}": "",
	} {
		tmpl, err := env.Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got := strings.Join(tmpl.Undeclared(), " "); got != want {
			t.Errorf("%s: %q, want %q", src, got, want)
		}
	}
}

func TestErrorsAreTyped(t *testing.T) {
	env := NewEnv(Options{})
	_, err := env.Compile("a\n{% if %}")
	var se *SyntaxError
	if !errors.As(err, &se) || se.Line != 2 || se.Class != "TemplateSyntaxError" || se.Msg != "Expected an expression, got 'end of statement block'" {
		t.Errorf("got %#v", err)
	}
	if _, err := env.Compile("{{ a | nope }}"); !errors.As(err, &se) || se.Class != "TemplateAssertionError" || se.Msg != "No filter named 'nope'." {
		t.Errorf("got %#v", err)
	}
	for src, want := range map[string]string{"x": "'x' is undefined", "d.y": "'dict object' has no attribute 'y'", "l[9]": "list object has no element 9"} {
		x, err := env.CompileExpression(src)
		if err != nil {
			t.Fatal(err)
		}
		_, err = x.Eval(context.Background(), value.DictOf("d", value.NewDict(), "l", value.NewList()))
		var ue *UndefinedError
		if !errors.As(err, &ue) || ue.Msg != want || !ue.Unused {
			t.Errorf("%s: %#v", src, err)
		}
		tmpl, _ := env.Compile("{{ " + src + " + 1 }}")
		_, err = tmpl.Render(context.Background(), value.DictOf("d", value.NewDict(), "l", value.NewList()))
		if !errors.As(err, &ue) || ue.Msg != want || ue.Unused {
			t.Errorf("%s in a template: %#v", src, err)
		}
	}
	tmpl, _ := env.Compile("{{ 1 / 0 }}")
	if _, err := tmpl.Render(context.Background(), nil); value.ErrorClass(err) != "ZeroDivisionError" {
		t.Errorf("got %v", err)
	}
}

// store is a data object that looks keys up when their text is needed.
type store struct {
	key  string
	vals map[string]string
}

func (store) TypeName() string { return "KeyValueLookup" }

func (s store) Attr(_ *value.Budget, name string) (value.Value, bool, error) {
	return store{strings.TrimPrefix(s.key+"."+name, "."), s.vals}, true, nil
}

func (s store) Str(b *value.Budget) (string, error) {
	if v, ok := s.vals[s.key]; ok {
		return v, b.Context().Err()
	}
	return "", errors.New("no key " + s.key)
}

func TestRegisteredAndLazy(t *testing.T) {
	env := NewEnv(Options{
		Filters: map[string]*value.Func{"shout": value.NewFunc("shout", func(c *value.Call) (value.Value, error) { return value.Str(c.Args[0]) + "!", nil })},
		Tests:   map[string]*value.Func{"big": value.NewFunc("big", func(c *value.Call) (value.Value, error) { return value.Less(c.Budget, int64(9), c.Args[0]) })},
		Globals: map[string]value.Value{"twice": value.NewFunc("twice", func(c *value.Call) (value.Value, error) { return value.Mul(c.Budget, c.Args[0], int64(2)) })},
		DecryptKV: func(_ context.Context, v value.Value) (value.Value, error) {
			s, err := value.ToStr(nil, v)
			return "plain " + s, err
		},
	})
	vars := MapVars{"st2kv": store{vals: map[string]string{"system.a.b": "v"}}, "n": int64(10),
		"ctx": value.NewFunc("ctx", func(c *value.Call) (value.Value, error) { return value.DictOf("x", int64(1)), nil })}
	for src, want := range map[string]string{
		"{{ 'a' | shout }}{{ n is big }}{{ twice('x') }}": "a!Truexx", "{{ st2kv.system.a.b }}": "v", "{{ st2kv['system']['a'].b | upper }}": "V",
		"{{ st2kv.system.a.b | decrypt_kv }}": "plain v", "{{ ctx().x }}{{ ctx()['x'] }}": "11", "{{ st2kv.system.a is defined }}": "True",
	} {
		tmpl, err := env.Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got, err := tmpl.Render(context.Background(), vars); err != nil || got != want {
			t.Errorf("%s: %q (%v), want %q", src, got, err, want)
		}
	}
	tmpl, _ := env.Compile("{{ st2kv.user.nope }}")
	if _, err := tmpl.Render(context.Background(), vars); err == nil || err.Error() != "no key user.nope" {
		t.Errorf("got %v", err)
	}
	tmpl, _ = env.Compile("{{ st2kv.__class__ }}{{ st2kv._x }}")
	if _, err := tmpl.Render(context.Background(), vars); err == nil {
		t.Error("private attributes of objects must not be reachable")
	}
}

func TestOneEnvForManyGoroutines(t *testing.T) {
	env := NewEnv(Options{CacheSize: 4})
	srcs := []string{"{% for i in range(5) %}{{ loop.index }}{% endfor %}", "{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m(n) }}", "{{ n | string | regex_replace('[0-9]', 'x') }}",
		"{% set x = n %}{{ x }}", "{{ [3, 1] | sort | join(',') }}", "{% block b %}{{ n }}{% endblock %}"}
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 200 {
				tmpl, err := env.Compile(srcs[i%len(srcs)])
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := tmpl.Render(context.Background(), value.DictOf("n", int64(7))); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	if len(env.cache.m) > 4 {
		t.Errorf("cache holds %d", len(env.cache.m))
	}
}

func TestSwitches(t *testing.T) {
	src := "  {% if true %}\nx\n  {% endif %}\ny {{ none }}"
	for _, c := range []struct {
		opts Options
		want string
	}{
		{Options{}, "x\ny None"}, {Options{KeepBlockNewlines: true}, "\nx\n\ny None"}, {Options{KeepBlockIndent: true}, "  x\n  y None"},
	} {
		tmpl, err := NewEnv(c.opts).Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := tmpl.Render(context.Background(), nil); got != c.want {
			t.Errorf("%+v: %q, want %q", c.opts, got, c.want)
		}
	}
}
