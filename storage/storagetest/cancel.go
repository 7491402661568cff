package storagetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/storage"
)

func cancel(id petrel.ID) storage.Cancel {
	return storage.Cancel{ID: id, By: "eve", At: now(), Result: petrel.JSON(`{"message":"Action canceled by user.","user":"eve"}`)}
}

func testCancel(t *testing.T, s storage.Store) {
	owner := node(t, s)
	// Not started: at once, whether it waits or was claimed.
	delayed := newRun()
	delayed.Execution.Status, delayed.Due = petrel.StatusDelayed, time.Hour
	delayed.Token = &petrel.Token{ID: id(), User: "u", Hash: "t1", ExpiresAt: now(), ExecutionID: delayed.Execution.ID}
	ids := request(t, s, newRun(), delayed, newRun())
	claimed := claim(t, s, owner, ids[2])[0]
	for _, id := range ids {
		c := cancel(id)
		c.Audit = []petrel.AuditEntry{{ID: petrel.NewID(time.Now()), At: now(), Action: "cancel", Target: string(id), Allowed: true}}
		x, tell, err := s.Cancel(bg, c)
		ok(t, err)
		if x.Status != petrel.StatusCanceled || tell != "" || string(x.Result) != string(c.Result) || x.ResultSize != 0 || !x.EndedAt.Equal(c.At) || x.Owner != "" ||
			string(x.Context) != `{"user":"ann","pack":"core","cancelled_by":"eve"}` {
			t.Fatalf("canceled: %+v, context %s, told %q", x, x.Context, tell)
		}
		audit, err := s.AuditList(bg, storage.AuditFilter{Target: string(id)})
		ok(t, err)
		equal(t, audit, c.Audit)
		again, _, err := s.Cancel(bg, cancel(id))
		ok(t, err)
		equal(t, again, x)
	}
	_, err := s.Token(bg, "t1")
	kind(t, err, petrel.NotFound)
	kind(t, s.Start(bg, []storage.Start{{ID: claimed.ID, Owner: owner, Attempt: 1, At: now()}})[0], petrel.NotOwner)
	if got := claim(t, s, owner, ids...); len(got) != 0 {
		t.Fatal("a canceled run was claimed")
	}
	// Running: asked, and told to its owner.
	x := begin(t, s, owner, newRun())
	after, tell, err := s.Cancel(bg, cancel(x.ID))
	ok(t, err)
	if after.Status != petrel.StatusCanceling || tell != owner || len(after.Result) == 0 || !after.EndedAt.IsZero() {
		t.Fatalf("asked: %+v, told %q", after, tell)
	}
	asked, err := s.Canceling(bg, owner)
	ok(t, err)
	equal(t, asked, []petrel.ID{x.ID})
	after, tell, err = s.Cancel(bg, cancel(x.ID))
	ok(t, err)
	if after.Status != petrel.StatusCanceling || tell != owner || len(after.Log) != 4 {
		t.Fatalf("asked again: %+v, told %q", after, tell)
	}
	f := finish(x, owner, petrel.StatusCanceled, "")
	f.Result = nil
	ok(t, s.Finish(bg, []storage.Finish{f})[0])
	if end := execution(t, s, x.ID); statuses(end.Log) != "requested scheduled running canceling canceled " || string(end.Result) != string(cancel(x.ID).Result) {
		t.Fatalf("it ended as %+v", end)
	}
	// Canceling, but the action ended by itself first.
	x = begin(t, s, owner, newRun())
	_, _, err = s.Cancel(bg, cancel(x.ID))
	ok(t, err)
	ok(t, s.Finish(bg, []storage.Finish{finish(x, owner, petrel.StatusSucceeded, `7`)})[0])
	end, _, err := s.Cancel(bg, cancel(x.ID))
	kind(t, err, petrel.Conflict)
	if end.Status != petrel.StatusSucceeded || string(end.Result) != "7" {
		t.Fatalf("it ended as %+v", end)
	}
	_, _, err = s.Cancel(bg, cancel(id()))
	kind(t, err, petrel.NotFound)
	// One that waits for an answer is not cancelable.
	x = begin(t, s, owner, newRun())
	ok(t, s.Finish(bg, []storage.Finish{finish(x, owner, petrel.StatusPending, `{}`)})[0])
	_, _, err = s.Cancel(bg, cancel(x.ID))
	kind(t, err, petrel.Conflict)
}

func testSetStatus(t *testing.T, s storage.Store) {
	owner := node(t, s)
	x := begin(t, s, owner, newRun())
	set := func(c storage.StatusChange) (petrel.Execution, error) {
		c.ID, c.At = x.ID, now()
		return s.SetStatus(bg, c)
	}
	_, err := set(storage.StatusChange{Status: "odd"})
	field(t, err, "status")
	_, err = set(storage.StatusChange{Status: petrel.StatusResuming})
	kind(t, err, petrel.Conflict)
	_, err = set(storage.StatusChange{Status: petrel.StatusPausing, From: []petrel.Status{petrel.StatusPaused}})
	kind(t, err, petrel.Conflict)
	got, err := set(storage.StatusChange{Status: petrel.StatusPausing, From: []petrel.Status{petrel.StatusRunning}})
	ok(t, err)
	if got.Status != petrel.StatusPausing || got.Owner != owner {
		t.Fatalf("pausing: %+v", got)
	}
	ok(t, s.Finish(bg, []storage.Finish{finish(x, owner, petrel.StatusPaused, `{"tasks":[]}`)})[0])
	if got := execution(t, s, x.ID); got.Status != petrel.StatusPaused || got.Owner != "" || string(got.Result) != `{"tasks":[]}` {
		t.Fatalf("paused: %+v", got)
	}
	// The node that paused it may die now: nothing is in its hands.
	ok(t, s.RetireNode(bg, owner))
	swept, err := s.Sweep(bg, now(), nil, nil, 10)
	ok(t, err)
	equal(t, swept, storage.Swept{})
	got, err = set(storage.StatusChange{Status: petrel.StatusResuming})
	ok(t, err)
	got, err = set(storage.StatusChange{Status: petrel.StatusRunning})
	ok(t, err)
	got, err = set(storage.StatusChange{Status: petrel.StatusSucceeded, Result: petrel.JSON(`"remote"`), MergeContext: petrel.JSON(`{"by":"remote"}`)})
	ok(t, err)
	if got.Status != petrel.StatusSucceeded || string(got.Result) != `"remote"` || got.ResultSize != 8 || got.EndedAt.IsZero() || string(got.Context) != `{"user":"ann","pack":"core","by":"remote"}` {
		t.Fatalf("set: %+v", got)
	}
	for _, status := range petrel.Statuses {
		_, err := set(storage.StatusChange{Status: status, Result: petrel.JSON(`1`)})
		kind(t, err, petrel.Conflict)
	}
	kind(t, s.Finish(bg, []storage.Finish{finish(x, owner, petrel.StatusFailed, `2`)})[0], petrel.NotOwner)
	equal(t, execution(t, s, x.ID), got)
	x.ID = id()
	_, err = set(storage.StatusChange{Status: petrel.StatusFailed})
	kind(t, err, petrel.NotFound)
}

// testSweep is the fence: what a dead node held is taken away, and what it
// still says is refused.
func testSweep(t *testing.T, s storage.Store) {
	dead, living := node(t, s), node(t, s)
	straight := []string{"noop"}
	shell := func() storage.NewExecution {
		n := newRun()
		n.Execution.Runner = runner("local-shell-cmd")
		return n
	}
	claimed := claim(t, s, dead, request(t, s, shell())...)[0]
	started := begin(t, s, dead, shell())
	harmless := begin(t, s, dead, newRun())
	canceled := begin(t, s, dead, shell())
	_, _, err := s.Cancel(bg, cancel(canceled.ID))
	ok(t, err)
	mine := begin(t, s, living, shell())
	post := petrel.Post{ID: id(), Adapter: "console", Channel: "c", ExecutionID: started.ID, Body: petrel.JSON(`{}`)}
	ok(t, s.PutPosts(bg, []petrel.Post{post})[0].Err)

	swept, err := s.Sweep(bg, now(), petrel.JSON(`{"error":"lost"}`), straight, 100)
	ok(t, err)
	equal(t, swept, storage.Swept{}) // nobody is marked dead
	ok(t, s.RetireNode(bg, dead))
	kind(t, s.RenewNode(bg, dead, time.Minute), petrel.NotOwner)
	_, err = s.Claim(bg, storage.Claim{Owner: dead, Limit: 1})
	kind(t, err, petrel.NotOwner)
	var all storage.Swept
	for i := 0; i < 4; i++ { // in small bites
		swept, err := s.Sweep(bg, now(), petrel.JSON(`{"error":"lost"}`), straight, 1)
		ok(t, err)
		all.Requeued = append(all.Requeued, swept.Requeued...)
		all.Abandoned = append(all.Abandoned, swept.Abandoned...)
		all.Canceled = append(all.Canceled, swept.Canceled...)
	}
	if len(all.Requeued) != 2 || fmt.Sprint(all.Abandoned) != fmt.Sprint([]petrel.ID{started.ID}) || fmt.Sprint(all.Canceled) != fmt.Sprint([]petrel.ID{canceled.ID}) {
		t.Fatalf("swept %+v", all)
	}
	if x := execution(t, s, started.ID); x.Status != petrel.StatusAbandoned || string(x.Result) != `{"error":"lost"}` || x.EndedAt.IsZero() {
		t.Fatalf("abandoned: %+v", x)
	}
	stale, err := s.StalePosts(bg, 10)
	ok(t, err)
	if len(stale) != 1 || stale[0].ID != post.ID {
		t.Fatalf("stale are %+v", stale)
	}
	// The late words of the dead node.
	for _, x := range []petrel.Execution{claimed, started, harmless, canceled} {
		kind(t, s.Start(bg, []storage.Start{{ID: x.ID, Owner: dead, Attempt: 1, At: now()}})[0], petrel.NotOwner)
		kind(t, s.Finish(bg, []storage.Finish{finish(x, dead, petrel.StatusSucceeded, `1`)})[0], petrel.NotOwner)
		chunk := petrel.OutputChunk{ID: id(), ExecutionID: x.ID, Attempt: 1, Seq: 1, At: now(), Type: "stdout", Data: "late"}
		kind(t, s.AppendOutput(bg, dead, []petrel.OutputChunk{chunk})[0], petrel.NotOwner)
	}
	again := claim(t, s, living, claimed.ID, harmless.ID)
	if len(again) != 2 || again[0].Attempt != 2 || again[0].Owner != living || statuses(again[0].Log) != "requested scheduled requested scheduled " {
		t.Fatalf("claimed again: %+v", again)
	}
	kind(t, s.Finish(bg, []storage.Finish{finish(claimed, dead, petrel.StatusSucceeded, `1`)})[0], petrel.NotOwner)
	ok(t, s.Finish(bg, []storage.Finish{finish(mine, living, petrel.StatusSucceeded, `1`)})[0])
}

// testCancelRaces lets a cancel and a finish meet 1,000 times.
func testCancelRaces(t *testing.T, stores []storage.Store) {
	races := 1000
	if testing.Short() {
		races = 200
	}
	s, other := stores[0], stores[len(stores)-1]
	owner := node(t, s)
	ends := map[petrel.Status]int{}
	for done := 0; done < races; done += 50 {
		runs := make([]storage.NewExecution, 50)
		for i := range runs {
			runs[i] = newRun()
		}
		got, err := s.Claim(bg, storage.Claim{Owner: owner, Host: "h", IDs: request(t, s, runs...), Limit: 50, Straight: []string{"noop"}, At: now()})
		ok(t, err)
		var wg sync.WaitGroup
		type outcome struct {
			cancel, finish error
			tell           string
		}
		outcomes := make([]outcome, len(got))
		for i, x := range got {
			early := rand.N(2) == 0
			first, second := func() {
				_, outcomes[i].tell, outcomes[i].cancel = other.Cancel(bg, cancel(x.ID))
			}, func() {
				outcomes[i].finish = s.Finish(bg, []storage.Finish{finish(x, owner, petrel.StatusSucceeded, `1`)})[0]
			}
			if early {
				first, second = second, first
			}
			wg.Go(first)
			wg.Go(second)
		}
		wg.Wait()
		for i, x := range got {
			end := execution(t, s, x.ID)
			ends[end.Status]++
			o := outcomes[i]
			asked := o.cancel == nil
			switch {
			case o.finish != nil:
				t.Fatalf("the owner's end was refused: %v", o.finish)
			case end.Status != petrel.StatusSucceeded || string(end.Result) != `1`:
				t.Fatalf("it ended as %s with %s", end.Status, end.Result)
			case asked && (o.tell != owner || statuses(end.Log) != "requested scheduled running canceling succeeded "):
				t.Fatalf("asked first, its log is %s", statuses(end.Log))
			case !asked && (petrel.KindOf(o.cancel) != petrel.Conflict || statuses(end.Log) != "requested scheduled running succeeded "):
				t.Fatalf("asked late: %v, its log is %s", o.cancel, statuses(end.Log))
			}
		}
	}
	if ends[petrel.StatusSucceeded] != races {
		t.Fatalf("they ended as %v", ends)
	}
}
