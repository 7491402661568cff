package local

import (
	"context"
	"sync"

	"petrel"
	"petrel/queue"
)

// Feed is a queue.Feed inside one process.
type Feed struct {
	buffer int

	mu        sync.Mutex
	listeners map[*listener]struct{}
	cut       int64
	closed    bool
}

type listener struct {
	c    chan queue.Event
	stop func() bool // forgets the listener's context
	err  error       // under the feed's lock
	off  bool
}

var _ queue.Feed = (*Feed)(nil)

// DefaultFeedBuffer is how many events a listener may be behind.
const DefaultFeedBuffer = 4096

// NewFeed makes a feed; buffer is how many events a listener may be behind
// before it is cut off, DefaultFeedBuffer for 0.
func NewFeed(buffer int) *Feed {
	if buffer <= 0 {
		buffer = DefaultFeedBuffer
	}
	return &Feed{buffer: buffer, listeners: map[*listener]struct{}{}}
}

// Tell gives the events to everybody who listens; a listener without room for
// them is cut off instead.
func (f *Feed) Tell(ctx context.Context, events ...queue.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return petrel.Errorf(petrel.Unavailable, "The feed is closed.")
	}
	for l := range f.listeners {
		for _, e := range events {
			select {
			case l.c <- e:
				continue
			default:
			}
			f.cut++
			f.end(l, petrel.Errorf(petrel.TooMany, "The listener was cut off: it was more than %d events behind.", f.buffer))
			break
		}
	}
	return nil
}

// Listen gives events from now on until ctx ends.
func (f *Feed) Listen(ctx context.Context) (*queue.Subscription, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l := &listener{c: make(chan queue.Event, f.buffer)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, petrel.Errorf(petrel.Unavailable, "The feed is closed.")
	}
	f.listeners[l] = struct{}{}
	l.stop = context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.end(l, nil)
	})
	return &queue.Subscription{C: l.c, Err: func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		return l.err
	}}, nil
}

// Listeners is how many listen now.
func (f *Feed) Listeners() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.listeners)
}

// CutOff is how many listeners were cut off for being too slow.
func (f *Feed) CutOff() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cut
}

// Close ends all subscriptions.
func (f *Feed) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for l := range f.listeners {
		f.end(l, petrel.Errorf(petrel.Unavailable, "The feed is closed."))
	}
	return nil
}

// end closes a listener once; the caller holds the lock.
func (f *Feed) end(l *listener, why error) {
	if l.off {
		return
	}
	l.off, l.err = true, why
	delete(f.listeners, l)
	close(l.c)
	l.stop()
}
