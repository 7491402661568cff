package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/engine"
	"petrel/queue/local"
	"petrel/storage"
)

// A node that cannot renew is marked dead; what it started is abandoned, what
// it only claimed is run by another, and its late results are refused (F06,
// F07, F09).
func TestNode_DeadIsSweptAndFenced(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		ctx := context.Background()
		b := newBroken(s.store)
		first := s.start(func(c *engine.Config) {
			c.Store = b
			c.Lease, c.Renew = time.Second, 100*time.Millisecond
		})
		started := s.run(first, "do", "deaf")
		s.runner.untilStarted(t, started.ID)
		claimed := s.run(first, "do", "hang early")
		s.runner.untilStarted(t, claimed.ID)
		if x := s.get(claimed.ID); x.Status != petrel.StatusScheduled || x.Attempt != 1 {
			t.Fatalf("the second is %s at attempt %d", x.Status, x.Attempt)
		}
		before := first.Incarnation()
		b.fail("RenewNode", -1)
		second := s.start(func(c *engine.Config) { c.Lease = time.Second })

		x := s.until(started.ID)
		if x.Status != petrel.StatusAbandoned || !strings.Contains(string(x.Result), "not known") || history(x) != "requested scheduled running abandoned" {
			t.Errorf("what had started is %s with %s, %s", x.Status, x.Result, history(x))
		}
		// The one that had not started is run at a second attempt. Its own hang
		// is in Prepare again, now on the second node.
		deadline := time.Now().Add(patience)
		for {
			if x = s.get(claimed.ID); x.Attempt == 2 && x.Owner == second.Incarnation() && s.runner.entries(x.ID) == "prepare prepare" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("what had not started is %s, attempt %d, owner %s, %s", x.Status, x.Attempt, x.Owner, s.runner.entries(x.ID))
			}
			time.Sleep(10 * time.Millisecond)
		}
		s.runner.let(claimed.ID)
		if x = s.until(claimed.ID); x.Status != petrel.StatusSucceeded && x.Status != petrel.StatusFailed {
			t.Errorf("it ended as %s", x.Status)
		}
		if got := history(x); !strings.HasPrefix(got, "requested scheduled requested scheduled running") {
			t.Errorf("its history is %s", got)
		}

		// The first one's result comes late.
		s.runner.let(started.ID)
		b.heal("RenewNode")
		for first.Incarnation() == before || first.Incarnation() == "" {
			if time.Now().After(deadline) {
				t.Fatal("the first node did not register anew")
			}
			time.Sleep(10 * time.Millisecond)
		}
		for !strings.Contains(s.logs.String(), "The result was dropped") {
			if time.Now().After(deadline) {
				t.Fatal("nothing was said of the dropped result")
			}
			time.Sleep(10 * time.Millisecond)
		}
		if x = s.get(started.ID); x.Status != petrel.StatusAbandoned || s.runner.entries(x.ID) != "start end" {
			t.Errorf("it is %s now, the runner's ledger is %q", x.Status, s.runner.entries(x.ID))
		}
		if b.fired("RenewNode") == 0 {
			t.Error("no renewal failed")
		}
		// Both nodes work on.
		for range 4 {
			s.until(s.run(first).ID, petrel.StatusSucceeded)
		}
		if err := first.Ready(ctx); err != nil {
			t.Errorf("the first node is not ready: %v", err)
		}
	})
}

// Who takes over the folder of a dead process does not wait for its lease.
func TestNode_TakeoverOfAFolder(t *testing.T) {
	s := newSetup(t, local.New(local.Options{}))
	ctx := context.Background()
	dead := petrel.Node{ID: petrel.NewID(time.Now()), Incarnation: "dead-1", Host: "here", PID: 1, StateDir: "/state", StartedAt: time.Now()}
	if err := s.store.RegisterNode(ctx, dead, time.Hour); err != nil {
		t.Fatal(err)
	}
	asking := s.start(func(c *engine.Config) { c.NoWork = true })
	started, claimed := s.run(asking), s.run(asking)
	if got, err := s.store.Claim(ctx, storage.Claim{Owner: "dead-1", Limit: 2, At: time.Now()}); err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if err := s.store.Start(ctx, []storage.Start{{ID: started.ID, Owner: "dead-1", Attempt: 1, At: time.Now()}})[0]; err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	s.start(func(c *engine.Config) {
		c.StateDir = "/state"
		c.Lease, c.Renew = time.Hour, time.Minute
	})
	if x := s.until(started.ID); x.Status != petrel.StatusAbandoned {
		t.Errorf("what had started is %s", x.Status)
	}
	if x := s.until(claimed.ID); x.Status != petrel.StatusSucceeded || x.Attempt != 2 {
		t.Errorf("what had not started is %s at attempt %d", x.Status, x.Attempt)
	}
	if took := time.Since(before); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A sweeper that could not reach the store gives everybody a whole lease.
func TestNode_ASweeperThatWasAwayWaits(t *testing.T) {
	s := newSetup(t, local.New(local.Options{}))
	ctx := context.Background()
	if err := s.store.RegisterNode(ctx, petrel.Node{ID: petrel.NewID(time.Now()), Incarnation: "slow-1", Host: "there", PID: 1, StartedAt: time.Now()}, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	const lease = time.Second
	s.start(func(c *engine.Config) { c.Lease, c.Renew, c.Sweep = lease, 100*time.Millisecond, 20*time.Millisecond })
	for {
		nodes, err := s.store.NodeList(ctx)
		if err != nil {
			t.Fatal(err)
		}
		dead := false
		for _, n := range nodes {
			dead = dead || n.Incarnation == "slow-1" && n.Dead
		}
		if dead {
			break
		}
		if time.Since(began) > patience {
			t.Fatal("it was never marked")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if waited := time.Since(began); waited < lease {
		t.Errorf("a sweeper that just came marked another after %v, before the lease of %v", waited, lease)
	}
}

func TestStop_WaitsForWhatRuns(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		ctx := context.Background()
		e := s.start()
		x := s.run(e, "do", "wait")
		s.runner.untilStarted(t, x.ID)
		stopped := make(chan error, 1)
		go func() { stopped <- e.Stop(ctx) }()
		for e.Ready(ctx) == nil {
			time.Sleep(time.Millisecond)
		}
		// It takes no more, and it can still be asked.
		later := s.run(e)
		select {
		case err := <-stopped:
			t.Fatalf("it stopped while work ran (%v)", err)
		case <-time.After(300 * time.Millisecond):
		}
		if got := s.get(later.ID); got.Status != petrel.StatusRequested {
			t.Errorf("it took new work while it drained: %s", got.Status)
		}
		s.runner.let(x.ID)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if got := s.get(x.ID); got.Status != petrel.StatusSucceeded {
			t.Errorf("what ran ended as %s", got.Status)
		}
		nodes, err := s.store.NodeList(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range nodes {
			if !n.Dead {
				t.Errorf("the node %s was not retired", n.Incarnation)
			}
		}
		if err := e.Stop(ctx); err != nil {
			t.Errorf("a second stop answers %v", err)
		}
		if err := e.Start(ctx); !petrel.Is(err, petrel.Conflict) {
			t.Errorf("a start after the stop answers %v", err)
		}
		// Another process finds what was left.
		s.start()
		s.until(later.ID, petrel.StatusSucceeded)
	})
}

func TestStop_HardAbandonsWhatRuns(t *testing.T) {
	for _, how := range []string{"second stop", "grace", "context"} {
		t.Run(how, func(t *testing.T) {
			s := newSetup(t, local.New(local.Options{}))
			e := s.start(func(c *engine.Config) {
				if how == "grace" {
					c.Grace = 100 * time.Millisecond
				}
			})
			x := s.run(e, "do", "wait")
			s.runner.untilStarted(t, x.ID)
			early := s.run(e, "do", "hang early")
			s.runner.untilStarted(t, early.ID)
			ctx := context.Background()
			if how == "context" {
				short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				defer cancel()
				ctx = short
			}
			stopped := make(chan error, 2)
			go func() { stopped <- e.Stop(ctx) }()
			if how == "second stop" {
				for e.Ready(ctx) == nil {
					time.Sleep(time.Millisecond)
				}
				go func() { stopped <- e.Stop(ctx) }()
			}
			select {
			case err := <-stopped:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(patience):
				t.Fatal("it did not stop")
			}
			if got := s.get(x.ID); got.Status != petrel.StatusAbandoned || !strings.Contains(string(got.Result), "The worker was stopped while the action ran") {
				t.Errorf("what ran ended as %s with %s", got.Status, got.Result)
			}
			if got := s.runner.entries(x.ID); got != "start end" {
				t.Errorf("the runner's ledger is %q", got)
			}
			// What had not started waits for another node.
			s.runner.let(early.ID)
			s.start()
			if got := s.until(early.ID); got.Attempt != 2 || got.Status != petrel.StatusSucceeded && got.Status != petrel.StatusFailed {
				t.Errorf("what had not started is %s at attempt %d", got.Status, got.Attempt)
			}
		})
	}
}

func TestStop_BeforeStartAndTwice(t *testing.T) {
	s := newSetup(t, local.New(local.Options{}))
	e, err := engine.New(s.config())
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for range 2 {
		if err := e.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	e = s.start()
	if err := e.Start(ctx); err != nil {
		t.Errorf("a second start answers %v", err)
	}
}

func TestRetention(t *testing.T) {
	s := newSetup(t, local.New(local.Options{}))
	ctx := context.Background()
	e := s.start()
	old := s.until(s.run(e).ID)
	if err := s.store.CreateToken(ctx, petrel.Token{ID: petrel.NewID(time.Now()), User: "ada", Hash: strings.Repeat("0", 64), ExpiresAt: time.Now().Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	later := func() time.Time { return time.Now().Add(time.Hour) }
	s.start(func(c *engine.Config) {
		c.NoWork, c.Now, c.Tidy = true, later, 10*time.Millisecond
		c.KeepExecutions, c.KeepTokens = 30*time.Minute, time.Minute
	})
	deadline := time.Now().Add(patience)
	for {
		_, run := s.store.Execution(ctx, old.ID)
		_, token := s.store.Token(ctx, strings.Repeat("0", 64))
		if petrel.Is(run, petrel.NotFound) && petrel.Is(token, petrel.NotFound) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the run answers %v, the token %v; both were to be removed", run, token)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
