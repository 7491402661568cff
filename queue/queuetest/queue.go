// Package queuetest checks that an implementation of the queue and of the feed
// keeps the promises of package queue.
package queuetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/queue"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// Options say how the implementation is to be made for one test.
type Options struct {
	Redelivery time.Duration // after which an unacknowledged message comes again
}

// Features are the promises an implementation does not make.
type Features struct {
	NoHistory    bool // a new group may miss what was published before it
	NoRedelivery bool // an unacknowledged message does not come again
	NoOrder      bool // messages of one publisher may come in another order
}

// Run checks a queue. Make gives a fresh, empty queue for each test.
func Run(t *testing.T, f Features, make func(t *testing.T, o Options) queue.Queue) {
	open := func(t *testing.T, redelivery time.Duration) queue.Queue {
		q := make(t, Options{Redelivery: redelivery})
		t.Cleanup(func() { q.Close() })
		return q
	}
	const never = time.Hour

	t.Run("a message reaches one consumer of each group", func(t *testing.T) {
		q, ctx := open(t, never), waiting(t)
		// The groups exist before, so that this holds without history too.
		for _, group := range []string{"a", "b"} {
			touch(t, q, queue.TopicExecutions, group)
		}
		ids := petrelIDs(3)
		must(t, q.Publish(ctx, queue.TopicExecutions, ids...))
		for _, group := range []string{"a", "b"} {
			m := one(t, q, queue.TopicExecutions, group, "first")
			if fmt.Sprint(m.IDs) != fmt.Sprint(ids) || m.Deliveries != 1 || m.ID == "" {
				t.Errorf("group %s got %+v, want the ids %v at the first delivery", group, m, ids)
			}
			must(t, q.Ack(ctx, queue.TopicExecutions, group, m.ID))
		}
		nothing(t, q, queue.TopicExecutions, "a", "second")
	})

	t.Run("topics do not mix", func(t *testing.T) {
		q, ctx := open(t, never), waiting(t)
		touch(t, q, queue.TopicPosts, "g")
		touch(t, q, queue.TopicEvents, "g")
		must(t, q.Publish(ctx, queue.TopicPosts, petrelIDs(1)...))
		nothing(t, q, queue.TopicEvents, "g", "c")
		one(t, q, queue.TopicPosts, "g", "c")
	})

	t.Run("a publish without ids still rings", func(t *testing.T) {
		q, ctx := open(t, never), waiting(t)
		touch(t, q, queue.TopicPosts, "g")
		must(t, q.Publish(ctx, queue.TopicPosts))
		if m := one(t, q, queue.TopicPosts, "g", "c"); len(m.IDs) != 0 {
			t.Errorf("got the ids %v, want none", m.IDs)
		}
	})

	t.Run("a waiting receive is woken", func(t *testing.T) {
		q, ctx := open(t, never), waiting(t)
		touch(t, q, queue.TopicControl, "g")
		got := goReceive(ctx, q, queue.TopicControl, "g", "c", 1)
		must(t, q.Publish(ctx, queue.TopicControl, petrelIDs(1)...))
		if r := <-got; r.err != nil || len(r.messages) != 1 {
			t.Errorf("got %d messages and %v, want one", len(r.messages), r.err)
		}
	})

	t.Run("receive gives at most max, in the order of publishing", func(t *testing.T) {
		q, ctx := open(t, never), waiting(t)
		touch(t, q, queue.TopicExecutions, "g")
		ids := petrelIDs(10)
		for _, id := range ids {
			must(t, q.Publish(ctx, queue.TopicExecutions, id))
		}
		var seen []petrel.ID
		for len(seen) < len(ids) {
			messages, err := q.Receive(ctx, queue.TopicExecutions, "g", "c", 3)
			must(t, err)
			if len(messages) == 0 || len(messages) > 3 {
				t.Fatalf("got %d messages, want one to three", len(messages))
			}
			for _, m := range messages {
				seen = append(seen, m.IDs...)
			}
		}
		if !f.NoOrder && fmt.Sprint(seen) != fmt.Sprint(ids) {
			t.Errorf("got %v, want %v", seen, ids)
		}
	})

	t.Run("max below one is refused", func(t *testing.T) {
		q, ctx := open(t, never), waiting(t)
		if _, err := q.Receive(ctx, queue.TopicExecutions, "g", "c", 0); !petrel.Is(err, petrel.Invalid) {
			t.Errorf("got %v, want an invalid error", err)
		}
	})

	t.Run("receive ends with its context", func(t *testing.T) {
		q := open(t, never)
		ctx, cancel := context.WithCancel(waiting(t))
		got := goReceive(ctx, q, queue.TopicExecutions, "g", "c", 1)
		cancel()
		if r := <-got; !errors.Is(r.err, context.Canceled) {
			t.Errorf("got %v, want the context's error", r.err)
		}
	})

	t.Run("close ends receives, and then everything is unavailable", func(t *testing.T) {
		q, ctx := open(t, never), waiting(t)
		got := goReceive(ctx, q, queue.TopicExecutions, "g", "c", 1)
		must(t, q.Close())
		if r := <-got; !petrel.Is(r.err, petrel.Unavailable) {
			t.Errorf("the receive ended with %v, want unavailable", r.err)
		}
		if err := q.Publish(ctx, queue.TopicExecutions, petrelIDs(1)...); !petrel.Is(err, petrel.Unavailable) {
			t.Errorf("publish answers %v, want unavailable", err)
		}
		must(t, q.Close())
	})

	t.Run("consumers of a group share", func(t *testing.T) {
		q, ctx := open(t, never), waiting(t)
		touch(t, q, queue.TopicExecutions, "g")
		const messages, consumers = 300, 4
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var mu sync.Mutex
		seen := map[petrel.ID]int{}
		done := sync.WaitGroup{}
		for c := range consumers {
			done.Go(func() {
				for {
					got, err := q.Receive(ctx, queue.TopicExecutions, "g", fmt.Sprint("c", c), 7)
					if err != nil {
						return
					}
					for _, m := range got {
						mu.Lock()
						for _, id := range m.IDs {
							seen[id]++
						}
						all := len(seen) == messages
						mu.Unlock()
						q.Ack(ctx, queue.TopicExecutions, "g", m.ID)
						if all {
							cancel()
						}
					}
				}
			})
		}
		for _, id := range petrelIDs(messages) {
			must(t, q.Publish(waiting(t), queue.TopicExecutions, id))
		}
		done.Wait()
		if len(seen) != messages {
			t.Fatalf("%d of %d messages came", len(seen), messages)
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s came %d times", id, n)
			}
		}
	})

	if !f.NoHistory {
		t.Run("a new group starts with what is there", func(t *testing.T) {
			q, ctx := open(t, never), waiting(t)
			ids := petrelIDs(2)
			for _, id := range ids {
				must(t, q.Publish(ctx, queue.TopicExecutions, id))
			}
			for _, group := range []string{"early", "late"} {
				for _, id := range ids {
					if m := one(t, q, queue.TopicExecutions, group, "c"); len(m.IDs) != 1 || m.IDs[0] != id {
						t.Errorf("group %s got %v, want %s", group, m.IDs, id)
					}
				}
			}
		})
	}

	if !f.NoRedelivery {
		t.Run("what is not acknowledged goes to another consumer", func(t *testing.T) {
			q, ctx := open(t, 20*time.Millisecond), waiting(t)
			touch(t, q, queue.TopicExecutions, "g")
			must(t, q.Publish(ctx, queue.TopicExecutions, petrelIDs(1)...))
			first := one(t, q, queue.TopicExecutions, "g", "dead")
			again := one(t, q, queue.TopicExecutions, "g", "alive")
			if again.ID != first.ID || again.Deliveries < 2 || fmt.Sprint(again.IDs) != fmt.Sprint(first.IDs) {
				t.Errorf("got %+v after %+v, want the same message at a later delivery", again, first)
			}
			must(t, q.Ack(ctx, queue.TopicExecutions, "g", again.ID))
			nothing(t, q, queue.TopicExecutions, "g", "alive")
		})
	}

	t.Run("what is acknowledged does not come again, and twice is no error", func(t *testing.T) {
		q, ctx := open(t, 20*time.Millisecond), waiting(t)
		touch(t, q, queue.TopicExecutions, "g")
		must(t, q.Publish(ctx, queue.TopicExecutions, petrelIDs(1)...))
		m := one(t, q, queue.TopicExecutions, "g", "c")
		must(t, q.Ack(ctx, queue.TopicExecutions, "g", m.ID))
		must(t, q.Ack(ctx, queue.TopicExecutions, "g", m.ID))
		must(t, q.Ack(ctx, queue.TopicExecutions, "other", m.ID))
		nothing(t, q, queue.TopicExecutions, "g", "c")
	})
}

type received struct {
	messages []queue.Message
	err      error
}

func goReceive(ctx context.Context, q queue.Queue, topic queue.Topic, group, consumer string, max int) <-chan received {
	c := make(chan received, 1)
	go func() {
		m, err := q.Receive(ctx, topic, group, consumer, max)
		c <- received{m, err}
	}()
	return c
}

// touch makes a group exist.
func touch(t *testing.T, q queue.Queue, topic queue.Topic, group string) {
	t.Helper()
	nothing(t, q, topic, group, "touch")
}

// one receives a message that must come.
func one(t *testing.T, q queue.Queue, topic queue.Topic, group, consumer string) queue.Message {
	t.Helper()
	messages, err := q.Receive(waiting(t), topic, group, consumer, 1)
	if err != nil || len(messages) != 1 {
		t.Fatalf("group %s got %d messages and %v, want one", group, len(messages), err)
	}
	return messages[0]
}

// nothing checks that no message is there. It looks for longer than the
// redelivery time of the tests.
func nothing(t *testing.T, q queue.Queue, topic queue.Topic, group, consumer string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Millisecond)
	defer cancel()
	messages, err := q.Receive(ctx, topic, group, consumer, 1)
	if len(messages) != 0 {
		t.Fatalf("group %s got %+v, want nothing", group, messages)
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

func waiting(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func petrelIDs(n int) []petrel.ID {
	ids := make([]petrel.ID, n)
	for i := range ids {
		ids[i] = petrel.NewID(time.Unix(1, 0))
	}
	return ids
}
