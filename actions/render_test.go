package actions

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/expr/value"
	"petrel/schema"
)

// input makes an Input of JSON texts.
func input(t testing.TB, runner, action, given string) Input {
	t.Helper()
	return Input{
		Runner: petrel.RunnerType{Name: "local-shell-cmd", Parameters: petrel.JSON(runner)},
		Action: petrel.Action{Name: "a", Pack: "p", Ref: "p.a", Parameters: petrel.JSON(action)},
		Given:  dict(t, given), Context: value.DictOf("user", "ann", "pack", "p"),
	}
}

const localRunner = `{"cmd":{"type":"string"},"cwd":{"type":"string"},"env":{"type":"object"},"kwarg_op":{"type":"string","default":"--"},
	"sudo":{"type":"boolean","default":false},"sudo_password":{"type":"string","secret":true,"default":null},"timeout":{"type":"integer","default":60}}`

func TestLive_Errors(t *testing.T) {
	for _, c := range []struct {
		action, given string
		stage         Stage
		parameter     string
		text          string
	}{
		{`{"cmd":{"required":true}}`, `{}`, StageValidate, "cmd", "'cmd' is a required property"},
		{`{}`, `{"nope":1}`, StageValidate, "", "Additional properties are not allowed ('nope' was unexpected)"},
		{`{}`, `{"timeout":"abc"}`, StageCast, "timeout", "invalid literal for int() with base 10: 'abc'"},
		{`{}`, `{"cmd":5}`, StageCast, "cmd", `Value "5" must either be a string or None. Got "int".`},
		{`{}`, `{"cmd":["x"]}`, StageCast, "cmd", `Value "['x']" must either be a string or None. Got "list".`},
		{`{"sudo":{"immutable":true}}`, `{"sudo":true}`, StageImmutable, "sudo", "Override of immutable parameter(s) ['sudo'] is unsupported."},
		{`{"sudo":{"immutable":true},"timeout":{"immutable":true}}`, `{"timeout":1,"cmd":"x","sudo":true}`, StageImmutable, "timeout",
			"Override of immutable parameter(s) ['timeout', 'sudo'] is unsupported."},
		{`{}`, `{"cmd":"{{ nothing }}"}`, StageRender, "cmd", `Dependency unsatisfied in variable "nothing"`},
		{`{}`, `{"cmd":"{{ cmd }}"}`, StageRender, "cmd", "Cyclic dependency found in the following variables: cmd. Likely the variable is referencing itself"},
		{`{}`, `{"cmd":"{{ timeout.x.y }}"}`, StageRender, "cmd", `Failed to render parameter "cmd": 'int object' has no attribute 'x'`},
		{`{}`, `{"cmd":"{{ 'x' | nofilter }}"}`, StageRender, "cmd", `Failed to render parameter "cmd": No filter named 'nofilter'.`},
	} {
		_, err := Live(t.Context(), input(t, localRunner, c.action, c.given))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v, want %s", c.given, err, c.text)
			continue
		}
		if e.Stage != c.stage || e.Parameter != c.parameter || e.Message != c.text {
			t.Errorf("%s:\n got %s %q %s\nwant %s %q %s", c.given, e.Stage, e.Parameter, e.Message, c.stage, c.parameter, c.text)
		}
		if petrel.KindOf(err) != petrel.Invalid {
			t.Errorf("%s: kind %s", c.given, petrel.KindOf(err))
		}
	}
}

// The long form of a schema error can be had from what Live returns.
func TestLive_SchemaText(t *testing.T) {
	_, err := Live(t.Context(), input(t, `{}`, `{"n":{"type":"integer","maximum":10,"minimum":1}}`, `{"n":30}`))
	fault := schema.AsError(err)
	want := "30 is greater than the maximum of 10\n\nFailed validating 'maximum' in schema['properties']['n']:\n" +
		"    {'maximum': 10, 'minimum': 1, 'type': ['integer', 'null']}\n\nOn instance['n']:\n    30"
	if fault == nil || fault.Text() != want {
		t.Errorf("got %v", err)
	}
}

func TestLive_NoParametersAtAll(t *testing.T) {
	live, err := Live(t.Context(), input(t, `{}`, `{}`, `{"any":{"x":1},"other":null}`))
	if err != nil || value.Repr(live) != "{'any': {'x': 1}, 'other': None}" {
		t.Error(value.Repr(live), err)
	}
}

// What a value holds is not a template for anyone after it was rendered once.
func TestFinal_RendersNothingAgain(t *testing.T) {
	in := input(t, localRunner, `{"p":{"type":"string"},"q":{"type":"string","default":"<{{ p }}>"}}`, `{"p":"{{ st2kv.system.tpl }}"}`)
	in.KV = memoryKV{system: value.DictOf("tpl", "{{ 7*7 }}{% endraw %}")}
	live, err := Live(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if got := value.Repr(live); got != "{'p': '{{ 7*7 }}{% endraw %}', 'q': '<{{ 7*7 }}{% endraw %}>'}" {
		t.Error(got)
	}
	in.Given = live
	_, action, err := Final(t.Context(), in)
	if err != nil || value.Repr(action) != value.Repr(live) {
		t.Error(value.Repr(action), err)
	}
}

func TestLive_TriggerAndContext(t *testing.T) {
	in := input(t, localRunner, `{"p":{"type":"string","default":"{{ trigger.body.name }} {{ action_context.user }} {{ config_context.region }}"}}`, `{}`)
	in.Trigger = value.DictOf("body", value.DictOf("name", "n"))
	in.Config = value.DictOf("region", "north")
	live, err := Live(t.Context(), in)
	if err != nil || value.Repr(live) != "{'p': 'n ann north'}" {
		t.Fatal(value.Repr(live), err)
	}
	in.Given, in.Trigger = live, nil
	if _, action, err := Final(t.Context(), in); err != nil || value.Repr(action) != "{'p': 'n ann north'}" {
		t.Error(value.Repr(action), err)
	}
}

// A template that changes a list it is given changes nobody else's.
func TestLive_TemplatesChangeNothingShared(t *testing.T) {
	in := input(t, `{}`, `{"l":{"type":"array","default":[1]},"p":{"type":"string"}}`, `{"p":"{{ l.append(2) }}{{ config_context.h.append(2) }}{{ action_context.l.append(2) }}"}`)
	in.Config = value.DictOf("h", value.NewList(int64(1)))
	in.Context = value.DictOf("l", value.NewList(int64(1)))
	for range 2 {
		if _, err := Live(t.Context(), in); err != nil {
			t.Logf("refused: %v", err)
		}
	}
	spec, _ := Merged(in.Runner, in.Action)
	for name, v := range map[string]value.Value{"config": in.Config, "context": in.Context, "default": spec.Find("l").Default} {
		if strings.Contains(value.Repr(v), "2") {
			t.Errorf("%s was changed: %s", name, value.Repr(v))
		}
	}
}

func TestLive_Datastore(t *testing.T) {
	kv := memoryKV{system: value.DictOf("a", "1", "b.c", "2", "num", "12"), user: value.DictOf("ann", value.DictOf("x", "hers"), "bob", value.DictOf("x", "his"), "stanley", value.DictOf("x", "nobody's"))}
	for template, want := range map[string]string{
		"{{ st2kv.system.a }}":                       "'1'",
		"{{ st2kv.system.b.c }}":                     "'2'",
		"{{ st2kv.system['b.c'] }}":                  "'2'",
		"{{ st2kv.system.missing }}":                 "''",
		"{{ st2kv.user.x }}":                         "'hers'",
		"{{ st2kv.system.num | int + 1 }}":           "'13'",
		"{{ st2kv.system.a | decrypt_kv }}":          "'clear 1'",
		"{{ st2kv.system['b'].c | decrypt_kv }}":     "'clear 2'",
		"{{ st2kv.system.missing | default('d') }}":  "''",
		"{{ st2kv.system.a }}{{ st2kv.system.num }}": "'112'",
	} {
		in := input(t, localRunner, `{}`, `{}`)
		in.Given = value.DictOf("cmd", template)
		in.KV = kv
		live, err := Live(t.Context(), in)
		if got := value.Repr(live); err != nil || got != "{'cmd': "+want+"}" {
			t.Errorf("%s: got %s, %v", template, got, err)
		}
	}
	for template, want := range map[string]string{
		"{{ st2kv.system.missing | decrypt_kv }}": `Referenced datastore item "st2kv.system.missing" doesn't exist or it contains an empty string`,
		"{{ 'text' | decrypt_kv }}":               "there is no key to decrypt with",
		"{{ st2kv.system }}":                      "''",
		"{{ st2kv.other.x }}":                     "has no attribute 'other'",
	} {
		in := input(t, localRunner, `{}`, `{}`)
		in.Given = value.DictOf("cmd", template)
		in.KV = kv
		if live, err := Live(t.Context(), in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %s, %v", template, value.Repr(live), err)
		}
	}
	in := input(t, localRunner, `{}`, `{"cmd":"{{ st2kv.user.x }}"}`)
	for _, c := range []struct {
		context *value.Dict
		user    string
		want    string
	}{
		{value.DictOf("user", "ann", "api_user", "bob"), "", "his"},
		{value.DictOf("user", "ann"), "bob", "hers"},
		{value.NewDict(), "bob", "his"},
		{nil, "", "nobody's"},
		{value.DictOf("user", "ann", "api_user", nil), "", "nobody's"},
	} {
		in.KV, in.Context, in.User = kv, c.context, c.user
		live, err := Live(t.Context(), in)
		if got, _ := orEmpty(live).GetStr("cmd"); err != nil || got != c.want {
			t.Errorf("%v: got %v, %v", c, got, err)
		}
	}
}

type failingKV struct{}

func (failingKV) Lookup(context.Context, string, string, string, bool) (string, bool, error) {
	return "", false, errors.New("the store is away")
}

func TestLive_DatastoreFails(t *testing.T) {
	in := input(t, localRunner, `{}`, `{"cmd":"{{ st2kv.system.x }}"}`)
	in.KV = failingKV{}
	if _, err := Live(t.Context(), in); err == nil || !strings.Contains(err.Error(), "the store is away") {
		t.Error(err)
	}
}

// Not one text of an error shows a secret that was given.
func TestLive_ErrorsHideSecrets(t *testing.T) {
	const canary = "canary-7f3a"
	action := `{"pw":{"type":"string","secret":true,"maxLength":3},"pin":{"type":"integer","secret":true},
		"o":{"type":"object","properties":{"key":{"type":"string","secret":true,"pattern":"^x$"},"n":{"type":"integer"}},"additionalProperties":false},
		"l":{"type":"array","items":{"type":"object","properties":{"k":{"type":"string","secret":true},"need":{"type":"string","required":true}}}},
		"p":{"type":"string","default":"{{ pw.nothing.x }}"},
		"any":{"type":"object","properties":{"k":{"secret":true,"anyOf":[{"type":"integer"},{"type":"array"}]}}}}`
	for _, given := range []string{
		`{"pw":"` + canary + `","p":"x"}`,
		`{"pw":["` + canary + `"],"p":"x"}`,
		`{"pin":"` + canary + `","p":"x"}`,
		`{"o":{"key":"` + canary + `"},"p":"x"}`,
		`{"o":{"key":"` + canary + `","n":"x"},"p":"x"}`,
		`{"o":{"key":"` + canary + `","more":1},"p":"x"}`,
		`{"any":{"k":"` + canary + `"},"p":"x"}`,
		`{"any":{"k":["` + canary + `"]},"p":"x","o":5}`,
		`{"o":"` + canary + `","p":"x"}`,
		`{"l":[{"k":"` + canary + `"}],"p":"x"}`,
		`{"o":{"key":"` + canary + `"},"p":"x","unknown":1}`,
		`{"pw":"` + canary + `"}`,
		`{"pw":"` + canary + `","p":"{{ [][pw] }}"}`,
		`{"pw":"` + canary + `","p":"{{ {}[pw].x }}"}`,
		`{"pw":"` + canary + `","p":"{{ pw | int(1, 2, 3, 4) }}"}`,
		`{"pw":"` + canary + `","p":"{{ pw | from_json_string }}"}`,
	} {
		_, err := Live(t.Context(), input(t, localRunner, action, given))
		if err == nil {
			t.Errorf("%s: no error", given)
			continue
		}
		text := err.Error()
		if fault := schema.AsError(err); fault != nil {
			text += fault.Text()
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			text += e.Error()
		}
		if strings.Contains(text, canary) {
			t.Errorf("%s: %s", given, text)
		}
	}
}

func TestLive_RefusesWhatCannotBeStored(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+2) + strings.Repeat("]", MaxDepth+2)
	many := value.NewDict()
	for i := range MaxGiven + 1 {
		many.SetStr(fmt.Sprint(i), "x")
	}
	numberKey := value.NewDict()
	numberKey.Set(int64(1), "x")
	for name, c := range map[string]struct {
		given *value.Dict
		want  string
	}{
		"depth":        {value.DictOf("a", parsed(t, deep)), `Parameter "a" is nested deeper than the limit of 64 levels`},
		"size":         {value.DictOf("a", strings.Repeat("x", MaxValue+1)), `Parameter "a" is larger than the limit of 1048576 bytes`},
		"NUL":          {value.DictOf("a", value.NewList("x\x00y")), `Parameter "a" holds a NUL character, which cannot be stored`},
		"NUL in a key": {value.DictOf("a", value.DictOf("\x00", 1)), `Parameter "a" holds a NUL character, which cannot be stored`},
		"count":        {many, "1001 parameters are given; the limit is 1000"},
		"a number key": {numberKey, "the name of a parameter must be a text, not 1"},
		"NaN":          {value.DictOf("n", "nan"), `Parameter "n" is no finite number`},
		"infinity":     {value.DictOf("n", "1e999"), `Parameter "n" is no finite number`},
		"NUL rendered": {value.DictOf("s", "{{ '\\0' }}"), `Parameter "s" holds a NUL character, which cannot be stored`},
	} {
		in := input(t, `{}`, `{"a":{},"n":{"type":"number"},"s":{"type":"string"}}`, `{}`)
		in.Given = c.given
		if _, err := Live(t.Context(), in); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func parsed(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.FromJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestLive_BoundedOnHostileInput(t *testing.T) {
	chain := func(n int) string { // a parameter that doubles the one before it
		var b strings.Builder
		b.WriteString(`{"p0":{"type":"string","default":"xxxxxxxxxxxxxxxx"}`)
		for i := 1; i <= n; i++ {
			fmt.Fprintf(&b, `,"p%d":{"type":"string","default":"{{ p%d }}{{ p%d }}"}`, i, i-1, i-1)
		}
		return b.String() + "}"
	}
	circle := func(n int) string { // every parameter uses every other one
		var b strings.Builder
		b.WriteString(`{"q":{"type":"string"}`)
		for i := range n {
			fmt.Fprintf(&b, `,"p%d":{"type":"string","default":"`, i)
			for j := range n {
				fmt.Fprintf(&b, "{{ p%d }}", j)
			}
			b.WriteString(`"}`)
		}
		return b.String() + "}"
	}
	many := `{"q":{"type":"string"}`
	for i := range MaxTemplates + 1 {
		many += fmt.Sprintf(`,"p%d":{"type":"string","default":"{{ 1 }}"}`, i)
	}
	many += "}"
	for name, c := range map[string]struct{ action, given string }{
		"each doubles the last":   {chain(60), `{}`},
		"all depend on all":       {circle(60), `{}`},
		"too many templates":      {many, `{}`},
		"an endless loop":         {`{"p":{"type":"string"}}`, `{"p":"{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}"}`},
		"a text without end":      {`{"p":{"type":"string"}}`, `{"p":"{{ 'x' * 1000000000 }}"}`},
		"a template too long":     {`{"p":{"type":"string"}}`, `{"p":"{{ 1 }}` + strings.Repeat("x", 70<<10) + `"}`},
		"a literal too deep":      {`{"p":{"type":"array"}}`, `{"p":"` + strings.Repeat("(", 100_000) + `"}`},
		"a number of many digits": {`{"p":{"type":"integer"}}`, `{"p":"` + strings.Repeat("9", 100_000) + `"}`},
		"a reference to itself":   {`{"p":{"type":"object","properties":{"a":{"$ref":"#/properties/p"}}}}`, `{"p":{"a":{"a":{"a":{"a":1}}}}}`},
		"an evil pattern":         {`{"p":{"type":"string","pattern":"^(?=(a+)+$)(a|a)*b$"}}`, `{"p":"` + strings.Repeat("a", 40<<10) + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, `{}`, c.action, c.given)
			start := time.Now()
			_, err := Live(t.Context(), in)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if err == nil {
				t.Error("accepted")
			} else if len(err.Error()) > 100_000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

func BenchmarkLiveFinal(b *testing.B) {
	for _, c := range []struct{ name, action, given string }{
		{"local", `{"cmd":{"required":true},"sudo":{"immutable":true}}`, `{"cmd":"date -R","timeout":5}`},
		{"template", `{"message":{"type":"string","required":true},"cmd":{"required":true,"immutable":true,"default":"echo \"{{message}}\""},
			"kwarg_op":{"immutable":true},"sudo":{"immutable":true,"default":false},"sudo_password":{"immutable":true}}`, `{"message":"hello"}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			in := input(b, localRunner, c.action, c.given)
			b.ReportAllocs()
			for b.Loop() {
				live, err := Live(b.Context(), in)
				if err != nil {
					b.Fatal(err)
				}
				stored := in
				stored.Given = live
				if _, _, err := Final(b.Context(), stored); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
