package kill_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"petrel"
	"petrel/bot"
	"petrel/engine/enginetest"
	"petrel/storage"
)

// apiKey is what the API sets before the idempotency keys of the folder's owner.
const apiKey = "api:admin:"

// takenOver waits until the new process has taken from the dead one all that
// the look saw in its hands, and says how long after its start that was.
func (h *house) takenOver(s sight) time.Duration {
	h.t.Helper()
	for id, steps := range s.steps {
		h.wait(fmt.Sprintf("the run %s of the dead process was not taken over", id), takeOver, func() bool {
			var x struct {
				Log []json.RawMessage `json:"log"`
			}
			_, err := h.get("/api/v1/executions/"+string(id)+"?include_attributes=log", &x)
			return err == nil && len(x.Log) > steps
		})
	}
	return time.Since(h.began)
}

// unfinished is what runs that have not ended are called.
const unfinished = "requested,scheduled,delayed,running,canceling,pausing,paused,resuming,pending"

// quiet waits until no run is left that has not ended and every line has its
// final message on the screen.
func (h *house) quiet(l *load, s *screen) {
	h.t.Helper()
	h.wait("runs are left that have not ended", patience, func() bool {
		var list []json.RawMessage
		_, err := h.get("/api/v1/executions?limit=1&include_attributes=status&status="+unfinished, &list)
		return err == nil && len(list) == 0
	})
	h.wait("lines are left without a final message in the console", patience, func() bool { return s.answered(l.events) == len(l.events) })
}

// check compares what was accepted, what the actions wrote, what the store
// says and what the screen shows, and answers how the runs ended.
func (h *house) check(l *load, s *screen, p *past) enginetest.Report {
	t := h.t
	t.Helper()
	for _, wrong := range append(l.wrong, s.wrong...) {
		t.Error(wrong)
	}
	h.quiet(l, s)
	h.secret(l, s)
	s.stop()
	h.signal(os.Interrupt)
	h.stopped()
	ctx := context.Background()
	store := h.open()
	defer func() { _ = store.Close() }() // only read from
	h.sound(ctx)

	ids, maybe := h.readAccepted("accepted")
	ledger := h.readLedger()
	report, err := enginetest.Check(ctx, store, ids, maybe, ledger)
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	all, _, err := store.ExecutionList(ctx, storage.ExecutionFilter{Ascending: true})
	if err != nil {
		t.Fatal(err)
	}
	byID := map[petrel.ID]petrel.Execution{}
	for _, x := range all {
		byID[x.ID] = x
	}
	for id, was := range p.final {
		if byID[id].Status != was {
			t.Errorf("P6: %s had ended %s and is %q now", id, was, byID[id].Status)
		}
	}
	h.kept(ctx, store)
	answers := h.answers(ctx, store, byID, s)
	h.sides(byID, ledger, p)

	// Nothing is there that nobody asked for.
	asked := map[string]bool{}
	for _, key := range l.maybe {
		asked[apiKey+key] = true
	}
	for key, id := range l.byKey {
		asked[apiKey+key] = true
		if byID[id].IdempotencyKey != apiKey+key {
			t.Errorf("P1: the key %s was answered with %s, which has the key %q", key, id, byID[id].IdempotencyKey)
		}
	}
	if len(ids) != len(l.byKey) {
		t.Errorf("%d executions were noted as accepted and %d answered", len(ids), len(l.byKey))
	}
	for _, x := range all {
		if lines := answers[x.ID]; lines > 1 || (lines == 1) == asked[x.IdempotencyKey] {
			t.Errorf("P5: %s (key %q) answers %d lines, and was asked for by the API: %v", x.ID, x.IdempotencyKey, lines, asked[x.IdempotencyKey])
		}
	}
	return report
}

// sides compares the ledger with how the runs ended.
func (h *house) sides(byID map[petrel.ID]petrel.Execution, ledger []enginetest.Entry, p *past) {
	t := h.t
	t.Helper()
	starts, ends, lines := map[petrel.ID]int{}, map[petrel.ID]int{}, map[petrel.ID]int{}
	for _, e := range ledger {
		lines[e.ID]++
		if e.What == "start" {
			starts[e.ID]++
		} else {
			ends[e.ID]++
		}
	}
	for id, x := range byID {
		_, interrupted := p.running[id]
		switch {
		case x.Action.Ref == noop:
			if x.Status != petrel.StatusSucceeded {
				t.Errorf("P2: %s has no side effects and is %s", id, x.Status)
			}
		case x.Status == petrel.StatusSucceeded:
			if starts[id] != 1 || ends[id] != 1 {
				t.Errorf("P4: %s succeeded, and the ledger has %d starts and %d ends", id, starts[id], ends[id])
			}
			if interrupted {
				t.Errorf("P3: %s was running when its worker died, and a late result was taken", id)
			}
		case x.Status == petrel.StatusAbandoned:
			if !interrupted {
				t.Errorf("P2: %s is abandoned, and no kill found it running", id)
			}
			if !strings.Contains(string(x.Result), "is not known") {
				t.Errorf("P4: the result of %s does not say that its outcome is unknown: %s", id, x.Result)
			}
		default:
			t.Errorf("P2: %s ended %s", id, x.Status)
		}
		if interrupted && lines[id] != p.running[id] {
			t.Errorf("P4: %s had %d lines in the ledger when its worker was dead, and has %d", id, p.running[id], lines[id])
		}
	}
}

// answers checks that every line has exactly one message, that it became the
// final reply of exactly one run, and that the screen shows it. It answers how many
// lines each run answers.
func (h *house) answers(ctx context.Context, store storage.Store, byID map[petrel.ID]petrel.Execution, s *screen) map[petrel.ID]int {
	t := h.t
	t.Helper()
	count := map[petrel.ID]int{}
	events, _ := h.readAccepted("heard")
	seen := map[petrel.ID]bool{}
	for _, id := range events {
		if seen[id] {
			t.Errorf("P5: two lines were answered with the event %s", id)
			continue
		}
		seen[id] = true
		e, err := store.ChatEvent(ctx, id)
		if err != nil {
			t.Errorf("P1: the line %s was accepted and is not there: %v", id, err)
			continue
		}
		posts, err := store.PostList(ctx, storage.PostFilter{EventID: id})
		if err != nil {
			t.Fatal(err)
		}
		if e.State != petrel.ChatEventDone || len(posts) != 1 {
			t.Errorf("the line %s (%s, %s) has %d messages, want 1", id, e.State, e.Outcome, len(posts))
			continue
		}
		post := posts[0]
		x, found := byID[post.ExecutionID]
		if !found {
			t.Errorf("the message %s shows the run %q, which is not there", post.ID, post.ExecutionID)
			continue
		}
		count[x.ID]++
		if !post.Final || post.State != petrel.PostSent || post.SentRevision != post.Revision {
			t.Errorf("the message of %s is %s, revision %d of %d was sent, final %v", x.ID, post.State, post.SentRevision, post.Revision, post.Final)
		}
		m, err := bot.DecodeMessage(post.Body)
		if err != nil || m.Status != x.Status || m.Execution != x.ID {
			t.Errorf("the message of %s (%s) shows %s as %s (%v)", x.ID, x.Status, m.Execution, m.Status, err)
		}
		if x.Status == petrel.StatusAbandoned && !strings.Contains(m.Text(), "abandoned") {
			t.Errorf("the reply for the abandoned %s does not say so: %s", x.ID, m.Text())
		}
		shown, n := s.reply(id)
		if n != 1 || shown.Post != post.ID || !shown.Final || shown.Message.Status != x.Status || shown.Text != m.Text() {
			t.Errorf("the screen shows %d messages for the line %s, of %s: %+v", n, id, x.ID, shown)
		}
	}
	return count
}

// kept looks for the canary in stored messages and in the audit.
func (h *house) kept(ctx context.Context, store storage.Store) {
	h.t.Helper()
	posts, err := store.PostList(ctx, storage.PostFilter{})
	if err != nil {
		h.t.Fatal(err)
	}
	entries, err := store.AuditList(ctx, storage.AuditFilter{})
	if err != nil {
		h.t.Fatal(err)
	}
	if len(posts) == 0 || len(entries) == 0 {
		h.t.Errorf("%d messages and %d audit entries are kept, want some", len(posts), len(entries))
	}
	for what, kept := range map[string]any{"a message": posts, "the audit": entries} {
		raw, err := json.Marshal(kept)
		if err != nil {
			h.t.Fatal(err)
		}
		if bytes.Contains(raw, []byte(h.canary)) {
			h.t.Errorf("P10: the secret stands in %s", what)
		}
	}
}

// secret looks for the canary where nobody may see it: answers of the API, the
// stream and the logs.
func (h *house) secret(l *load, s *screen) {
	t := h.t
	t.Helper()
	for _, where := range l.leaked {
		t.Errorf("P10: the secret stands in an answer to %s", where)
	}
	if s.leaked > 0 {
		t.Errorf("P10: the secret stands in %d lines of the chat stream", s.leaked)
	}
	masked := 0
	for _, path := range []string{"executions", "audit"} {
		for offset := 0; ; offset += 100 {
			var page []json.RawMessage
			raw, err := h.get(fmt.Sprintf("/api/v1/%s?limit=100&offset=%d", path, offset), &page)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(raw, []byte(h.canary)) {
				t.Errorf("P10: the secret stands in GET /%s", path)
			}
			masked += bytes.Count(raw, []byte("********"))
			if len(page) < 100 || path == "audit" { // of the audit the newest are enough: all are written alike
				break
			}
		}
	}
	if masked == 0 {
		t.Error("no answer of the API shows a masked value: the secret was not under way")
	}
	logs, err := os.ReadFile(h.logs)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(logs, []byte(h.canary)) {
		t.Error("P10: the secret stands in the log")
	}
}
