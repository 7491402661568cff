package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"petrel"
	"petrel/storage/relational"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Read runs a function over one consistent view of the database.
func (s *Store) Read(ctx context.Context, do func(ctx context.Context, q relational.Query) error) error {
	if err := relational.Nested(ctx); err != nil {
		return err
	}
	if s.ended.Load() {
		return errClosed
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	return mapError(s.repeat(ctx, func() error {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		q := &query{conn: conn.Conn()}
		tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
		if err != nil {
			return q.lost(err)
		}
		defer s.rollback(ctx, tx)
		return do(ctx, q)
	}))
}

// rollback ends a transaction that is not to be kept. A connection on which
// that fails is closed by the pool.
func (s *Store) rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = tx.Rollback(ctx)
}

// Write runs a function in a transaction of its own.
func (s *Store) Write(ctx context.Context, class relational.Class, do func(ctx context.Context, q relational.Query) error) error {
	return mapError(s.transact(ctx, class, func(ctx context.Context, q *query) error { return do(ctx, q) }))
}

// repeat does something again, with growing pauses, while its errors say that it may
// succeed and there is time.
func (s *Store) repeat(ctx context.Context, do func() error) error {
	pause := 5 * time.Millisecond
	for {
		err := do()
		if !repeatable(err) {
			return err
		}
		s.metrics.repeats.Inc()
		if deadline, has := ctx.Deadline(); has && time.Until(deadline) < pause {
			return err
		}
		wait := time.NewTimer(pause/2 + mathrand.N(pause))
		select {
		case <-ctx.Done():
			wait.Stop()
			return err
		case <-wait.C:
		}
		pause = min(2*pause, time.Second)
	}
}

// transact runs a function in a transaction. It repeats what lost against
// another transaction or met a broken connection, and learns by the receipt
// what became of a commit without an answer before it repeats that.
func (s *Store) transact(ctx context.Context, class relational.Class, do func(ctx context.Context, q *query) error) error {
	if err := relational.Nested(ctx); err != nil {
		return err
	}
	if s.ended.Load() {
		return errClosed
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	pool := s.pool
	if class == relational.Lease {
		pool = s.leases
	}
	for {
		var unknown *unknownCommit
		err := s.repeat(ctx, func() error { return s.attempt(ctx, pool, do) })
		if !errors.As(err, &unknown) {
			if err == nil {
				s.metrics.transactions.WithLabelValues(outcomeCommitted).Inc()
			} else {
				s.metrics.transactions.WithLabelValues(outcomeUndone).Inc()
			}
			return err
		}
		committed, err := s.outcome(ctx, pool, unknown)
		s.options.Log.Warn("A commit had no answer and was looked up.", "receipt", unknown.receipt, "committed", committed, "error", err)
		switch {
		case err != nil:
			s.metrics.transactions.WithLabelValues(outcomeUnknown).Inc()
		case committed:
			s.metrics.transactions.WithLabelValues(outcomeLookedUp).Inc()
		default:
			s.metrics.transactions.WithLabelValues(outcomeLost).Inc()
		}
		if err != nil {
			return petrel.Wrap(petrel.Unknown, errors.Join(unknown.cause, err), "The database did not say whether the change was stored.")
		}
		if committed {
			return nil
		}
	}
}

// unknownCommit is a commit that was sent and not answered.
type unknownCommit struct {
	receipt string
	backend uint32
	cause   error
}

func (u *unknownCommit) Error() string { return "the commit was not answered: " + u.cause.Error() }

// attempt is one try of a transaction.
func (s *Store) attempt(ctx context.Context, pool *pgxpool.Pool, do func(ctx context.Context, q *query) error) (err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	q := &query{conn: conn.Conn()}
	receipt := newReceipt()
	committed := false
	defer func() {
		if p := recover(); p != nil {
			err = petrel.Wrap(petrel.Internal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()), "Internal Server Error")
		}
		if !committed && !q.conn.IsClosed() {
			after, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_, _ = q.conn.Exec(after, `rollback`) // a connection left in a transaction is closed by the pool
			if sqlState(err) == readOnlyState {
				_ = q.conn.Close(after) // the next one may lead to the server that takes writes now
			}
		}
	}()
	begin := &pgx.Batch{}
	begin.Queue(`begin`)
	begin.Queue(`with t as (`+nowSQL+` as now) insert into receipt (id, at) select $1, now from t returning at`, receipt)
	results := q.conn.SendBatch(ctx, begin)
	_, err = results.Exec()
	if err == nil {
		err = results.QueryRow().Scan(&q.now)
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return q.lost(err)
	}
	if err := do(relational.InWrite(ctx), q); err != nil {
		return err
	}
	// The commit has its own time: it is short, and giving it up only makes its
	// outcome unknown.
	commit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.Timeout/2)
	defer cancel()
	backend := q.conn.PgConn().PID()
	tag, err := q.conn.Exec(commit, `commit`)
	if err != nil {
		if state := sqlState(err); state != "" && !away(state) {
			return err // the server answered: it was not committed
		}
		committed = true // nothing to roll back
		_ = q.conn.Close(commit)
		return &unknownCommit{receipt: receipt, backend: backend, cause: err}
	}
	committed = true
	if tag.String() != "COMMIT" {
		return petrel.Errorf(petrel.Internal, "The database rolled back a transaction at its commit.")
	}
	return nil
}

func newReceipt() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails
	return hex.EncodeToString(raw[:])
}

// outcome learns whether a transaction was committed, by inserting its receipt:
// the insert waits for the transaction if it is still open, does nothing when
// the receipt is there (it was committed), and otherwise makes it impossible
// that it is committed later.
func (s *Store) outcome(ctx context.Context, pool *pgxpool.Pool, u *unknownCommit) (committed bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.Timeout)
	defer cancel()
	ended := false
	err = s.repeat(ctx, func() error {
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		q := &query{conn: conn.Conn()}
		if !ended {
			// A server that did not notice the broken connection would hold the
			// transaction open; a backend of that number that is not ours is of
			// another user or ended long ago.
			ended = true
			if _, err := q.Exec(ctx, `select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and usename = current_user and application_name = current_setting('application_name')
				and state = 'idle in transaction'`, int64(u.backend)); err != nil {
				return err
			}
		}
		var at int64
		err = q.conn.QueryRow(ctx, `insert into receipt (id, at) values ($1, 0) on conflict (id) do nothing returning at`, u.receipt).Scan(&at)
		if errors.Is(err, pgx.ErrNoRows) {
			committed = true
			return nil
		}
		committed = false
		return q.lost(err)
	})
	return committed, err
}

// savepoint runs a part that leaves nothing behind when it fails.
func (q *query) savepoint(ctx context.Context, do func() error) error {
	if _, err := q.Exec(ctx, `savepoint part`); err != nil {
		return err
	}
	err := do()
	if repeatable(err) || q.conn.IsClosed() {
		return err
	}
	if err != nil {
		if _, back := q.Exec(ctx, `rollback to savepoint part`); back != nil {
			return errors.Join(errConnection, back)
		}
	}
	if _, out := q.Exec(ctx, `release savepoint part`); out != nil {
		return errors.Join(errConnection, out)
	}
	return err
}
