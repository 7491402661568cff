// Package local is the queue and the feed of a single process: memory and
// channels. What it holds is gone with the process, which costs nothing,
// because the rows it points at are in the store.
package local

import (
	"container/list"
	"context"
	"strconv"
	"sync"
	"time"

	"petrel"
	"petrel/queue"
)

// Options set the bounds of a Queue. The zero of a field means its default.
type Options struct {
	Redelivery time.Duration    // an unacknowledged message goes to another consumer after it; default 60 s
	Backlog    int              // messages a topic holds for its slowest group; default 65,536
	Retain     int              // messages kept for groups that do not exist yet; default 1,024
	Now        func() time.Time // default time.Now
}

// maxIDs is how many ids one message carries; longer lists become several.
const maxIDs = 1000

// Queue is a queue.Queue in memory.
type Queue struct {
	opts   Options
	closed chan struct{}

	mu     sync.Mutex
	topics map[queue.Topic]*topic
	lost   int64
	shut   bool
}

type topic struct {
	entries []entry // in order of seq, without gaps
	first   int64   // seq of entries[0]
	groups  map[string]*group
	news    chan struct{} // closed and replaced when something can be received
}

type entry struct {
	ids []petrel.ID
}

type group struct {
	next    int64                    // seq of the next message nobody has had
	pending map[string]*list.Element // of *delivery
	order   *list.List               // deliveries, the one idle for longest first
}

type delivery struct {
	id    string
	ids   []petrel.ID
	at    time.Time
	count int
}

var _ queue.Queue = (*Queue)(nil)

// New makes an empty queue.
func New(o Options) *Queue {
	if o.Redelivery <= 0 {
		o.Redelivery = time.Minute
	}
	if o.Backlog <= 0 {
		o.Backlog = 65536
	}
	if o.Retain <= 0 {
		o.Retain = 1024
	}
	if o.Retain > o.Backlog {
		o.Retain = o.Backlog
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Queue{opts: o, closed: make(chan struct{}), topics: map[queue.Topic]*topic{}}
}

// Lost is how many messages were thrown away because a group let too many
// pile up. Nothing but time is lost with them.
func (q *Queue) Lost() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost
}

// Publish puts the ids behind what the topic holds.
func (q *Queue) Publish(ctx context.Context, name queue.Topic, ids ...petrel.ID) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.shut {
		return errClosed()
	}
	t := q.topic(name)
	for {
		part := ids[:min(len(ids), maxIDs)]
		t.entries = append(t.entries, entry{ids: append([]petrel.ID(nil), part...)})
		ids = ids[len(part):]
		if len(ids) == 0 {
			break
		}
	}
	q.trim(t)
	t.ring()
	return nil
}

// Receive waits for messages, new ones or ones whose consumer kept them too long.
func (q *Queue) Receive(ctx context.Context, name queue.Topic, groupName, consumer string, max int) ([]queue.Message, error) {
	if max < 1 {
		return nil, petrel.Errorf(petrel.Invalid, "max is %d, it must be at least 1", max)
	}
	for {
		got, news, wait, err := q.take(name, groupName, max)
		if err != nil || len(got) > 0 {
			return got, err
		}
		var late <-chan time.Time
		var timer *time.Timer
		if wait > 0 {
			timer = time.NewTimer(wait)
			late = timer.C
		}
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-q.closed:
			err = errClosed()
		case <-news:
		case <-late:
		}
		if timer != nil {
			timer.Stop()
		}
		if err != nil {
			return nil, err
		}
	}
}

// take gives what is there now, or what to wait for: the topic's news, and the
// time until the first pending message has been idle for too long.
func (q *Queue) take(name queue.Topic, groupName string, max int) ([]queue.Message, <-chan struct{}, time.Duration, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.shut {
		return nil, nil, 0, errClosed()
	}
	t := q.topic(name)
	g := t.groups[groupName]
	if g == nil {
		g = &group{next: t.first, pending: map[string]*list.Element{}, order: list.New()}
		t.groups[groupName] = g
	}
	now := q.opts.Now()
	var got []queue.Message
	var wait time.Duration
	for el := g.order.Front(); el != nil && len(got) < max; el = g.order.Front() {
		d := el.Value.(*delivery)
		if idle := now.Sub(d.at); idle < q.opts.Redelivery {
			wait = q.opts.Redelivery - idle
			break
		}
		d.at, d.count = now, d.count+1
		g.order.MoveToBack(el)
		got = append(got, queue.Message{ID: d.id, IDs: d.ids, Deliveries: d.count})
	}
	for len(got) < max && g.next < t.first+int64(len(t.entries)) {
		d := &delivery{id: strconv.FormatInt(g.next, 10), ids: t.entries[g.next-t.first].ids, at: now, count: 1}
		g.pending[d.id] = g.order.PushBack(d)
		g.next++
		got = append(got, queue.Message{ID: d.id, IDs: d.ids, Deliveries: 1})
	}
	for g.order.Len() > q.opts.Backlog {
		q.drop(g, g.order.Front())
	}
	if len(got) > 0 {
		q.trim(t)
	}
	return got, t.news, wait, nil
}

// Ack takes messages off the group's pending list; ids it does not know are
// passed over, since they were acknowledged before.
func (q *Queue) Ack(ctx context.Context, name queue.Topic, groupName string, ids ...string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.shut {
		return errClosed()
	}
	g := q.topic(name).groups[groupName]
	if g == nil {
		return nil
	}
	for _, id := range ids {
		if el := g.pending[id]; el != nil {
			g.order.Remove(el)
			delete(g.pending, id)
		}
	}
	return nil
}

// Close ends all waiting receives; what was not received is forgotten.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.shut {
		q.shut = true
		q.topics = nil
		close(q.closed)
	}
	return nil
}

func errClosed() error { return petrel.Errorf(petrel.Unavailable, "The queue is closed.") }

func (q *Queue) topic(name queue.Topic) *topic {
	t := q.topics[name]
	if t == nil {
		t = &topic{first: 1, groups: map[string]*group{}, news: make(chan struct{})}
		q.topics[name] = t
	}
	return t
}

func (q *Queue) drop(g *group, el *list.Element) {
	d := el.Value.(*delivery)
	g.order.Remove(el)
	delete(g.pending, d.id)
	q.lost++
}

// trim forgets entries: those that every group has had, but for the last few
// that a new group is to find, and the oldest when a group is too far behind.
func (q *Queue) trim(t *topic) {
	end := t.first + int64(len(t.entries))
	slowest := end
	for _, g := range t.groups {
		slowest = min(slowest, g.next)
	}
	keep := end - int64(q.opts.Retain)
	if len(t.groups) == 0 || slowest < keep {
		keep = slowest
	}
	if len(t.groups) == 0 {
		keep = t.first
	}
	if oldest := end - int64(q.opts.Backlog); keep < oldest {
		keep = oldest
		for _, g := range t.groups {
			if g.next < keep {
				q.lost += keep - g.next
				g.next = keep
			}
		}
	}
	// Cutting costs a copy; it is done when a quarter can go.
	cut := keep - t.first
	if cut <= int64(len(t.entries))/4 {
		return
	}
	if len(t.groups) == 0 {
		q.lost += cut
	}
	t.entries = append([]entry(nil), t.entries[cut:]...)
	t.first = keep
}

func (t *topic) ring() {
	close(t.news)
	t.news = make(chan struct{})
}
