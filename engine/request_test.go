package engine_test

import (
	"context"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/engine"
	"petrel/expr/value"
	"petrel/queue/local"
	"petrel/storage"
)

func TestRequest_RunsAndTells(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		feed, err := s.feed.Listen(ctx)
		if err != nil {
			t.Fatal(err)
		}
		e := s.start()
		asked := s.run(e, "do", "", "b", int64(2), "a", int64(1))
		if asked.Status != petrel.StatusRequested || history(asked) != "requested" || !asked.ID.Valid() || !asked.LiveActionID.Valid() {
			t.Errorf("the answer is %+v", asked)
		}
		x := s.until(asked.ID)
		if x.Status != petrel.StatusSucceeded || string(x.Result) != `{"ok":true}` || x.ResultSize != 11 {
			t.Errorf("it ended as %s with %s (%d bytes)", x.Status, x.Result, x.ResultSize)
		}
		if got := history(x); got != "requested scheduled running succeeded" {
			t.Errorf("its history is %s", got)
		}
		if string(x.Context) != `{"user":"stanley","pack":"test"}` || x.User != "stanley" {
			t.Errorf("its context is %s, its user %s", x.Context, x.User)
		}
		if string(x.Parameters) != `{"do":"","b":2,"a":1}` {
			t.Errorf("its parameters are %s", x.Parameters)
		}
		if x.RunnerHost != "here" || x.RunnerPID == 0 || x.EndedAt.IsZero() || x.Lane != petrel.LaneInteractive || x.Attempt != 1 {
			t.Errorf("it is %+v", x)
		}
		if got := s.runner.entries(x.ID); got != "start end" {
			t.Errorf("the runner's ledger is %q", got)
		}
		var told []string
		for len(told) < 4 {
			select {
			case ev := <-feed.C:
				if ev.Kind == "execution" && ev.ID == x.ID {
					told = append(told, ev.Op+" "+string(ev.Status))
				}
			case <-time.After(patience):
				t.Fatalf("the feed told only %v", told)
			}
		}
		if got := strings.Join(told, ", "); got != "create requested, update scheduled, update running, update succeeded" {
			t.Errorf("the feed told %s", got)
		}
	})
}

func TestRequest_Straight(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		e := s.start()
		x := s.until(s.request(e, engine.Request{Action: "test.noop"}).ID)
		if string(x.Result) != `{"failed":false,"succeeded":true,"return_code":0}` || x.ResultSize != 49 {
			t.Errorf("the result is %s (%d bytes)", x.Result, x.ResultSize)
		}
		if got := history(x); got != "requested scheduled running succeeded" {
			t.Errorf("its history is %s", got)
		}
	})
}

func TestRequest_Refusals(t *testing.T) {
	s := newSetup(t, local.New(local.Options{}))
	e := s.start(func(c *engine.Config) { c.MaxParamSize = 10000 })
	for _, c := range []struct {
		name string
		r    engine.Request
		kind petrel.Kind
		text string
	}{
		{"no such action", engine.Request{Action: "test.none"}, petrel.Invalid, `Action "test.none" cannot be found.`},
		{"an id is no ref", engine.Request{Action: "0123456789abcdef01234567"}, petrel.Invalid, `Action "0123456789abcdef01234567" cannot be found.`},
		{"empty", engine.Request{}, petrel.Invalid, `Action "" cannot be found.`},
		{"switched off", engine.Request{Action: "test.off"}, petrel.Invalid, `Unable to execute. Action "test.off" is disabled.`},
		{"no such runner", engine.Request{Action: "test.elsewhere"}, petrel.Invalid, `RunnerType unknown is not found.`},
		{"a delay back", engine.Request{Action: "test.noop", Delay: -time.Second}, petrel.Invalid, "delay is -1000 ms, it must be between 0 and"},
		{"a chain too long", engine.Request{Action: "test.noop", Depth: 33}, petrel.Invalid, "is 33 long, over the limit of 32"},
		{"no such parent", engine.Request{Action: "test.noop", Parent: "0123456789abcdef01234567"}, petrel.NotFound, ""},
		{"not JSON", engine.Request{Action: "test.noop", Parameters: value.DictOf("f", math.NaN())}, petrel.Invalid, "no finite number"},
		{"unknown", engine.Request{Action: "test.run", Parameters: value.DictOf("nope", int64(1))}, petrel.Invalid, "Additional properties are not allowed ('nope' was unexpected)"},
		{"too large", engine.Request{Action: "test.run", Parameters: value.DictOf("s", strings.Repeat("x", 20000))}, petrel.TooLarge, "The parameters would be 20008 bytes as JSON, over the limit of 10000 bytes."},
	} {
		_, _, err := e.Request(context.Background(), c.r)
		if petrel.KindOf(err) != c.kind || !strings.Contains(petrel.Message(err), c.text) {
			t.Errorf("%s: got %v, want %s with %q", c.name, err, c.kind, c.text)
		}
	}
	list, n, err := s.store.ExecutionList(context.Background(), storage.ExecutionFilter{})
	if err != nil || n != 0 || len(list) != 0 {
		t.Errorf("refused requests left %d executions behind (%v)", n, err)
	}
}

func TestRequest_RenderFailureIsStored(t *testing.T) {
	s := newSetup(t, local.New(local.Options{}))
	e := s.start()
	x, existing, err := e.Request(context.Background(), engine.Request{Action: "test.typed", Parameters: value.DictOf("text", "{{ nothing_known }}")})
	const text = `Dependency unsatisfied in variable "nothing_known"`
	if existing || !petrel.Is(err, petrel.Invalid) || petrel.Message(err) != text {
		t.Fatalf("got %v, want %s", err, text)
	}
	got := s.get(x.ID)
	if got.Status != petrel.StatusFailed || history(got) != "requested failed" || !strings.HasPrefix(string(got.Result), `{"error":"Dependency unsatisfied in variable \"nothing_known\"","traceback":`) {
		t.Errorf("stored is %s, %s, %s", got.Status, history(got), got.Result)
	}
	if got.EndedAt.IsZero() || string(got.Parameters) != `{"text":"{{ nothing_known }}"}` || got.ResultSize != 0 {
		t.Errorf("stored is %+v", got)
	}
	// What does not fit the schema is not stored.
	if _, _, err := e.Request(context.Background(), engine.Request{Action: "test.typed", Parameters: value.DictOf("text", int64(5))}); !petrel.Is(err, petrel.Invalid) {
		t.Errorf("a wrong type answers %v", err)
	}
	if _, n, _ := s.store.ExecutionList(context.Background(), storage.ExecutionFilter{}); n != 1 {
		t.Errorf("there are %d executions, want 1", n)
	}
}

func TestRequest_Delay(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		e := s.start(func(c *engine.Config) { c.IdlePull = 5 * time.Second })
		const delay = 400 * time.Millisecond
		asked := s.request(e, engine.Request{Action: "test.noop", Delay: delay})
		if asked.Status != petrel.StatusRequested || history(asked) != "requested" || asked.Delay != 400 {
			t.Errorf("the answer is %s, %s, delay %d", asked.Status, history(asked), asked.Delay)
		}
		if x := s.get(asked.ID); x.Status != petrel.StatusDelayed {
			t.Errorf("it is stored as %s", x.Status)
		}
		x := s.until(asked.ID)
		if got := history(x); got != "requested delayed scheduled running succeeded" {
			t.Errorf("its history is %s", got)
		}
		var claimed time.Time
		for _, l := range x.Log {
			if l.Status == petrel.StatusScheduled {
				claimed = l.At
			}
		}
		// The due timer knows of it; an idle pull alone would come later.
		if waited := claimed.Sub(x.StartedAt); waited < delay || waited > delay+3*time.Second {
			t.Errorf("it was claimed after %v, want %v", waited, delay)
		}
	})
}

func TestRequest_IdempotencyKey(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		e := s.start()
		const n = 20
		var ids [n]petrel.ID
		var existing [n]bool
		var done sync.WaitGroup
		for i := range n {
			done.Go(func() {
				x, seen, err := e.Request(context.Background(), engine.Request{Action: "test.run", IdempotencyKey: "test:1"})
				if err != nil {
					t.Error(err)
				}
				ids[i], existing[i] = x.ID, seen
			})
		}
		done.Wait()
		first := 0
		for i := range n {
			if ids[i] != ids[0] {
				t.Errorf("one request answers %s, another %s", ids[i], ids[0])
			}
			if !existing[i] {
				first++
			}
		}
		if first != 1 {
			t.Errorf("%d requests think they were the first", first)
		}
		s.until(ids[0])
		if got := s.runner.entries(ids[0]); got != "start end" {
			t.Errorf("the runner's ledger is %q", got)
		}
	})
}

func TestRequest_ContextUserNotifyPosts(t *testing.T) {
	s := newSetup(t, local.New(local.Options{}))
	e := s.start(func(c *engine.Config) { c.NoWork = true })
	var seen petrel.Execution
	x := s.request(e, engine.Request{
		Action: "test.notified", User: "ada", Context: value.DictOf("source_channel", "c", "user", "mallory"), Lane: petrel.LaneBackground, Depth: 3,
		Posts: func(x petrel.Execution) []petrel.Post {
			seen = x
			return []petrel.Post{{ID: petrel.NewID(time.Now()), Adapter: "console", Workspace: "local", Channel: "c", ExecutionID: x.ID, Body: petrel.JSON(`{}`), State: petrel.PostPending, Revision: 1, CreatedAt: x.StartedAt, UpdatedAt: x.StartedAt}}
		},
		Audit: []petrel.AuditEntry{{ID: petrel.NewID(time.Now()), At: time.Now(), User: "ada", Action: "action_execute", Target: "action:test:notified", Allowed: true, Reason: "test"}},
	})
	x = s.get(x.ID)
	if string(x.Context) != `{"source_channel":"c","user":"ada","pack":"test"}` || x.User != "ada" || x.Lane != petrel.LaneBackground || x.Depth != 3 {
		t.Errorf("context %s, user %s, lane %s, depth %d", x.Context, x.User, x.Lane, x.Depth)
	}
	if string(x.Notify) != `{"on-complete":{"message":"done"}}` {
		t.Errorf("notify is %s, want the action's", x.Notify)
	}
	if seen.ID != x.ID {
		t.Errorf("the posts were made for %s, want %s", seen.ID, x.ID)
	}
	posts, err := s.store.PostList(context.Background(), storage.PostFilter{ExecutionID: x.ID})
	if err != nil || len(posts) != 1 {
		t.Errorf("%d posts are stored (%v), want 1", len(posts), err)
	}
	audit, err := s.store.AuditList(context.Background(), storage.AuditFilter{})
	if err != nil || len(audit) != 1 {
		t.Errorf("%d audit entries are stored (%v), want 1", len(audit), err)
	}
	// A task takes its user and its depth from the workflow above it.
	task := s.request(e, engine.Request{Action: "test.noop", User: "mallory", Parent: x.ID, Notify: petrel.JSON(`{"on-success":{}}`)})
	if task.User != "ada" || task.Depth != 4 || task.Lane != petrel.LaneWorkflow || string(task.Notify) != `{"on-success":{}}` {
		t.Errorf("the task has user %s, depth %d, lane %s, notify %s", task.User, task.Depth, task.Lane, task.Notify)
	}
}

func TestRequest_ChangesOfContentHoldAtOnce(t *testing.T) {
	s := newSetup(t, local.New(local.Options{}))
	ctx := context.Background()
	one, two := s.start(), s.start()
	for range 2 {
		s.request(one, engine.Request{Action: "test.noop"})
		s.request(two, engine.Request{Action: "test.noop"})
	}
	a, err := s.store.Action(ctx, "test.noop")
	if err != nil {
		t.Fatal(err)
	}
	a.Enabled = false
	if err := s.store.UpdateAction(ctx, a); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*engine.Engine{one, two} {
		if _, _, err := e.Request(ctx, engine.Request{Action: "test.noop"}); !petrel.Is(err, petrel.Invalid) {
			t.Errorf("a disabled action answers %v", err)
		}
	}
}

func TestRerun(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		e := s.start()
		ctx := context.Background()
		first := s.until(s.run(e, "a", int64(1), "b", int64(2)).ID)
		x, err := e.Rerun(ctx, first.ID, engine.Rerun{Parameters: value.DictOf("b", int64(3)), User: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		x = s.until(x.ID)
		if string(x.Parameters) != `{"a":1,"b":3}` {
			t.Errorf("the parameters are %s", x.Parameters)
		}
		if want := `{"re-run":{"ref":"` + string(first.ID) + `"},"trace_context":{"id_":"` + string(first.ID) + `"},"user":"ada","pack":"test"}`; string(x.Context) != want {
			t.Errorf("the context is %s, want %s", x.Context, want)
		}
		// The trace goes on over several re-runs.
		x, err = e.Rerun(ctx, x.ID, engine.Rerun{})
		if err != nil {
			t.Fatal(err)
		}
		if want := `"trace_context":{"id_":"` + string(first.ID) + `"}`; !strings.Contains(string(x.Context), want) {
			t.Errorf("the context is %s, want %s in it", x.Context, want)
		}
		for _, c := range []struct {
			r    engine.Rerun
			text string
		}{
			{engine.Rerun{Tasks: []string{"a"}}, "Task option is only supported for Orquesta workflows."},
			{engine.Rerun{Tasks: []string{"a"}, Parameters: value.DictOf("a", "b")}, "Parameters override is not supported when re-running task(s) for a workflow."},
			{engine.Rerun{Tasks: []string{"a"}, Reset: []string{"b"}}, "List of tasks to reset does not match the tasks to rerun."},
		} {
			if _, err := e.Rerun(ctx, first.ID, c.r); !petrel.Is(err, petrel.Invalid) || petrel.Message(err) != c.text {
				t.Errorf("got %v, want %s", err, c.text)
			}
		}
		if _, err := e.Rerun(ctx, "0123456789abcdef01234567", engine.Rerun{}); !petrel.Is(err, petrel.NotFound) {
			t.Errorf("an unknown execution answers %v", err)
		}
	})
}
