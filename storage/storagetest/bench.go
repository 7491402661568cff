package storagetest

import (
	"fmt"
	"testing"
	"time"

	"petrel"
	"petrel/storage"
)

// Bench measures the methods of the hot path in calls of 1 and of 50 runs, and
// whole lives of runs by 16 callers at once. The figure per operation is per run.
func Bench(b *testing.B, open func(b *testing.B) storage.Store) {
	for _, size := range []int{1, 50} {
		var s storage.Store
		owner := func(b *testing.B) string {
			n := petrel.Node{ID: id(), Host: "host", Incarnation: "bench" + string(id()), StartedAt: now()}
			must(b, s.RegisterNode(bg, n, time.Hour))
			return n.Incarnation
		}
		requested := func(b *testing.B, n int) []petrel.ID {
			var ids []petrel.ID
			for len(ids) < n {
				batch := make([]storage.NewExecution, min(size, n-len(ids)))
				for i := range batch {
					batch[i] = newRun()
				}
				for _, r := range s.Request(bg, batch) {
					must(b, r.Err)
					ids = append(ids, r.ID)
				}
			}
			return ids
		}
		claimed := func(b *testing.B, owner string, ids []petrel.ID) []petrel.Execution {
			var all []petrel.Execution
			for from := 0; from < len(ids); from += size {
				got, err := s.Claim(bg, storage.Claim{Owner: owner, Host: "h", IDs: ids[from:min(from+size, len(ids))], Limit: size, At: now()})
				must(b, err)
				all = append(all, got...)
			}
			if len(all) != len(ids) {
				b.Fatalf("%d of %d were claimed", len(all), len(ids))
			}
			return all
		}
		started := func(b *testing.B, owner string, all []petrel.Execution) {
			for from := 0; from < len(all); from += size {
				var batch []storage.Start
				for _, x := range all[from:min(from+size, len(all))] {
					batch = append(batch, storage.Start{ID: x.ID, Owner: owner, Attempt: x.Attempt, At: now()})
				}
				must(b, s.Start(bg, batch)...)
			}
		}
		finished := func(b *testing.B, owner string, all []petrel.Execution) {
			for from := 0; from < len(all); from += size {
				var batch []storage.Finish
				for _, x := range all[from:min(from+size, len(all))] {
					batch = append(batch, finish(x, owner, petrel.StatusSucceeded, `{"stdout":"ok","stderr":"","return_code":0,"succeeded":true,"failed":false}`))
				}
				must(b, s.Finish(bg, batch)...)
			}
		}
		b.Run(fmt.Sprintf("Request/%d", size), func(b *testing.B) {
			s = open(b)
			b.ResetTimer()
			requested(b, b.N)
		})
		b.Run(fmt.Sprintf("Claim/%d", size), func(b *testing.B) {
			s = open(b)
			o, ids := owner(b), requested(b, b.N)
			b.ResetTimer()
			claimed(b, o, ids)
		})
		b.Run(fmt.Sprintf("Pull/%d", size), func(b *testing.B) {
			s = open(b)
			o := owner(b)
			requested(b, b.N)
			b.ResetTimer()
			for n := 0; n < b.N; {
				got, err := s.Claim(bg, storage.Claim{Owner: o, Host: "h", Limit: size, At: now()})
				must(b, err)
				if n += len(got); len(got) == 0 {
					b.Fatal("nothing was claimed")
				}
			}
		})
		b.Run(fmt.Sprintf("Start/%d", size), func(b *testing.B) {
			s = open(b)
			o := owner(b)
			all := claimed(b, o, requested(b, b.N))
			b.ResetTimer()
			started(b, o, all)
		})
		b.Run(fmt.Sprintf("Finish/%d", size), func(b *testing.B) {
			s = open(b)
			o := owner(b)
			all := claimed(b, o, requested(b, b.N))
			started(b, o, all)
			b.ResetTimer()
			finished(b, o, all)
		})
		b.Run(fmt.Sprintf("Life/%d", size), func(b *testing.B) {
			s = open(b)
			o := owner(b)
			b.ResetTimer()
			all := claimed(b, o, requested(b, b.N))
			started(b, o, all)
			finished(b, o, all)
		})
	}
	b.Run("Life/16callers", func(b *testing.B) {
		s := open(b)
		n := petrel.Node{ID: id(), Host: "host", Incarnation: "bench" + string(id()), StartedAt: now()}
		must(b, s.RegisterNode(bg, n, time.Hour))
		b.SetParallelism(8) // times the processors; at least 16 with two
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				run := newRun()
				must(b, s.Request(bg, []storage.NewExecution{run})[0].Err)
				got, err := s.Claim(bg, storage.Claim{Owner: n.Incarnation, Host: "h", IDs: []petrel.ID{run.Execution.ID}, Limit: 1, At: now()})
				must(b, err)
				must(b, s.Start(bg, []storage.Start{{ID: run.Execution.ID, Owner: n.Incarnation, Attempt: 1, At: now()}})...)
				must(b, s.Finish(bg, []storage.Finish{finish(got[0], n.Incarnation, petrel.StatusSucceeded, `{"ok":true}`)})...)
			}
		})
	})
}

func must(b *testing.B, errs ...error) {
	for _, err := range errs {
		if err != nil {
			b.Fatal(err)
		}
	}
}
