package yamldoc

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"petrel/expr/value"
)

func TestLoad_SurprisesOfYAML11(t *testing.T) {
	for in, want := range map[string]string{
		"no": "False", "on": "True", "Off": "False", "y": "'y'", "~": "None", "": "None",
		"0o10": "'0o10'", "010": "8", "08": "'08'", "0x1F": "31", "0b101": "5", "1_000": "1000",
		"12:30": "750", "12:30:45": "45045", "-1:30": "-90", "1:60": "'1:60'", "12:30.5": "750.5",
		"2001-01-01": "'2001-01-01'", "2001-12-14T21:59:43Z": "'2001-12-14T21:59:43Z'",
		"1e3": "'1e3'", "1.0e+3": "1000.0", ".inf": "inf", "-.INF": "-inf", ".nan": "nan",
		"9223372036854775808": "9223372036854775808", "9007199254740993": "9007199254740993",
		"'yes'": "'yes'", "!!str 5": "'5'", "!!int '0x10'": "16", "!!float 1": "1.0",
		"a: 1\na: 2":                               "{'a': 2}",
		"a: &x {p: 1, q: 2}\nb: {q: 3, <<: *x}":    "{'a': {'p': 1, 'q': 2}, 'b': {'p': 1, 'q': 3}}",
		"x: {<<: [{a: 1}, {a: 2, b: 2}], c: 3}":    "{'x': {'a': 1, 'b': 2, 'c': 3}}",
		"%YAML 1.2\n---\na: yes":                   "{'a': True}",
		"\ufeffname: bom":                          "{'name': 'bom'}",
		"z: 1\ny: 2\nx: 3":                         "{'z': 1, 'y': 2, 'x': 3}",
		"1: a\nyes: b\n~: c":                       "{1: 'b', None: 'c'}",
		"a: |\n  one\n  two\nb: >-\n  folded\n  x": "{'a': 'one\\ntwo\\n', 'b': 'folded x'}",
	} {
		doc, err := Load("f.yaml", []byte(in), Limits{})
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if got := value.Repr(doc.Value); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestLoad_Errors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a: b: c", "f.yaml:1:5: mapping values are not allowed in this context"},
		{"a: 1\nb:\n  c: d: e\n", "f.yaml:3:7: mapping values are not allowed in this context"},
		{"a: 1\n\tb: 2", "f.yaml:2:1: found a tab character that violates indentation"},
		{"a: [1, 2", "f.yaml:1:8: did not find expected ',' or ']'"},
		{"a: 'x", "f.yaml:1:5: found unexpected end of stream"},
		{"name: x\nparameters:\n  a: 1\n b: 2\n", "f.yaml:4:2: did not find expected key"},
		{"a: *nope", "f.yaml:1:4: unknown anchor 'nope' referenced"},
		{"a: 1\n---\nb: 2", "f.yaml:2:1: a second document starts here; one document expected"},
		{"a: !!python/object/apply:os.system [id]", "f.yaml:1:4: the tag !!python/object/apply:os.system cannot stand on a list"},
		{"a: !!python/name:os.system ''", "f.yaml:1:4: the tag !!python/name:os.system is not supported"},
		{"a: !foo bar", "f.yaml:1:4: the tag !foo is not supported"},
		{"a: !!binary aGk=", "f.yaml:1:4: binary values (!!binary) are not supported"},
		{"&a [*a]", "f.yaml:1:5: the alias *a stands inside its own anchor"},
		{"a: &a {b: {<<: *a}}", "f.yaml:1:16: the alias *a stands inside its own anchor"},
		{"a: {<<: 5}", "f.yaml:1:9: a merge key takes a map or a list of maps"},
		{"a: {<<: [5]}", "f.yaml:1:10: a merge key takes maps, this is another kind of value"},
		{"[a]: b", "f.yaml:1:1: a key must be a scalar, not a list or a map"},
		{"a: \"\\0\"", "f.yaml:1:4: the text holds a NUL character"},
		{"a: x\x00y", "f.yaml:1:5: the control character U+0000 is not allowed"},
		{"a: \x1b[31m", "f.yaml:1:4: the control character U+001B is not allowed"},
		{"a: 1\nb: \xff", "f.yaml:2:4: the text is not UTF-8: byte 0xff"},
		{"b: \xc0\xaf", "f.yaml:1:4: the text is not UTF-8: byte 0xc0"},
		{"\xff\xfea\x00", "f.yaml:1:1: the text is not UTF-8: byte 0xff"},
		{"a: " + strings.Repeat("1", 5000), "f.yaml:1:4: an integer of 5000 digits, the limit is 4300"},
		{"a: =", "f.yaml:1:4: a lone = is YAML 1.1's default value, which is not supported; quote it"},
		{strings.Repeat("[", 65) + strings.Repeat("]", 65), "f.yaml:1:65: too deep: the limit is 64 levels"},
		{strings.Repeat("x", 3<<20), "f.yaml: the file has 3145728 bytes, over the limit of 2097152"},
	} {
		_, err := Load("f.yaml", []byte(c.in), Limits{})
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%.60q: no *Error but %v", c.in, err)
			continue
		}
		if err.Error() != c.want {
			t.Errorf("%.60q:\n got %s\nwant %s", c.in, err, c.want)
		}
	}
}

// hostile are documents that must be refused quickly and cheaply.
func hostile() map[string]string {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	merges := "m0: &m0 {}\n"
	wide := "w0: &w0 {k: v}\n"
	for i := 1; i <= 9; i++ {
		refs := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", ")
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, refs)
		refs = strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*m%d, ", i-1), 10), ", ")
		merges += fmt.Sprintf("m%d: &m%d {<<: [%s]}\n", i, i, refs)
		refs = strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*w%d, ", i-1), 10), ", ")
		wide += fmt.Sprintf("w%d: &w%d {<<: [%s]}\n", i, i, refs)
	}
	long := "s: &s " + strings.Repeat("x", 100_000) + "\nl: [" + strings.TrimSuffix(strings.Repeat("*s, ", 5000), ", ") + "]\n"
	return map[string]string{
		"alias bomb":           bomb,
		"bomb of empty merges": merges,
		"bomb of merges":       wide,
		"long text by alias":   long,
		"deep flow":            strings.Repeat("[", 100_000),
		"deep closed flow":     strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"deep maps":            strings.Repeat("{a: ", 100_000),
		"deep block":           strings.Repeat("- ", 100_000) + "x",
		"self merge":           "a: &a\n  <<: *a\n",
	}
}

func TestLoad_HostileInputIsRefusedQuickly(t *testing.T) {
	for name, in := range hostile() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, err := Load("f.yaml", []byte(in), Limits{})
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: taken", name)
		}
		if took > slack*500*time.Millisecond { // 100 ms with a factor of five of slack
			t.Errorf("%s: %v", name, took)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 100<<20 {
			t.Errorf("%s: %d MiB allocated", name, grown>>20)
		}
		t.Logf("%-22s %8v %v", name, took.Round(time.Microsecond), err)
	}
}

func TestLoad_ManyKeysStayLinear(t *testing.T) {
	var text strings.Builder
	for i := 0; text.Len() < 1<<20; i++ {
		fmt.Fprintf(&text, "k%d: v\n", i)
	}
	start := time.Now()
	doc, err := Load("f.yaml", []byte(text.String()), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > slack*3*time.Second {
		t.Errorf("%d keys took %v", doc.Value.(*value.Dict).Len(), took)
	}
}

func TestLoad_KeysThatStandTwice(t *testing.T) {
	doc, err := Load("f.yaml", []byte("a: 1\nb: {x: 1, x: 2}\na: 3\n"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(doc.Warnings)
	want := `[f.yaml:2:11: the key "x" stands twice, first on line 2; this one counts f.yaml:3:1: the key "a" stands twice, first on line 1; this one counts]`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestDocument_At(t *testing.T) {
	doc, err := Load("f.yaml", []byte("base: &b\n  deep: x\nname: n\nparameters:\n  a:\n    type: strnig\n    enum: [1, 2]\n  <<: *b\n"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path []any
		want Position
	}{
		{nil, Position{1, 1}},
		{[]any{"name"}, Position{3, 7}},
		{[]any{"parameters", "a"}, Position{5, 3}},
		{[]any{"parameters", "a", "type"}, Position{6, 11}},
		{[]any{"parameters", "a", "enum", 1}, Position{7, 15}},
		{[]any{"parameters", "a", "nothing", "below"}, Position{5, 3}},
		{[]any{"parameters", "deep"}, Position{2, 9}},
		{[]any{"nothing"}, Position{1, 1}},
	} {
		if got := doc.At(c.path...); got != c.want {
			t.Errorf("%v: got %v, want %v", c.path, got, c.want)
		}
	}
	if got := doc.Key([]any{"parameters", "a"}, "type"); got != (Position{6, 5}) {
		t.Errorf("key: %v", got)
	}
}

func FuzzLoad(f *testing.F) {
	for _, in := range []string{"a: 1", "- [x, {y: z}]", "a: &x [1]\nb: *x", "a: {<<: {b: 1}}", "x: |\n  y\n", "--- !!str\n...", "? a\n: b", "12:30", "\"\\x41\"", "&a [*a]"} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		doc, err := Load("f.yaml", in, Limits{Bytes: 1 << 16, Nodes: 100_000})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("not an *Error: %v", err)
			}
			return
		}
		doc.At("a", 0, "b")
		if text := value.Repr(doc.Value); text == "" {
			t.Fatal("a value without text")
		}
	})
}
