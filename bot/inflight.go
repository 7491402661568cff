package bot

import (
	"context"
	"sync"
	"time"

	"petrel"
)

// inFlight knows what this process has in hand.
type inFlight struct {
	mu      sync.Mutex
	ids     map[petrel.ID]bool
	suspect map[petrel.ID]bool // held and not in hand at the last look
}

// enter takes something in hand; false when it is already.
func (f *inFlight) enter(id petrel.ID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ids[id] {
		return false
	}
	if f.ids == nil {
		f.ids = map[petrel.ID]bool{}
	}
	f.ids[id] = true
	return true
}

func (f *inFlight) leave(id petrel.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.ids, id)
}

// lost picks what is held and was not in hand at this look and the one before.
func lost[T any](f *inFlight, held []T, id func(T) petrel.ID) []T {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.suspect
	f.suspect = map[petrel.ID]bool{}
	var out []T
	for _, h := range held {
		switch id := id(h); {
		case f.ids[id]:
		case before[id]:
			out = append(out, h)
		default:
			f.suspect[id] = true
		}
	}
	return out
}

// heldEvents are events that are this node's and that nobody handles: the
// answer to their claim was lost. They are called so at the second look,
// because a claim may have been answered between the two.
func (b *Bot) heldEvents(ctx context.Context, owner string) []petrel.ChatEvent {
	events, _, err := b.cfg.Store.HeldChats(ctx, owner)
	if err != nil {
		return nil
	}
	return lost(&b.handling, events, func(e petrel.ChatEvent) petrel.ID { return e.ID })
}

// retries tries events again that had to wait.
type retries struct {
	mu    sync.Mutex
	tries map[petrel.ID]int
}

func (r *retries) later(ctx context.Context, id petrel.ID, do func()) {
	r.mu.Lock()
	if r.tries == nil {
		r.tries = map[petrel.ID]int{}
	}
	n := r.tries[id]
	r.tries[id] = n + 1
	r.mu.Unlock()
	pause := min(retryMax, time.Second<<min(n, 10))
	go func() {
		wait(ctx, pause)
		if ctx.Err() == nil {
			do()
		}
	}()
}

func (r *retries) done(id petrel.ID) {
	r.mu.Lock()
	delete(r.tries, id)
	r.mu.Unlock()
}
