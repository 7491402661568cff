package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"petrel"
	"petrel/storage/relational"
)

// runner is what a transaction of a reader and the writer's connection have in common.
type runner interface {
	ExecContext(ctx context.Context, sql string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, sql string, args ...any) (*sql.Rows, error)
}

// query runs statements for relational.
type query struct {
	run runner
	now func() time.Time
	// broken is set when a statement failed in a way that may have ended the
	// whole transaction.
	broken error
}

func (q *query) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	if q.broken != nil {
		return 0, q.broken
	}
	result, err := q.run.ExecContext(ctx, text, args...)
	if err != nil {
		if broken(err) {
			q.broken = err
		}
		return 0, err
	}
	return result.RowsAffected()
}

func (q *query) Rows(ctx context.Context, text string, args ...any) (relational.Result, error) {
	if q.broken != nil {
		return nil, q.broken
	}
	result, err := q.run.QueryContext(ctx, text, args...)
	if err != nil {
		if broken(err) {
			q.broken = err
		}
		return nil, err
	}
	return resultSet{result}, nil
}

// Now is the process's clock: the database has no other.
func (q *query) Now(context.Context) (int64, error) { return q.now().UnixMicro(), nil }

func (q *query) In(column string, parameter int) string {
	return column + " in (select value from json_each(" + number(parameter) + "))"
}

// List writes the texts as a JSON list; texts are checked before they come here.
func (q *query) List(texts []string) any {
	list, err := json.Marshal(texts)
	if err != nil {
		panic("sqlite: a list of texts cannot be written as JSON: " + err.Error())
	}
	return string(list)
}

// Lock, LockFree and Exclusive have nothing to do: there is one writer.
func (q *query) Lock() string                            { return "" }
func (q *query) LockFree() string                        { return "" }
func (q *query) Exclusive(context.Context, string) error { return nil }

// inSavepoint runs a part that leaves nothing behind when it fails.
func (q *query) inSavepoint(ctx context.Context, do func() error) error {
	if _, err := q.Exec(ctx, `savepoint part`); err != nil {
		return err
	}
	err := recovered(do)
	if q.broken != nil {
		return q.broken
	}
	if err != nil {
		if _, back := q.Exec(ctx, `rollback to part`); back != nil {
			q.broken = back
			return back
		}
	}
	if _, out := q.Exec(ctx, `release part`); out != nil {
		q.broken = out
		return out
	}
	return err
}

type resultSet struct{ *sql.Rows }

func (r resultSet) Close() { _ = r.Rows.Close() } // what went wrong is in Err

func number(n int) string { return "$" + itoa(n) }

// code is SQLite's primary error code, 0 when the error is not SQLite's.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// broken says whether an error may have ended the whole transaction, or will
// meet every other statement too.
// https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
func broken(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_INTERRUPT,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return true
	}
	return errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone)
}

// mapError gives an error of the database its kind.
func mapError(err error) error {
	if err == nil {
		return nil
	}
	var known *petrel.Error
	if errors.As(err, &known) {
		return err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return petrel.Wrap(petrel.Unavailable, err, "The database answers too late.")
	case errors.Is(err, context.Canceled):
		return petrel.Wrap(petrel.Unavailable, err, "The call was given up.")
	case code(err) == sqlite3.SQLITE_FULL:
		return petrel.Wrap(petrel.Unavailable, err, "The disk of the database is full.")
	case code(err) == sqlite3.SQLITE_CONSTRAINT:
		return petrel.Wrap(petrel.Conflict, err, "The database refuses the change.")
	case code(err) == sqlite3.SQLITE_TOOBIG, code(err) == sqlite3.SQLITE_MISMATCH, code(err) == sqlite3.SQLITE_RANGE:
		return petrel.Wrap(petrel.Invalid, err, "The database cannot hold the value.")
	case broken(err):
		return petrel.Wrap(petrel.Unavailable, err, "The database cannot be used now.")
	}
	return petrel.Wrap(petrel.Internal, err, "The database answered with an error.")
}
