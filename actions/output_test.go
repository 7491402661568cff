package actions

import (
	"strings"
	"testing"

	"petrel"
	"petrel/expr/value"
)

var pythonRunner = petrel.RunnerType{Name: "python-script", OutputKey: "result", OutputSchema: petrel.JSON(
	`{"type":"object","properties":{"result":{"anyOf":[{"type":"object"},{"type":"string"},{"type":"array"},{"type":"null"}]},"stderr":{"type":"string"},
	"stdout":{"type":"string"},"exit_code":{"type":"integer"}},"additionalProperties":false}`)}

func TestValidateOutput(t *testing.T) {
	for _, c := range []struct {
		schema, result string
		status         petrel.Status
		error          string // beginning; empty when it passes
	}{
		{`{"type":"object","properties":{"a":{"type":"integer","required":true}},"additionalProperties":false}`, `{"result":{"a":1},"exit_code":0}`, petrel.StatusSucceeded, ""},
		{`{"type":"object","properties":{"a":{"type":"integer","required":true}}}`, `{"result":{}}`, petrel.StatusSucceeded,
			"'a' is a required property\n\nFailed validating 'required' in schema['properties']['a']:\n    {'properties': {'a': {'required': True, 'type': 'integer'}},\n     'type': 'object'}\n\nOn instance['a']:\n    {}"},
		{`{"type":"string"}`, `{"result":{}}`, petrel.StatusSucceeded, "{} is not of type 'string'\n\nFailed validating 'type' in schema:\n    {'type': 'string'}\n\nOn instance:\n    {}"},
		{``, `{"result":"x","more":1}`, petrel.StatusSucceeded, "Additional properties are not allowed ('more' was unexpected)"},
		{`{"type":"string"}`, `{"stdout":"x"}`, petrel.StatusSucceeded, "'result'"},
		{`{"type":"string"}`, `{"result":{}}`, petrel.StatusFailed, ""},
		{`{"type":"string"}`, `{}`, petrel.StatusSucceeded, ""},
		{`{"a":{"type":"integer"}}`, `{"result":{"a":"x"}}`, petrel.StatusSucceeded, ""}, // the older form is not validated
		{`{"type":["string"]}`, `{"result":{}}`, petrel.StatusSucceeded, ""},             // nor what is no schema
		{`{"type":"nope"}`, `{"result":{}}`, petrel.StatusSucceeded, ""},
	} {
		result, status := ValidateOutput(pythonRunner, petrel.Action{OutputSchema: petrel.JSON(c.schema)}, c.status, dict(t, c.result))
		if c.error == "" {
			if status != c.status || value.Repr(result) != value.Repr(dict(t, c.result)) {
				t.Errorf("%s %s: got %s %s", c.schema, c.result, status, value.Repr(result))
			}
			continue
		}
		d := result.(*value.Dict)
		text, _ := d.GetStr("error")
		message, _ := d.GetStr("message")
		if status != petrel.StatusFailed || !strings.HasPrefix(text.(string), c.error) || message != "Error validating output. See error output for more details." {
			t.Errorf("%s %s:\n got %s %v\nwant %s", c.schema, c.result, status, text, c.error)
		}
		if d.Has("traceback") != (c.error == "'result'") || d.Has("result") {
			t.Errorf("%s", value.Repr(d))
		}
	}
	local := petrel.RunnerType{Name: "local-shell-cmd"}
	if _, status := ValidateOutput(local, petrel.Action{OutputSchema: petrel.JSON(`{"type":"string"}`)}, petrel.StatusSucceeded, dict(t, `{"stdout":"x"}`)); status != petrel.StatusSucceeded {
		t.Error("a runner without a schema does not validate")
	}
}

func TestMaskResult(t *testing.T) {
	for _, c := range []struct{ schema, result, want string }{
		{`{"type":"object","properties":{"k":{"type":"string","secret":true},"n":{"type":"integer"}}}`, `{"result":{"k":"x","n":1},"stdout":"k"}`, `{'result': {'k': '********', 'n': 1}, 'stdout': 'k'}`},
		{`{"k":{"type":"string","secret":true}}`, `{"result":{"k":"x","n":1}}`, `{'result': {'k': '********', 'n': 1}}`},
		{`{"type":"string","secret":true}`, `{"result":"x"}`, `{'result': '********'}`},
		{`{"type":"object","patternProperties":{"^s_":{"secret":true}},"additionalProperties":{"type":"object","properties":{"k":{"secret":true}}}}`,
			`{"result":{"s_a":1,"o":{"k":2,"l":3}}}`, `{'result': {'s_a': '********', 'o': {'k': '********', 'l': 3}}}`},
		{`{"type":"array","items":{"type":"object","properties":{"k":{"secret":true}}}}`, `{"result":[{"k":1},{"l":2},3]}`, `{'result': [{'k': '********'}, {'l': 2}, 3]}`},
		{`{"type":"array","items":[{"type":"string"},{"type":"string","secret":true}],"additionalItems":{"secret":true}}`, `{"result":["a","b","c"]}`, `{'result': ['a', '********', '********']}`},
		{`{"type":"object","properties":{"k":{"secret":true}}}`, `{"result":"a text"}`, `{'result': 'a text'}`},
		{``, `{"result":{"k":1}}`, `{'result': {'k': 1}}`},
		{`{"type":"object","properties":{"k":{"secret":true}}}`, `{"other":{"k":1}}`, `{'other': {'k': 1}}`},
		{`{"type":"object","patternProperties":{"(":{"secret":true}}}`, `{"result":{"k":1}}`, `{'result': {'********': '********'}}`},
		{`{"k":5}`, `{"result":{"k":1}}`, `{'result': {'k': 1}}`},
	} {
		given := dict(t, c.result)
		got := MaskResult(pythonRunner, petrel.Action{OutputSchema: petrel.JSON(c.schema)}, given)
		if value.Repr(got) != c.want {
			t.Errorf("%s %s:\n got %s\nwant %s", c.schema, c.result, value.Repr(got), c.want)
		}
		if value.Repr(given) != value.Repr(dict(t, c.result)) {
			t.Errorf("%s: the result was changed", c.schema)
		}
	}
	secret := petrel.Action{OutputSchema: petrel.JSON(`{"type":"string","secret":true}`)}
	if got := MaskResult(petrel.RunnerType{Name: "local-shell-cmd"}, secret, dict(t, `{"stdout":"x"}`)); value.Repr(got) != "{'stdout': 'x'}" {
		t.Error(value.Repr(got))
	}
	if got := MaskResult(pythonRunner, secret, "a text"); got != "a text" {
		t.Error(got)
	}
}
