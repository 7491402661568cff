package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"petrel"
	"petrel/storage/relational"
)

func itoa(n int) string { return strconv.Itoa(n) }

// A round is one transaction of the writer: it takes writes that wait until it
// has held the file for roundTime or has roundWrites, then commits them
// together. While the disk syncs the next round's writes gather, so that many
// callers share one commit; on an idle store a write is a round of its own at once.
const (
	roundTime   = 10 * time.Millisecond
	roundWrites = 512
	queueLength = 4096
)

// write is one caller's part of a round.
type write struct {
	ctx   context.Context
	do    func(ctx context.Context, q relational.Query) error
	state atomic.Int32
	err   error
	done  chan struct{}
}

// The states of a write: a caller whose context ends takes back one that waits;
// one that was taken is waited for, because it is in the file a moment later.
const (
	waiting = iota
	taken
	givenUp
)

// writer is the one connection that writes, served by one goroutine. Inbound
// writes (leases, chat events) go before the rest.
type writer struct {
	conn    *sql.Conn
	options Options
	queues  [relational.Classes]chan *write
	quit    chan struct{}
	ended   chan struct{}
	mu      sync.RWMutex // held while a write enters a queue, against stop
	stopped bool
	rounds  atomic.Int64
	restart atomic.Bool // asks for the write-ahead log to be started again
	stmts   map[string]*sql.Stmt
	metrics *metrics
}

func startWriter(conn *sql.Conn, options Options) *writer {
	w := &writer{conn: conn, options: options, quit: make(chan struct{}), ended: make(chan struct{}), stmts: make(map[string]*sql.Stmt)}
	for i := range w.queues {
		w.queues[i] = make(chan *write, queueLength)
	}
	w.metrics = newMetrics(options.Metrics, w.waiting)
	go w.loop()
	return w
}

// stop lets the writer do what it was given, then ends it.
func (w *writer) stop() {
	w.mu.Lock()
	if !w.stopped {
		w.stopped = true
		close(w.quit)
	}
	w.mu.Unlock()
	<-w.ended
	for _, s := range w.stmts {
		_ = s.Close()
	}
	// A connection that is kept is not closed with the pool, and only the last
	// one to close folds the write-ahead log into the file.
	_ = w.conn.Close()
}

func (w *writer) do(ctx context.Context, class relational.Class, do func(ctx context.Context, q relational.Query) error) error {
	ctx, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	j := &write{ctx: ctx, do: do, done: make(chan struct{})}
	if err := w.enter(ctx, class, j); err != nil {
		return err
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		if j.state.CompareAndSwap(waiting, givenUp) {
			return ctx.Err()
		}
		<-j.done
		return j.err
	}
}

func (w *writer) enter(ctx context.Context, class relational.Class, j *write) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.stopped {
		return errClosed
	}
	select {
	case w.queues[class] <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) loop() {
	defer close(w.ended)
	for {
		j := w.next()
		if j == nil {
			select {
			case j = <-w.queues[relational.Lease]:
			case j = <-w.queues[relational.Inbound]:
			case j = <-w.queues[relational.Rest]:
			case <-w.quit:
				for j := w.next(); j != nil; j = w.next() {
					w.round(j)
				}
				w.closeStatements()
				return
			}
		}
		w.round(j)
	}
}

// next is the write whose turn it is, nil when none waits.
func (w *writer) next() *write {
	for _, queue := range w.queues {
		select {
		case j := <-queue:
			return j
		default:
		}
	}
	return nil
}

// round commits a write and those that wait behind it.
func (w *writer) round(first *write) {
	var all []*write
	take := func(j *write) bool { return j.state.CompareAndSwap(waiting, taken) }
	if !take(first) {
		return
	}
	q := &query{run: w, now: w.options.Now}
	began := time.Now()
	err := w.begin()
	for j := first; err == nil && j != nil; {
		all = append(all, j)
		j.err = w.part(q, j)
		if err = q.broken; err != nil {
			break
		}
		j = nil
		for len(all) < roundWrites && time.Since(began) < roundTime {
			if j = w.next(); j == nil || take(j) {
				break
			}
			j = nil
		}
	}
	if len(all) == 0 {
		all = append(all, first)
	}
	if err == nil {
		err = w.exec("commit")
	}
	if err != nil {
		w.rollback()
		w.alone(all, err)
	}
	w.rounds.Add(1)
	w.metrics.ended(len(all), began)
	for _, j := range all {
		close(j.done)
	}
	if w.restart.CompareAndSwap(true, false) {
		w.restartLog()
	}
}

// restartLog copies what is left of the write-ahead log and starts it again.
// Readers in its way are waited for only shortly: the next round tries again.
func (w *writer) restartLog() {
	for _, text := range []string{"pragma busy_timeout = 10", "pragma wal_checkpoint(restart)", "pragma busy_timeout = 5000"} {
		if _, err := w.conn.ExecContext(context.Background(), text); err != nil {
			w.options.Log.Warn("The write-ahead log was not started again.", "error", err)
		}
	}
}

// alone runs the writes of a failed round again, each in a transaction of its
// own, so that one that cannot be stored (a value too big for a full disk) does
// not take the others with it.
func (w *writer) alone(all []*write, cause error) {
	w.metrics.failed.Inc()
	w.options.Log.Warn("A group of writes failed and is repeated one by one.", "writes", len(all), "error", cause)
	for _, j := range all {
		if j.err = w.begin(); j.err != nil {
			continue
		}
		q := &query{run: w, now: w.options.Now}
		j.err = w.part(q, j)
		if q.broken != nil {
			j.err = q.broken
		}
		if j.err == nil {
			j.err = w.exec("commit")
		}
		if j.err != nil {
			w.rollback()
		}
	}
}

// part runs one write inside the round.
func (w *writer) part(q *query, j *write) error {
	// The caller's context ends its wait, not a statement: an interrupt would end
	// the transaction of all.
	ctx := relational.InWrite(context.WithoutCancel(j.ctx))
	return q.inSavepoint(ctx, func() error { return j.do(ctx, q) })
}

// recovered makes an error of a panic: it ends the write that panicked, not the process.
func recovered(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = petrel.Wrap(petrel.Internal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()), "Internal Server Error")
		}
	}()
	return do()
}

func (w *writer) begin() error { return w.exec("begin immediate") }

func (w *writer) rollback() {
	if err := w.exec("rollback"); err != nil && code(err) != 1 { // 1: SQLite ended the transaction by itself
		w.options.Log.Error("A transaction could not be rolled back.", "error", err)
	}
}

func (w *writer) exec(text string) error {
	_, err := w.ExecContext(context.Background(), text)
	return err
}

// maxStatements bounds the prepared statements that are kept.
const maxStatements = 512

func (w *writer) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, found := w.stmts[text]; found {
		return s, nil
	}
	if len(w.stmts) >= maxStatements {
		w.closeStatements()
	}
	s, err := w.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	w.stmts[text] = s
	return s, nil
}

func (w *writer) closeStatements() {
	for text, s := range w.stmts {
		_ = s.Close() // the connection goes with it
		delete(w.stmts, text)
	}
}

// ExecContext runs a prepared statement; only the writer's goroutine calls it.
func (w *writer) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	s, err := w.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

// QueryContext runs a prepared query; only the writer's goroutine calls it.
func (w *writer) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	s, err := w.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// Commits is how many transactions the writer has ended: what the store's
// metrics and tests compare with the number of writes.
func (s *Store) Commits() int64 { return s.writer.rounds.Load() }

// Waiting is how many writes wait for their turn.
func (s *Store) Waiting() int { return s.writer.waiting() }

func (w *writer) waiting() int {
	n := 0
	for _, queue := range w.queues {
		n += len(queue)
	}
	return n
}
