package storagetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/storage"
)

// run makes a run of an action in a lane.
func run(ref petrel.Ref, lane petrel.Lane) storage.NewExecution {
	n := newRun()
	n.Execution.Action, n.Execution.Lane = action(ref), lane
	return n
}

func pull(t *testing.T, s storage.Store, c storage.Claim) []petrel.Execution {
	t.Helper()
	c.At = now()
	if c.Host == "" {
		c.Host = "host"
	}
	got, err := s.Claim(bg, c)
	ok(t, err)
	return got
}

func refs(all []petrel.Execution) string {
	text := ""
	for _, x := range all {
		text += string(x.Action.Ref) + " "
	}
	return text
}

func testLanes(t *testing.T, s storage.Store) {
	owner := node(t, s)
	// A flood in the background, then one run of a person.
	var flood []storage.NewExecution
	for i := 0; i < 60; i++ {
		flood = append(flood, run("a.flood", petrel.LaneBackground))
	}
	ids := request(t, s, flood...)
	request(t, s, run("c.task", petrel.LaneWorkflow))
	person := request(t, s, run("b.ask", petrel.LaneInteractive))[0]
	depth, err := s.QueueDepth(bg)
	ok(t, err)
	equal(t, depth, map[petrel.Lane]int{petrel.LaneBackground: 60, petrel.LaneWorkflow: 1, petrel.LaneInteractive: 1})

	if got := pull(t, s, storage.Claim{Owner: owner, Limit: 0}); len(got) != 0 {
		t.Fatal("a claim of nothing gave something")
	}
	got := pull(t, s, storage.Claim{Owner: owner, Limit: 1})
	if len(got) != 1 || got[0].ID != person {
		t.Fatalf("the first claim gave %s", refs(got))
	}
	if got := pull(t, s, storage.Claim{Owner: owner, Limit: 5, Lanes: []petrel.Lane{petrel.LaneInteractive}}); len(got) != 0 {
		t.Fatalf("the empty lane gave %s", refs(got))
	}
	// Ids that a message named pass the lanes of the claim too.
	if got := pull(t, s, storage.Claim{Owner: owner, Limit: 5, IDs: ids[:2], Lanes: []petrel.Lane{petrel.LaneInteractive}}); len(got) != 0 {
		t.Fatalf("named ids of another lane gave %s", refs(got))
	}
	got = pull(t, s, storage.Claim{Owner: owner, Limit: 2, Lanes: []petrel.Lane{petrel.LaneWorkflow, petrel.LaneBackground}})
	if refs(got) != "c.task a.flood " || got[1].ID != ids[0] {
		t.Fatalf("the other lanes gave %s", refs(got))
	}
	if got := pull(t, s, storage.Claim{Owner: owner, Limit: 1000}); len(got) != 59 {
		t.Fatalf("the rest was %d runs", len(got))
	}
	depth, err = s.QueueDepth(bg)
	ok(t, err)
	equal(t, depth, map[petrel.Lane]int{})
}

func testRoundRobin(t *testing.T, s storage.Store) {
	owner := node(t, s)
	var all []storage.NewExecution
	for i := 0; i < 30; i++ {
		all = append(all, run("a.many", petrel.LaneBackground))
	}
	all = append(all, run("b.few", petrel.LaneBackground), run("b.few", petrel.LaneBackground), run("c.one", petrel.LaneBackground))
	ids := request(t, s, all...)
	// Inside one claim.
	got := pull(t, s, storage.Claim{Owner: owner, Limit: 6})
	if refs(got) != "a.many b.few c.one a.many b.few a.many " || got[0].ID != ids[0] || got[3].ID != ids[1] || got[1].ID != ids[30] {
		t.Fatalf("the claim gave %s", refs(got))
	}
	// And over claims of one.
	request(t, s, run("b.few", petrel.LaneBackground), run("c.one", petrel.LaneBackground), run("d.new", petrel.LaneBackground))
	seen := ""
	for i := 0; i < 5; i++ {
		seen += refs(pull(t, s, storage.Claim{Owner: owner, Limit: 1}))
	}
	if seen != "d.new c.one b.few a.many a.many " {
		t.Fatalf("claims of one gave %s", seen)
	}
	if got := pull(t, s, storage.Claim{Owner: owner, Limit: 500}); len(got) != 25 {
		t.Fatalf("the rest was %d runs", len(got))
	}
}

// More actions wait than one look chooses among: each gets its turn, and those
// that are not due yet hide nobody.
func testManyActions(t *testing.T, s storage.Store) {
	owner := node(t, s)
	const actions, each = 300, 3
	var all []storage.NewExecution
	for n := range each {
		for i := range actions {
			all = append(all, run(petrel.Ref(fmt.Sprintf("many.a%03d", i)), petrel.LaneBackground))
			if n == 0 && i < 200 {
				later := run(petrel.Ref(fmt.Sprintf("early.a%03d", i)), petrel.LaneBackground)
				later.Execution.Status, later.Due = petrel.StatusDelayed, time.Hour
				all = append(all, later)
			}
		}
	}
	request(t, s, all...)
	served := map[petrel.Ref]int{}
	for n := range actions * each / 20 {
		got := pull(t, s, storage.Claim{Owner: owner, Limit: 20})
		if len(got) != 20 {
			t.Fatalf("claim %d gave %d runs", n, len(got))
		}
		inOne := map[petrel.Ref]bool{}
		for _, x := range got {
			if inOne[x.Action.Ref] && n < actions/20 {
				t.Fatalf("claim %d gave two runs of %s while others wait", n, x.Action.Ref)
			}
			inOne[x.Action.Ref] = true
			served[x.Action.Ref]++
		}
	}
	if len(served) != actions {
		t.Fatalf("%d of %d actions were served", len(served), actions)
	}
	if got := pull(t, s, storage.Claim{Owner: owner, Limit: 20}); len(got) != 0 {
		t.Fatalf("what is not due was claimed: %s", refs(got))
	}
}

func testDue(t *testing.T, s storage.Store) {
	owner := node(t, s)
	n := newRun()
	n.Execution.Status, n.Due = petrel.StatusDelayed, 300*time.Millisecond
	far := newRun()
	far.Execution.Status, far.Due = petrel.StatusDelayed, time.Hour
	_, waits, err := s.NextDue(bg)
	ok(t, err)
	if waits {
		t.Fatal("something is due in an empty store")
	}
	began := time.Now()
	ids := request(t, s, n, far)
	if time.Since(began) < 200*time.Millisecond {
		if got := claim(t, s, owner, ids...); len(got) != 0 {
			t.Fatal("a delayed run was claimed before it was due")
		}
		wait, waits, err := s.NextDue(bg)
		ok(t, err)
		if !waits || wait <= 0 || wait > 300*time.Millisecond {
			t.Fatalf("the next is due in %v, %v", wait, waits)
		}
	}
	var got []petrel.Execution
	for len(got) == 0 {
		if time.Since(began) > 10*time.Second {
			t.Fatal("the delayed run was never due")
		}
		wait, _, err := s.NextDue(bg)
		ok(t, err)
		time.Sleep(min(wait, 300*time.Millisecond))
		got = pull(t, s, storage.Claim{Owner: owner, Limit: 10})
	}
	if waited := time.Since(began); len(got) != 1 || got[0].ID != ids[0] || waited < 300*time.Millisecond {
		t.Fatalf("after %v %d runs were claimed", waited, len(got))
	}
	wait, waits, err := s.NextDue(bg)
	ok(t, err)
	if !waits || wait < 59*time.Minute || wait > time.Hour {
		t.Fatalf("the far one is due in %v, %v", wait, waits)
	}
}

func testStraight(t *testing.T, s storage.Store) {
	owner := node(t, s)
	shell := newRun()
	shell.Execution.Runner = runner("local-shell-cmd")
	ids := request(t, s, newRun(), shell)
	got, err := s.Claim(bg, storage.Claim{Owner: owner, Host: "h", IDs: ids, Limit: 5, Straight: []string{"noop"}, At: now()})
	ok(t, err)
	if len(got) != 2 || got[0].Status != petrel.StatusRunning || got[1].Status != petrel.StatusScheduled {
		t.Fatalf("claimed %+v", got)
	}
	if log := statuses(execution(t, s, ids[0]).Log); log != "requested scheduled running " {
		t.Fatalf("its log is %s", log)
	}
	ok(t, s.Finish(bg, []storage.Finish{finish(got[0], owner, petrel.StatusSucceeded, "1")})[0])
	held, err := s.Held(bg, owner)
	ok(t, err)
	equal(t, held, []storage.Held{{ID: ids[1], Attempt: 1, Status: petrel.StatusScheduled}})
	// What ends while it is prepared never started, and shows that it was taken up.
	ok(t, s.Finish(bg, []storage.Finish{finish(got[1], owner, petrel.StatusFailed, "1")})[0])
	if log := statuses(execution(t, s, ids[1]).Log); log != "requested scheduled running failed " {
		t.Fatalf("its log is %s", log)
	}
}

// testFinishPoison ends 50 attempts of which some cannot end as they say.
func testFinishPoison(t *testing.T, s storage.Store) {
	owner := node(t, s)
	for _, c := range []struct {
		name string
		make func(f *storage.Finish)
		kind petrel.Kind
	}{
		{"not the owner", func(f *storage.Finish) { f.Owner = "somebody" }, petrel.NotOwner},
		{"an older attempt", func(f *storage.Finish) { f.Attempt-- }, petrel.NotOwner},
		{"no such run", func(f *storage.Finish) { f.ID = id() }, petrel.NotOwner},
		{"no id", func(f *storage.Finish) { f.ID = "\x00" }, petrel.Invalid},
		{"a status that is no end", func(f *storage.Finish) { f.Status = petrel.StatusRunning }, petrel.Invalid},
		{"no status", func(f *storage.Finish) { f.Status = "done\x00" }, petrel.Invalid},
		{"context that is no object", func(f *storage.Finish) { f.MergeContext = petrel.JSON(`[1]`) }, petrel.Invalid},
	} {
		runs := make([]storage.NewExecution, 50)
		for i := range runs {
			runs[i] = newRun()
		}
		got := claim(t, s, owner, request(t, s, runs...)...)
		starts := make([]storage.Start, len(got))
		ends := make([]storage.Finish, len(got))
		for i, x := range got {
			starts[i] = storage.Start{ID: x.ID, Owner: owner, Attempt: 1, At: now()}
			ends[i] = finish(x, owner, petrel.StatusSucceeded, `{"n":1}`)
		}
		if len(got) != 50 {
			t.Fatalf("claimed %d", len(got))
		}
		starts[7].Owner = "somebody"
		for i, err := range s.Start(bg, starts) {
			if i == 7 {
				kind(t, err, petrel.NotOwner)
			} else {
				ok(t, err)
			}
		}
		starts[7].Owner = owner
		ok(t, s.Start(bg, starts[7:8])[0])
		c.make(&ends[31])
		ends[3].MergeContext = petrel.JSON(`{"x":1}`)
		ends[4].Status = petrel.StatusPending
		for i, err := range s.Finish(bg, ends) {
			switch {
			case i != 31:
				if err != nil {
					t.Fatalf("%s: member %d: %v", c.name, i, err)
				}
				if x := execution(t, s, ends[i].ID); x.Status != ends[i].Status {
					t.Fatalf("%s: member %d is %s", c.name, i, x.Status)
				}
			case petrel.KindOf(err) != c.kind:
				t.Fatalf("%s: error %v, not of kind %s", c.name, err, c.kind)
			}
		}
		if x := execution(t, s, got[31].ID); x.Status != petrel.StatusRunning || len(x.Log) != 3 || x.Result != nil {
			t.Fatalf("%s: the refused end left %+v", c.name, x)
		}
		if x := execution(t, s, got[3].ID); string(x.Context) != `{"user":"ann","pack":"core","x":1}` {
			t.Fatalf("%s: the context is %s", c.name, x.Context)
		}
		if x := execution(t, s, got[4].ID); x.Owner != "" || !x.EndedAt.IsZero() {
			t.Fatalf("%s: a run that waits is owned by %q", c.name, x.Owner)
		}
	}
}

// testClaimers lets 8 claimers on all stores take 400 runs: each run goes to one.
func testClaimers(t *testing.T, stores []storage.Store) {
	s := stores[0]
	var runs []storage.NewExecution
	for i := 0; i < 400; i++ {
		runs = append(runs, run(petrel.Ref(fmt.Sprintf("p.a%d", i%7)), []petrel.Lane{petrel.LaneInteractive, petrel.LaneBackground}[i%2]))
	}
	ids := request(t, s, runs...)
	var mu sync.Mutex
	owners := make(map[petrel.ID]string)
	var wg sync.WaitGroup
	for i := 0; i < 8; i++ {
		s := stores[i%len(stores)]
		owner := node(t, s)
		byID := i%3 == 0 // some follow messages, which name runs others take as well
		wg.Go(func() {
			for from := 0; ; from += 50 {
				c := storage.Claim{Owner: owner, Host: "h", Limit: 20, At: now()}
				if byID && from < len(ids) {
					c.IDs = ids[from : from+50]
				}
				got, err := s.Claim(bg, c)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, x := range got {
					if first, twice := owners[x.ID]; twice {
						t.Errorf("%s was claimed by %s and %s", x.ID, first, owner)
					}
					if x.Owner != owner || x.Attempt != 1 {
						t.Errorf("%s was given to %s, attempt %d", x.ID, x.Owner, x.Attempt)
					}
					owners[x.ID] = owner
				}
				all := len(owners) == len(ids)
				mu.Unlock()
				if all || t.Failed() {
					return
				}
			}
		})
	}
	wg.Wait()
	if len(owners) != len(ids) {
		t.Fatalf("%d of %d runs were claimed", len(owners), len(ids))
	}
}
