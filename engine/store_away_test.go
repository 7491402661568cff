package engine_test

import (
	"context"
	"testing"
	"time"

	"petrel"
	"petrel/engine"
	"petrel/storage"
)

// Whatever the store does not answer, each run ends once, and what was started
// is not started again.
func TestStoreAway(t *testing.T) {
	for _, c := range []struct {
		name  string
		harm  func(b *broken)
		fired string
	}{
		{"claims fail", func(b *broken) { b.fail("Claim", 3) }, "Claim"},
		{"the answer of a claim is lost", func(b *broken) { b.lose("Claim", 1) }, "Claim"},
		{"starts fail", func(b *broken) { b.fail("Start", 3) }, "Start"},
		{"the answer of a start is lost", func(b *broken) { b.lose("Start", 1) }, "Start"},
		{"ends fail", func(b *broken) { b.fail("Finish", 3) }, "Finish"},
		{"the answer of an end is lost", func(b *broken) { b.lose("Finish", 1) }, "Finish"},
		{"output fails", func(b *broken) { b.fail("AppendOutput", 2) }, "AppendOutput"},
		{"the answer of output is lost", func(b *broken) { b.lose("AppendOutput", 1) }, "AppendOutput"},
		{"content cannot be read", func(b *broken) { b.fail("Generations", 2) }, "Generations"},
	} {
		t.Run(c.name, func(t *testing.T) {
			over(t, func(t *testing.T, s *setup) {
				b := newBroken(s.store)
				asking := s.start(func(c *engine.Config) { c.NoWork = true })
				s.start(func(c *engine.Config) { c.Store = b })
				c.harm(b)
				x := s.run(asking, "do", "print")
				x = s.until(x.ID)
				if x.Status != petrel.StatusSucceeded || x.Attempt != 1 {
					t.Errorf("it ended as %s at attempt %d with %s", x.Status, x.Attempt, x.Result)
				}
				if got := s.runner.entries(x.ID); got != "start end" {
					t.Errorf("the runner's ledger is %q", got)
				}
				if got := history(x); got != "requested scheduled running succeeded" {
					t.Errorf("its history is %s", got)
				}
				if b.fired(c.fired) == 0 {
					t.Errorf("no %s went wrong", c.fired)
				}
				text := ""
				chunks, err := s.store.OutputList(context.Background(), x.ID, "stdout", 0, 0)
				if err != nil {
					t.Fatal(err)
				}
				for _, chunk := range chunks {
					text += chunk.Data
				}
				if text != "one\ntwo\nü" {
					t.Errorf("the output is %q", text)
				}
			})
		})
	}
}

// A store that is away for a while costs delay and no work.
func TestStoreAway_ForAWhile(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		b := newBroken(s.store)
		asking := s.start(func(c *engine.Config) { c.NoWork = true })
		s.start(func(c *engine.Config) { c.Store = b })
		var ids []petrel.ID
		for range 10 {
			ids = append(ids, s.run(asking, "do", "wait").ID)
		}
		for _, id := range ids {
			s.runner.untilStarted(t, id)
		}
		all := []string{"Claim", "Start", "Finish", "Held", "Generations"}
		for _, m := range all {
			b.fail(m, -1)
		}
		for range 10 {
			ids = append(ids, s.run(asking).ID)
		}
		s.runner.releaseAll()
		for b.fired("Finish") < 20 || b.fired("Claim") < 2 {
			time.Sleep(time.Millisecond)
		}
		for _, m := range all {
			b.heal(m)
		}
		began := time.Now()
		for _, id := range ids {
			x := s.until(id)
			if x.Status != petrel.StatusSucceeded || s.runner.entries(id) != "start end" {
				t.Errorf("%s ended as %s, the runner's ledger is %q", id, x.Status, s.runner.entries(id))
			}
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v to go on", took)
		}
		if n, _, err := s.store.ExecutionList(context.Background(), storage.ExecutionFilter{}); err != nil || len(n) != len(ids) {
			t.Errorf("%d executions are stored (%v)", len(n), err)
		}
	})
}
