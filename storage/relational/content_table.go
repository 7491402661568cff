package relational

import (
	"context"
	"fmt"

	"petrel"
	"petrel/storage"
	"petrel/storage/rows"
)

// contentTable names the columns by which a table of content is filtered and
// ordered; an empty one does not filter.
type contentTable struct {
	pack, name, ref, order string
	enabled                bool
}

var byPack = contentTable{pack: "pack", name: "name", ref: "ref", order: "pack, name", enabled: true}

// get reads one piece of content.
func get[T any](ctx context.Context, a Admin, scan func(func(...any) error) (T, error), sql, what, key string) (T, error) {
	var got T
	err := a.Read(ctx, func(ctx context.Context, q Query) error {
		found := false
		err := each(ctx, q, func(row func(...any) error) (err error) {
			found = true
			got, err = scan(row)
			return err
		}, sql, Searchable(key))
		if err == nil && !found {
			return notFound("The %s '%s' cannot be found.", what, rows.Shown(key))
		}
		return err
	})
	return got, err
}

// list reads content that passes a filter, and how much passes without its limit.
func list[T any](ctx context.Context, a Admin, scan func(func(...any) error) (T, error), columns, table string, t contentTable, f storage.ContentFilter) ([]T, int, error) {
	var all []T
	total := 0
	err := a.Read(ctx, func(ctx context.Context, q Query) error {
		all, total = nil, 0
		w := &where{q: q}
		in(w, "id", f.IDs)
		if t.pack != "" {
			in(w, t.pack, f.Packs)
		}
		if t.name != "" {
			in(w, t.name, f.Names)
		}
		if t.ref != "" {
			in(w, t.ref, f.Refs)
		}
		if t.enabled && f.Enabled != nil {
			w.add("enabled = %s", *f.Enabled)
		}
		if f.Limit > 0 || f.Offset > 0 {
			if _, err := one(ctx, q, []any{&total}, `select count(*) from `+table+w.sql(), w.args...); err != nil {
				return err
			}
		}
		query := `select ` + columns + ` from ` + table + w.sql() + ` order by ` + t.order + w.page(f.Limit, f.Offset)
		err := each(ctx, q, func(row func(...any) error) error {
			got, err := scan(row)
			if err == nil {
				all = append(all, got)
			}
			return err
		}, query, w.args...)
		if f.Limit <= 0 && f.Offset <= 0 {
			total = len(all)
		}
		return err
	})
	return all, total, err
}

// create runs an insert that does nothing when the id or ref is taken.
func create(ctx context.Context, q Query, table string, id petrel.ID, ref petrel.Ref, insert string, args ...any) error {
	n, err := q.Exec(ctx, insert, args...)
	if err != nil || n > 0 {
		return err
	}
	return taken(ctx, q, table, id, ref)
}

// update runs an update by id after a look whether the ref is another's.
func update(ctx context.Context, q Query, table string, id petrel.ID, ref petrel.Ref, sql string, args ...any) error {
	var other string
	found, err := one(ctx, q, []any{&other}, `select id from `+table+` where ref = $1 and id <> $2`, string(ref), string(id))
	if err != nil {
		return err
	}
	if found {
		return conflict(petrel.ID(other), "There is already '%s' with id %s.", ref, other)
	}
	n, err := q.Exec(ctx, sql, args...)
	if err == nil && n == 0 {
		return notFound("Id %s cannot be found.", id)
	}
	return err
}

func taken(ctx context.Context, q Query, table string, id petrel.ID, ref petrel.Ref) error {
	var other string
	if _, err := one(ctx, q, []any{&other}, `select id from `+table+` where ref = $1 or id = $2 order by ref = $1 desc limit 1`, string(ref), string(id)); err != nil {
		return err
	}
	return conflict(petrel.ID(other), "There is already '%s' with id %s.", ref, other)
}

// remove deletes one row.
func remove(ctx context.Context, q Query, table, column, key string) error {
	n, err := q.Exec(ctx, fmt.Sprintf(`delete from %s where %s = $1`, table, column), Searchable(key))
	if err == nil && n == 0 {
		return notFound("'%s' cannot be found.", rows.Shown(key))
	}
	return err
}
