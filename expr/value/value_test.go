package value

import (
	"context"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
)

func bigOf(s string) *big.Int {
	i, _ := new(big.Int).SetString(s, 10)
	return i
}

func TestRepr(t *testing.T) {
	self := NewList(int64(1))
	self.Append(self)
	for _, c := range []struct {
		v    Value
		want string
	}{
		{nil, "None"}, {true, "True"}, {int64(-5), "-5"}, {bigOf("12345678901234567890"), "12345678901234567890"},
		{1.0, "1.0"}, {1e16, "1e+16"}, {1e-5, "1e-05"}, {0.30000000000000004, "0.30000000000000004"}, {math.Inf(-1), "-inf"}, {math.NaN(), "nan"},
		{"it's", `"it's"`}, {"a'\"b", `'a\'"b'`}, {"\n\x00\x7f\u00ad\u2028é😀", `'\n\x00\x7f\xad\u2028é😀'`}, {"\xff", `'\udcff'`},
		{Tuple{int64(1)}, "(1,)"}, {Tuple{}, "()"}, {NewList("a", nil), "['a', None]"}, {self, "[1, [...]]"},
		{DictOf("a", Tuple{int64(1), 2.0}, int64(3), NewSet()), "{'a': (1, 2.0), 3: set()}"},
		{Bytes("a\xff'"), `b"a\xff'"`}, {Markup("<b>"), "Markup('<b>')"}, {&Range{0, 5, 2}, "range(0, 5, 2)"},
		{DictOf("a", int64(1)).ItemsView(), "dict_items([('a', 1)])"}, {Date{2020, 1, 2}, "datetime.date(2020, 1, 2)"},
		{&Undefined{Name: "x", Strict: true}, "Undefined"},
	} {
		if got := Repr(c.v); got != c.want {
			t.Errorf("Repr = %s, want %s", got, c.want)
		}
	}
}

func TestDictKeysAreEqualAsInPython(t *testing.T) {
	d := NewDict()
	d.Set(int64(1), "int")
	d.Set(1.0, "float")
	d.Set(true, "bool")
	if d.Len() != 1 || Repr(d) != "{1: 'bool'}" {
		t.Errorf("got %s", Repr(d))
	}
	for i := range 100 {
		d.Set(Tuple{int64(i), "x"}, int64(i))
		d.Set(strings.Repeat("k", i), int64(i))
	}
	if v, ok := d.Get(Tuple{50.0, "x"}); !ok || v != int64(50) {
		t.Errorf("tuple key: %v %v", v, ok)
	}
	for i := range 100 {
		if i%3 != 0 && !d.Delete(strings.Repeat("k", i)) {
			t.Errorf("delete %d", i)
		}
	}
	if v, ok := d.GetStr("kkk"); !ok || v != int64(3) {
		t.Errorf("after delete: %v %v", v, ok)
	}
	if _, ok := d.GetStr("kk"); ok {
		t.Error("deleted key is there")
	}
	if CheckHashable(NewList()) == nil || CheckHashable(Tuple{NewDict()}) == nil {
		t.Error("containers are not hashable")
	}
}

func TestJSONRoundTrip(t *testing.T) {
	for _, c := range []struct{ in, compact, python string }{
		{`{"b": 1, "a": [1, 2.0, 1e20, true, null]}`, `{"b":1,"a":[1,2.0,1e+20,true,null]}`, `{"b": 1, "a": [1, 2.0, 1e+20, true, null]}`},
		{`{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`, `{"a": 3, "b": 2}`},
		{`12345678901234567890123`, `12345678901234567890123`, `12345678901234567890123`},
		{`"h\u00e9 \ud83d\ude00 \u0000"`, `"hé 😀 \u0000"`, `"h\u00e9 \ud83d\ude00 \u0000"`},
		{`-0`, `0`, `0`}, {`-0.0`, `-0.0`, `-0.0`}, {`[]`, `[]`, `[]`}, {`{}`, `{}`, `{}`},
	} {
		v, err := FromJSON([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got, err := ToJSON(v, CompactJSON); err != nil || string(got) != c.compact {
			t.Errorf("compact %s (%v), want %s", got, err, c.compact)
		}
		if got, err := ToJSON(v, PythonJSON); err != nil || string(got) != c.python {
			t.Errorf("python %s (%v), want %s", got, err, c.python)
		}
	}
	for _, bad := range []string{``, `{`, `[1,]`, `{"a":}`, `{} {}`, `NaN`, `Infinity`, `1e400`, `01`, `"\ud800"`, "\"\xff\"", `"\x"`, "\"a\nb\"", `nul`,
		strings.Repeat("[", 100000), strings.Repeat(`{"a":`, 100000), strings.Repeat("9", 5000), "\ufeff1"} {
		if v, err := FromJSON([]byte(bad)); err == nil {
			t.Errorf("%.20q gave %s", bad, Repr(v))
		}
	}
	if _, err := ToJSON(math.Inf(1), CompactJSON); err == nil {
		t.Error("infinity must not be written")
	}
	_, err := FromJSON([]byte("[1, 2"))
	if err == nil || err.Error() != "Expecting ',' delimiter: line 1 column 6 (char 5)" {
		t.Errorf("message: %v", err)
	}
	pretty := PythonJSON
	pretty.Pretty, pretty.Indent, pretty.SortKeys = true, "  ", true
	got, _ := ToJSON(DictOf("b", NewList(int64(1)), "a", NewDict()), pretty)
	if string(got) != "{\n  \"a\": {},\n  \"b\": [\n    1\n  ]\n}" {
		t.Errorf("pretty %s", got)
	}
}

func TestArithmetic(t *testing.T) {
	maxInt := int64(math.MaxInt64)
	for _, c := range []struct {
		op   func(*Budget, Value, Value) (Value, error)
		x, y Value
		want string
	}{
		{Add, maxInt, int64(1), "9223372036854775808"}, {Sub, int64(math.MinInt64), int64(1), "-9223372036854775809"},
		{Mul, maxInt, maxInt, "85070591730234615847396907784232501249"}, {Mul, int64(-1), int64(math.MinInt64), "9223372036854775808"},
		{FloorDiv, int64(-7), int64(2), "-4"}, {FloorDiv, int64(math.MinInt64), int64(-1), "9223372036854775808"}, {FloorDiv, -7.5, int64(2), "-4.0"},
		{Mod, int64(-7), int64(3), "2"}, {Mod, int64(7), int64(-3), "-2"}, {Mod, -7.5, int64(2), "0.5"}, {Mod, bigOf("12345678901234567890"), int64(7), "1"},
		{Div, int64(1), int64(3), "0.3333333333333333"}, {Div, bigOf("100000000000000000000"), int64(10), "1e+19"},
		{Pow, int64(2), int64(100), "1267650600228229401496703205376"}, {Pow, int64(2), int64(-1), "0.5"}, {Pow, 3.0, 2.5, "15.588457268119896"},
		{Add, NewList(int64(1)), NewList("a"), "[1, 'a']"}, {Mul, "ab", int64(2), "'abab'"}, {Mul, int64(-1), "ab", "''"}, {Add, true, int64(1), "2"},
		{Mul, Tuple{nil}, int64(2), "(None, None)"},
	} {
		got, err := c.op(nil, c.x, c.y)
		if err != nil || Repr(got) != c.want {
			t.Errorf("%s, %s: %s (%v), want %s", Repr(c.x), Repr(c.y), Repr(got), err, c.want)
		}
	}
	for _, c := range []struct {
		op   func(*Budget, Value, Value) (Value, error)
		x, y Value
		want string
	}{
		{Add, "a", int64(1), `can only concatenate str (not "int") to str`}, {Add, nil, int64(1), "unsupported operand type(s) for +: 'NoneType' and 'int'"},
		{Div, int64(1), int64(0), "division by zero"}, {Mul, "a", 1.5, "can't multiply sequence by non-int of type 'float'"},
		{Pow, int64(10), int64(1 << 40), "expression exceeds the limit of 262144 bits of an integer"},
		{Mul, "x", int64(1 << 40), "expression exceeds the limit of 67108864 bytes"},
	} {
		if _, err := c.op(nil, c.x, c.y); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		x, y Value
		want int
	}{
		{int64(1), 1.5, -1}, {bigOf("9007199254740993"), 9007199254740992.0, 1}, {"10", "9", -1}, {NewList(int64(1), int64(2)), NewList(int64(1)), 1},
		{Tuple{int64(1)}, Tuple{int64(1)}, 0}, {true, int64(0), 1}, {"a", Markup("b"), -1},
	} {
		if got, err := Compare(c.x, c.y); err != nil || got != c.want {
			t.Errorf("Compare(%s, %s) = %d, %v", Repr(c.x), Repr(c.y), got, err)
		}
	}
	if _, err := Compare(int64(1), "a"); err == nil || err.Error() != "'<' not supported between instances of 'int' and 'str'" {
		t.Errorf("got %v", err)
	}
	if !Equal(DictOf("a", int64(1), "b", 2.0), DictOf("b", int64(2), "a", true)) || Equal(NewList(), Tuple{}) || Equal("1", int64(1)) {
		t.Error("equality")
	}
}

func TestParseNumbers(t *testing.T) {
	for _, c := range []struct {
		s    string
		base int
		want string
	}{{" 42 ", 10, "42"}, {"-1_000", 10, "-1000"}, {"0x1f", 16, "31"}, {"0b11", 0, "3"}, {"٤٢", 10, "42"}, {"zz", 36, "1295"}, {"00", 0, "0"}} {
		if v, err := ParseInt(c.s, c.base); err != nil || Repr(v) != c.want {
			t.Errorf("int(%q, %d) = %s, %v", c.s, c.base, Repr(v), err)
		}
	}
	for _, s := range []string{"", " ", "1__0", "_1", "1_", "0x1f", "3.9", "+-1", "017x"} {
		if _, err := ParseInt(s, 10); err == nil {
			t.Errorf("int(%q) worked", s)
		}
	}
	for s, want := range map[string]string{"1.5": "1.5", " -.5e1 ": "-5.0", "inf": "inf", "-Infinity": "-inf", "1_0.0": "10.0", "1e400": "inf"} {
		if f, err := ParseFloat(s); err != nil || Repr(f) != want {
			t.Errorf("float(%q) = %v, %v", s, f, err)
		}
	}
	for _, s := range []string{"", "1e", "0x10", "1__0", "nanx", "--1"} {
		if _, err := ParseFloat(s); err == nil {
			t.Errorf("float(%q) worked", s)
		}
	}
}

func TestFromGoReachesNoGoObject(t *testing.T) {
	type hidden struct {
		Name   string `json:"name"`
		secret string
	}
	v := FromGo(map[string]any{"z": 1, "a": []string{"x"}, "s": hidden{"n", "s"}, "f": func() {}, "m": map[string]int{"k": 2}, "u": uint64(math.MaxUint64)})
	if got := Repr(v); got != "{'a': ['x'], 'f': '<func()>', 'm': {'k': 2}, 's': {'name': 'n'}, 'u': 18446744073709551615, 'z': 1}" {
		t.Errorf("got %s", got)
	}
	back := ToGo(v).(map[string]any)
	if back["z"] != int64(1) || back["a"].([]any)[0] != "x" {
		t.Errorf("back %v", back)
	}
}

func TestCopyIsDeep(t *testing.T) {
	inner := NewList(int64(1))
	d := DictOf("a", inner, "b", inner)
	c := Copy(d).(*Dict)
	a, _ := c.GetStr("a")
	b, _ := c.GetStr("b")
	inner.Append(int64(2))
	if Repr(a) != "[1]" || a != b {
		t.Errorf("copy %s", Repr(c))
	}
}

func TestBudgetEnds(t *testing.T) {
	b := NewBudget(context.Background(), Limits{Steps: 10})
	var le *LimitError
	for range 11 {
		if err := b.Step(1); errors.As(err, &le) {
			break
		}
	}
	if le == nil || le.Limit != "steps" || le.Max != "10" {
		t.Errorf("got %v", le)
	}
	if _, err := CopyItems(NewBudget(context.Background(), Limits{Bytes: 100}), &Range{0, 1 << 40, 1}); !errors.As(err, &le) || le.Limit != "bytes" {
		t.Errorf("got %v", err)
	}
}

func TestBindMessages(t *testing.T) {
	for _, c := range []struct {
		call Call
		want string
	}{
		{Call{}, "f() missing 2 required positional arguments: 'a' and 'b'"},
		{Call{Args: []Value{1, 2, 3, 4}}, "f() takes from 2 to 3 positional arguments but 4 were given"},
		{Call{Args: []Value{1}, Kwargs: []Kwarg{{"a", 1}}}, "f() got multiple values for argument 'a'"},
		{Call{Args: []Value{1, 2}, Kwargs: []Kwarg{{"z", 1}}}, "f() got an unexpected keyword argument 'z'"},
	} {
		if _, err := c.call.Bind("f", Req("a"), Req("b"), Opt("c", nil)); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,"\u00e9",null]}`, `[[[]]]`, `"\ud83d\ude00"`, `-1e-7`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := FromJSON([]byte(s))
		if err != nil {
			return
		}
		out, err := ToJSON(v, PythonJSON)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		again, err := FromJSON(out)
		if err != nil || !Equal(v, again) {
			t.Fatalf("%q became %q: %v", s, out, err)
		}
	})
}
