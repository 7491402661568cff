package value

import (
	"strings"
	"testing"
)

// The wanted texts are those of Python 3.11's ast.literal_eval.
func TestParseLiteral(t *testing.T) {
	for in, want := range map[string]string{
		"1":                     "1",
		" 1 ":                   "1",
		"-1":                    "-1",
		"- 1.5":                 "-1.5",
		"0x1f":                  "31",
		"0o17":                  "15",
		"1_000":                 "1000",
		"1e3":                   "1000.0",
		".5":                    "0.5",
		"00":                    "0",
		"True":                  "True",
		"None":                  "None",
		"'a'":                   "'a'",
		`"a" 'b'`:               "'ab'",
		`'it\'s\n'`:             `"it's\n"`,
		`r'\n'`:                 `'\\n'`,
		`'\x41\u00e9\101'`:      "'AéA'",
		`b'\xff'`:               `b'\xff'`,
		"'''a\nb'''":            `'a\nb'`,
		"[]":                    "[]",
		"[1, 'a', None,]":       "[1, 'a', None]",
		"()":                    "()",
		"(1)":                   "1",
		"(1,)":                  "(1,)",
		"1, 2":                  "(1, 2)",
		"1,":                    "(1,)",
		"{}":                    "{}",
		"{'a': 1, 2: [3]}":      "{'a': 1, 2: [3]}",
		"{1, 2}":                "{1, 2}",
		"set()":                 "set()",
		"[1,\n # note\n 2]":     "[1, 2]",
		"99999999999999999999":  "99999999999999999999",
		"-9223372036854775808":  "-9223372036854775808",
		"{'a': {'b': (1, {})}}": "{'a': {'b': (1, {})}}",
	} {
		v, err := ParseLiteral(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
		} else if got := Repr(v); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"Yes":       "malformed node or string on line 1: <ast.Name object at",
		"f()":       "malformed node or string on line 1: <ast.Call object at",
		"a.b":       "malformed node or string on line 1: <ast.Attribute object at",
		"-x":        "malformed node or string on line 1: <ast.",
		"[x]":       "malformed node or string on line 1: <ast.Name object at",
		"":          "invalid syntax",
		"not true":  "invalid syntax",
		"a b":       "invalid syntax",
		"[1":        "'[' was never closed",
		"{'a':1":    "'{' was never closed",
		"'a":        "unterminated string literal",
		"012":       "leading zeros in decimal integer literals",
		"1x":        "invalid decimal literal",
		"1 2":       "invalid syntax",
		"[1 2]":     "invalid syntax",
		"{[]: 1}":   "unhashable type: 'list'",
		"{1: 2, 3}": "invalid syntax",
		"]":         "invalid syntax",
		"'a' b'b'":  "cannot mix bytes and nonbytes literals",
	} {
		v, err := ParseLiteral(in)
		if err == nil {
			t.Errorf("%q: got %s, want an error", in, Repr(v))
		} else if !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", in, err, want)
		}
	}
	if _, err := ParseLiteral(strings.Repeat("[", 1_000_000)); err == nil {
		t.Error("deep nesting was accepted")
	}
}

func FuzzParseLiteral(f *testing.F) {
	for _, s := range []string{"[1, 'a']", "{'a': (1,)}", "-1e5", "b'x' b'y'", "r'\\", "'\\N{DASH}'", "{1,{", "0b12", "1\n2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := ParseLiteral(s); err == nil {
			_ = Repr(v)
		}
	})
}
