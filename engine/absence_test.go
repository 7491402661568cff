package engine_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"petrel"
	"petrel/engine"
	"petrel/queue/local"
	"petrel/storage/sqlite"
)

// A machine that slept, or whose clock was set: by the clock of the leases all
// ran out at once, and nobody died. What runs goes on.
func TestNode_AJumpOfTheClockKillsNobody(t *testing.T) {
	ctx := context.Background()
	var ahead atomic.Int64
	store, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "petrel.db"), sqlite.Options{
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s := furnish(t, store, local.New(local.Options{}))
	const lease = time.Second
	e := s.start(func(c *engine.Config) { c.Lease, c.Renew, c.Sweep = lease, 300*time.Millisecond, 10*time.Millisecond })
	x := s.run(e, "do", "wait and succeed")
	s.runner.untilStarted(t, x.ID)
	// dead registers a node that does not renew, and waits until it is marked.
	dead := func(name string) {
		if err := store.RegisterNode(ctx, petrel.Node{ID: petrel.NewID(time.Now()), Incarnation: name, Host: "there", PID: 1, StartedAt: time.Now()}, time.Millisecond); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			nodes, err := store.NodeList(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range nodes {
				if n.Incarnation == name && n.Dead {
					return
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s was never marked dead", name)
			}
		}
	}
	dead("before") // from here on the sweeper marks whoever is late
	mine := e.Incarnation()
	ahead.Store(int64(time.Hour))
	dead("after") // and it does so again after the jump
	if got := e.Incarnation(); got != mine {
		t.Errorf("the node was taken for dead: it was %s and is %s", mine, got)
	}
	s.runner.releaseAll()
	if x = s.until(x.ID); x.Status != petrel.StatusSucceeded {
		t.Errorf("what ran ended as %s with %s", x.Status, x.Result)
	}
}

// Nobody from outside can make a run that nobody owns and nobody claims: it
// would never end.
func TestSetStatus_LeavesNothingThatNeverEnds(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		ctx := context.Background()
		e := s.start()
		for _, want := range []petrel.Status{petrel.StatusRunning, petrel.StatusPending} {
			later := s.request(e, engine.Request{Action: "test.run", Delay: 300 * time.Millisecond})
			_, err := e.SetStatus(ctx, later.ID, want, nil, "ada")
			if !petrel.Is(err, petrel.Invalid) || !strings.Contains(petrel.Message(err), "It cannot be set from") {
				t.Errorf("%s for a delayed run answers %v", want, err)
			}
			if x := s.until(later.ID); x.Status != petrel.StatusSucceeded {
				t.Errorf("the delayed run ended as %s", x.Status)
			}
		}
		x := s.run(e, "do", "wait and succeed")
		s.runner.untilStarted(t, x.ID)
		if _, err := e.SetStatus(ctx, x.ID, petrel.StatusPending, nil, "ada"); !petrel.Is(err, petrel.Invalid) {
			t.Errorf("pending for a running run answers %v", err)
		}
		s.runner.releaseAll()
		if x = s.until(x.ID); x.Status != petrel.StatusSucceeded {
			t.Errorf("the run ended as %s", x.Status)
		}
	})
}
