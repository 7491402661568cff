package actions

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/expr/value"
)

func dict(t testing.TB, text string) *value.Dict {
	t.Helper()
	v, err := value.FromJSON([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v.(*value.Dict)
}

// argumentSpec has one parameter of each type, and a runner that overrules.
func argumentSpec(t testing.TB) *Spec {
	t.Helper()
	return MergedFrom(
		dict(t, `{"cmd":{"type":"string"},"timeout":{"type":"integer"},"hosts":{"type":"array"},"both":{"type":"integer"}}`),
		dict(t, `{"s":{"type":"string"},"i":{"type":"integer"},"n":{"type":"number"},"b":{"type":"boolean"},"o":{"type":"object"},
			"a":{"type":"array"},"u":{"description":"no type"},"both":{"type":"string"},
			"d":{"type":"array","properties":{"id":{"type":"integer"},"on":{"type":"boolean"},"l":{"type":"array"}}}}`),
		petrel.Action{Ref: "p.a"})
}

func TestParseArguments(t *testing.T) {
	spec := argumentSpec(t)
	for _, c := range []struct {
		words string // between bars
		auto  bool
		want  string // repr, or the text of the error behind !
	}{
		{"", false, "{}"},
		{"s=x y", false, "{'s': 'x y'}"},
		{"s=a=b", false, "{'s': 'a=b'}"},
		{"s=", false, "{'s': ''}"},
		{"s=1|unknown=2|u=3", false, "{'s': '1', 'unknown': '2', 'u': '3'}"},
		{"i=5|timeout= 7 |both=1_0", false, "{'i': 5, 'timeout': 7, 'both': 10}"},
		{"i=abc", false, "!invalid literal for int() with base 10: 'abc'"},
		{"both=x", false, "!invalid literal for int() with base 10: 'x'"},
		{"n=5|n=1e3", false, "{'n': 1000.0}"},
		{"n=x", false, "!could not convert string to float: 'x'"},
		{"b=true", false, "{'b': True}"},
		{"b=FALSE", false, "{'b': False}"},
		{"b=1", false, "{'b': 1}"},
		{"b=yes", false, "!malformed node or string on line 1: <ast.Name object at 0x7f0000000000>"},
		{`o={"a": [1, null]}`, false, "{'o': {'a': [1, None]}}"},
		{"o=a=1,b=x=y,dropped", false, "{'o': {'a': '1', 'b': 'x=y'}}"},
		{"o={a:1}", false, "!Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"},
		{"a=5", false, "{'a': [5]}"},
		{"a=a, b ,c", false, "{'a': ['a', 'b', 'c']}"},
		{`a=["x", 1]`, false, "{'a': ['x', 1]}"},
		{"a=1|a=x,y|hosts=h|hosts=[2]", false, "{'a': [1, 'x', 'y'], 'hosts': ['h', 2]}"},
		{`a={"x":1}`, false, "{'a': {'x': 1}}"},
		{`a=true`, false, "!'bool' object is not iterable"},
		{`a=null`, false, "!'NoneType' object is not iterable"},
		{`a=1.5`, false, "!'float' object is not iterable"},
		{`a={"x":1}|a=1`, false, "!unsupported operand type(s) for +=: 'dict' and 'list'"},
		{"d=id:1,on:true,name:x", true, "{'d': [{'id': 1, 'on': True, 'name': 'x'}]}"},
		{"d=id:1|d=id:2", true, "{'d': [{'id': 1}, {'id': 2}]}"},
		{"d=id:1,plain", true, "{'d': ['id:1', 'plain']}"},
		{"d=id:1:2", true, "!too many values to unpack (expected 2)"},
		{"d=l:3", true, "{'d': [{'l': [3]}]}"},
		{"d=id:1", false, "{'d': ['id:1']}"},
		{"hosts=a:1", true, "{'hosts': ['a:1']}"},
		{"s=1|date|-R|x=y", false, "{'s': '1', 'cmd': 'date -R x=y'}"},
		{"@s=file", false, "!@s: files can be given on the command line only"},
	} {
		var words []string
		if c.words != "" {
			words = strings.Split(c.words, "|")
		}
		got, err := ParseArguments(words, spec, ArgumentOptions{AutoDict: c.auto})
		if fault, refused := strings.CutPrefix(c.want, "!"); refused {
			if err == nil || err.Error() != fault || petrel.KindOf(err) != petrel.Invalid {
				t.Errorf("%s: got %v, %v\nwant error %s", c.words, value.Repr(got), err, fault)
			}
			continue
		}
		if err != nil || value.Repr(got) != c.want {
			t.Errorf("%s: got %v, %v\nwant %s", c.words, value.Repr(got), err, c.want)
		}
	}
}

func TestParseArguments_Files(t *testing.T) {
	read := ArgumentOptions{ReadFile: func(path string) ([]byte, error) {
		if path != "dir/a.txt" {
			return nil, os.ErrNotExist
		}
		return []byte("content\n"), nil
	}}
	spec := argumentSpec(t)
	got, err := ParseArguments([]string{"@s=dir/a.txt"}, spec, read)
	if err != nil || value.Repr(got) != `{'s': 'content\n'}` {
		t.Error(value.Repr(got), err)
	}
	if _, err := ParseArguments([]string{"@s=missing"}, spec, read); err == nil {
		t.Error("a missing file was accepted")
	}
	http := MergedFrom(nil, dict(t, `{"url":{"type":"string"},"method":{"type":"string"}}`), petrel.Action{Ref: "core.http"})
	got, err = ParseArguments([]string{"url=x", "@file=dir/a.txt"}, http, read)
	if err != nil || value.Repr(got) != `{'url': 'x', 'file_content': 'content\n', 'method': 'POST', 'file_name': 'a.txt'}` {
		t.Error(value.Repr(got), err)
	}
	got, err = ParseArguments([]string{"method=PUT", "@file=dir/a.txt", "file_name=b"}, http, read)
	if err != nil || value.Repr(got) != `{'method': 'PUT', 'file_content': 'content\n', 'file_name': 'b'}` {
		t.Error(value.Repr(got), err)
	}
}

func TestSplitWords(t *testing.T) {
	for line, want := range map[string]string{
		"":                        "",
		"  ":                      "",
		"a  b\tc":                 "a|b|c",
		`a='b c' d`:               "a=b c|d",
		`a="b \"c\" $x \n" d`:     `a=b "c" $x \n|d`,
		`a\ b`:                    "a b",
		`''`:                      "",
		`'' x`:                    "|x",
		`"it's"`:                  "it's",
		`-- date`:                 "--|date",
		`a={"x": 1}`:              "a={x:|1}",
		"é=ü":                     "é=ü",
		`p='{"a": "b c"}'`:        `p={"a": "b c"}`,
		`a"b"'c'd`:                "abcd",
		"$(id) `id` ; && | > x *": "$(id)|`id`|;|&&|\\||>|x|*",
	} {
		words, err := SplitWords(line)
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "|", "\\|")
		}
		if got := strings.Join(words, "|"); err != nil || got != want {
			t.Errorf("%s: got %s, %v\nwant %s", line, got, err, want)
		}
	}
	for _, line := range []string{`a='b`, `"`, `a\`, `a="b\"`} {
		if words, err := SplitWords(line); petrel.KindOf(err) != petrel.Invalid {
			t.Errorf("%s: got %q, %v", line, words, err)
		}
	}
	if _, err := SplitWords(strings.Repeat("a ", MaxLine)); petrel.KindOf(err) != petrel.TooLarge {
		t.Error(err)
	}
}

func TestParseLine(t *testing.T) {
	spec := argumentSpec(t)
	for line, want := range map[string]string{
		"":                                  "{}",
		"date -R":                           "{'cmd': 'date -R'}",
		"-- date -R":                        "{'cmd': 'date -R'}",
		`-- echo "a  b" | grep x=y`:         `{'cmd': 'echo "a  b" | grep x=y'}`,
		`timeout=5 -- FOO=1 sh -c 'x -- y'`: `{'timeout': 5, 'cmd': "FOO=1 sh -c 'x -- y'"}`,
		`s="a b" i=3`:                       "{'s': 'a b', 'i': 3}",
		`s=“a b” i=3`:                       "{'s': 'a b', 'i': 3}",
		`o={"a": "b c", "d": [1, {"e": "}"}]} i=3`: "{'o': {'a': 'b c', 'd': [1, {'e': '}'}]}, 'i': 3}",
		`a=["x y", 2] s=z`:                         "{'a': ['x y', 2], 's': 'z'}",
		`a=[x`:                                     "{'a': ['[x']}",
		`s=it\'s`:                                  `{'s': "it's"}`,
		"— date":                                   "{'cmd': 'date'}",
		"s=a--b":                                   "{'s': 'a--b'}",
		"--":                                       "{'cmd': ''}",
	} {
		got, err := ParseLine(line, spec)
		if err != nil || value.Repr(got) != want {
			t.Errorf("%s: got %v, %v\nwant %s", line, value.Repr(got), err, want)
		}
	}
	for _, line := range []string{`s='`, "cmd=x -- y", "date -- x", "i=x"} {
		if got, err := ParseLine(line, spec); petrel.KindOf(err) != petrel.Invalid {
			t.Errorf("%s: got %v, %v", line, value.Repr(got), err)
		}
	}
}

func TestParseLine_BoundedOnHostileInput(t *testing.T) {
	spec := argumentSpec(t)
	for _, line := range []string{
		strings.Repeat("=[", MaxLine/2),
		strings.Repeat("a={\"", MaxLine/4),
		"a=" + strings.Repeat("[", MaxLine-2),
		strings.Repeat("“", MaxLine/3),
		strings.Repeat("a=1 ", MaxLine/4),
		"d=" + strings.Repeat("9", MaxLine-2),
	} {
		start := time.Now()
		_, _ = ParseLine(line, spec)
		if took := time.Since(start); took > 500*time.Millisecond {
			t.Errorf("%.20s... took %v", line, took)
		}
	}
}

func FuzzParseArguments(f *testing.F) {
	for _, s := range []string{"a=1|a=[2]", "d=id:1", "b=(", "o={", "n=inf", "i=-0", "x"} {
		f.Add(s, true)
	}
	spec := argumentSpec(f)
	f.Fuzz(func(t *testing.T, words string, auto bool) {
		got, err := ParseArguments(strings.Split(words, "|"), spec, ArgumentOptions{AutoDict: auto})
		if err == nil {
			_ = value.Repr(got)
		}
		var pe *petrel.Error
		if err != nil && !errors.As(err, &pe) {
			t.Errorf("no kind: %v", err)
		}
	})
}

func FuzzSplitWords(f *testing.F) {
	for _, s := range []string{`a='b' "c\"" d\ e`, `p={"a": [1]} -- x`, "“a”", "— x", "a=[", "\\"} {
		f.Add(s)
	}
	spec := argumentSpec(f)
	f.Fuzz(func(t *testing.T, line string) {
		if words, err := SplitWords(line); err == nil {
			total := 0
			for _, w := range words {
				total += len(w)
			}
			if total > len(line) {
				t.Errorf("%q became longer: %q", line, words)
			}
		}
		_, _ = ParseLine(line, spec)
	})
}
