package hostile_test

import (
	"strings"
	"testing"
	"time"
)

// TestHostile_Templates puts hostile templates into parameters, which are rendered
// at the request.
func TestHostile_Templates(t *testing.T) {
	h := open(t, options{})
	for _, c := range []struct{ row, template string }{
		{"H21 class", `{{ ''.__class__.__mro__[1].__subclasses__() }}`},
		{"H21 attr", `{{ x|attr('__class__') }}`},
		{"H21 self", `{{ self._TemplateReference__context }}`},
		{"H21 cycler", `{{ cycler.__init__.__globals__ }}`},
		{"H21 format", `{{ '{0.__class__}'.format(1) }}`},
		{"H21 function", `{{ range.__globals__ }}`},
		{"H21 import", `{% import 'os' as os %}{{ os.system('id') }}`},
		{"H23 method", `{{ config_context.Clone() }}`},
		{"H23 field", `{{ action_context.Items.x }}`},
		{"H24 loop", `{% for i in range(10**9) %}{% endfor %}`},
		{"H24 nested", `{% for i in range(10000) %}{% for j in range(10000) %}{% for k in range(10000) %}{% endfor %}{% endfor %}{% endfor %}`},
		{"H24 list", `{{ range(0, 10**18)|list }}`},
		{"H24 repeat", `{{ 'a' * 10**9 }}`},
		{"H24 tower", `{{ 9**(9**9) }}`},
		{"H24 digits", `{{ (10**4000) * (10**4000) ** 1000 }}`},
		{"H25 doubling", `{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(40) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}`},
		{"H25 width", `{{ '%1000000000d' % 1 }}`},
		{"H25 center", `{{ "a"|center(10**9) }}`},
		{"H25 regex", `{{ ('a' * 1000000)|regex_replace('a', 'b' * 100000) }}`},
		{"H25 shared", `{% set ns = namespace(x=[1]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|to_json_string }}`},
		{"H26 macro", `{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}`},
		{"H26 include", `{% include '/etc/passwd' %}`},
		{"H26 extends", `{% extends '/etc/passwd' %}`},
		{"H26 parameter", `{{ cmd }}`},
		{"H03 brackets", `{{ ` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + ` }}`},
		{"H03 parentheses", `{{ ` + strings.Repeat("(", 10_000) + "1" + strings.Repeat(")", 10_000) + ` }}`},
		{"H03 not", `{{ ` + strings.Repeat("not ", 10_000) + "1 }}"},
		{"H03 json", `{{ ('[' * 20000)|from_json_string }}`},
		{"H01 yaml", "{{ '" + yamlBomb("\\n") + "'|from_yaml_string }}"},
		{"H30 regex", `{{ ('a' * 60000 ~ '!')|regex_match('(a+)+$') }}{{ nothing.here }}`},
		{"H30 counted", `{{ 'x'|regex_match('((x{1000}){1000}){1000}') }}{{ nothing.here }}`},
		{"H30 backtrack", `{{ ('a' * 40 ~ '!')|regex_match('^(?=(a+)+$)') }}{{ nothing.here }}`},
		{"H33 jsonpath", `{{ '$..*..*..*..*'|jsonpath_query(1) }}{{ nothing.here }}`},
		{"H15 source", "{{ 1 }}" + strings.Repeat("a", 2<<20)},
		{"H29 datastore", `{{ st2kv.user.other | decrypt_kv }}`},
	} {
		t.Run(strings.ReplaceAll(c.row, " ", "/"), func(t *testing.T) {
			var got answer
			within(t, c.template[:min(60, len(c.template))], 150<<20, func() {
				start := time.Now()
				got = h.request(t, "core.local", map[string]any{"cmd": c.template})
				quick(t, "rendering", start, 5*time.Second)
			})
			switch {
			case got.status != 400:
				t.Errorf("%d %.400s, want 400", got.status, got.text)
			case got.fault() == "" || len(got.text) > 8<<10 || strings.Contains(got.text, "goroutine"):
				t.Errorf("an answer nobody can use: %.1000s", got.text)
			case !strings.Contains(got.fault(), "cmd"):
				t.Logf("the parameter is not named: %.300s", got.fault())
			}
			if strings.Contains(got.text, "root:") {
				t.Errorf("a file was read: %.300s", got.text)
			}
			h.serves(t, c.row)
		})
	}
}

// yamlBomb is nine levels of ten references each.
func yamlBomb(newline string) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]" + newline)
	for i := 1; i < 10; i++ {
		n, p := string(rune('0'+i)), string(rune('0'+i-1))
		b.WriteString("a" + n + ": &a" + n + " [" + strings.Repeat("*a"+p+",", 9) + "*a" + p + "]" + newline)
	}
	return b.String()
}

// TestHostile_H27_DataIsNotATemplate follows text with templates in it through
// outputs, chat lines and answers: it is never evaluated.
func TestHostile_H27_DataIsNotATemplate(t *testing.T) {
	h := open(t, options{})
	x := h.run(t, "core.local", map[string]any{"cmd": `printf '{{ 7'; printf '*7 }} <%% 7*7 %%>'`})
	if got := x.stdout(t); got != "{{ 7*7 }} <% 7*7 %>" {
		t.Errorf("the output is %q", got)
	}
	for line, want := range map[string]string{
		`!st2 run core.echo message="{{ 7919*7919 }}"`: "{{ 7919*7919 }}",
		`!st2 run core.local -- echo '{% raw'`:         "{% raw",
	} {
		r := h.say(t, line)
		if !strings.Contains(r.Text, want) || strings.Contains(r.Text, "62710561") {
			t.Errorf("%s: %s", line, r.Text)
		}
	}
}

// TestHostile_H28_OddDelimiters gives halves of templates to an action as text of a chat line.
func TestHostile_H28_OddDelimiters(t *testing.T) {
	h := open(t, options{})
	for _, text := range []string{"{{", "}}", "{%", "%}", "<%", "{#", "#}"} {
		r := h.say(t, "!st2 run core.local -- echo 'x"+text+"y'")
		if !r.Succeeded() || !strings.Contains(r.Text, "x"+text+"y") {
			t.Errorf("%s: %s %s", text, r.Status, r.Text)
		}
	}
}
