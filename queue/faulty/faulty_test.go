package faulty_test

import (
	"context"
	"testing"

	"petrel/queue"
	"petrel/queue/faulty"
	"petrel/queue/local"
	"petrel/queue/queuetest"
)

func TestQueue_HarmsItsShare(t *testing.T) {
	ctx := context.Background()
	inner := local.New(local.Options{})
	defer inner.Close()
	q := faulty.New(inner, faulty.Options{Seed: 1, Drop: 0.3, Double: 0.3})
	const n = 10000
	for range n {
		if err := q.Publish(ctx, queue.TopicPosts, "a"); err != nil {
			t.Fatal(err)
		}
	}
	c := q.Counts()
	if c.Published != n || c.Dropped < 2700 || c.Dropped > 3300 || c.Doubled < 1850 || c.Doubled > 2350 {
		t.Errorf("the queue did %+v, want 30 %% of %d dropped and 30 %% of the rest doubled", c, n)
	}
	came := 0
	for came < n-c.Dropped+c.Doubled {
		m, err := q.Receive(ctx, queue.TopicPosts, "g", "c", 1000)
		if err != nil {
			t.Fatal(err)
		}
		came += len(m)
	}
}

func TestQueue_WithoutHarmKeepsTheContract(t *testing.T) {
	queuetest.Run(t, queuetest.Features{}, func(t *testing.T, o queuetest.Options) queue.Queue {
		return faulty.New(local.New(local.Options{Redelivery: o.Redelivery}), faulty.Options{})
	})
}
