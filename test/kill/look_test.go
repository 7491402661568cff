package kill_test

import (
	"context"
	"database/sql"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"petrel"
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

// noop is the action without side effects: its runs may be taken again.
const noop petrel.Ref = "core.noop"

// sight is what a look at the store found while nobody ran.
type sight struct {
	runs   map[string][]petrel.ID // by phase; without those that have no side effects, but before their claim
	steps  map[petrel.ID]int      // length of the history of runs that a worker held
	lines  map[petrel.ID]int      // lines in the ledger of runs that were running
	status map[petrel.ID]petrel.Status
}

// look opens the store of a program that was killed, which must be sound, and
// says where the kill found its runs.
func (h *house) look() sight {
	t := h.t
	t.Helper()
	ctx := context.Background()
	s := h.open()
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the database: %v", err)
		}
	}()
	h.sound(ctx)
	found := sight{runs: map[string][]petrel.ID{}, steps: map[petrel.ID]int{}, lines: map[petrel.ID]int{}, status: map[petrel.ID]petrel.Status{}}
	ended, lines := map[petrel.ID]bool{}, map[petrel.ID]int{}
	for _, e := range h.readLedger() {
		lines[e.ID]++
		ended[e.ID] = ended[e.ID] || e.What == "end"
	}
	all, _, err := s.ExecutionList(ctx, storage.ExecutionFilter{Ascending: true, OmitResult: true})
	if err != nil {
		t.Fatal(err)
	}
	add := func(phase string, id petrel.ID) { found.runs[phase] = append(found.runs[phase], id) }
	for _, x := range all {
		found.status[x.ID] = x.Status
		switch x.Status {
		case petrel.StatusRequested:
			add(beforeClaim, x.ID)
		case petrel.StatusScheduled:
			add(claimed, x.ID)
			found.steps[x.ID] = len(x.Log)
			if lines[x.ID] > 0 {
				t.Errorf("P4: %s is scheduled and has %d lines in the ledger", x.ID, lines[x.ID])
			}
		case petrel.StatusRunning:
			found.steps[x.ID] = len(x.Log)
			switch {
			case x.Action.Ref == noop:
			case ended[x.ID]:
				add(endedNotStored, x.ID)
				found.lines[x.ID] = lines[x.ID]
			default:
				// One whose command had not written its first line is started too:
				// nobody can know.
				add(started, x.ID)
				found.lines[x.ID] = lines[x.ID]
			}
		}
	}
	posts, err := s.PostList(ctx, storage.PostFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range posts {
		if p.ExecutionID != "" && found.status[p.ExecutionID].Final() && !(p.Final && p.State == petrel.PostSent && p.SentRevision == p.Revision) {
			add(storedNotTold, p.ExecutionID)
		}
	}
	return found
}

// sound checks the file of the database; PostgreSQL was not killed.
func (h *house) sound(ctx context.Context) {
	h.t.Helper()
	if h.database != "" {
		return
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.state, "petrel.db")+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // only read from
	for _, check := range []struct{ sql, want string }{
		{"pragma integrity_check", "ok"},
		{"select count(*) from pragma_foreign_key_check", "0"},
	} {
		var answer string
		if err := db.QueryRowContext(ctx, check.sql).Scan(&answer); err != nil || answer != check.want {
			h.t.Errorf("%s answers %q (%v), want %q", check.sql, answer, err, check.want)
		}
	}
}

// past is what all looks together saw, for the check at the end.
type past struct {
	fell    map[string]int                // kills that found runs, by phase
	running map[petrel.ID]int             // runs with side effects that a kill found running, and their lines in the ledger
	final   map[petrel.ID]petrel.Status   // how runs had ended when a kill came
	told    map[string]map[petrel.ID]bool // runs by phase
	kills   int
}

func newPast() *past {
	return &past{fell: map[string]int{}, running: map[petrel.ID]int{}, final: map[petrel.ID]petrel.Status{}, told: map[string]map[petrel.ID]bool{}}
}

// add adds a look; a final status that changed since an earlier one is a
// broken promise.
func (p *past) add(h *house, s sight) {
	h.t.Helper()
	p.kills++
	for id, was := range p.final {
		if s.status[id] != was {
			h.t.Errorf("P6: %s had ended %s and is %q now", id, was, s.status[id])
		}
	}
	for id, status := range s.status {
		if status.Final() {
			p.final[id] = status
		}
	}
	for _, phase := range phases {
		if len(s.runs[phase]) > 0 {
			p.fell[phase]++
		}
		for _, id := range s.runs[phase] {
			if p.told[phase] == nil {
				p.told[phase] = map[petrel.ID]bool{}
			}
			p.told[phase][id] = true
		}
	}
	for id, lines := range s.lines {
		p.running[id] = lines
	}
}
