package postgres

import (
	"context"
	"errors"
	"sync"

	"petrel"
	"petrel/storage"
	"petrel/storage/relational"
)

// group lets concurrent callers of one method share commits: while a batch is
// being committed the next one gathers; a caller that finds nothing in flight
// starts at once.
type group[T any] struct {
	// run stores a batch and answers for each element.
	run func(ctx context.Context, batch []T) []error
	// observe is told how many rows a batch has.
	observe func(rows float64)
	// size is an element's share of MaxBatchBytes.
	size func(T) int

	mu      sync.Mutex
	queue   []*groupCall[T]
	running bool
	closed  bool
	wg      sync.WaitGroup
}

type groupCall[T any] struct {
	batch []T
	errs  []error
	taken bool
	done  chan struct{}
}

// do stores elements together with those of other callers. A caller whose
// context ends takes back what was not taken into a batch; what was taken is
// waited for, because its outcome is known soon.
func (g *group[T]) do(ctx context.Context, batch []T) []error {
	if err := relational.Nested(ctx); err != nil {
		return same(err, len(batch))
	}
	var calls []*groupCall[T]
	for rest := batch; len(rest) > 0; {
		n, bytes := 0, 0
		for n < len(rest) && n < storage.MaxBatchRows && (n == 0 || bytes+g.size(rest[n]) <= storage.MaxBatchBytes) {
			bytes += g.size(rest[n])
			n++
		}
		calls = append(calls, &groupCall[T]{batch: rest[:n], done: make(chan struct{})})
		rest = rest[n:]
	}
	if len(calls) == 0 {
		return nil
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return same(errClosed, len(batch))
	}
	g.queue = append(g.queue, calls...)
	if !g.running {
		g.running = true
		g.wg.Add(1)
		go g.serve()
	}
	g.mu.Unlock()
	var errs []error
	for _, c := range calls {
		select {
		case <-c.done:
		case <-ctx.Done():
			if g.takeBack(c) {
				c.errs = same(mapError(ctx.Err()), len(c.batch))
			} else {
				<-c.done
			}
		}
		errs = append(errs, c.errs...)
	}
	return errs
}

func (g *group[T]) takeBack(c *groupCall[T]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.taken {
		return false
	}
	for i, waiting := range g.queue {
		if waiting == c {
			g.queue = append(g.queue[:i], g.queue[i+1:]...)
			break
		}
	}
	return true
}

// serve commits batches until nothing waits.
func (g *group[T]) serve() {
	defer g.wg.Done()
	for {
		g.mu.Lock()
		var calls []*groupCall[T]
		var batch []T
		bytes := 0
		for len(g.queue) > 0 {
			c := g.queue[0]
			more := 0
			for _, one := range c.batch {
				more += g.size(one)
			}
			if len(calls) > 0 && (len(batch)+len(c.batch) > storage.MaxBatchRows || bytes+more > storage.MaxBatchBytes) {
				break
			}
			c.taken = true
			g.queue = g.queue[1:]
			calls, batch, bytes = append(calls, c), append(batch, c.batch...), bytes+more
		}
		if len(calls) == 0 {
			g.running = false
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		g.observe(float64(len(batch)))
		errs := g.run(context.Background(), batch)
		for _, c := range calls {
			c.errs, errs = errs[:len(c.batch):len(c.batch)], errs[len(c.batch):]
			close(c.done)
		}
	}
}

// groups are the methods whose callers share commits.
type groups struct {
	request group[*requested]
	start   group[storage.Start]
	finish  group[storage.Finish]
	output  group[ownedChunk]
	each    [relational.Classes]group[part]
}

func (g *groups) open(s *Store) {
	g.request.run, g.request.size = s.requestAll, requestedSize
	g.start.run, g.start.size = s.startAll, func(storage.Start) int { return 200 }
	g.finish.run, g.finish.size = s.finishAll, func(f storage.Finish) int { return 200 + len(f.Result) + len(f.MergeContext) }
	g.output.run, g.output.size = s.outputAll, func(o ownedChunk) int { return 200 + len(o.Data) }
	observe := s.metrics.group.Observe
	g.request.observe, g.start.observe, g.finish.observe, g.output.observe = observe, observe, observe, observe
	for class := range g.each {
		g.each[class].observe = observe
		g.each[class].run = func(ctx context.Context, batch []part) []error { return s.eachAll(ctx, relational.Class(class), batch) }
		g.each[class].size = func(part) int { return 1 << 10 }
	}
}

// close refuses further batches and ends when none is under way.
func (g *groups) close() {
	g.request.close()
	g.start.close()
	g.finish.close()
	g.output.close()
	for class := range g.each {
		g.each[class].close()
	}
}

func (g *group[T]) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.wg.Wait()
}

// same answers for n elements alike.
func same(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

var errHalve = errors.New("the batch cannot be stored in one piece")

// halves stores a batch with one transaction. When that fails for the rows in
// it, each half is tried alone, until the row at fault stands alone and goes
// to single, which answers for it exactly.
func halves[T any](batch []T, together func(batch []T) ([]error, error), single func(one T) error) []error {
	if len(batch) == 1 {
		return []error{single(batch[0])}
	}
	errs, err := together(batch)
	switch {
	case err == nil:
		return errs
	case errors.Is(err, errHalve), dataFault(err):
		middle := len(batch) / 2
		return append(halves(batch[:middle], together, single), halves(batch[middle:], together, single)...)
	}
	return same(mapError(err), len(batch))
}

// distinct cuts a batch into parts in which no key occurs twice, so that a
// statement over a set never meets a row twice. The parts keep the order.
func distinct[T any](batch []T, keys func(T) []string) [][]T {
	var parts [][]T
	seen := make(map[string]bool)
	from := 0
	for i, one := range batch {
		of := keys(one)
		for _, k := range of {
			if seen[k] {
				parts = append(parts, batch[from:i])
				from = i
				clear(seen)
				break
			}
		}
		for _, k := range of {
			seen[k] = true
		}
	}
	return append(parts, batch[from:])
}

// part is an element of Each.
type part func(ctx context.Context, q relational.Query) error

// Each runs a function for n elements; see relational.DB.
func (s *Store) Each(ctx context.Context, class relational.Class, n int, do func(ctx context.Context, q relational.Query, i int) error) []error {
	parts := make([]part, n)
	for i := range parts {
		parts[i] = func(ctx context.Context, q relational.Query) error { return do(ctx, q, i) }
	}
	return s.groups.each[class].do(ctx, parts)
}

// eachAll runs elements in one transaction: first all together, and when one
// is refused again, each in a savepoint of its own.
func (s *Store) eachAll(ctx context.Context, class relational.Class, batch []part) []error {
	errs := make([]error, len(batch))
	err := s.transact(ctx, class, func(ctx context.Context, q *query) error {
		for _, do := range batch {
			if err := do(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return errs
	}
	if len(batch) > 1 && !petrel.Is(err, petrel.Unknown) && petrel.KindOf(mapError(err)) != petrel.Unavailable {
		err = s.transact(ctx, class, func(ctx context.Context, q *query) error {
			for i, do := range batch {
				err := q.savepoint(ctx, func() error { return do(ctx, q) })
				if repeatable(err) || q.conn.IsClosed() {
					return err
				}
				errs[i] = mapError(err)
			}
			return nil
		})
		if err == nil {
			return errs
		}
	}
	return same(mapError(err), len(batch))
}
