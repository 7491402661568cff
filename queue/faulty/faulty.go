// Package faulty is a queue that loses and doubles messages, as a queue is
// allowed to. Tests of whatever rings or listens run once over it.
package faulty

import (
	"context"
	"math/rand/v2"
	"sync"

	"petrel"
	"petrel/queue"
)

// Options say how bad the queue is.
type Options struct {
	Seed   uint64
	Drop   float64 // share of messages that nobody hears; 0.3 is usual
	Double float64 // share of the others that are heard twice
}

// Counts is what a faulty queue did.
type Counts struct {
	Published int // asked for
	Dropped   int
	Doubled   int
}

// Queue wraps a queue and harms what is published.
type Queue struct {
	queue.Queue
	opts Options

	mu     sync.Mutex
	random *rand.Rand
	counts Counts
}

// New wraps a queue. The same seed harms the same messages.
func New(q queue.Queue, o Options) *Queue {
	return &Queue{Queue: q, opts: o, random: rand.New(rand.NewPCG(o.Seed, o.Seed))}
}

// Publish passes the message on once, twice, or not at all; it answers as if
// it had been once.
func (q *Queue) Publish(ctx context.Context, topic queue.Topic, ids ...petrel.ID) error {
	for range q.times() {
		if err := q.Queue.Publish(ctx, topic, ids...); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) times() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counts.Published++
	if q.random.Float64() < q.opts.Drop {
		q.counts.Dropped++
		return 0
	}
	if q.random.Float64() < q.opts.Double {
		q.counts.Doubled++
		return 2
	}
	return 1
}

// Counts is what the queue did so far. A test whose faults never fired has failed.
func (q *Queue) Counts() Counts {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.counts
}
