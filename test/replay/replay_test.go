package replay

import (
	"strings"
	"testing"

	"petrel/expr/value"
)

func read(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.FromJSON([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestCompare_Placeholders(t *testing.T) {
	c := NewContext(nil, "http://127.0.0.1:1")
	c.Vars["uniq"], c.Vars["exec"] = "u0123456789", "0123456789abcdef01234567"
	for _, x := range []struct {
		want, got string
		agrees    bool
	}{
		{`"$any"`, `{"a": 1}`, true}, {`"$num"`, `2.5`, true}, {`"$num"`, `true`, false}, {`"$num"`, `"2"`, false},
		{`"$id"`, `"0123456789abcdef01234567"`, true}, {`"$id"`, `"0123456789ABCDEF01234567"`, false},
		{`"$ts"`, `"2026-11-22T12:00:00.000000Z"`, true}, {`"$ts"`, `"2026-11-22T12:00:00Z"`, false}, {`"$tssec"`, `"2026-11-22T12:00:00Z"`, true},
		{`"$exec"`, `"0123456789abcdef01234567"`, true}, {`"/x/${exec}_y"`, `"/x/0123456789abcdef01234567_y"`, true},
		{`"took $num s (.*)"`, `"took 12 s (.*)"`, true}, {`"took $num s (.*)"`, `"took 12 s ab"`, false},
		{`2`, `2.0`, true}, {`1`, `true`, false}, {`null`, `false`, false}, {`null`, `null`, true},
		{`{"a": 1, "$rest": "$any"}`, `{"a": 1, "b": 2}`, true}, {`{"a": 1}`, `{"a": 1, "b": 2}`, false}, {`{"a": 1}`, `{}`, false},
		{`{"key $uniq": 1}`, `{"key u0123456789": 1}`, true},
		{`[1, 2]`, `[2, 1]`, false}, {`[1, 2]`, `[1]`, false}, {`{"a": 1, "b": 2}`, `{"b": 2, "a": 1}`, true},
	} {
		diffs := c.Compare(read(t, x.want), read(t, x.got), "$")
		if (diffs == nil) != x.agrees {
			t.Errorf("%s with %s: %v", x.want, x.got, diffs)
		}
	}
}

func TestNormal_MakesTextsComparable(t *testing.T) {
	c := NewContext(nil, "http://127.0.0.1:4711")
	c.Vars["uniq"] = "u0123456789"
	n := &Normal{Context: c, SysUser: "stanley"}
	for given, want := range map[string]string{
		"a u0123456789 b":                      "a $uniq b",
		"u0123456789x":                         "${uniq}x",
		"http://127.0.0.1:4711/json":           "$echo/json",
		"at 2026-11-22T12:00:00.123456Z":       "at $ts",
		"id 0123456789abcdef01234567.":         "id $id.",
		"long 0123456789abcdef0123456789":      "long 0123456789abcdef0123456789",
		"object at 0x7f00deadbeef":             "object at $any",
		"Failed to parse request body: x\ny":   "Failed to parse request body: $any",
		"00000000-1111-2222-3333-444444444444": "$uuid",
	} {
		if got := n.Text(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
	doc := n.Value(read(t, `{"user": "stanley", "other": "stanley", "pid": 7, "elapsed_seconds": 0.5, "result_size": 9, "result": "2026-11-22T12:00:00.123456Z"}`), "")
	text, err := value.ToJSON(doc, value.CompactJSON)
	if err != nil || string(text) != `{"user":"$sysuser","other":"stanley","pid":"$any","elapsed_seconds":"$num","result_size":"$num","result":"$ts"}` {
		t.Errorf("%s %v", text, err)
	}
}

func TestSameText_BlanksBesidePlaceholders(t *testing.T) {
	for _, x := range []struct {
		want, got string
		same      bool
	}{
		{"a $id b", "a   $id b", true}, {"a\n$any\nb\n\n", "a\nwhatever\nb", true}, {"x $any y", "x 1 2 y", true}, {"a\nb", "a", false}, {"a", "b", false},
	} {
		if SameText(x.want, x.got) != x.same {
			t.Errorf("%q with %q", x.want, x.got)
		}
	}
}

func TestAt_Paths(t *testing.T) {
	doc := read(t, `{"a": {"b": [1, {"c d": "x"}]}, "on-complete": 2}`)
	for path, want := range map[string]string{"$.a.b[0]": "1", "$.a.b[1]['c d']": "'x'", "$.a.b.length()": "2", "$.on-complete": "2"} {
		if v, ok := At(doc, path); !ok || value.Repr(v) != want {
			t.Errorf("%s: %v %v", path, v, ok)
		}
	}
	for _, path := range []string{"$.x", "$.a.b[9]", "$.a.b.c", "$.on-complete.x"} {
		if v, ok := At(doc, path); ok {
			t.Errorf("%s leads to %v", path, v)
		}
	}
	if !strings.HasPrefix(value.Repr(doc), "{") {
		t.Error("no object")
	}
}
