package storagetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/storage"
)

func event(key, owner string) petrel.ChatEvent {
	return petrel.ChatEvent{
		ID: id(), Key: key, Adapter: "console", Identity: petrel.ChatIdentity{Adapter: "console", Workspace: "local", User: "ann"}, Channel: "general", Thread: "t",
		Kind: "line", Text: "!run \x00\xff <x>", Payload: petrel.JSON(`{"z":1,"a":2}`), At: now(), Owner: owner, State: petrel.ChatEventNew,
	}
}

func putEvents(t *testing.T, s storage.Store, all ...petrel.ChatEvent) {
	t.Helper()
	for _, r := range s.PutChatEvents(bg, all) {
		ok(t, r.Err)
	}
}

func testEvents(t *testing.T, s storage.Store) {
	a, b := node(t, s), node(t, s)
	first := event("k1", a)
	double := event("k1", b)
	poison := event("k2\x00", a)
	plain, plain2 := event("", a), event("", a)
	got := s.PutChatEvents(bg, []petrel.ChatEvent{first, double, poison, plain, plain2})
	field(t, got[2].Err, "key")
	got[2].Err = nil
	equal(t, got, []storage.Requested{{ID: first.ID}, {ID: first.ID, Existing: true}, {ID: poison.ID}, {ID: plain.ID}, {ID: plain2.ID}})
	stored, err := s.ChatEvent(bg, first.ID)
	ok(t, err)
	equal(t, stored, first)
	_, err = s.ChatEvent(bg, double.ID)
	kind(t, err, petrel.NotFound)

	// Nobody takes what a living node has; a node does not take its own again.
	claimed, err := s.ClaimChatEvents(bg, b, nil, 10)
	ok(t, err)
	equal(t, len(claimed), 0)
	free := event("free", "")
	putEvents(t, s, free)
	claimed, err = s.ClaimChatEvents(bg, b, []petrel.ID{free.ID, first.ID}, 10)
	ok(t, err)
	free.Owner, free.Attempt = b, 1
	equal(t, claimed, []petrel.ChatEvent{free})
	// The node dies: its events are taken, oldest first.
	ok(t, s.RetireNode(bg, a))
	claimed, err = s.ClaimChatEvents(bg, b, nil, 2)
	ok(t, err)
	if len(claimed) != 2 || claimed[0].ID != first.ID || claimed[0].Owner != b || claimed[0].Attempt != 1 || claimed[1].ID != plain.ID {
		t.Fatalf("claimed %+v", claimed)
	}
	post := petrel.Post{ID: id(), Key: "answer", Adapter: "console", Channel: "general", EventID: first.ID, Body: petrel.JSON(`{}`)}
	entry := petrel.AuditEntry{ID: id(), At: now(), Action: "chat", Target: string(first.ID)}
	kind(t, s.FinishChatEvent(bg, first.ID, a, "late", []petrel.Post{post}, []petrel.AuditEntry{entry}), petrel.NotOwner)
	posts, err := s.PostList(bg, storage.PostFilter{EventID: first.ID})
	ok(t, err)
	equal(t, len(posts), 0)
	ok(t, s.FinishChatEvent(bg, first.ID, b, "help", []petrel.Post{post}, []petrel.AuditEntry{entry}))
	kind(t, s.FinishChatEvent(bg, first.ID, b, "again", nil, nil), petrel.NotOwner)
	kind(t, s.FinishChatEvent(bg, id(), b, "", nil, nil), petrel.NotFound)
	stored, err = s.ChatEvent(bg, first.ID)
	ok(t, err)
	if stored.State != petrel.ChatEventDone || stored.Outcome != "help" {
		t.Fatalf("the event is %+v", stored)
	}
	posts, err = s.PostList(bg, storage.PostFilter{EventID: first.ID})
	ok(t, err)
	equal(t, len(posts), 1)
	_, err = s.ClaimChatEvents(bg, a, nil, 5)
	kind(t, err, petrel.NotOwner)
}

func testEventRuns(t *testing.T, s storage.Store) {
	owner := node(t, s)
	e := event("k", owner)
	putEvents(t, s, e)
	answer := func() storage.NewExecution {
		n := newRun()
		n.Event, n.EventOwner = e.ID, owner
		return n
	}
	// An alias that matches twice starts two runs of one event, in one call.
	ids := request(t, s, answer(), answer())
	stored, err := s.ChatEvent(bg, e.ID)
	ok(t, err)
	if stored.State != petrel.ChatEventDone || stored.Outcome != "execution "+string(ids[0]) {
		t.Fatalf("the event is %+v", stored)
	}
	kind(t, s.Request(bg, []storage.NewExecution{answer()})[0].Err, petrel.Conflict)
	// 8 calls for one event: one starts something.
	e = event("k2", owner)
	putEvents(t, s, e)
	results := make(chan error)
	for i := 0; i < 8; i++ {
		n := answer()
		go func() { results <- s.Request(bg, []storage.NewExecution{n})[0].Err }()
	}
	won := 0
	for i := 0; i < 8; i++ {
		if err := <-results; err == nil {
			won++
		} else {
			kind(t, err, petrel.Conflict)
		}
	}
	equal(t, won, 1)
}

// testEventClaimers stores each of 100 events from 3 sides at once and lets 4 nodes take them.
func testEventClaimers(t *testing.T, stores []storage.Store) {
	s := stores[0]
	var wg sync.WaitGroup
	var mu sync.Mutex
	fresh, owners := 0, map[petrel.ID]string{}
	for side := 0; side < 3; side++ {
		s := stores[side%len(stores)]
		wg.Go(func() {
			for i := 0; i < 100; i += 10 {
				var batch []petrel.ChatEvent
				for j := 0; j < 10; j++ {
					batch = append(batch, event(fmt.Sprint("e", i+j), ""))
				}
				for _, r := range s.PutChatEvents(bg, batch) {
					if r.Err != nil {
						t.Error(r.Err)
					}
					mu.Lock()
					if !r.Existing {
						fresh++
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	equal(t, fresh, 100)
	for i := 0; i < 4; i++ {
		owner, s := node(t, s), stores[i%len(stores)]
		wg.Go(func() {
			for {
				got, err := s.ClaimChatEvents(bg, owner, nil, 7)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, e := range got {
					if first, twice := owners[e.ID]; twice {
						t.Errorf("%s went to %s and %s", e.ID, first, owner)
					}
					owners[e.ID] = owner
				}
				done := len(owners) == 100
				mu.Unlock()
				if done || t.Failed() {
					return
				}
			}
		})
	}
	wg.Wait()
}

func post(channel string) petrel.Post {
	return petrel.Post{
		ID: id(), Adapter: "console", Workspace: "local", Channel: channel, Thread: "t", EventID: id(), Revision: 1, Body: petrel.JSON(`{"text": "hi"}`),
		State: petrel.PostPending, CreatedAt: now(),
	}
}

func putPosts(t *testing.T, s storage.Store, all ...petrel.Post) {
	t.Helper()
	for _, r := range s.PutPosts(bg, all) {
		ok(t, r.Err)
	}
}

func claimPosts(t *testing.T, s storage.Store, owner string, limit int) string {
	t.Helper()
	got, err := s.ClaimPosts(bg, owner, []string{"console", "slack"}, limit)
	ok(t, err)
	text := ""
	for _, p := range got {
		if p.State != petrel.PostSending || p.Owner != owner {
			t.Fatalf("claimed %+v", p)
		}
		text += p.Channel + p.Thread + " "
	}
	return text
}

func testPosts(t *testing.T, s storage.Store) {
	a, b := node(t, s), node(t, s)
	make := func(channel, thread string) petrel.Post {
		p := post(channel)
		p.Thread = thread
		return p
	}
	c1, c2, d1, later := make("c", "1"), make("c", "2"), make("d", "1"), make("e", "1")
	later.NotBefore = now().Add(time.Hour)
	c1.Key = "k"
	double, poison := make("c", "x"), make("c\x00", "x")
	double.Key = "k"
	got := s.PutPosts(bg, []petrel.Post{c1, c2, d1, later, double, poison})
	field(t, got[5].Err, "post.channel")
	got[5].Err = nil
	equal(t, got, []storage.Requested{{ID: c1.ID}, {ID: c2.ID}, {ID: d1.ID}, {ID: later.ID}, {ID: c1.ID, Existing: true}, {ID: poison.ID}})
	stored, err := s.Post(bg, c1.ID)
	ok(t, err)
	c1.UpdatedAt = stored.UpdatedAt
	equal(t, stored, c1)
	none, err := s.ClaimPosts(bg, a, []string{"discord"}, 5)
	ok(t, err)
	equal(t, len(none), 0)

	// One sender for each channel, oldest first.
	equal(t, claimPosts(t, s, a, 1), "c1 ")
	equal(t, claimPosts(t, s, b, 10), "d1 ")
	equal(t, claimPosts(t, s, a, 10), "c2 ")
	kind(t, s.PostSent(bg, c1.ID, b, 1, storage.Sent{State: petrel.PostSent}), petrel.NotOwner)
	field(t, s.PostSent(bg, c1.ID, a, 1, storage.Sent{State: petrel.PostSending}), "state")
	ok(t, s.PostSent(bg, c1.ID, a, 1, storage.Sent{State: petrel.PostSent, ExternalID: "ts1"}))
	kind(t, s.PostSent(bg, c1.ID, a, 1, storage.Sent{State: petrel.PostSent}), petrel.NotOwner)
	stored, err = s.Post(bg, c1.ID)
	ok(t, err)
	if stored.State != petrel.PostSent || stored.ExternalID != "ts1" || stored.SentRevision != 1 || stored.Owner != "" || stored.Attempts != 0 {
		t.Fatalf("sent: %+v", stored)
	}
	// Revised while it is being sent: sent again, with the id of the first sending.
	revised, err := s.RevisePost(bg, c2.ID, petrel.JSON(`{"text":"new"}`), false)
	ok(t, err)
	if revised.Revision != 2 || revised.State != petrel.PostSending {
		t.Fatalf("revised: %+v", revised)
	}
	equal(t, claimPosts(t, s, a, 10), "")
	ok(t, s.PostSent(bg, c2.ID, a, 1, storage.Sent{State: petrel.PostSent, ExternalID: "ts2"}))
	stored, err = s.Post(bg, c2.ID)
	ok(t, err)
	if stored.State != petrel.PostPending || stored.SentRevision != 1 || stored.ExternalID != "ts2" || string(stored.Body) != `{"text":"new"}` {
		t.Fatalf("half sent: %+v", stored)
	}
	equal(t, claimPosts(t, s, b, 10), "c2 ")
	ok(t, s.PostSent(bg, c2.ID, b, 2, storage.Sent{State: petrel.PostSent}))
	// Closed.
	closed, err := s.RevisePost(bg, c2.ID, petrel.JSON(`{"text":"end"}`), true)
	ok(t, err)
	if closed.Revision != 3 || !closed.Final || closed.State != petrel.PostPending || closed.ExternalID != "ts2" {
		t.Fatalf("closed: %+v", closed)
	}
	_, err = s.RevisePost(bg, c2.ID, petrel.JSON(`{}`), false)
	kind(t, err, petrel.Conflict)
	_, err = s.RevisePost(bg, id(), petrel.JSON(`{}`), false)
	kind(t, err, petrel.NotFound)
	// A rate limit holds the channel back, and only that one.
	equal(t, claimPosts(t, s, a, 10), "c2 ")
	ok(t, s.PostSent(bg, c2.ID, a, 3, storage.Sent{State: petrel.PostPending, RetryIn: time.Hour, Error: "429\x00"}))
	putPosts(t, s, make("c", "3"), make("f", "1"))
	equal(t, claimPosts(t, s, a, 10), "f1 ")
	stored, err = s.Post(bg, c2.ID)
	ok(t, err)
	if stored.Attempts != 1 || stored.NotBefore.Before(now()) || stored.Error != "429\uFFFD" {
		t.Fatalf("held back: %+v", stored)
	}
	ok(t, s.PostSent(bg, d1.ID, b, 1, storage.Sent{State: petrel.PostFailed, Error: "no such channel"}))
	// The senders die: what was in their hands is given back, marked.
	ok(t, s.RetireNode(bg, a))
	swept, err := s.SweepPosts(bg, 10)
	ok(t, err)
	if len(swept) != 1 || swept[0].Channel != "f" || swept[0].State != petrel.PostMaybeSent {
		t.Fatalf("swept %+v", swept)
	}
	kind(t, s.PostSent(bg, swept[0].ID, a, 1, storage.Sent{State: petrel.PostSent}), petrel.NotOwner)
	equal(t, claimPosts(t, s, b, 10), "f1 ")
	ok(t, s.PostSent(bg, swept[0].ID, b, 1, storage.Sent{State: petrel.PostMaybeSent}))

	list := func(f storage.PostFilter) string {
		t.Helper()
		all, err := s.PostList(bg, f)
		ok(t, err)
		text := ""
		for _, p := range all {
			text += p.Channel + p.Thread + " "
		}
		return text
	}
	equal(t, list(storage.PostFilter{}), "c1 c2 d1 e1 c3 f1 ")
	equal(t, list(storage.PostFilter{Channel: "c", Adapter: "console", Workspace: "local", Newest: true, Limit: 2}), "c2 c3 ")
	equal(t, list(storage.PostFilter{After: c2.ID, Limit: 2}), "d1 e1 ")
	equal(t, list(storage.PostFilter{EventID: d1.EventID}), "d1 ")
}

func testPostRuns(t *testing.T, s storage.Store) {
	owner := node(t, s)
	n := newRun()
	p := post("c")
	p.ExecutionID = n.Execution.ID
	n.Posts = []petrel.Post{p}
	x := begin(t, s, owner, n)
	stale := func() int {
		all, err := s.StalePosts(bg, 10)
		ok(t, err)
		return len(all)
	}
	equal(t, stale(), 0)
	_, _, err := s.Cancel(bg, cancel(x.ID))
	ok(t, err)
	equal(t, stale(), 1)
	_, err = s.RevisePost(bg, p.ID, petrel.JSON(`{"text":"canceling"}`), false)
	ok(t, err)
	equal(t, stale(), 0)
	ok(t, s.Finish(bg, []storage.Finish{finish(x, owner, petrel.StatusCanceled, `{}`)})[0])
	equal(t, stale(), 1)
	// A body rendered before the end came too late: the post is still to be rendered.
	_, err = s.RevisePost(bg, p.ID, petrel.JSON(`{"text":"canceling"}`), false)
	ok(t, err)
	equal(t, stale(), 1)
	_, err = s.RevisePost(bg, p.ID, petrel.JSON(`{"text":"canceled"}`), true)
	ok(t, err)
	equal(t, stale(), 0)
}

// testSenders lets 6 senders post 20 messages to each of 5 channels: never two
// of them in one channel, and in order.
func testSenders(t *testing.T, stores []storage.Store) {
	s := stores[0]
	for i := 0; i < 20; i++ {
		for c := 0; c < 5; c++ {
			p := post(fmt.Sprint("c", c))
			p.Thread = fmt.Sprint(i)
			putPosts(t, s, p)
		}
	}
	var mu sync.Mutex
	sender, next, sent := map[string]string{}, map[string]int{}, 0
	var wg sync.WaitGroup
	for i := 0; i < 6; i++ {
		owner, s := node(t, s), stores[i%len(stores)]
		wg.Go(func() {
			for !t.Failed() {
				got, err := s.ClaimPosts(bg, owner, []string{"console"}, 3)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				done := sent == 100
				for _, p := range got {
					if other := sender[p.Channel]; other != "" && other != owner {
						t.Errorf("%s and %s send to %s", other, owner, p.Channel)
					}
					sender[p.Channel] = owner
					if p.Thread != fmt.Sprint(next[p.Channel]) {
						t.Errorf("%s got message %s, not %d", p.Channel, p.Thread, next[p.Channel])
					}
					next[p.Channel]++
				}
				mu.Unlock()
				for i, p := range got {
					mu.Lock()
					last := true
					for _, rest := range got[i+1:] {
						last = last && rest.Channel != p.Channel
					}
					if last {
						sender[p.Channel] = ""
					}
					sent++
					mu.Unlock()
					if err := s.PostSent(bg, p.ID, owner, p.Revision, storage.Sent{State: petrel.PostSent}); err != nil {
						t.Error(err)
						return
					}
				}
				if done {
					return
				}
			}
		})
	}
	wg.Wait()
}

func testHeldChats(t *testing.T, s storage.Store) {
	a, b := node(t, s), node(t, s)
	mine, done, other := event("1", a), event("2", a), event("3", b)
	putEvents(t, s, mine, done, other)
	ok(t, s.FinishChatEvent(bg, done.ID, a, "help", nil, nil))
	sending, pending := post("c"), post("c")
	putPosts(t, s, sending, pending)
	claimPosts(t, s, a, 1)
	for owner, want := range map[string]string{a: fmt.Sprint(mine.ID, sending.ID), b: fmt.Sprint(other.ID), "nobody": "", "": ""} {
		events, posts, err := s.HeldChats(bg, owner)
		ok(t, err)
		var got []any
		for _, e := range events {
			got = append(got, e.ID)
		}
		for _, p := range posts {
			got = append(got, p.ID)
		}
		equal(t, fmt.Sprint(got...), want)
	}
}

func testPurgeChats(t *testing.T, s storage.Store) {
	owner := node(t, s)
	done, open := event("done", owner), event("open", owner)
	putEvents(t, s, done, open)
	ok(t, s.FinishChatEvent(bg, done.ID, owner, "help", nil, nil))
	sent, pending := post("c"), post("c")
	putPosts(t, s, sent, pending)
	claimPosts(t, s, owner, 1)
	ok(t, s.PostSent(bg, sent.ID, owner, 1, storage.Sent{State: petrel.PostSent}))
	n, err := s.PurgeChats(bg, time.Now().Add(-time.Hour), 10)
	ok(t, err)
	equal(t, n, 0)
	n, err = s.PurgeChats(bg, time.Now().Add(time.Hour), 10)
	ok(t, err)
	equal(t, n, 2)
	_, err = s.ChatEvent(bg, done.ID)
	kind(t, err, petrel.NotFound)
	_, err = s.Post(bg, sent.ID)
	kind(t, err, petrel.NotFound)
	_, err = s.ChatEvent(bg, open.ID)
	ok(t, err)
	_, err = s.Post(bg, pending.ID)
	ok(t, err)
}

// testMixture lets 16 clients do whole lives of runs at once, each call a batch
// of one, beside content changes.
func testMixture(t *testing.T, stores []storage.Store) {
	var wg sync.WaitGroup
	owners := make([]string, 16)
	for i := range owners {
		owners[i] = node(t, stores[0])
	}
	for i, owner := range owners {
		s := stores[i%len(stores)]
		wg.Go(func() {
			for j := 0; j < 10; j++ {
				n := newRun()
				n.Execution.Action = action(petrel.Ref(fmt.Sprintf("core.m%d", j%3)))
				if r := s.Request(bg, []storage.NewExecution{n})[0]; r.Err != nil {
					t.Error(r.Err)
					return
				}
				got, err := s.Claim(bg, storage.Claim{Owner: owner, Host: "h", IDs: []petrel.ID{n.Execution.ID}, Limit: 1, At: now()})
				if err != nil || len(got) != 1 {
					t.Errorf("claimed %d: %v", len(got), err)
					return
				}
				if err := s.Start(bg, []storage.Start{{ID: n.Execution.ID, Owner: owner, Attempt: 1, At: now()}})[0]; err != nil {
					t.Error(err)
				}
				chunk := petrel.OutputChunk{ID: id(), ExecutionID: n.Execution.ID, Attempt: 1, Seq: 1, At: now(), Type: "stdout", Data: "x"}
				if err := s.AppendOutput(bg, owner, []petrel.OutputChunk{chunk})[0]; err != nil {
					t.Error(err)
				}
				if err := s.Finish(bg, []storage.Finish{finish(got[0], owner, petrel.StatusSucceeded, `{"a":1}`)})[0]; err != nil {
					t.Error(err)
				}
				if j == 5 {
					if err := s.PutPackContent(bg, storage.PackContent{Pack: pack("mix"), Actions: []petrel.Action{action("mix.a")}}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	_, total, err := stores[0].ExecutionList(bg, storage.ExecutionFilter{Statuses: []petrel.Status{petrel.StatusSucceeded}, Limit: 1})
	ok(t, err)
	equal(t, total, 160)
}
