package rows

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"petrel"
)

func TestMergeObject(t *testing.T) {
	for _, c := range []struct{ base, patch, want string }{
		{`{"b":1,"a":2}`, `{"c":3,"a":{"z":1,"y":2}}`, `{"b":1,"a":{"z":1,"y":2},"c":3}`},
		{` { "b" : 1 } `, `{"a":1e400}`, `{"b":1,"a":1e400}`},
		{``, `{"a":1}`, `{"a":1}`},
		{`null`, `{}`, `{}`},
		{`{"a":1}`, ``, `{"a":1}`},
		{`{"a\u0000":"\ud800","é":1}`, `{"a\u0000":2}`, `{"a\u0000":2,"é":1}`},
		{`{"a":1,"a":2}`, `{"b":3}`, `{"a":1,"a":2,"b":3}`},
		{`{"a":[{}, [1]]}`, `{"b":123456789012345678901234567890}`, `{"a":[{}, [1]],"b":123456789012345678901234567890}`},
	} {
		got, err := MergeObject(petrel.JSON(c.base), petrel.JSON(c.patch))
		if err != nil || string(got) != c.want {
			t.Errorf("%s with %s gives %s, %v; not %s", c.base, c.patch, got, err, c.want)
		}
	}
	for _, c := range []struct{ base, patch string }{
		{`{"a":1}`, `[1]`}, {`{"a":1}`, `{"a"`}, {`{"a":1}`, `"x"`}, {`[1]`, `{"a":1}`}, {`{`, `{"a":1}`}, {`{"a":1}`, `{"a":1} {}`}, {`{"a":1}`, `{1:2}`},
	} {
		if got, err := MergeObject(petrel.JSON(c.base), petrel.JSON(c.patch)); err == nil {
			t.Errorf("%s with %s gives %s", c.base, c.patch, got)
		}
	}
}

func FuzzMergeObject(f *testing.F) {
	f.Add([]byte(`{"b":1,"a":{"x":[1,2]}}`), []byte(`{"a":2,"c":"\u0000"}`))
	f.Add([]byte(``), []byte(`{"é":null}`))
	f.Fuzz(func(t *testing.T, base, patch []byte) {
		got, err := MergeObject(base, patch)
		if err != nil || len(patch) == 0 {
			return
		}
		var want, have map[string]any
		if json.Unmarshal(patch, &want) != nil {
			return
		}
		if err := json.Unmarshal(got, &have); err != nil {
			if json.Valid(base) && json.Valid(patch) {
				t.Fatalf("%s with %s gives %s: %v", base, patch, got, err)
			}
			return
		}
		for key := range want {
			if _, there := have[key]; !there {
				t.Fatalf("%s with %s gives %s without %q", base, patch, got, key)
			}
		}
	})
}

func TestPack(t *testing.T) {
	for _, value := range [][]byte{nil, {}, []byte("x"), []byte("z"), {0, 255}, []byte(strings.Repeat("abc", 10000)), bytes.Repeat([]byte{0}, packedFrom)} {
		stored := Pack(value)
		if (stored == nil) != (value == nil) {
			t.Errorf("%d bytes are stored as %v", len(value), stored)
		}
		got, err := Unpack(stored)
		if err != nil || !bytes.Equal(got, value) {
			t.Errorf("%d bytes come back as %d, %v", len(value), len(got), err)
		}
	}
	if stored := Pack([]byte(strings.Repeat("abc", 10000))); len(stored) > 1000 {
		t.Errorf("30 kB that repeat are stored in %d bytes", len(stored))
	}
	cut := Pack([]byte(strings.Repeat("abc", 10000)))
	cut = cut[:len(cut)-5]
	for _, damaged := range [][]byte{[]byte("zabc"), []byte("?"), cut} {
		if got, err := Unpack(damaged); err == nil {
			t.Errorf("%q is read as %q", damaged, got)
		}
	}
}

func TestLog(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	text := LogText(petrel.StatusRequested, at) + LogText(petrel.StatusRunning, at.Add(time.Microsecond))
	log := Log(text + "odd odd@x ")
	if len(log) != 2 || log[0] != (petrel.LogEntry{At: at, Status: petrel.StatusRequested}) || log[1].At != at.Add(time.Microsecond) {
		t.Fatalf("the log is %v", log)
	}
	if Log("") != nil || !Time(0).IsZero() || Micros(time.Time{}) != 0 || !Time(Micros(at)).Equal(at) {
		t.Fatal("nothing is not nothing")
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		check func(c *Check)
		says  string
	}{
		{"NUL", func(c *Check) { c.Name("name", "a\x00b") }, `name 'a\0b' holds a NUL character`},
		{"bytes", func(c *Check) { c.Name("name", "a\xff") }, "name 'a\uFFFD' is not valid UTF-8"},
		{"long", func(c *Check) { c.Name("name", strings.Repeat("x", 600)) }, "name has 600 bytes; the limit is 512"},
		{"empty", func(c *Check) { c.Need("name", "") }, "name is empty"},
		{"id", func(c *Check) { c.ID("id", "ABC") }, "id 'ABC' is not an id of 24 hexadecimal digits"},
		{"first", func(c *Check) { c.Need("a", ""); c.Need("b", "") }, "a is empty"},
	} {
		var check Check
		c.check(&check)
		if petrel.KindOf(check.Err()) != petrel.Invalid || petrel.Message(check.Err()) != c.says {
			t.Errorf("%s: %v", c.name, check.Err())
		}
	}
	var check Check
	check.Name("name", "Grüße 🐦")
	check.OptionalID("id", "")
	check.Value("v", make([]byte, 10), 9)
	if petrel.KindOf(check.Err()) != petrel.TooLarge {
		t.Errorf("too large: %v", check.Err())
	}
	long := ShortText(strings.Repeat("é", MaxText) + "\x00\xff")
	if len(long) > MaxText || !utf8.ValidString(long) {
		t.Errorf("a short text has %d bytes", len(long))
	}
}
