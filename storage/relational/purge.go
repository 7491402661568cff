package relational

import (
	"context"
	"time"

	"petrel/storage/rows"
)

// How many roots are looked at in one read, and how many runs one transaction
// removes, so that none holds the writer for long.
const (
	purgeRoots = 50
	purgeRuns  = 100
)

// PurgeExecutions removes whole trees of final runs that ended before a time. A
// tree goes from its leaves to its root, in small transactions: one that was
// cut off is gone on with by the next call.
func (s Store) PurgeExecutions(ctx context.Context, before time.Time, limit int) (int, error) {
	removed := 0
	last := purgeRoot{end: -1}
	for removed < limit {
		roots, err := s.purgeRoots(ctx, rows.Micros(before), last)
		if err != nil {
			return removed, err
		}
		for _, r := range roots {
			last = r
			ids, err := s.purgeable(ctx, r.id, rows.Micros(before))
			if err != nil {
				return removed, err
			}
			if len(ids) == 0 {
				continue
			}
			for end := len(ids); end > 0; end -= purgeRuns {
				if err := s.purgeRuns(ctx, ids[max(0, end-purgeRuns):end]); err != nil {
					return removed, err
				}
			}
			if removed++; removed == limit {
				break
			}
		}
		if len(roots) < purgeRoots {
			break
		}
	}
	if removed == 0 {
		return 0, nil
	}
	return removed, s.purgeDocs(ctx)
}

type purgeRoot struct {
	id  string
	end int64
}

// purgeRoots reads roots that ended before a time, behind another one.
func (s Store) purgeRoots(ctx context.Context, before int64, after purgeRoot) ([]purgeRoot, error) {
	var roots []purgeRoot
	err := s.Read(ctx, func(ctx context.Context, q Query) error {
		roots = nil
		return each(ctx, q, func(scan func(...any) error) error {
			var r purgeRoot
			err := scan(&r.id, &r.end)
			roots = append(roots, r)
			return err
		}, `select id, ended_at from execution where parent = '' and status is not null and ended_at < $1 and (ended_at, id) > ($2, $3)
			order by ended_at, id limit $4`, before, after.end, after.id, purgeRoots)
	})
	return roots, err
}

// purgeable lists the runs of a tree, parents before children; none when
// something in it is not final or ended later. Final runs stay as they are, so the
// answer holds.
func (s Store) purgeable(ctx context.Context, root string, before int64) ([]string, error) {
	var ids []string
	err := s.Read(ctx, func(ctx context.Context, q Query) error {
		ids = nil
		whole := true
		err := each(ctx, q, func(scan func(...any) error) error {
			var id string
			var status *string
			var ended int64
			err := scan(&id, &status, &ended)
			ids = append(ids, id)
			whole = whole && status != nil && ended < before
			return err
		}, `with recursive tree(id, depth) as (select id, 0 from execution where id = $1
				union select e.id, t.depth + 1 from execution e join tree t on e.parent = t.id and e.parent <> '')
			select e.id, e.status, e.ended_at from execution e join tree t on t.id = e.id order by t.depth`, root)
		if !whole {
			ids = nil
		}
		return err
	})
	return ids, err
}

// purgeRuns removes final runs with what belongs to them.
func (s Store) purgeRuns(ctx context.Context, ids []string) error {
	return s.Write(ctx, Rest, func(ctx context.Context, q Query) error {
		list := q.List(ids)
		for _, sql := range []string{
			`delete from output where ` + q.In("execution_id", 1),
			`delete from post where execution_id <> '' and ` + q.In("execution_id", 1),
			`delete from token where execution_id <> '' and ` + q.In("execution_id", 1),
			`delete from execution where status is not null and ` + q.In("id", 1),
		} {
			if _, err := q.Exec(ctx, sql, list); err != nil {
				return err
			}
		}
		return nil
	})
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
