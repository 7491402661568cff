package storagetest

import (
	"fmt"
	"testing"
	"time"

	"petrel"
	"petrel/storage"
)

func testList(t *testing.T, s storage.Store) {
	owner := node(t, s)
	start := now().Add(-time.Hour)
	var all []petrel.ID
	for i := 0; i < 12; i++ {
		n := run(petrel.Ref(fmt.Sprintf("core.a%d", i%3)), petrel.LaneInteractive)
		n.Execution.StartedAt = start.Add(time.Duration(i/2) * time.Second) // two of a second
		n.Execution.User = []string{"ann", "bob"}[i%2]
		if i >= 8 {
			n.Execution.Parent = all[i-8]
		}
		if i == 5 {
			n.Execution.WorkflowExecution = "5f00000000000000000000aa"
		}
		n.Execution.Runner = runner([]string{"noop", "local-shell-cmd"}[i/6])
		all = append(all, request(t, s, n)...)
	}
	for i := 0; i < 3; i++ {
		x := claim(t, s, owner, all[i])[0]
		if i > 0 {
			ok(t, s.Finish(bg, []storage.Finish{finish(x, owner, []petrel.Status{"", petrel.StatusFailed, petrel.StatusTimeout}[i], `{"big":1}`)})[0])
		}
	}
	list := func(f storage.ExecutionFilter) string {
		t.Helper()
		got, total, err := s.ExecutionList(bg, f)
		ok(t, err)
		text := ""
		for _, x := range got {
			for i, id := range all {
				if x.ID == id {
					text += fmt.Sprintf("%d ", i)
				}
			}
		}
		return fmt.Sprintf("%sof %d", text, total)
	}
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Second) }
	for _, c := range []struct {
		name string
		f    storage.ExecutionFilter
		want string
	}{
		{"all", storage.ExecutionFilter{}, "11 10 9 8 7 6 5 4 3 2 1 0 of 12"},
		{"ascending page", storage.ExecutionFilter{Ascending: true, Limit: 3, Offset: 2}, "2 3 4 of 12"},
		{"offset alone", storage.ExecutionFilter{Offset: 10}, "1 0 of 12"},
		{"no total", storage.ExecutionFilter{Limit: 1, NoTotal: true}, "11 of -1"},
		{"after", storage.ExecutionFilter{AfterID: all[9], Limit: 3}, "8 7 6 of 12"},
		{"after, ascending", storage.ExecutionFilter{AfterID: all[9], Ascending: true, Offset: 5}, "10 11 of 12"},
		{"after nothing", storage.ExecutionFilter{AfterID: id()}, "of 12"},
		{"ids", storage.ExecutionFilter{IDs: []petrel.ID{all[3], all[1], id()}}, "3 1 of 2"},
		{"actions", storage.ExecutionFilter{ActionRefs: []petrel.Ref{"core.a1", "core.a2"}, TopLevel: true}, "7 5 4 2 1 of 5"},
		{"final", storage.ExecutionFilter{Statuses: []petrel.Status{petrel.StatusFailed}}, "1 of 1"},
		{"moving", storage.ExecutionFilter{Statuses: []petrel.Status{petrel.StatusScheduled}}, "0 of 1"},
		{"both", storage.ExecutionFilter{Statuses: []petrel.Status{petrel.StatusScheduled, petrel.StatusTimeout, petrel.StatusFailed}}, "2 1 0 of 3"},
		{"children", storage.ExecutionFilter{Parents: []petrel.ID{all[0], all[1]}}, "9 8 of 2"},
		{"with parent", storage.ExecutionFilter{HasParent: true}, "11 10 9 8 of 4"},
		{"runner", storage.ExecutionFilter{Runners: []string{"noop"}, Users: []string{"bob"}}, "5 3 1 of 3"},
		{"inclusive", storage.ExecutionFilter{From: at(1), To: at(2)}, "5 4 3 2 of 4"},
		{"exclusive", storage.ExecutionFilter{After: at(1), Before: at(3)}, "5 4 of 2"},
		{"workflow", storage.ExecutionFilter{WorkflowExecution: "5f00000000000000000000aa"}, "5 of 1"},
		{"nobody", storage.ExecutionFilter{Users: []string{"\x00'; drop table execution; --"}}, "of 0"},
		{"by user", storage.ExecutionFilter{OrderBy: "user", Ascending: true, Limit: 7}, "0 2 4 6 8 10 1 of 12"},
		{"by action, down", storage.ExecutionFilter{OrderBy: "action", TopLevel: true, Limit: 3}, "2 5 1 of 8"},
		{"by status", storage.ExecutionFilter{OrderBy: "status", IDs: all[:4], Ascending: true}, "1 3 0 2 of 4"},
	} {
		if got := list(c.f); got != c.want {
			t.Errorf("%s: %s, not %s", c.name, got, c.want)
		}
	}
	got, _, err := s.ExecutionList(bg, storage.ExecutionFilter{LiveActionIDs: []petrel.ID{execution(t, s, all[1]).LiveActionID}, OmitResult: true})
	ok(t, err)
	if len(got) != 1 || got[0].Result != nil || got[0].ResultSize != 9 || fmt.Sprint(got[0].Children) != fmt.Sprint(all[9:10]) {
		t.Errorf("without result: %+v", got)
	}
	_, _, err = s.ExecutionList(bg, storage.ExecutionFilter{OrderBy: "id; drop table live"})
	field(t, err, "order_by")
	for column, want := range map[string]string{
		"action": "[core.a0 core.a1 core.a2]", "runner": "[local-shell-cmd noop]", "user": "[ann bob]", "status": "[failed requested scheduled timeout]",
	} {
		values, err := s.ExecutionValues(bg, column)
		ok(t, err)
		if fmt.Sprint(values) != want {
			t.Errorf("values of %s are %v", column, values)
		}
	}
	_, err = s.ExecutionValues(bg, "result")
	field(t, err, "column")
}

func testPurge(t *testing.T, s storage.Store) {
	owner := node(t, s)
	old := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	kept := action("core.kept")
	make := func(parent petrel.ID, ends time.Time, a petrel.Action) petrel.ID {
		n := newRun()
		n.Execution.Parent, n.Execution.StartedAt, n.Execution.Action = parent, old, a
		n.Posts = []petrel.Post{{ID: id(), Adapter: "console", Channel: "c", ExecutionID: n.Execution.ID, Body: petrel.JSON(`{}`)}}
		x := begin(t, s, owner, n)
		ok(t, s.AppendOutput(bg, owner, []petrel.OutputChunk{{ID: id(), ExecutionID: x.ID, Attempt: 1, Seq: 1, At: old, Type: "stdout", Data: "x"}})[0])
		if !ends.IsZero() {
			f := finish(x, owner, petrel.StatusSucceeded, `1`)
			f.At = ends
			ok(t, s.Finish(bg, []storage.Finish{f})[0])
		}
		return x.ID
	}
	gone := action("core.gone")
	var roots, grand []petrel.ID
	for i := 0; i < 25; i++ { // more than one transaction takes
		root := make("", old.Add(time.Second), gone)
		roots = append(roots, root)
		if i < 3 {
			child := make(root, old, gone)
			grand = append(grand, child, make(child, old, gone))
		}
	}
	runs := make("", old, kept) // its child still runs
	busy := make(runs, time.Time{}, kept)
	late := make("", old, kept) // its child ended later
	make(late, old.Add(48*time.Hour), kept)
	young := make("", old.Add(25*time.Hour), kept)

	n, err := s.PurgeExecutions(bg, old.Add(24*time.Hour), 2)
	ok(t, err)
	if n != 2 {
		t.Fatalf("%d roots were removed, not 2", n)
	}
	n, err = s.PurgeExecutions(bg, old.Add(24*time.Hour), 1000)
	ok(t, err)
	if n != 23 {
		t.Fatalf("%d roots were removed, not 23", n)
	}
	for _, id := range append(roots, grand...) {
		_, err := s.Execution(bg, id)
		kind(t, err, petrel.NotFound)
		output, err := s.OutputList(bg, id, "", 0, 0)
		ok(t, err)
		posts, err := s.PostList(bg, storage.PostFilter{ExecutionID: id})
		ok(t, err)
		if len(output)+len(posts) != 0 {
			t.Fatal("a removed run left output or posts")
		}
	}
	for _, id := range []petrel.ID{runs, busy, late, young} {
		if x := execution(t, s, id); x.Action.Ref != "core.kept" {
			t.Fatalf("a kept run lost its action: %+v", x)
		}
	}
	// The same action again, after its copy may have gone.
	again := newRun()
	again.Execution.Action, again.Execution.StartedAt = gone, old
	if x := execution(t, s, request(t, s, again)[0]); x.Action.Ref != "core.gone" {
		t.Fatalf("a new run has the action %+v", x.Action)
	}
}

func testOutput(t *testing.T, s storage.Store) {
	owner := node(t, s)
	a, b := begin(t, s, owner, newRun()), begin(t, s, owner, newRun())
	chunk := func(x petrel.Execution, seq int64, kind, data string) petrel.OutputChunk {
		return petrel.OutputChunk{ID: id(), ExecutionID: x.ID, Attempt: 1, Seq: seq, ActionRef: "core.noop", RunnerRef: "noop", At: now(), Type: kind, Data: data}
	}
	batch := []petrel.OutputChunk{
		chunk(a, 1, "stdout", "a1\x00\xff"), chunk(b, 1, "stdout", "b1"), chunk(a, 2, "stderr", ""), chunk(a, 3, "stdout", "a3"),
		chunk(a, 4, "bad\x00type", "x"), chunk(a, 3, "stdout", "taken"), {ID: id(), ExecutionID: id(), Attempt: 1, Seq: 1, Type: "stdout"},
	}
	wrong := chunk(b, 2, "stdout", "x")
	wrong.Attempt = 2
	batch = append(batch, wrong)
	want := []petrel.Kind{"", "", "", "", petrel.Invalid, petrel.Conflict, petrel.NotOwner, petrel.NotOwner}
	for i, err := range s.AppendOutput(bg, owner, batch) {
		kind(t, err, want[i])
	}
	for i, err := range s.AppendOutput(bg, owner, batch[:4]) { // said again
		if err != nil {
			t.Fatalf("chunk %d said again: %v", i, err)
		}
	}
	kind(t, s.AppendOutput(bg, "somebody", []petrel.OutputChunk{chunk(a, 9, "stdout", "x")})[0], petrel.NotOwner)
	got, err := s.OutputList(bg, a.ID, "", 0, 0)
	ok(t, err)
	equal(t, got, []petrel.OutputChunk{batch[0], batch[2], batch[3]})
	got, err = s.OutputList(bg, a.ID, "stdout", 1, 1)
	ok(t, err)
	equal(t, got, []petrel.OutputChunk{batch[3]})
}

// More copies of actions are about than any cache of them holds: each list is
// whole, also when the cache is emptied while it is read.
func testManyCopies(t *testing.T, s storage.Store) {
	const copies = 1500
	ids := make([]petrel.ID, 0, copies)
	batch := make([]storage.NewExecution, 0, 500)
	for i := range copies {
		batch = append(batch, run(petrel.Ref(fmt.Sprintf("copies.a%04d", i)), petrel.LaneBackground))
		if len(batch) == cap(batch) {
			ids = append(ids, request(t, s, batch...)...)
			batch = batch[:0]
		}
	}
	// The windows overlap, so that each meets copies the one before it has kept.
	for from := 0; from+400 <= copies; from += 100 {
		got, _, err := s.ExecutionList(bg, storage.ExecutionFilter{IDs: ids[from : from+400], NoTotal: true})
		ok(t, err)
		if len(got) != 400 {
			t.Fatalf("the list from %d has %d runs", from, len(got))
		}
		for _, x := range got {
			if x.Action.Name == "" || x.Runner.Name == "" {
				t.Fatalf("%s has no copy of its action or runner", x.ID)
			}
		}
	}
}
