package schema

import (
	"bufio"
	"fmt"
	"os"
	"testing"

	"petrel/expr/value"
)

// TestDifferential replays cases whose answers Python's jsonschema gave.
func TestDifferential(t *testing.T) {
	f, err := os.Open("testdata/differential.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	total, failed := 0, 0
	for lines.Scan() {
		v, err := value.FromJSON(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		c := v.(*value.Dict)
		total++
		if text := differs(c); text != "" {
			failed++
			if failed < 20 {
				t.Errorf("%s\n%s", lines.Text(), text)
			}
		}
	}
	t.Logf("%d of %d agree", total-failed, total)
}

func differs(c *value.Dict) string {
	doc, _ := c.GetStr("schema")
	instance, _ := c.GetStr("instance")
	want, _ := c.GetStr("text")
	wantFirst, _ := c.GetStr("first")
	wantSchema, _ := c.GetStr("schema_error")
	clean, _ := c.GetStr("clean")
	dialect, _ := c.GetStr("dialect")
	opts := Options{}
	if dialect == "draft4" {
		opts.Dialect = Draft4
	}
	if clean == true {
		opts.AllowNone = true
	}
	s, err := Compile(doc, opts)
	if err != nil {
		e := AsError(err)
		if e == nil {
			return "compile: " + err.Error()
		}
		if e.Text() != wantSchema {
			return fmt.Sprintf("schema error\n got %s\nwant %v", e.Text(), wantSchema)
		}
		return ""
	}
	if wantSchema != nil {
		return fmt.Sprintf("no schema error, want %v", wantSchema)
	}
	if clean == true {
		filled, err := s.Clean(instance)
		if got := textOf(err); got != want {
			return fmt.Sprintf("got %v\nwant %v", got, want)
		}
		cleaned, _ := c.GetStr("cleaned")
		if err == nil && value.Repr(filled) != value.Repr(cleaned) {
			return fmt.Sprintf("cleaned %v\nwant %v", value.Repr(filled), value.Repr(cleaned))
		}
		return ""
	}
	if got := textOf(s.Validate(instance)); got != want {
		return fmt.Sprintf("got %v\nwant %v", got, want)
	}
	if got := textOf(s.First(instance)); got != wantFirst {
		return fmt.Sprintf("first: got %v\nwant %v", got, wantFirst)
	}
	return ""
}

func textOf(err error) value.Value {
	if err == nil {
		return nil
	}
	if e := AsError(err); e != nil {
		return e.Text()
	}
	return "other: " + err.Error()
}
