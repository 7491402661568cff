package local_test

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"petrel"
	"petrel/queue"
	"petrel/queue/local"
	"petrel/queue/queuetest"
)

func TestQueue(t *testing.T) {
	queuetest.Run(t, queuetest.Features{}, func(t *testing.T, o queuetest.Options) queue.Queue {
		return local.New(local.Options{Redelivery: o.Redelivery})
	})
}

func TestFeed(t *testing.T) {
	queuetest.RunFeed(t, func(t *testing.T, o queuetest.FeedOptions) queue.Feed {
		f := local.NewFeed(o.Buffer)
		t.Cleanup(func() { f.Close() })
		return f
	})
}

func TestQueue_MemoryIsBounded(t *testing.T) {
	ctx := context.Background()
	q := local.New(local.Options{Backlog: 100, Retain: 10})
	defer q.Close()
	// A group that never comes back, and no group at all: neither may pile up.
	if _, err := receiveGroup(q, "gone"); err == nil {
		t.Fatal("a message came from nowhere")
	}
	for range 1000 {
		if err := q.Publish(ctx, queue.TopicPosts, petrel.NewID(time.Unix(1, 0))); err != nil {
			t.Fatal(err)
		}
		if err := q.Publish(ctx, queue.TopicEvents, petrel.NewID(time.Unix(1, 0))); err != nil {
			t.Fatal(err)
		}
	}
	if lost := q.Lost(); lost < 1700 || lost > 1900 {
		t.Errorf("%d messages were thrown away, want about 1,800 (2 topics × (1,000 − 100))", lost)
	}
	n := 0
	for {
		m, err := q.Receive(ctx, queue.TopicPosts, "gone", "c", 1000)
		if err != nil {
			t.Fatal(err)
		}
		n += len(m)
		if n >= 100 {
			break
		}
	}
	if n > 200 {
		t.Errorf("%d messages were kept, want at most 2 × the backlog of 100", n)
	}
}

func TestFeed_CloseEndsListeners(t *testing.T) {
	f := local.NewFeed(0)
	l, err := f.Listen(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, open := <-l.C; open || !petrel.Is(l.Err(), petrel.Unavailable) {
		t.Errorf("open %v, error %v; want a closed channel and unavailable", open, l.Err())
	}
	if _, err := f.Listen(context.Background()); !petrel.Is(err, petrel.Unavailable) {
		t.Errorf("listening to a closed feed answers %v", err)
	}
	if f.Listeners() != 0 {
		t.Errorf("%d listeners are left", f.Listeners())
	}
}

// TestQueue_Property compares the queue with what a reader of its contract
// expects, over random operations and a clock that is moved by hand.
func TestQueue_Property(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1000, 0)
		q := local.New(local.Options{Redelivery: time.Minute, Now: func() time.Time { return now }})
		defer q.Close()
		groups := []string{"a", "b"}
		published := 0
		had := map[string]map[string]bool{"a": {}, "b": {}}      // acknowledged
		out := map[string]map[string]time.Time{"a": {}, "b": {}} // delivered, not acknowledged
		for _, g := range groups {
			receiveGroup(q, g)
		}
		t.Repeat(map[string]func(*rapid.T){
			"publish": func(t *rapid.T) {
				if err := q.Publish(context.Background(), queue.TopicPosts, "x"); err != nil {
					t.Fatal(err)
				}
				published++
			},
			"receive": func(t *rapid.T) {
				g := rapid.SampledFrom(groups).Draw(t, "group")
				expected := published - len(had[g]) - len(out[g])
				for _, at := range out[g] {
					if now.Sub(at) >= time.Minute {
						expected++
					}
				}
				m, _ := receiveGroup(q, g)
				if expected > 0 && len(m) == 0 {
					t.Fatalf("nothing came, %d messages were due", expected)
				}
				for _, one := range m {
					if had[g][one.ID] {
						t.Fatalf("%s came after it was acknowledged", one.ID)
					}
					if at, is := out[g][one.ID]; is && now.Sub(at) < time.Minute {
						t.Fatalf("%s came again after %v", one.ID, now.Sub(at))
					}
					out[g][one.ID] = now
				}
			},
			"ack": func(t *rapid.T) {
				g := rapid.SampledFrom(groups).Draw(t, "group")
				for id := range out[g] {
					if err := q.Ack(context.Background(), queue.TopicPosts, g, id); err != nil {
						t.Fatal(err)
					}
					delete(out[g], id)
					had[g][id] = true
					break
				}
			},
			"wait": func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 50).Draw(t, "seconds")) * time.Second) },
		})
	})
}

// receiveGroup takes what is there and does not wait.
func receiveGroup(q *local.Queue, group string) ([]queue.Message, error) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return q.Receive(ctx, queue.TopicPosts, group, "c", 3)
}
