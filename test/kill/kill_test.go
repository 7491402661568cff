package kill_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/engine/enginetest"
	"petrel/engine/hook"
	"petrel/storage"
)

// The phases in which a kill can find a run.
const (
	beforeClaim    = "before claim"
	claimed        = "claimed"
	started        = "started"
	endedNotStored = "ended, not stored"
	storedNotTold  = "stored, not posted"
)

var phases = []string{beforeClaim, claimed, started, endedNotStored, storedNotTold}

// pauses make the windows between two steps wide enough to be hit: the points
// wait a little each time they are passed.
var pauses = []string{
	"",
	"after-claim=pause:60ms@1+",
	"before-exec-start=pause:60ms@1+",
	"before-result-write=pause:80ms@1+",
	"after-finish-before-post=pause:120ms@1+",
}

func kills() int {
	if os.Getenv("PETREL_SOAK") != "" {
		return 200
	}
	return 20
}

func seedOf(t *testing.T) uint64 {
	if text := os.Getenv("PETREL_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("PETREL_SEED=%s is no number", text)
		}
		return seed
	}
	return uint64(time.Now().UnixNano())
}

// TestKill_AtRandom kills the program at random moments under load.
func TestKill_AtRandom(t *testing.T) {
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			seed := seedOf(t)
			fmt.Printf("kill loop on %s: PETREL_SEED=%d\n", database, seed)
			random := rand.New(rand.NewPCG(seed, 0))
			h := newHouse(t, database)
			h.start("")
			h.ready()
			l := startLoad(h, seed)
			h.kill()
			fell := map[string]int{}
			early := 0
			for n := range kills() {
				h.start(pauses[n%len(pauses)])
				if n%7 == 6 {
					// Now and then before it is up.
					early++
					time.Sleep(time.Duration(random.IntN(800)) * time.Millisecond)
				} else {
					if !h.ready() {
						t.Fatalf("the program ended by itself:\n%s", h.log)
					}
					time.Sleep(time.Duration(150+random.IntN(900)) * time.Millisecond)
				}
				h.kill()
				for _, phase := range h.phases() {
					fell[phase]++
				}
			}
			h.start("")
			h.ready()
			l.stop()
			report := h.settle(l)
			fmt.Printf("kill loop on %s: %d kills (%d while it started), %d requests accepted; kills that found runs: %v; the runs ended %v, %d had been claimed by a dead worker and ran later\n",
				database, kills(), early, l.n.Load(), fell, report.Statuses, report.Requeued)
			for _, phase := range phases {
				if fell[phase] < 3 {
					t.Errorf("only %d kills found runs %s, want at least 3", fell[phase], phase)
				}
			}
		})
	}
}

// TestKill_AtHooks makes the program kill itself at each named point.
func TestKill_AtHooks(t *testing.T) {
	for _, database := range databases {
		for _, point := range hook.Points {
			t.Run(database+" "+string(point), func(t *testing.T) {
				seed := seedOf(t)
				h := newHouse(t, database)
				h.start(string(point) + "=crash@5")
				h.ready()
				l := startLoad(h, seed)
				h.died()
				raw, err := os.ReadFile(h.fired)
				if err != nil || !strings.HasPrefix(string(raw), string(point)+" crash ") {
					t.Fatalf("the hook did not say that it fired: %q (%v)", raw, err)
				}
				found := h.phases()
				h.start("")
				h.ready()
				l.stop()
				report := h.settle(l)
				t.Logf("seed %d, %d requests accepted; the kill found runs %v; they ended %v", seed, l.n.Load(), found, report.Statuses)
			})
		}
	}
}

// phases says in which phases the kill found runs.
func (h *house) phases() []string {
	h.t.Helper()
	ctx := context.Background()
	s := h.open()
	defer s.Close()
	all, _, err := s.ExecutionList(ctx, storage.ExecutionFilter{
		Statuses: []petrel.Status{petrel.StatusRequested, petrel.StatusScheduled, petrel.StatusRunning}, NoTotal: true})
	if err != nil {
		h.t.Fatal(err)
	}
	ended := map[petrel.ID]bool{}
	for _, e := range h.readLedger() {
		if e.What == "end" {
			ended[e.ID] = true
		}
	}
	found := map[string]bool{}
	for _, x := range all {
		switch {
		case x.Status == petrel.StatusRequested:
			found[beforeClaim] = true
		case x.Status == petrel.StatusScheduled:
			found[claimed] = true
		case ended[x.ID]:
			found[endedNotStored] = true
		default:
			found[started] = true
		}
	}
	posts, err := s.PostList(ctx, storage.PostFilter{})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, p := range posts {
		if p.ExecutionID == "" || p.Final && p.State == petrel.PostSent {
			continue
		}
		if x, err := s.Execution(ctx, p.ExecutionID); err == nil && x.Status.Final() {
			found[storedNotTold] = true
			break
		}
	}
	var names []string
	for _, phase := range phases {
		if found[phase] {
			names = append(names, phase)
		}
	}
	return names
}

func (h *house) readLedger() []enginetest.Entry {
	h.t.Helper()
	f, err := os.Open(h.ledger)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	entries, err := enginetest.ReadLedger(f)
	if err != nil {
		h.t.Fatal(err)
	}
	return entries
}

// settle waits until all is quiet, stops the program and checks the promises.
func (h *house) settle(l *load) enginetest.Report {
	t := h.t
	t.Helper()
	for _, wrong := range l.wrong {
		t.Error(wrong)
	}
	deadline := time.Now().Add(2 * patience)
	for h.busy() {
		if time.Now().After(deadline) {
			t.Fatalf("the work never ends:\n%s", h.log)
		}
		time.Sleep(100 * time.Millisecond)
	}
	ctx := context.Background()
	var s storage.Store
	for n := 0; ; n++ {
		h.stop()
		s = h.open()
		open := unanswered(t, s, l.events)
		if len(open) == 0 {
			break
		}
		if n == 4 {
			t.Fatalf("%d chat lines have no final reply, such as: %s", len(open), open[0])
		}
		// The work is done and some messages were not; they are found again.
		s.Close()
		h.start("")
		h.ready()
		time.Sleep(2 * time.Second)
	}
	defer s.Close()
	f, err := os.Open(h.state + "/accepted")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ids, err := enginetest.ReadAccepted(f)
	if err != nil {
		t.Fatal(err)
	}
	report, err := enginetest.Check(ctx, s, ids, h.readLedger())
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	if n := report.Statuses[petrel.StatusSucceeded]; n == 0 || len(h.readLedger()) < 2*n {
		t.Errorf("the actions wrote %d lines, %d runs succeeded: the ledger proves nothing", len(h.readLedger()), n)
	}
	if report.Executions != len(l.ids)+len(l.events) {
		t.Errorf("%d executions are stored, want %d by the API and %d by chat", report.Executions, len(l.ids), len(l.events))
	}
	if n := report.Executions - report.Statuses[petrel.StatusSucceeded] - report.Statuses[petrel.StatusAbandoned]; n > 0 {
		t.Errorf("%d executions neither succeeded nor were abandoned: %v", n, report.Statuses)
	}
	return report
}

// unanswered lists chat lines that do not have exactly one message that is the
// final reply of exactly one run.
func unanswered(t *testing.T, s storage.Store, events []petrel.ID) []string {
	t.Helper()
	ctx := context.Background()
	var open []string
	runs := map[petrel.ID]petrel.ID{}
	for _, id := range events {
		e, err := s.ChatEvent(ctx, id)
		if err != nil {
			t.Fatalf("the chat event %s was accepted and is not there: %v", id, err)
		}
		posts, err := s.PostList(ctx, storage.PostFilter{EventID: id})
		if err != nil {
			t.Fatal(err)
		}
		if e.State != petrel.ChatEventDone || len(posts) != 1 {
			open = append(open, fmt.Sprintf("event %s is %s with %d messages", id, e.State, len(posts)))
			continue
		}
		p := posts[0]
		x, err := s.Execution(ctx, p.ExecutionID)
		if err != nil {
			t.Fatalf("the message %s shows the run %q: %v", p.ID, p.ExecutionID, err)
		}
		if other, twice := runs[x.ID]; twice {
			t.Errorf("the events %s and %s show the same run %s", other, id, x.ID)
		}
		runs[x.ID] = id
		if !x.Status.Final() || !p.Final || p.State != petrel.PostSent || p.SentRevision != p.Revision || !strings.Contains(string(p.Body), string(x.Status)) {
			open = append(open, fmt.Sprintf("event %s, run %s %s, message %s revision %d of %d, final %v: %s", id, x.ID, x.Status, p.State, p.SentRevision, p.Revision, p.Final, p.Body))
		}
	}
	return open
}

// busy says whether runs are left that have not ended.
func (h *house) busy() bool {
	answer, err := h.http.Get(h.url + "/api/v1/executions?limit=1&include_attributes=status&status=requested,scheduled,delayed,running,canceling")
	if err != nil {
		return true
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	var list []json.RawMessage
	return err != nil || json.Unmarshal(raw, &list) != nil || len(list) > 0
}
