package actions

import (
	"strings"
	"testing"

	"petrel"
	"petrel/expr/value"
)

func TestResolveConfig(t *testing.T) {
	kv := memoryKV{system: value.DictOf("a", "one", "pw", "CIPHER", "empty", ""), user: value.DictOf("ann", value.DictOf("x", "hers"))}
	for _, c := range []struct{ schema, values, want string }{
		{``, `{"k":"v","n":1,"d":"{{ st2kv.system.a }}"}`, `{'k': 'v', 'n': 1, 'd': 'one'}`},
		{`{}`, `{"d":"{{ st2kv.user.x }}-{{ st2kv.system.a }}"}`, `{'d': 'hers-one'}`},
		{`{"pw":{"type":"string","secret":true}}`, `{"pw":"{{ st2kv.system.pw }}","q":"{{ st2kv.system.pw }}"}`, `{'pw': 'clear CIPHER', 'q': 'CIPHER'}`},
		{``, `{"q":"{{ st2kv.system.pw | decrypt_kv }}"}`, `{'q': 'clear CIPHER'}`},
		{``, `{"d":"{{ st2kv.system.missing }}"}`, `{'d': None}`},
		{`{"a":{"default":1},"b":{"default":[1]},"c":{"type":"string"}}`, `{"b":null}`, `{'b': None, 'a': 1}`},
		{`{"o":{"type":"object","properties":{"x":{"default":1},"y":{"type":"object","properties":{"z":{"default":"d"}}}}}}`, `{}`, `{'o': {'x': 1, 'y': {'z': 'd'}}}`},
		{`{"o":{"type":"object","properties":{"x":{"default":1}}}}`, `{"o":{"w":"{{ st2kv.system.a }}"}}`, `{'o': {'w': 'one', 'x': 1}}`},
		{`{"o":{"type":"object","additionalProperties":{"type":"object","properties":{"x":{"default":1},"s":{"secret":true}}}}}`, `{"o":{"p":{"s":"{{ st2kv.system.pw }}"}}}`, `{'o': {'p': {'s': 'clear CIPHER', 'x': 1}}}`},
		{`{"o":{"type":"object","patternProperties":{"^s":{"secret":true}}}}`, `{"o":{"s1":"{{ st2kv.system.pw }}","t":"{{ st2kv.system.pw }}"}}`, `{'o': {'s1': 'clear CIPHER', 't': 'CIPHER'}}`},
		{`{"l":{"type":"array","items":{"type":"object","properties":{"x":{"default":1},"s":{"secret":true}}}}}`, `{"l":[{"s":"{{ st2kv.system.pw }}"},{"x":2}]}`, `{'l': [{'s': 'clear CIPHER', 'x': 1}, {'x': 2}]}`},
		{`{"l":{"type":"array","items":{"type":"string","secret":true}}}`, `{"l":["{{ st2kv.system.pw }}"]}`, `{'l': ['clear CIPHER']}`},
		{`{"l":{"type":"array","items":{"type":"string"}},"e":{"type":"array"}}`, `{}`, `{'l': []}`},
		{`{"o":{"type":"object"}}`, ``, `{}`},
	} {
		in := ConfigInput{Pack: "p", KV: kv, User: "ann"}
		if c.schema != "" {
			in.Schema = dict(t, c.schema)
		}
		if c.values != "" {
			in.Values = dict(t, c.values)
		}
		got, err := ResolveConfig(t.Context(), in)
		if err != nil || value.Repr(got) != c.want {
			t.Errorf("%s %s:\n got %s, %v\nwant %s", c.schema, c.values, value.Repr(got), err, c.want)
		}
		if in.Values != nil && value.Repr(in.Values) != value.Repr(dict(t, c.values)) {
			t.Errorf("%s: the values were changed", c.values)
		}
	}
	for values, want := range map[string]string{
		`{"a":{"b":["{{ nothing }}"]}}`:                   `Failed to render dynamic configuration value for key "a.b.0" with value "{{ nothing }}" for pack "p" config: 'nothing' is undefined`,
		`{"a":"{{ st2kv.system.missing | decrypt_kv }}"}`: `doesn't exist or it contains an empty string`,
		`{"a":"{{"}`: `Failed to render dynamic configuration value for key "a"`,
	} {
		_, err := ResolveConfig(t.Context(), ConfigInput{Pack: "p", Values: dict(t, values), KV: kv})
		if err == nil || !strings.Contains(err.Error(), want) || petrel.KindOf(err) != petrel.Invalid {
			t.Errorf("%s: got %v, want %s", values, err, want)
		}
	}
}

func TestCheckConfig(t *testing.T) {
	for _, c := range []struct{ schema, values, want string }{
		{`{"k":{"type":"string","required":true}}`, `{"k":"v","other":5}`, ""},
		{`{"k":{"type":"string"}}`, `{"k":null}`, ""},
		{`{"k":{"type":"string","required":true,"default":"d"}}`, `{}`, ""},
		{`{}`, `{"any":1}`, ""},
		{`{"k":{"type":"string","required":true}}`, `{}`, `Failed validating attribute "k" in config for pack "p" (/configs/p.yaml): 'k' is a required property`},
		{`{"o":{"type":"object","properties":{"n":{"type":"integer"}}}}`, `{"o":{"n":"x"}}`,
			"Failed validating attribute \"o.n\" in config for pack \"p\" (/configs/p.yaml): 'x' is not of type 'integer', 'null'\n\nFailed validating 'type' in schema['properties']['o']['properties']['n']:\n    {'type': ['integer', 'null']}\n\nOn instance['o']['n']:\n    'x'"},
		{`{"s":{"type":"integer","secret":true}}`, `{"s":"canary"}`, `Failed validating attribute "s" in config for pack "p" (/configs/p.yaml): '********' is not of type 'integer'`},
		{`{"s":{"type":"string","secret":true}}`, `{"s":"{{ st2kv.system.x | decrypt_kv }}"}`, `Values specified as "secret: True" in config schema are automatically decrypted`},
		{`{"s":{"type":"string"}}`, `{"s":"{{ st2kv.system.x | decrypt_kv }}"}`, ""},
	} {
		err := CheckConfig("p", "/configs/p.yaml", dict(t, c.schema), dict(t, c.values))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s %s: %v", c.schema, c.values, err)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want) || petrel.KindOf(err) != petrel.Invalid || strings.Contains(err.Error(), "canary")):
			t.Errorf("%s %s:\n got %v\nwant %s", c.schema, c.values, err, c.want)
		}
	}
}

func TestMaskConfig(t *testing.T) {
	got := MaskConfig(dict(t, `{"s":{"type":"string","secret":true},"o":{"type":"object","properties":{"k":{"secret":true}}}}`), dict(t, `{"s":"x","o":{"k":1,"l":2},"m":3}`))
	if text := value.Repr(got); text != "{'s': '********', 'o': {'k': '********', 'l': 2}, 'm': 3}" {
		t.Error(text)
	}
	if got := MaskConfig(nil, value.DictOf("a", "b")); value.Repr(got) != "{'a': 'b'}" {
		t.Error(value.Repr(got))
	}
}
