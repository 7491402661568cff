package storagetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/storage"
)

func testRequest(t *testing.T, s storage.Store) {
	n := newRun()
	n.Execution.Notify, n.Execution.Callback = petrel.JSON(`{"on-complete":{}}`), petrel.JSON(`{"source":"x"}`)
	n.Execution.Depth, n.Execution.Delay, n.Execution.Status = 3, 1500, petrel.StatusDelayed
	n.Execution.WorkflowExecution, n.Execution.TaskExecution, n.Execution.IdempotencyKey = id(), id(), "api:k1"
	child := newRun()
	child.Execution.Parent = n.Execution.ID
	child2 := newRun()
	child2.Execution.Parent, child2.Execution.StartedAt = n.Execution.ID, child.Execution.StartedAt.Add(time.Millisecond)
	token := petrel.Token{ID: id(), User: "ann", Hash: "h1", ExpiresAt: now().Add(time.Hour), Metadata: petrel.JSON(`{}`), Service: true, ExecutionID: n.Execution.ID}
	n.Token = &token
	n.Audit = []petrel.AuditEntry{{ID: id(), At: now(), User: "ann", Action: "action_execute", Target: "action:core:noop", Allowed: true, Reason: "admin"}}
	n.Posts = []petrel.Post{{ID: id(), Adapter: "console", Workspace: "local", Channel: "c", ExecutionID: n.Execution.ID, Body: petrel.JSON(`{"text":"hi"}`)}}
	ids := request(t, s, n, child, child2)
	equal(t, ids, []petrel.ID{n.Execution.ID, child.Execution.ID, child2.Execution.ID})

	want := n.Execution
	want.Children = ids[1:]
	want.Log = []petrel.LogEntry{{At: want.StartedAt, Status: petrel.StatusDelayed}}
	want.Revision = 1
	equal(t, execution(t, s, want.ID), want)

	got, err := s.Token(bg, "h1")
	ok(t, err)
	equal(t, got, token)
	audit, err := s.AuditList(bg, storage.AuditFilter{})
	ok(t, err)
	equal(t, audit, n.Audit)
	posts, err := s.PostList(bg, storage.PostFilter{ExecutionID: want.ID})
	ok(t, err)
	if len(posts) != 1 || posts[0].State != petrel.PostPending || posts[0].Revision != 1 {
		t.Fatalf("posts are %+v", posts)
	}
	_, err = s.Execution(bg, id())
	kind(t, err, petrel.NotFound)
	_, err = s.Execution(bg, "x\x00")
	kind(t, err, petrel.NotFound)
}

func testRequestFinal(t *testing.T, s storage.Store) {
	n := newRun()
	end := n.Execution.StartedAt.Add(time.Second)
	n.Execution.Status, n.Execution.Result, n.Execution.EndedAt, n.Execution.ResultSize = petrel.StatusFailed, petrel.JSON(`{"error":"x"}`), end, 13
	n.Execution.Log = []petrel.LogEntry{{At: n.Execution.StartedAt, Status: petrel.StatusRequested}, {At: end, Status: petrel.StatusFailed}}
	request(t, s, n)
	want := n.Execution
	want.Revision = 1
	equal(t, execution(t, s, want.ID), want)
	if got := claim(t, s, node(t, s), want.ID); len(got) != 0 {
		t.Fatal("a run that was refused was claimed")
	}
}

func testIdempotency(t *testing.T, s storage.Store) {
	a, b, c := newRun(), newRun(), newRun()
	a.Execution.IdempotencyKey, b.Execution.IdempotencyKey, c.Execution.IdempotencyKey = "k", "k", "other"
	first := s.Request(bg, []storage.NewExecution{a})[0]
	again := s.Request(bg, []storage.NewExecution{c, b})
	equal(t, again, []storage.Requested{{ID: c.Execution.ID}, {ID: first.ID, Existing: true}})
	_, err := s.Execution(bg, b.Execution.ID)
	kind(t, err, petrel.NotFound)
	found, total, err := s.ExecutionList(bg, storage.ExecutionFilter{IdempotencyKey: "k"})
	ok(t, err)
	if total != 1 || found[0].ID != a.Execution.ID {
		t.Fatalf("found %d runs of the key", total)
	}
	// 8 callers with one key: one run.
	answers := make(chan storage.Requested)
	for i := 0; i < 8; i++ {
		n := newRun()
		n.Execution.IdempotencyKey = "race"
		go func() { answers <- s.Request(bg, []storage.NewExecution{n})[0] }()
	}
	winners, ids := 0, map[petrel.ID]bool{}
	for i := 0; i < 8; i++ {
		r := <-answers
		ok(t, r.Err)
		ids[r.ID] = true
		if !r.Existing {
			winners++
		}
	}
	if winners != 1 || len(ids) != 1 {
		t.Fatalf("%d runs were made, answers name %d ids", winners, len(ids))
	}
}

// testPoison stores batches of 50 with one bad member of each kind.
func testPoison(t *testing.T, s storage.Store) {
	owner := node(t, s)
	stored := request(t, s, newRun())[0]
	ok(t, s.CreateToken(bg, petrel.Token{ID: id(), User: "u", Hash: "taken", ExpiresAt: now()}))
	done := petrel.ChatEvent{ID: id(), Key: "done", Adapter: "console", Kind: "line", At: now(), Owner: owner}
	foreign := petrel.ChatEvent{ID: id(), Key: "foreign", Adapter: "console", Kind: "line", At: now(), Owner: node(t, s)}
	for _, r := range s.PutChatEvents(bg, []petrel.ChatEvent{done, foreign}) {
		ok(t, r.Err)
	}
	ok(t, s.FinishChatEvent(bg, done.ID, owner, "help", nil, nil))
	for _, c := range []struct {
		name  string
		make  func(n *storage.NewExecution)
		kind  petrel.Kind
		field string
	}{
		{"NUL in a name", func(n *storage.NewExecution) { n.Execution.User = "a\x00b" }, petrel.Invalid, "user"},
		{"not UTF-8", func(n *storage.NewExecution) { n.Execution.Action.Ref = "core.\xff" }, petrel.Invalid, "action.ref"},
		{"no id", func(n *storage.NewExecution) { n.Execution.ID = "x" }, petrel.Invalid, "id"},
		{"too long a key", func(n *storage.NewExecution) { n.Execution.IdempotencyKey = strings.Repeat("k", 600) }, petrel.Invalid, "idempotency_key"},
		{"no such lane", func(n *storage.NewExecution) { n.Execution.Lane = "fast" }, petrel.Invalid, "lane"},
		{"a status of its middle", func(n *storage.NewExecution) { n.Execution.Status = petrel.StatusRunning }, petrel.Invalid, "status"},
		{"action that is no JSON", func(n *storage.NewExecution) { n.Execution.Action.Parameters = petrel.JSON(`{`) }, petrel.Invalid, "action"},
		{"id taken", func(n *storage.NewExecution) { n.Execution.ID = stored }, petrel.Conflict, ""},
		{"liveaction taken", func(n *storage.NewExecution) { n.Execution.LiveActionID = execution(t, s, stored).LiveActionID }, petrel.Conflict, ""},
		{"token taken", func(n *storage.NewExecution) {
			n.Token = &petrel.Token{ID: id(), User: "u", Hash: "taken", ExpiresAt: now()}
		}, petrel.Conflict, ""},
		{"event done", func(n *storage.NewExecution) { n.Event, n.EventOwner = done.ID, owner }, petrel.Conflict, ""},
		{"event of another", func(n *storage.NewExecution) { n.Event, n.EventOwner = foreign.ID, owner }, petrel.NotOwner, ""},
		{"no such event", func(n *storage.NewExecution) { n.Event, n.EventOwner = id(), owner }, petrel.NotFound, ""},
		{"post without adapter", func(n *storage.NewExecution) { n.Posts = []petrel.Post{{ID: id()}} }, petrel.Invalid, "post.adapter"},
		{"audit with NUL", func(n *storage.NewExecution) { n.Audit = []petrel.AuditEntry{{ID: id(), Reason: "\x00"}} }, petrel.Invalid, "audit.reason"},
	} {
		batch := make([]storage.NewExecution, 50)
		for i := range batch {
			batch[i] = newRun()
			batch[i].Audit = []petrel.AuditEntry{{ID: id(), At: now(), Action: "action_execute", Target: string(batch[i].Execution.ID), Allowed: true}}
		}
		c.make(&batch[23])
		good := 0
		for i, r := range s.Request(bg, batch) {
			if i == 23 {
				if petrel.KindOf(r.Err) != c.kind {
					t.Fatalf("%s: error %v, not of kind %s", c.name, r.Err, c.kind)
				}
				if c.field != "" {
					field(t, r.Err, c.field)
				}
				continue
			}
			if r.Err != nil {
				t.Fatalf("%s: member %d: %v", c.name, i, r.Err)
			}
			execution(t, s, r.ID)
			good++
		}
		if good != 49 {
			t.Fatalf("%s: %d were stored, not 49", c.name, good)
		}
		audit, err := s.AuditList(bg, storage.AuditFilter{Target: string(batch[23].Execution.ID)})
		ok(t, err)
		if len(audit) != 0 {
			t.Fatalf("%s: the refused run left its audit entry", c.name)
		}
	}
}

func testBytes(t *testing.T, s storage.Store) {
	big := strings.Repeat(`"Grüße \u0000 <&> 🐦",`, 5000)
	values := map[string]petrel.JSON{
		"order":   petrel.JSON(`{"z": 1, "a": {"y": 2, "b": 3}, "m": 1e400, "big": 123456789012345678901234567890}`),
		"escaped": petrel.JSON(`{"nul":"a\u0000b","lone":"\ud800","u":"\u2028"}`),
		"raw":     petrel.JSON("{\"nul\":\"\x00\",\"bad\":\"\xff\xfe\"}"),
		"spaces":  petrel.JSON("  {\n\t\"a\" : [ ] }\r\n"),
		"large":   petrel.JSON(`[` + strings.TrimSuffix(big, ",") + `]`),
		"empty":   petrel.JSON(``),
	}
	owner := node(t, s)
	for name, v := range values {
		n := newRun()
		n.Execution.Parameters, n.Execution.Context, n.Execution.Notify, n.Execution.Callback = v, v, v, v
		x := begin(t, s, owner, n)
		if string(x.Parameters) != string(v) || string(x.Context) != string(v) {
			t.Fatalf("%s: the claim changed it to %.200q", name, x.Parameters)
		}
		out := petrel.OutputChunk{ID: id(), ExecutionID: x.ID, Attempt: 1, Seq: 1, ActionRef: "core.noop", RunnerRef: "noop", At: now(), Type: "stdout", Data: string(v)}
		ok(t, s.AppendOutput(bg, owner, []petrel.OutputChunk{out})[0])
		f := finish(x, owner, petrel.StatusSucceeded, string(v))
		ok(t, s.Finish(bg, []storage.Finish{f})[0])
		got := execution(t, s, x.ID)
		for where, have := range map[string]petrel.JSON{"parameters": got.Parameters, "context": got.Context, "result": got.Result, "notify": got.Notify, "callback": got.Callback} {
			if string(have) != string(v) {
				t.Fatalf("%s: %s came back as %.200q", name, where, have)
			}
		}
		if got.ResultSize != len(v) {
			t.Fatalf("%s: result_size is %d, not %d", name, got.ResultSize, len(v))
		}
		chunks, err := s.OutputList(bg, x.ID, "", 0, 0)
		ok(t, err)
		equal(t, chunks, []petrel.OutputChunk{out})
	}
}

func testLifecycle(t *testing.T, s storage.Store) {
	owner := node(t, s)
	n := newRun()
	id1 := request(t, s, n)[0]
	got := claim(t, s, owner, id1)
	if len(got) != 1 {
		t.Fatal("the run was not claimed")
	}
	x := got[0]
	if x.Attempt != 1 || x.Owner != owner || x.Status != petrel.StatusScheduled || x.RunnerHost != "host" || x.RunnerPID != 7 || x.Action.Ref != "core.noop" || string(x.Parameters) != string(n.Execution.Parameters) {
		t.Fatalf("claimed %+v", x)
	}
	if again := claim(t, s, owner, id1); len(again) != 0 {
		t.Fatal("a claimed run was claimed again")
	}
	token := petrel.Token{ID: id(), User: "ann", Hash: "attempt", ExpiresAt: now().Add(time.Hour), ExecutionID: id1}
	start := storage.Start{ID: id1, Owner: owner, Attempt: 1, At: now(), Token: &token}
	late := start
	late.Attempt, late.Token = 2, nil
	kind(t, s.Start(bg, []storage.Start{late})[0], petrel.NotOwner)
	ok(t, s.Start(bg, []storage.Start{start})[0])
	start.Token = nil
	kind(t, s.Start(bg, []storage.Start{start})[0], petrel.NotOwner)
	_, err := s.Token(bg, "attempt")
	ok(t, err)
	f := finish(x, owner, petrel.StatusSucceeded, `{"stdout":"x"}`)
	f.MergeContext = petrel.JSON(`{"pack":"changed","new":[1]}`)
	wrong := f
	wrong.Owner = "somebody"
	kind(t, s.Finish(bg, []storage.Finish{wrong})[0], petrel.NotOwner)
	ok(t, s.Finish(bg, []storage.Finish{f})[0])
	kind(t, s.Finish(bg, []storage.Finish{f})[0], petrel.NotOwner)
	_, err = s.Token(bg, "attempt")
	kind(t, err, petrel.NotFound)
	end := execution(t, s, id1)
	if statuses(end.Log) != "requested scheduled running succeeded " || !end.EndedAt.Equal(f.At) || end.Owner != "" || end.RunnerHost != "host" || end.Attempt != 1 ||
		string(end.Context) != `{"user":"ann","pack":"changed","new":[1]}` || end.Revision != 4 {
		t.Fatalf("it ended as %+v, log %s, context %s", end, statuses(end.Log), end.Context)
	}
	list, total, err := s.ExecutionList(bg, storage.ExecutionFilter{Statuses: []petrel.Status{petrel.StatusSucceeded}})
	ok(t, err)
	if total != 1 || len(list) != 1 || fmt.Sprint(list[0]) != fmt.Sprint(end) {
		t.Fatalf("the list has %d runs", total)
	}
}
