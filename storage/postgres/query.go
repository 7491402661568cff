package postgres

import (
	"context"
	"errors"
	"io"

	"github.com/jackc/pgx/v5"

	"petrel/storage/relational"
)

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// query runs statements on one connection for relational.
type query struct {
	conn *pgx.Conn
	now  int64 // of the database when the transaction began; 0 when nobody asked
}

func (q *query) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	tag, err := q.conn.Exec(ctx, text, args...)
	return tag.RowsAffected(), q.lost(err)
}

func (q *query) Rows(ctx context.Context, text string, args ...any) (relational.Result, error) {
	result, err := q.conn.Query(ctx, text, args...)
	if err != nil {
		return nil, q.lost(err)
	}
	return result, nil
}

// lost marks an error that came with the end of the connection.
func (q *query) lost(err error) error {
	if err != nil && q.conn.IsClosed() && sqlState(err) == "" && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return errors.Join(errConnection, err)
	}
	return err
}

const nowSQL = `select (extract(epoch from clock_timestamp()) * 1000000)::bigint`

// Now is the server's clock, read once in a transaction.
func (q *query) Now(ctx context.Context) (int64, error) {
	if q.now == 0 {
		if err := q.conn.QueryRow(ctx, nowSQL).Scan(&q.now); err != nil {
			return 0, q.lost(err)
		}
	}
	return q.now, nil
}

func (q *query) In(column string, parameter int) string {
	return column + " = any($" + itoa(parameter) + ")"
}
func (q *query) List(texts []string) any { return texts }
func (q *query) Lock() string            { return " for update" }
func (q *query) LockFree() string        { return " for update skip locked" }

func (q *query) Exclusive(ctx context.Context, name string) error {
	_, err := q.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('petrel ' || current_schema() || ' ' || $1, 0))`, name)
	return err
}

// send runs statements in one round trip and gives how many rows each changed.
func (q *query) send(ctx context.Context, batch *pgx.Batch) ([]int64, error) {
	if batch.Len() == 0 {
		return nil, nil
	}
	results := q.conn.SendBatch(ctx, batch)
	changed := make([]int64, batch.Len())
	for i := range changed {
		tag, err := results.Exec()
		if err != nil {
			_ = results.Close() // says the same
			return nil, q.lost(err)
		}
		changed[i] = tag.RowsAffected()
	}
	return changed, q.lost(results.Close())
}

// ids reads the one text column of a statement.
func (q *query) ids(ctx context.Context, text string, args ...any) (map[string]bool, error) {
	result, err := q.conn.Query(ctx, text, args...)
	if err != nil {
		return nil, q.lost(err)
	}
	found := make(map[string]bool)
	var id string
	_, err = pgx.ForEachRow(result, []any{&id}, func() error {
		found[id] = true
		return nil
	})
	return found, q.lost(err)
}
