package queuetest

import (
	"context"
	"testing"
	"time"

	"petrel"
	"petrel/queue"
)

// FeedOptions say how the feed is to be made for one test.
type FeedOptions struct {
	Buffer int // events a listener may be behind
}

// RunFeed checks a feed. Make gives a fresh one for each test.
func RunFeed(t *testing.T, make func(t *testing.T, o FeedOptions) queue.Feed) {
	t.Run("every listener hears everything, in order", func(t *testing.T) {
		f, ctx := make(t, FeedOptions{Buffer: 100}), waiting(t)
		listeners := []*queue.Subscription{listen(t, f, ctx), listen(t, f, ctx)}
		const n = 50
		for i := range n {
			must(t, f.Tell(ctx, queue.Event{Kind: "execution", Op: "update", ID: "a", Revision: int64(i), Status: petrel.StatusRunning, At: time.Unix(1, 0).UTC()}))
		}
		for _, l := range listeners {
			for i := range n {
				e := hear(t, l)
				if e.Revision != int64(i) || e.Kind != "execution" || e.Op != "update" || e.Status != petrel.StatusRunning {
					t.Fatalf("event %d is %+v", i, e)
				}
			}
		}
	})

	t.Run("an announcement carries its payload", func(t *testing.T) {
		f, ctx := make(t, FeedOptions{Buffer: 10}), waiting(t)
		l := listen(t, f, ctx)
		must(t, f.Tell(ctx, queue.Event{Kind: "announcement", Route: "general", Payload: petrel.JSON(`{"z":1,"a":"\u0000"}`)}))
		if e := hear(t, l); e.Route != "general" || string(e.Payload) != `{"z":1,"a":"\u0000"}` {
			t.Errorf("got %+v", e)
		}
	})

	t.Run("a listener that does not read is cut off with a reason, the others are not", func(t *testing.T) {
		f, ctx := make(t, FeedOptions{Buffer: 4}), waiting(t)
		slow, quick := listen(t, f, ctx), listen(t, f, ctx)
		deadline := time.Now().Add(patience)
		for i := 0; slow.Err() == nil; i++ {
			if time.Now().After(deadline) {
				t.Fatal("the slow listener was never cut off")
			}
			must(t, f.Tell(ctx, queue.Event{Kind: "execution", Revision: int64(i)}))
			if e := hear(t, quick); e.Revision != int64(i) {
				t.Fatalf("the quick listener got event %d, want %d", e.Revision, i)
			}
		}
		n := 0
		for range slow.C {
			n++
		}
		if n > 4 {
			t.Errorf("the slow listener had %d events waiting, over its buffer of 4", n)
		}
		if err := slow.Err(); !petrel.Is(err, petrel.TooMany) {
			t.Errorf("it was cut off with %v, want too many", err)
		}
		if err := quick.Err(); err != nil {
			t.Errorf("the quick listener has the error %v", err)
		}
	})

	t.Run("a subscription ends with its context, without an error", func(t *testing.T) {
		f := make(t, FeedOptions{Buffer: 4})
		ctx, cancel := context.WithCancel(waiting(t))
		l := listen(t, f, ctx)
		cancel()
		select {
		case _, open := <-l.C:
			if open {
				t.Error("an event came from nowhere")
			}
		case <-time.After(patience):
			t.Fatal("the channel stayed open")
		}
		if err := l.Err(); err != nil {
			t.Errorf("got %v, want no error", err)
		}
		must(t, f.Tell(waiting(t), queue.Event{Kind: "execution"}))
	})

	t.Run("a listener does not hear what was before", func(t *testing.T) {
		f, ctx := make(t, FeedOptions{Buffer: 4}), waiting(t)
		must(t, f.Tell(ctx, queue.Event{Kind: "execution", Revision: 1}))
		l := listen(t, f, ctx)
		must(t, f.Tell(ctx, queue.Event{Kind: "execution", Revision: 2}))
		if e := hear(t, l); e.Revision != 2 {
			t.Errorf("got event %d, want 2", e.Revision)
		}
	})
}

func listen(t *testing.T, f queue.Feed, ctx context.Context) *queue.Subscription {
	t.Helper()
	l, err := f.Listen(ctx)
	must(t, err)
	return l
}

func hear(t *testing.T, l *queue.Subscription) queue.Event {
	t.Helper()
	select {
	case e, open := <-l.C:
		if !open {
			t.Fatalf("the subscription ended: %v", l.Err())
		}
		return e
	case <-time.After(patience):
		t.Fatal("no event came")
	}
	return queue.Event{}
}
