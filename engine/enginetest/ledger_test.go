package enginetest_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/engine/enginetest"
	"petrel/storage"
)

// rows is a store that holds what a test says.
type rows struct {
	storage.Executions
	all []petrel.Execution
}

func (r rows) ExecutionList(context.Context, storage.ExecutionFilter) ([]petrel.Execution, int, error) {
	return r.all, len(r.all), nil
}

const one, two = petrel.ID("0123456789abcdef00000001"), petrel.ID("0123456789abcdef00000002")

func passed(id petrel.ID, statuses ...petrel.Status) petrel.Execution {
	x := petrel.Execution{ID: id, Status: statuses[len(statuses)-1]}
	for _, s := range statuses {
		x.Log = append(x.Log, petrel.LogEntry{Status: s})
	}
	return x
}

// A checker that finds nothing proves nothing: each broken promise is shown to it.
func TestCheck(t *testing.T) {
	const req, sch, run, ok, can = petrel.StatusRequested, petrel.StatusScheduled, petrel.StatusRunning, petrel.StatusSucceeded, petrel.StatusCanceled
	good := passed(one, req, sch, run, ok)
	keyed := func(id petrel.ID) petrel.Execution {
		x := passed(id, req, sch, run, ok)
		x.IdempotencyKey = "k"
		return x
	}
	for _, c := range []struct {
		name     string
		rows     []petrel.Execution
		accepted []petrel.ID
		ledger   string
		want     string // a part of what is broken; empty for nothing
	}{
		{"all is well", []petrel.Execution{good}, []petrel.ID{one}, string(one) + " 1 start\n" + string(one) + " 1 end\n", ""},
		{"run again before it started", []petrel.Execution{passed(one, req, sch, req, sch, run, ok)}, []petrel.ID{one}, string(one) + " 2 start\n", ""},
		{"lost", []petrel.Execution{good}, []petrel.ID{one, two}, "", "P1: 0123456789abcdef00000002 was accepted"},
		{"started from nowhere", []petrel.Execution{good}, nil, string(two) + " 1 start\n", "P1: 0123456789abcdef00000002 started and is not there"},
		{"stuck", []petrel.Execution{passed(one, req, sch)}, nil, "", "P2: 0123456789abcdef00000001 is scheduled"},
		{"ended twice", []petrel.Execution{good}, nil, string(one) + " 1 start\n" + string(one) + " 1 end\n" + string(one) + " 1 end\n", "P3: attempt 1 of 0123456789abcdef00000001 ended 2 times"},
		{"ended without a start", []petrel.Execution{good}, nil, string(one) + " 1 end\n", "P3: attempt 1 of 0123456789abcdef00000001 ended and never started"},
		{"one attempt started twice", []petrel.Execution{good}, nil, string(one) + " 1 start\n" + string(one) + " 1 start\n", "P3"},
		{"started twice", []petrel.Execution{good}, nil, string(one) + " 1 start\n" + string(one) + " 2 start\n", "P4: 0123456789abcdef00000001 started 2 times"},
		{"started before running was stored", []petrel.Execution{passed(one, req, sch, can)}, nil, string(one) + " 1 start\n", "P4: 0123456789abcdef00000001 started and was never running"},
		{"one key, two runs", []petrel.Execution{keyed(one), keyed(two)}, nil, "", "P5: the key k started 2 executions"},
		{"out of an end", []petrel.Execution{passed(one, req, sch, run, ok, run, ok)}, nil, "", "P6"},
		{"a status beside its history", []petrel.Execution{{ID: one, Status: ok, Log: passed(one, req, sch, run).Log}}, nil, "", "P6"},
		{"no history", []petrel.Execution{{ID: one, Status: ok}}, nil, "", "P6"},
	} {
		entries, err := enginetest.ReadLedger(strings.NewReader(c.ledger))
		if err != nil {
			t.Fatal(err)
		}
		report, err := enginetest.Check(context.Background(), rows{all: c.rows}, c.accepted, nil, entries)
		if err != nil {
			t.Fatal(err)
		}
		switch err := report.Err(); {
		case c.want == "" && err != nil:
			t.Errorf("%s: got %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accepted")
	a, err := enginetest.OpenAccepted(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []petrel.ID{one, two} {
		if err := a.Add(id); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Maybe("key-1"); err != nil {
		t.Fatal(err)
	}
	a.Close()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ids, maybe, err := enginetest.ReadAccepted(f)
	if err != nil || len(ids) != 2 || ids[0] != one || ids[1] != two || len(maybe) != 1 || maybe[0] != "key-1" {
		t.Errorf("got %v, %v (%v)", ids, maybe, err)
	}
	for _, bad := range []string{"x 1 start", string(one) + " 1", string(one) + " 1 begin"} {
		if _, err := enginetest.ReadLedger(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if _, _, err := enginetest.ReadAccepted(strings.NewReader("accepted x " + petrel.FormatTime(time.Now()))); err == nil {
		t.Error("an id that is none was read")
	}
}
