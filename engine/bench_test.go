package engine_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/engine"
	"petrel/queue/local"
	"petrel/storage/postgres"
	"petrel/storage/storagetest"
)

// BenchmarkNoop measures executions per second, from the request to the stored
// end, with 16 clients that each wait for their own.
func BenchmarkNoop(b *testing.B) {
	onEach(b, benchmarkNoop)
}

func benchmarkNoop(b *testing.B, s *setup) {
	e := benchEngine(b, s)
	const clients = 16
	work := make(chan struct{}, b.N)
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	b.ResetTimer()
	var done sync.WaitGroup
	for range clients {
		done.Go(func() {
			wait, stop := waiter(b, s)
			defer stop()
			for range work {
				x, _, err := e.Request(context.Background(), engine.Request{Action: "test.noop"})
				if err != nil {
					b.Error(err)
					return
				}
				wait(x.ID)
			}
		})
	}
	done.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
}

// BenchmarkNoopLatency measures the time from the request to the stored end on
// an idle system.
func BenchmarkNoopLatency(b *testing.B) {
	for _, action := range []petrel.Ref{"test.noop", "test.other"} {
		b.Run(string(action), func(b *testing.B) {
			onEach(b, func(b *testing.B, s *setup) { benchmarkLatency(b, s, action) })
		})
	}
}

func benchmarkLatency(b *testing.B, s *setup, action petrel.Ref) {
	e := benchEngine(b, s)
	wait, stop := waiter(b, s)
	defer stop()
	var took []time.Duration
	b.ResetTimer()
	for range b.N {
		before := time.Now()
		x, _, err := e.Request(context.Background(), engine.Request{Action: action})
		if err != nil {
			b.Fatal(err)
		}
		wait(x.ID)
		took = append(took, time.Since(before))
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// onEach measures on SQLite and, where one is given, on Postgres.
func onEach(b *testing.B, measure func(b *testing.B, s *setup)) {
	b.Run("sqlite", func(b *testing.B) { measure(b, newSetup(b, local.New(local.Options{}))) })
	if os.Getenv("PETREL_TEST_POSTGRES") != "" {
		b.Run("postgres", func(b *testing.B) {
			store, err := postgres.Open(context.Background(), storagetest.PostgresURL(b), postgres.Options{})
			if err != nil {
				b.Fatal(err)
			}
			measure(b, furnish(b, store, local.New(local.Options{})))
		})
	}
}

func benchEngine(b *testing.B, s *setup) *engine.Engine {
	c := s.config()
	c.Slots, c.IdlePull, c.Log = 100, time.Second, nil
	e, err := engine.New(c)
	if err != nil {
		b.Fatal(err)
	}
	if err := e.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Stop(context.Background()) })
	return e
}

// waiter gives a function that waits for the end of a run by the feed.
func waiter(b *testing.B, s *setup) (func(petrel.ID), func()) {
	ctx, cancel := context.WithCancel(context.Background())
	feed, err := s.feed.Listen(ctx)
	if err != nil {
		b.Fatal(err)
	}
	return func(id petrel.ID) {
		for ev := range feed.C {
			if ev.Kind == "execution" && ev.ID == id && ev.Status.Final() {
				return
			}
		}
		b.Errorf("the feed ended: %v", feed.Err())
	}, cancel
}
