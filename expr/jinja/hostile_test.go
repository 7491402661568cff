package jinja

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"petrel/expr/value"
)

// TestHostileTemplates renders what must be refused: each ends soon, without
// much memory, with an error that says why.
func TestHostileTemplates(t *testing.T) {
	limit := "limit"
	for _, c := range []struct{ name, src, want string }{
		{"class", "{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"},
		{"request", "{{ request }}", "undefined"},
		{"self context", "{{ self._TemplateReference__context }}", "no attribute"},
		{"cycler globals", "{{ cycler.__init__.__globals__ }}", "unsafe"},
		{"attr filter", "{{ 'x' | attr('__class__') }}", "unsafe"},
		{"item", "{{ 'x'['__class__'] }}", "unsafe"},
		{"format", "{{ '{0.__class__}'.format(1) }}", "unsafe"},
		{"format item", "{{ '{0[__class__]}'.format('a') }}", "unsafe"},
		{"format_map", "{{ '{a.__class__}'.format_map({'a': 1}) }}", "unsafe"},
		{"map attribute", "{{ ['x'] | map(attribute='__class__') | join }}", "unsafe"},
		{"joined name", "{{ 'x' | attr('__cla' ~ 'ss__') }}", "unsafe"},
		{"range", "{% for i in range(10**9) %}x{% endfor %}", "Range too big"},
		{"range list", "{{ range(0, 10**18) | list }}", "Range too big"},
		{"nested loops", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", limit},
		{"loop text", "{% for a in range(99999) %}{% for b in range(99999) %}xxxxxxxxxxxxxxxx{% endfor %}{% endfor %}", limit},
		{"repeat", "{{ 'a' * 10**9 }}", limit},
		{"repeat list", "{{ [0] * 10**9 }}", limit},
		{"tower", "{{ 9 ** (9 ** 9) }}", limit},
		{"tower 2", "{{ 10 ** (10 ** (10 ** 10)) }}", limit},
		{"big products", "{% set ns = namespace(x=3) %}{% for i in range(99999) %}{% set ns.x = ns.x * ns.x %}{% endfor %}", limit},
		{"doubling", "{% set ns = namespace(s='x') %}{% for i in range(40) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", limit},
		{"doubling list", "{% set ns = namespace(s=[1]) %}{% for i in range(40) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", limit},
		{"extend itself", "{% set l = [1] %}{% for i in range(60) %}{% set _ = l.extend(l) %}{% endfor %}", limit},
		{"append while walking", "{% set l = [1] %}{% for i in l %}{% set _ = l.append(i) %}{% endfor %}", limit},
		{"percent width", "{{ '%1000000000d' % 1 }}", limit},
		{"percent star", "{{ '%*d' % (1000000000, 1) }}", limit},
		{"format width", "{{ '{:1000000000}'.format(1) }}", limit},
		{"format nested width", "{{ '{:{w}}'.format(1, w=1000000000) }}", limit},
		{"precision", "{{ '%.1000000000f' % 1 }}", limit},
		{"center", "{{ 'a' | center(10**9) }}", limit},
		{"ljust", "{{ 'a'.ljust(10**12) }}", limit},
		{"zfill", "{{ 'a'.zfill(10**12) }}", limit},
		{"indent", "{{ 'a' | indent(10**9, true) }}", limit},
		{"indent lines", "{{ ('\\n' * 100000) | indent(1000, true, true) }}", limit},
		{"batch fill", "{{ [1] | batch(10**9, 'x') | list }}", limit},
		{"slices", "{{ [1] | slice(10**9) | list }}", limit},
		{"replace grows", "{{ ('a' * 100000) | replace('', 'b' * 100000) }}", limit},
		{"regex grows", "{{ ('a' * 20000) | regex_replace('', 'b' * 20000) }}", limit},
		{"regex backtracking", "{{ ('a' * 5000) | regex_search('(?=a)(a+)+b') }}", limit},
		{"join", "{{ ['x'] | join('y') }}{{ range(99999) | join('x' * 100000) }}", limit},
		{"expandtabs", "{{ '\\t\\t'.expandtabs(10**9) }}", limit},
		{"translate", "{{ ('a' * 100000).translate({97: 'b' * 1000}) }}", limit},
		{"json indent", "{{ [1] | tojson(10**9) }}", limit},
		{"shared tree", "{% set ns = namespace(x=[]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | to_json_string }}", limit},
		{"shared tree text", "{% set ns = namespace(x=[]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}", limit},
		{"shared tree equal", "{% set ns = namespace(x=[], y=[]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}", limit},
		{"shared tree pprint", "{% set ns = namespace(x=[]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | pprint }}", limit},
		{"list in itself", "{% set l = [] %}{% set _ = l.append(l) %}{{ l == [l] }}{{ l | to_json_string }}", "Circular"},
		{"compare lists in themselves", "{% set a = [] %}{% set b = [] %}{% set _ = a.append(b) %}{% set _ = b.append(a) %}{{ a == b }}", limit},
		{"macro calls itself", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", limit},
		{"block calls itself", "{% block b %}{{ self.b() }}{% endblock %}", limit},
		{"recursive loop", "{% set l = [1] %}{% for i in l recursive %}{{ loop(l) }}{% endfor %}", limit},
		{"lipsum", "{{ lipsum(n=10**9) }}", limit},
		{"include", "{% include '/etc/passwd' %}", "no loader"},
		{"import", "{% import '/etc/passwd' as x %}", "no loader"},
		{"extends", "{% extends '/etc/passwd' %}", "no loader"},
		{"deep brackets", "{{ " + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + " }}", limit},
		{"deep parens", "{{ " + strings.Repeat("(", 20000) + "1" + strings.Repeat(")", 20000) + " }}", limit},
		{"deep not", "{{ " + strings.Repeat("not ", 12000) + "1 }}", limit},
		{"deep minus", "{{ " + strings.Repeat("-", 40000) + "1 }}", limit},
		{"deep if", strings.Repeat("{% if 1 %}", 4000) + strings.Repeat("{% endif %}", 1000), limit},
		{"large source", strings.Repeat("x", MaxSource+1), limit},
		{"yaml bomb", "{{ 'a: &a [x,x,x,x,x,x,x,x,x]\\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]' | from_yaml_string }}", "too many aliases"},
		{"yaml itself", "{{ '&a [*a]' | from_yaml_string }}", "recursive"},
		{"yaml object", "{{ '!!python/object/apply:os.system [ls]' | from_yaml_string }}", "could not determine"},
		{"yaml deep", "{{ ('[' * 50000) | from_yaml_string }}", limit},
		{"json deep", "{{ ('[' * 50000) | from_json_string }}", limit},
		{"json digits", "{{ ('9' * 10000) | from_json_string }}", "4300"},
		{"jsonpath", "{% set ns = namespace(x={}) %}{% for i in range(30) %}{% set ns.x = {'a': ns.x} %}{% endfor %}{{ ns.x | jsonpath_query('$' ~ '..*' * 12) }}", limit},
		{"sum of strings", "{{ ['a'] | sum(start='') }}", "can't sum strings"},
		{"wordwrap", "{{ ('a' * 2000000) | wordwrap(1) }}", limit},
		{"int digits", "{{ ('9' * 100000) | int('x') }}{{ missing }}", "undefined"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := NewEnv(Options{})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			err := func() error {
				tmpl, err := env.Compile(c.src)
				if err != nil {
					return err
				}
				_, err = tmpl.Render(context.Background(), value.NewDict())
				return err
			}()
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatalf("no error")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not contain %q", err, c.want)
			}
			if took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 700 {
				t.Errorf("allocated %d MiB", mb)
			}
		})
	}
}

func TestContextEndsRendering(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	tmpl, err := NewEnv(Options{}).Compile("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tmpl.Render(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestLimitsAreNamed(t *testing.T) {
	for _, c := range []struct {
		lim       value.Limits
		src, want string
	}{
		{value.Limits{Steps: 50}, "{% for a in range(99) %}{% endfor %}", "50 steps"},
		{value.Limits{Bytes: 1000}, "{{ 'x' * 1001 }}", "1000 bytes"},
		{value.Limits{Output: 10}, "12345678901", "10 bytes of output"},
		{value.Limits{Depth: 5}, "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "5 levels of depth"},
		{value.Limits{Steps: 1 << 60, Time: 20 * time.Millisecond}, "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "20ms of time"},
	} {
		tmpl, err := NewEnv(Options{Limits: c.lim}).Compile(c.src)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tmpl.Render(context.Background(), nil)
		var le *value.LimitError
		if !errors.As(err, &le) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.src, err, c.want)
		}
	}
}

var fuzzSeeds = []string{
	"{{ a.b[0] | join(',') }}", "{% for x in a recursive %}{{ loop(x) }}{% else %}n{% endfor %}",
	"{% macro m(a, b=2) %}{{ varargs }}{{ kwargs }}{{ caller() }}{% endmacro %}{% call(x) m(1) %}{{ x }}{% endcall %}",
	"{% set ns = namespace(a=1) %}{% set ns.a, x = 1, 2 %}{{ ns.a }}", "{%- raw -%}{{ x }}{%- endraw +%}{#- c -#}",
	"{{ '%s %(a)d' % {'a': 1} }}{{ '{:>{w}}'.format(1, w=3) }}", "{% if a is not none and b in c %}{% elif x %}{% else %}{% endif %}",
	"{% block b scoped %}{{ self.b() }}{{ super() }}{% endblock %}", "{% autoescape true %}{{ a ~ '<' | e }}{% endautoescape %}",
	"{{ a | regex_replace('(.)', '\\\\1') | from_yaml_string | to_json_string }}", "{{ x[1:2:-1] if y else -z ** 2 }}",
	"{% with a = 1, b = a %}{% filter upper %}{{ b }}{% endfilter %}{% endwith %}", "{{ 1_000 + 0x1f // 1.5e-3 }}",
}

func FuzzCompile(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	env := NewEnv(Options{CacheSize: -1})
	f.Fuzz(func(t *testing.T, src string) {
		if tmpl, err := env.Compile(src); err == nil {
			tmpl.Undeclared()
		}
		_, _ = env.CompileExpression(src)
	})
}

func FuzzRender(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	lim := value.Limits{Steps: 20000, Bytes: 1 << 20, Output: 1 << 16, Depth: 50, Time: 200 * time.Millisecond}
	strict, lenient := NewEnv(Options{CacheSize: -1, Limits: lim}), NewEnv(Options{CacheSize: -1, Limits: lim, Lenient: true})
	f.Fuzz(func(t *testing.T, src string) {
		for _, env := range []*Env{strict, lenient} {
			tmpl, err := env.Compile(src)
			if err != nil {
				continue
			}
			vars := value.DictOf("a", value.NewList(int64(1), "b", value.DictOf("b", 2.5)), "b", "text", "c", "a text", "x", nil)
			start := time.Now()
			out, _ := tmpl.Render(context.Background(), vars)
			if d := time.Since(start); d > 3*time.Second {
				t.Errorf("took %v", d)
			}
			if len(out) > 1<<16 {
				t.Errorf("%d bytes of output", len(out))
			}
		}
	})
}
