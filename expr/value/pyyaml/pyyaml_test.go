package pyyaml

import (
	"strings"
	"testing"
	"time"

	"petrel/expr/value"
)

func TestScalarsOfYAML11(t *testing.T) {
	for in, want := range map[string]string{
		"yes": "True", "No": "False", "on": "True", "y": "'y'", "~": "None", "": "None", "null": "None", "0o10": "'0o10'", "010": "8", "08": "'08'",
		"1_000": "1000", "0x1F": "31", "0b101": "5", "12:30:45": "45045", "1:60": "'1:60'", "1e3": "'1e3'", "1.5e+3": "1500.0", ".5": "0.5",
		".inf": "inf", "-.INF": "-inf", ".nan": "nan", "1.": "1.0", "+1": "1", "2001-01-01": "datetime.date(2001, 1, 1)",
		"2001-12-14 21:59:43.10 -5": "datetime.datetime(2001, 12, 14, 21, 59, 43, 100000, tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=68400)))",
		"2001-12-14t21:59:43Z":      "datetime.datetime(2001, 12, 14, 21, 59, 43, tzinfo=datetime.timezone.utc)",
		"'yes'":                     "'yes'", "!!str 1": "'1'", "!!int '3'": "3", "!!binary aGk=": "b'hi'", "9999999999999999999999": "9999999999999999999999",
	} {
		v, err := Load([]byte(in), Limits{})
		if err != nil || value.Repr(v) != want {
			t.Errorf("%q gave %s (%v), want %s", in, value.Repr(v), err, want)
		}
	}
}

func TestLoadDocuments(t *testing.T) {
	for in, want := range map[string]string{
		"a: 1\nb: [x, {y: z}]":                         "{'a': 1, 'b': ['x', {'y': 'z'}]}",
		"<<: {a: 1, b: 2}\nb: 3":                       "{'a': 1, 'b': 3}",
		"x: &b {p: 1}\ny:\n  <<: [*b, {p: 2, q: 3}]\n": "{'x': {'p': 1}, 'y': {'p': 1, 'q': 3}}",
		"a: 1\na: 2":                                   "{'a': 2}", "1: x\ntrue: y": "{1: 'y'}", "a: &x [1]\nb: *x": "{'a': [1], 'b': [1]}", "a: |\n  t\n  u\n": "{'a': 't\\nu\\n'}",
		"!!set {a, b}": "{'a', 'b'}",
	} {
		v, err := Load([]byte(in), Limits{})
		if err != nil || value.Repr(v) != want {
			t.Errorf("%q gave %s (%v), want %s", in, value.Repr(v), err, want)
		}
	}
	for _, in := range []string{"a: [1", "a: 1\n---\nb: 2", "!foo x", "!!python/object:os.system {}", "[1]: x", "<<: 1", "&a [*a]", "&a {<<: *a}", "a: =", "2020-13-01",
		strings.Repeat("[", 100000), strings.Repeat("- ", 5000) + "x", "a: *missing", "\t- x"} {
		if v, err := Load([]byte(in), Limits{}); err == nil {
			t.Errorf("%.30q gave %s", in, value.Repr(v))
		}
	}
}

func TestAliasBombEndsSoon(t *testing.T) {
	var sb strings.Builder
	sb.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 10; i++ {
		p := string(rune('0' + i - 1))
		sb.WriteString("a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [" + strings.TrimSuffix(strings.Repeat("*a"+p+",", 10), ",") + "]\n")
	}
	start := time.Now()
	_, err := Load([]byte(sb.String()), Limits{})
	if err == nil || !strings.Contains(err.Error(), "too many aliases") || time.Since(start) > time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestDump(t *testing.T) {
	shared := value.NewList(int64(1))
	long := strings.TrimSpace(strings.Repeat("word ", 30))
	for _, c := range []struct {
		v    value.Value
		opts DumpOptions
		want string
	}{
		{nil, DumpOptions{}, "null\n"}, {"", DumpOptions{}, "''\n"}, {"yes", DumpOptions{}, "'yes'\n"}, {"a\tb", DumpOptions{}, "\"a\\tb\"\n"}, {"é", DumpOptions{ASCII: true}, "\"\\xE9\"\n"},
		{value.DictOf("b", value.NewList(value.DictOf("x", 1.0)), "a", value.NewDict()), DumpOptions{}, "a: {}\nb:\n- x: 1.0\n"},
		{value.DictOf("b", int64(1), "a", int64(2)), DumpOptions{KeepOrder: true}, "b: 1\na: 2\n"},
		{value.NewList(shared, shared), DumpOptions{}, "- &id001\n  - 1\n- *id001\n"},
		{"a\nb\n", DumpOptions{}, "'a\n\n  b\n\n  '\n"}, {value.Tuple{1e20, true}, DumpOptions{Indent: 4}, "- 1.0e+20\n- true\n"},
		{value.DictOf("k", long), DumpOptions{}, "k: " + long[:79] + "\n  " + long[80:] + "\n"},
		{value.Date{Year: 2020, Month: 1, Day: 2}, DumpOptions{}, "2020-01-02\n"}, {"2020-01-02", DumpOptions{}, "'2020-01-02'\n"},
		{value.DictOf(value.Tuple{int64(1)}, "v"), DumpOptions{}, "? - 1\n: v\n"},
	} {
		got, err := DumpWith(nil, c.v, c.opts)
		if err != nil || string(got) != c.want {
			t.Errorf("%s gave %q (%v), want %q", value.Repr(c.v), got, err, c.want)
		}
	}
	loop := value.NewList()
	loop.Append(loop)
	if got, err := Dump(loop); err != nil || string(got) != "&id001\n- *id001\n" {
		t.Errorf("list in itself: %q, %v", got, err)
	}
}

func FuzzLoadDump(f *testing.F) {
	for _, s := range []string{"a: [1, 2.5, yes]\nb: |\n  x\n", "<<: {a: 1}\nb: &x 2\nc: *x", "- 'it''s'\n- \"q\\n\"", "? a\n: b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Load([]byte(s), Limits{Bytes: 1 << 12})
		if err != nil {
			return
		}
		out, err := Dump(v)
		if err != nil {
			return
		}
		again, err := Load(out, Limits{})
		if err != nil {
			t.Fatalf("%q dumped as %q: %v", s, out, err)
		}
		if twice, err := Dump(again); err != nil || string(twice) != string(out) {
			t.Fatalf("%q dumped as %q and then as %q (%v)", s, out, twice, err)
		}
	})
}
