package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/engine"
	"petrel/engine/enginetest"
	"petrel/expr/value"
	"petrel/queue/local"
	"petrel/storage"
)

func TestCancel_BeforeItStarted(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		ctx := context.Background()
		idle := s.start(func(c *engine.Config) { c.NoWork = true })
		asked := s.request(idle, engine.Request{Action: "test.run", Delay: time.Hour})
		x, err := idle.Cancel(ctx, asked.ID, "ada", false)
		if err != nil || x.Status != petrel.StatusCanceled || history(x) != "requested delayed canceled" {
			t.Errorf("it is %s, %s (%v)", x.Status, history(x), err)
		}
		if string(x.Result) != `{"message":"Action canceled by user.","user":"ada"}` || x.ResultSize != 0 {
			t.Errorf("the result is %s (%d bytes)", x.Result, x.ResultSize)
		}
		if !strings.Contains(string(x.Context), `"cancelled_by":"ada"`) {
			t.Errorf("the context is %s", x.Context)
		}
		// A second time it is returned as it is.
		again, err := idle.Cancel(ctx, asked.ID, "bob", false)
		if err != nil || again.Revision != x.Revision || string(again.Result) != string(x.Result) {
			t.Errorf("the second time it is %+v (%v)", again, err)
		}
		if got := s.runner.entries(asked.ID); got != "" {
			t.Errorf("it started: %s", got)
		}
	})
}

func TestCancel_KillsWhatRuns(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		ctx := context.Background()
		e := s.start()
		asked := s.run(e, "do", "wait")
		s.runner.untilStarted(t, asked.ID)
		x, err := e.Cancel(ctx, asked.ID, "ada", false)
		if err != nil || x.Status != petrel.StatusCanceling || string(x.Result) != `{"message":"Action canceled by user.","user":"ada"}` {
			t.Errorf("it is %s with %s (%v)", x.Status, x.Result, err)
		}
		x = s.until(asked.ID, petrel.StatusCanceled)
		if string(x.Result) != `{"message":"Action canceled by user.","user":"ada"}` || history(x) != "requested scheduled running canceling canceled" {
			t.Errorf("it ended with %s, %s", x.Result, history(x))
		}
		if got := s.runner.entries(x.ID); got != "start end" {
			t.Errorf("the runner's ledger is %q", got)
		}
	})
}

// The owner is another node: it hears of it, or sees it when it looks.
func TestCancel_OnAnotherNode(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		ctx := context.Background()
		s.start()
		other := s.start(func(c *engine.Config) { c.NoWork = true })
		for range 10 {
			asked := s.run(other, "do", "wait")
			s.runner.untilStarted(t, asked.ID)
			if _, err := other.Cancel(ctx, asked.ID, "ada", false); err != nil {
				t.Fatal(err)
			}
			s.until(asked.ID, petrel.StatusCanceled)
		}
	})
}

func TestCancel_Refusals(t *testing.T) {
	s := newSetup(t, local.New(local.Options{}))
	ctx := context.Background()
	e := s.start()
	done := s.until(s.run(e).ID)
	x, err := e.Cancel(ctx, done.ID, "ada", false)
	if !petrel.Is(err, petrel.Conflict) || petrel.Message(err) != "Action cannot be canceled. State = succeeded." || x.ID != done.ID {
		t.Errorf("got %v and %s", err, x.ID)
	}
	deaf := s.run(e, "do", "deaf")
	s.runner.untilStarted(t, deaf.ID)
	if _, err := e.Cancel(ctx, deaf.ID, "ada", false); err != nil {
		t.Fatal(err)
	}
	x, err = e.Cancel(ctx, deaf.ID, "ada", false)
	if !petrel.Is(err, petrel.Conflict) || petrel.Message(err) != "Action cannot be canceled. State = canceling." || x.Status != petrel.StatusCanceling {
		t.Errorf("got %v and %s", err, x.Status)
	}
	if x, err = e.Cancel(ctx, deaf.ID, "ada", true); err != nil || x.Status != petrel.StatusCanceling {
		t.Errorf("with force got %v and %s", err, x.Status)
	}
	s.runner.let(deaf.ID)
	// It ended by itself before it could be killed.
	s.until(deaf.ID, petrel.StatusSucceeded)
	if _, err := e.Cancel(ctx, "0123456789abcdef01234567", "ada", false); !petrel.Is(err, petrel.NotFound) {
		t.Errorf("an unknown execution answers %v", err)
	}
}

// Runs that end and are canceled at the same moment end once, and all tell the
// same story (F59).
func TestCancel_RacesWithTheEnd(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		e := s.start(func(c *engine.Config) { c.Slots = 50 })
		const n = 500
		ctx := context.Background()
		ids := make([]petrel.ID, n)
		var done sync.WaitGroup
		slots := make(chan struct{}, 25)
		for i := range n {
			slots <- struct{}{}
			done.Go(func() {
				defer func() { <-slots }()
				random := rand.New(rand.NewPCG(seed, uint64(i)))
				var pauses [3]time.Duration
				for p := range pauses {
					pauses[p] = time.Duration(random.IntN(3000)) * time.Microsecond
				}
				x := s.run(e, "do", "wait")
				ids[i] = x.ID
				// Some race with the start, some with the end.
				for n := 0; i%2 == 0 && s.runner.entries(x.ID) == "" && n < 5000; n++ {
					time.Sleep(time.Millisecond)
				}
				var both sync.WaitGroup
				both.Go(func() {
					time.Sleep(pauses[0])
					s.runner.let(x.ID)
				})
				for p := range 2 {
					both.Go(func() {
						time.Sleep(pauses[p+1])
						if _, err := e.Cancel(ctx, x.ID, "ada", false); err != nil && !petrel.Is(err, petrel.Conflict) {
							t.Error(err)
						}
					})
				}
				both.Wait()
			})
		}
		done.Wait()
		ends := map[petrel.Status]int{}
		for _, id := range ids {
			x := s.until(id)
			ends[x.Status]++
			if err := enginetest.History(x); err != nil {
				t.Error(err)
			}
			ledger := s.runner.entries(id)
			if ledger != "" && ledger != "start end" {
				t.Errorf("%s: the runner's ledger is %q", id, ledger)
			}
			switch x.Status {
			case petrel.StatusSucceeded:
				if string(x.Result) != `{"ok":true}` {
					t.Errorf("%s succeeded with %s", id, x.Result)
				}
			case petrel.StatusCanceled:
				if string(x.Result) != `{"message":"Action canceled by user.","user":"ada"}` {
					t.Errorf("%s was canceled with %s", id, x.Result)
				}
			default:
				t.Errorf("%s ended as %s", id, x.Status)
			}
		}
		t.Logf("they ended %v", ends)
		if ends[petrel.StatusCanceled] == 0 || ends[petrel.StatusSucceeded] == 0 {
			t.Errorf("there was no race: %v", ends)
		}
	})
}

func TestSetStatus(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		ctx := context.Background()
		e := s.start()
		other := s.start(func(c *engine.Config) { c.NoWork = true })
		for i, from := range []*engine.Engine{e, other} {
			x := s.run(e, "do", "wait and succeed")
			s.runner.untilStarted(t, x.ID)
			if _, err := from.SetStatus(ctx, x.ID, petrel.StatusPaused, nil, "ada"); !petrel.Is(err, petrel.Invalid) || !strings.Contains(petrel.Message(err), "Unable to pause liveaction") {
				t.Errorf("pausing answers %v", err)
			}
			got, err := from.SetStatus(ctx, x.ID, petrel.StatusSucceeded, petrel.JSON(`{"set":"by hand"}`), "ada")
			if err != nil || got.Status != petrel.StatusSucceeded || string(got.Result) != `{"set":"by hand"}` || got.ResultSize != 17 {
				t.Errorf("%d: it is %s with %s (%v)", i, got.Status, got.Result, err)
			}
			// The owner hears of it or sees it, and ends its work for nothing.
			deadline := time.Now().Add(patience)
			for s.runner.entries(x.ID) != "start end" {
				if time.Now().After(deadline) {
					t.Fatal("the owner still works on a run that ended")
				}
				time.Sleep(5 * time.Millisecond)
			}
			if got = s.get(x.ID); string(got.Result) != `{"set":"by hand"}` || history(got) != "requested scheduled running succeeded" {
				t.Errorf("%d: afterwards it is %s, %s", i, got.Result, history(got))
			}
			if _, err := from.SetStatus(ctx, x.ID, petrel.StatusFailed, nil, "ada"); !petrel.Is(err, petrel.Invalid) || petrel.Message(err) != "Execution is already in completed state." {
				t.Errorf("a completed one answers %v", err)
			}
		}
		x := s.run(e, "do", "wait")
		s.runner.untilStarted(t, x.ID)
		got, err := e.SetStatus(ctx, x.ID, petrel.StatusCanceling, nil, "ada")
		if err != nil || got.Status != petrel.StatusCanceling || !strings.Contains(string(got.Context), `"cancelled_by":"ada"`) {
			t.Errorf("it is %s, %s (%v)", got.Status, got.Context, err)
		}
		s.until(x.ID, petrel.StatusCanceled)
	})
}

// A flood in the background must not delay a person, and no more run at once
// than there are slots.
func TestLanes_AFloodDoesNotDelayAPerson(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		e := s.start(func(c *engine.Config) { c.Slots = 10 })
		const flood = 200
		for range flood {
			s.request(e, engine.Request{Action: "test.run", Lane: petrel.LaneBackground, Parameters: value.DictOf("do", "wait")})
		}
		deadline := time.Now().Add(patience)
		for {
			if x, n, err := s.store.ExecutionList(context.Background(), storage.ExecutionFilter{Statuses: []petrel.Status{petrel.StatusRunning}}); err != nil || n > 8 {
				t.Fatalf("%d of the flood run at once (%v) %v", n, err, len(x))
			} else if n == 8 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the flood does not fill its slots")
			}
			time.Sleep(10 * time.Millisecond)
		}
		before := time.Now()
		x := s.until(s.request(e, engine.Request{Action: "test.other"}).ID)
		if took := time.Since(before); took > time.Second {
			t.Errorf("a person waited %v", took)
		}
		if x.Status != petrel.StatusSucceeded {
			t.Errorf("it ended as %s", x.Status)
		}
		s.runner.releaseAll()
		for {
			depth, err := s.store.QueueDepth(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(depth[petrel.LaneBackground]) == "0" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%v of the flood still wait", depth)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if most := s.runner.atOnce(); most > 10 {
			t.Errorf("%d ran at once in 10 slots", most)
		}
	})
}

// What waits stays in the store: a worker that finds thousands takes no more
// than it has slots for, all of them end, and a person is still served (F50).
func TestBacklog(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		ctx := context.Background()
		asking := s.start(func(c *engine.Config) { c.NoWork = true })
		const n = 2000
		var clients sync.WaitGroup
		for c := range 8 {
			clients.Go(func() {
				for range n / 8 {
					action := petrel.Ref([]string{"test.run", "test.other"}[c%2])
					if _, _, err := asking.Request(ctx, engine.Request{Action: action, Lane: petrel.LaneBackground}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		clients.Wait()
		began := time.Now()
		s.start(func(c *engine.Config) { c.Slots = 10 })
		for range 3 {
			before := time.Now()
			s.until(s.request(asking, engine.Request{Action: "test.noop"}).ID, petrel.StatusSucceeded)
			if took := time.Since(before); took > time.Second {
				t.Errorf("a person waited %v", took)
			}
		}
		for {
			_, left, err := s.store.ExecutionList(ctx, storage.ExecutionFilter{Statuses: []petrel.Status{petrel.StatusRequested, petrel.StatusScheduled, petrel.StatusRunning}, Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			if left == 0 {
				break
			}
			if time.Since(began) > 2*patience {
				t.Fatalf("%d of %d still wait", left, n)
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Logf("%d runs in %v", n, time.Since(began))
		if most := s.runner.atOnce(); most > 10 {
			t.Errorf("%d ran at once in 10 slots", most)
		}
		if _, ok, err := s.store.ExecutionList(ctx, storage.ExecutionFilter{Statuses: []petrel.Status{petrel.StatusSucceeded}, Limit: 1}); err != nil || ok != n+3 {
			t.Errorf("%d of %d succeeded (%v)", ok, n+3, err)
		}
	})
}
