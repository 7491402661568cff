package engine_test

import (
	"context"
	"sync"
	"time"

	"petrel"
	"petrel/storage"
)

// broken is a store whose answers can be made to go wrong, as those of a
// database behind a network do. It counts what it did.
type broken struct {
	storage.Store

	mu     sync.Mutex
	rules  map[string]*rule
	counts map[string]int
}

// rule says how calls of one method go wrong.
type rule struct {
	times  int  // how many calls; -1 for all
	commit bool // the call is done and its answer lost (Unknown); else it is not done (Unavailable)
}

func newBroken(s storage.Store) *broken {
	return &broken{Store: s, rules: map[string]*rule{}, counts: map[string]int{}}
}

// fail makes the next calls of a method answer Unavailable without effect.
func (b *broken) fail(method string, times int) { b.set(method, rule{times: times}) }

// lose makes the next calls of a method take effect and answer Unknown.
func (b *broken) lose(method string, times int) { b.set(method, rule{times: times, commit: true}) }

// heal ends what was set.
func (b *broken) heal(method string) { b.set(method, rule{}) }

func (b *broken) set(method string, r rule) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rules[method] = &r
}

// fired is how many calls of a method went wrong.
func (b *broken) fired(method string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts[method]
}

// next says how the next call of a method goes: whether it is done, and its
// error.
func (b *broken) next(method string) (do bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.rules[method]
	if r == nil || r.times == 0 {
		return true, nil
	}
	if r.times > 0 {
		r.times--
	}
	b.counts[method]++
	if r.commit {
		return true, petrel.Errorf(petrel.Unknown, "The answer of %s was lost.", method)
	}
	return false, petrel.Errorf(petrel.Unavailable, "The database is away.")
}

func (b *broken) Claim(ctx context.Context, c storage.Claim) ([]petrel.Execution, error) {
	b.mu.Lock()
	lost := b.rules["Claim"] != nil && b.rules["Claim"].commit
	b.mu.Unlock()
	if lost {
		// Only the answer to a claim that took something is worth losing.
		got, err := b.Store.Claim(ctx, c)
		if err == nil && len(got) > 0 {
			if _, err = b.next("Claim"); err != nil {
				return nil, err
			}
		}
		return got, err
	}
	if do, err := b.next("Claim"); !do {
		return nil, err
	}
	return b.Store.Claim(ctx, c)
}

func (b *broken) Start(ctx context.Context, batch []storage.Start) []error {
	do, err := b.next("Start")
	return b.each(do, err, len(batch), func() []error { return b.Store.Start(ctx, batch) })
}

func (b *broken) Finish(ctx context.Context, batch []storage.Finish) []error {
	do, err := b.next("Finish")
	return b.each(do, err, len(batch), func() []error { return b.Store.Finish(ctx, batch) })
}

func (b *broken) AppendOutput(ctx context.Context, owner string, batch []petrel.OutputChunk) []error {
	do, err := b.next("AppendOutput")
	return b.each(do, err, len(batch), func() []error { return b.Store.AppendOutput(ctx, owner, batch) })
}

func (b *broken) each(do bool, err error, n int, call func() []error) []error {
	var answers []error
	if do {
		answers = call()
	}
	if err == nil {
		return answers
	}
	answers = make([]error, n)
	for i := range answers {
		answers[i] = err
	}
	return answers
}

func (b *broken) RenewNode(ctx context.Context, incarnation string, lease time.Duration) error {
	do, err := b.next("RenewNode")
	if !do {
		return err
	}
	return b.Store.RenewNode(ctx, incarnation, lease)
}

func (b *broken) Held(ctx context.Context, owner string) ([]storage.Held, error) {
	do, err := b.next("Held")
	if !do {
		return nil, err
	}
	return b.Store.Held(ctx, owner)
}

func (b *broken) Generations(ctx context.Context) (map[storage.Kind]int64, error) {
	do, err := b.next("Generations")
	if !do {
		return nil, err
	}
	return b.Store.Generations(ctx)
}
