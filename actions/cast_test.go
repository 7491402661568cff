package actions

import (
	"testing"

	"petrel/expr/value"
)

// The wanted texts are what StackStorm's casts give on Python 3.11.
func TestCast(t *testing.T) {
	for _, c := range []struct {
		kind string
		in   value.Value
		want string // repr, or the error's text behind !
	}{
		{"string", "x", "'x'"},
		{"string", nil, "None"},
		{"string", noneMagic, "None"},
		{"string", int64(5), `!Value "5" must either be a string or None. Got "int".`},
		{"string", true, `!Value "True" must either be a string or None. Got "bool".`},
		{"integer", "5", "5"},
		{"integer", " -7 ", "-7"},
		{"integer", 1.9, "1"},
		{"integer", true, "1"},
		{"integer", "1.5", "!invalid literal for int() with base 10: '1.5'"},
		{"integer", nil, "!int() argument must be a string, a bytes-like object or a real number, not 'NoneType'"},
		{"integer", noneMagic, "!int() argument must be a string, a bytes-like object or a real number, not 'NoneType'"},
		{"number", "1e3", "1000.0"},
		{"number", int64(3), "3.0"},
		{"number", "x", "!could not convert string to float: 'x'"},
		{"boolean", "TRUE", "True"},
		{"boolean", "false", "False"},
		{"boolean", "none", "None"},
		{"boolean", "0", "0"},
		{"boolean", int64(1), "1"},
		{"boolean", noneMagic, "None"},
		{"array", `["a", null]`, "['a', None]"},
		{"array", "['a', None]", "['a', None]"},
		{"array", "1,2", "[1, 2]"},
		{"array", "((1, 2), {3: (4,)})", "[[1, 2], {'3': [4]}]"},
		{"array", value.NewList("x"), "['x']"},
		{"array", "a,b", "!malformed node or string on line 1: <ast.Name object at 0x7f0000000000>"},
		{"object", `{"a": 1}`, "{'a': 1}"},
		{"object", "{'a': True, 2: 'b'}", "{'a': True, '2': 'b'}"},
		{"object", noneMagic, "None"},
		{"", "x", "'x'"},
		{"null", "x", "'x'"},
	} {
		got, err := Cast(c.kind, c.in)
		text := value.Repr(got)
		if err != nil {
			text = "!" + err.Error()
		}
		if text != c.want {
			t.Errorf("%s %s: got %s, want %s", c.kind, value.Repr(c.in), text, c.want)
		}
	}
}
