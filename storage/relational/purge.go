package relational

import (
	"context"
	"time"

	"petrel/storage/rows"
)

// purgeStep is how many trees one transaction removes, so that none holds the
// writer for long.
const purgeStep = 10

// PurgeExecutions removes whole trees of final runs that ended before a time.
func (s Store) PurgeExecutions(ctx context.Context, before time.Time, limit int) (int, error) {
	removed := 0
	var afterEnd int64 = -1
	afterID := ""
	for removed < limit {
		step := min(purgeStep, limit-removed)
		var n, seen int
		var lastEnd int64
		var lastID string
		err := s.Write(ctx, Rest, func(ctx context.Context, q Query) error {
			n, seen = 0, 0
			type root struct {
				id  string
				end int64
			}
			var roots []root
			err := each(ctx, q, func(scan func(...any) error) error {
				var r root
				err := scan(&r.id, &r.end)
				roots = append(roots, r)
				return err
			}, `select id, ended_at from execution where parent = '' and status is not null and ended_at < $1 and (ended_at, id) > ($2, $3)
				order by ended_at, id limit $4`, rows.Micros(before), afterEnd, afterID, step)
			if err != nil {
				return err
			}
			for _, r := range roots {
				seen++
				lastEnd, lastID = r.end, r.id
				gone, err := purgeTree(ctx, q, r.id, rows.Micros(before))
				if err != nil {
					return err
				}
				if gone {
					n++
				}
			}
			return nil
		})
		if err != nil {
			return removed, err
		}
		removed += n
		afterEnd, afterID = lastEnd, lastID
		if seen < step {
			break
		}
	}
	if removed == 0 {
		return 0, nil
	}
	return removed, s.purgeDocs(ctx)
}

// purgeTree removes a run with all below it, unless something in the tree is
// not final or ended later.
func purgeTree(ctx context.Context, q Query, root string, before int64) (bool, error) {
	var ids []string
	whole := true
	err := each(ctx, q, func(scan func(...any) error) error {
		var id string
		var status *string
		var ended int64
		err := scan(&id, &status, &ended)
		ids = append(ids, id)
		whole = whole && status != nil && ended < before
		return err
	}, `with recursive tree(id) as (select id from execution where id = $1 union select e.id from execution e join tree t on e.parent = t.id and e.parent <> '')
		select e.id, e.status, e.ended_at from execution e join tree t on t.id = e.id`, root)
	if err != nil || !whole || len(ids) == 0 {
		return false, err
	}
	list := q.List(ids)
	for _, sql := range []string{
		`delete from output where ` + q.In("execution_id", 1),
		`delete from post where execution_id <> '' and ` + q.In("execution_id", 1),
		`delete from token where execution_id <> '' and ` + q.In("execution_id", 1),
		`delete from execution where status is not null and ` + q.In("id", 1),
	} {
		if _, err := q.Exec(ctx, sql, list); err != nil {
			return false, err
		}
	}
	return true, nil
}

// purgeDocs removes the copies that no run refers to any more. A run is never
// newer than the "used" of its docs plus DocTouch, so a doc older than the
// oldest run that is left has no run; DocMargin keeps those that a run not yet
// committed may use.
func (s Store) purgeDocs(ctx context.Context) error {
	err := s.Write(ctx, Rest, func(ctx context.Context, q Query) error {
		now, err := q.Now(ctx)
		if err != nil {
			return err
		}
		var oldest *int64
		if _, err := one(ctx, q, []any{&oldest}, `select min(started_at) from execution`); err != nil {
			return err
		}
		limit := now - rows.DocMargin
		if oldest != nil {
			limit = min(limit, *oldest-rows.DocTouch)
		}
		_, err = q.Exec(ctx, `delete from doc where used < $1`, limit)
		return err
	})
	s.Docs.Forget()
	return err
}
