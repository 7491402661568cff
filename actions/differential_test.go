package actions

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"testing"

	"petrel/expr/value"
)

// TestDifferential replays random parameters whose answers StackStorm's own
// rendering gave. Beyond the corpus it compares texts of errors and the order
// of keys, which decides the order of a script's arguments.
func TestDifferential(t *testing.T) {
	name := os.Getenv("PETREL_DIFFERENTIAL")
	if name == "" {
		name = "testdata/differential.jsonl"
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	total, failed := 0, 0
	for lines.Scan() {
		total++
		if fault := differs(t, dict(t, lines.Text())); fault != "" {
			failed++
			if failed <= 20 {
				t.Errorf("%s\n%s", lines.Text(), fault)
			}
		}
	}
	t.Logf("%d of %d agree", total-failed, total)
}

func differs(t *testing.T, c *value.Dict) string {
	in := caseInput(c)
	in.Trigger, in.HasTrigger = c.GetStr("trigger")
	live, err := Live(t.Context(), in)
	var runner, action *value.Dict
	if err == nil {
		in.Given = live
		runner, action, err = Final(t.Context(), in)
	}
	if failed, _ := c.GetStr("error"); failed == true {
		stage, _ := c.GetStr("stage")
		text, hasText := c.GetStr("text")
		var e *Error
		if !errors.As(err, &e) {
			return fmt.Sprintf("got %s, want an error", value.Repr(live))
		}
		if string(e.Stage) != stage || hasText && e.Message != text {
			return fmt.Sprintf("got  %s %s\nwant %s %s", e.Stage, e.Message, stage, text)
		}
		return ""
	}
	if err != nil {
		return err.Error()
	}
	want := dictAt(c, "expect")
	for _, part := range []struct {
		name string
		got  *value.Dict
	}{{"live", live}, {"runner_params", runner}, {"action_params", action}} {
		if wanted := dictAt(want, part.name); value.Repr(part.got) != value.Repr(wanted) {
			return fmt.Sprintf("%s: got  %s\nwant %s", part.name, value.Repr(part.got), value.Repr(wanted))
		}
	}
	return ""
}
