package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"petrel"
	"petrel/engine/enginetest"
	"petrel/storage"
	"petrel/storage/sqlite"
)

// TestStatusMachine_Property drives runs through the store by random calls of
// everybody who may touch them, dead and late ones too. Whatever they do, each
// history is legal, a final status stays, a started run of a dead owner never
// waits again, and only the owner of the latest attempt ends it.
func TestStatusMachine_Property(t *testing.T) {
	base := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		ctx := context.Background()
		store, err := sqlite.Open(ctx, filepath.Join(base, fmt.Sprint(n)+".db"), sqlite.Options{Synchronous: "NORMAL", Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		at := time.Unix(1700000000, 0)
		tick := func() time.Time { at = at.Add(time.Millisecond); return at }
		owners := []string{"a", "b", "c"}
		alive := map[string]bool{}
		for _, o := range owners {
			if err := store.RegisterNode(ctx, petrel.Node{ID: petrel.NewID(at), Incarnation: o, Host: o, PID: 1, StartedAt: at}, time.Hour); err != nil {
				t.Fatal(err)
			}
			alive[o] = true
		}
		var ids []petrel.ID
		final := map[petrel.ID]petrel.Execution{}
		mine := map[petrel.ID]storage.Start{} // the last claim of each
		started := map[petrel.ID]int{}
		someID := func(t *rapid.T) petrel.ID {
			if len(ids) == 0 {
				t.Skip("no runs")
			}
			return rapid.SampledFrom(ids).Draw(t, "run")
		}
		claimOf := func(t *rapid.T) storage.Start {
			id := someID(t)
			s, found := mine[id]
			if !found {
				s = storage.Start{ID: id, Owner: "a", Attempt: 1}
			}
			if rapid.IntRange(0, 9).Draw(t, "who") == 0 { // somebody else, or somebody late
				s.Owner = rapid.SampledFrom(owners).Draw(t, "owner")
				s.Attempt = rapid.IntRange(1, 3).Draw(t, "attempt")
			}
			s.At = tick()
			return s
		}
		t.Repeat(map[string]func(*rapid.T){
			"request": func(t *rapid.T) {
				if len(ids) > 5 {
					t.Skip("enough runs")
				}
				x := petrel.Execution{
					ID: petrel.NewID(at), LiveActionID: petrel.NewID(at), Status: petrel.StatusRequested, StartedAt: tick(), User: "u", Lane: petrel.LaneInteractive,
					Action: petrel.Action{ID: petrel.NewID(at), Ref: "p.a", Pack: "p", Name: "a", RunnerType: "r"}, Runner: petrel.RunnerType{Name: "r"},
				}
				x.Log = []petrel.LogEntry{{At: x.StartedAt, Status: petrel.StatusRequested}}
				if a := store.Request(ctx, []storage.NewExecution{{Execution: x}})[0]; a.Err != nil {
					t.Fatal(a.Err)
				}
				ids = append(ids, x.ID)
			},
			"claim": func(t *rapid.T) {
				owner := rapid.SampledFrom(owners).Draw(t, "owner")
				got, err := store.Claim(ctx, storage.Claim{Owner: owner, Limit: rapid.IntRange(1, 3).Draw(t, "limit"), At: tick()})
				if err != nil && (alive[owner] || !petrel.Is(err, petrel.NotOwner)) {
					t.Fatal(err)
				}
				for _, x := range got {
					if !alive[owner] {
						t.Fatalf("a dead node claimed %s", x.ID)
					}
					if started[x.ID] > 0 {
						t.Fatalf("%s was claimed after it had started", x.ID)
					}
					mine[x.ID] = storage.Start{ID: x.ID, Owner: owner, Attempt: x.Attempt}
				}
			},
			"start": func(t *rapid.T) {
				s := claimOf(t)
				if err := store.Start(ctx, []storage.Start{s})[0]; err == nil {
					if s.Owner != mine[s.ID].Owner || s.Attempt != mine[s.ID].Attempt {
						t.Fatalf("%s started by somebody who does not own it", s.ID)
					}
					if started[s.ID]++; started[s.ID] > 1 {
						t.Fatalf("%s started twice", s.ID)
					}
				} else if !petrel.Is(err, petrel.NotOwner) {
					t.Fatal(err)
				}
			},
			"finish": func(t *rapid.T) {
				s := claimOf(t)
				status := rapid.SampledFrom([]petrel.Status{petrel.StatusSucceeded, petrel.StatusFailed, petrel.StatusTimeout, petrel.StatusCanceled, petrel.StatusAbandoned, petrel.StatusPending}).Draw(t, "status")
				err := store.Finish(ctx, []storage.Finish{{ID: s.ID, Owner: s.Owner, Attempt: s.Attempt, Status: status, Result: petrel.JSON(`{}`), At: s.At}})[0]
				if err == nil && (s.Owner != mine[s.ID].Owner || s.Attempt != mine[s.ID].Attempt) {
					t.Fatalf("%s was ended by somebody who does not own it", s.ID)
				}
				if err != nil && !petrel.Is(err, petrel.NotOwner) && !petrel.Is(err, petrel.Conflict) {
					t.Fatal(err)
				}
			},
			"cancel": func(t *rapid.T) {
				if _, _, err := store.Cancel(ctx, storage.Cancel{ID: someID(t), By: "u", At: tick(), Result: petrel.JSON(`{"message":"m"}`)}); err != nil && !petrel.Is(err, petrel.Conflict) {
					t.Fatal(err)
				}
			},
			"set status": func(t *rapid.T) {
				status := rapid.SampledFrom(petrel.Statuses).Draw(t, "status")
				if status == petrel.StatusRequested || status == petrel.StatusScheduled || status == petrel.StatusDelayed {
					t.Skip("the engine refuses these")
				}
				if _, err := store.SetStatus(ctx, storage.StatusChange{ID: someID(t), Status: status, At: tick()}); err != nil && !petrel.Is(err, petrel.Conflict) && !petrel.Is(err, petrel.Invalid) {
					t.Fatal(err)
				}
			},
			"die": func(t *rapid.T) {
				o := rapid.SampledFrom(owners).Draw(t, "owner")
				if err := store.RetireNode(ctx, o); err != nil && !petrel.Is(err, petrel.NotOwner) {
					t.Fatal(err)
				}
				alive[o] = false
			},
			"sweep": func(t *rapid.T) {
				swept, err := store.Sweep(ctx, tick(), petrel.JSON(`{"error":"e"}`), nil, 100)
				if err != nil {
					t.Fatal(err)
				}
				for _, id := range swept.Requeued {
					if started[id] > 0 {
						t.Fatalf("%s waits again after it had started", id)
					}
				}
			},
			"": func(t *rapid.T) {
				for _, id := range ids {
					x, err := store.Execution(ctx, id)
					if err != nil {
						t.Fatal(err)
					}
					if err := enginetest.History(x); err != nil {
						t.Fatal(err)
					}
					if before, was := final[id]; was && (x.Status != before.Status || string(x.Result) != string(before.Result) || x.Revision != before.Revision) {
						t.Fatalf("%s was final as %s and is %s", id, before.Status, x.Status)
					}
					if x.Status.Final() {
						final[id] = x
					}
				}
			},
		})
	})
}
