package relational

import (
	"context"
	"fmt"
	"time"

	"petrel"
	"petrel/storage"
	"petrel/storage/rows"
)

// filter writes the conditions of an execution filter.
func (w *where) filter(f storage.ExecutionFilter) {
	in(w, "e.id", f.IDs)
	in(w, "e.action_ref", f.ActionRefs)
	in(w, "e.liveaction_id", f.LiveActionIDs)
	in(w, "e.parent", f.Parents)
	in(w, "e.runner", f.Runners)
	in(w, "e.user_name", f.Users)
	if len(f.Parents) > 0 {
		w.conds = append(w.conds, "e.parent <> ''") // names the index
	}
	if len(f.LiveActionIDs) > 0 {
		w.conds = append(w.conds, "e.liveaction_id <> ''")
	}
	if f.TopLevel {
		w.conds = append(w.conds, "e.parent = ''")
	}
	if f.HasParent {
		w.conds = append(w.conds, "e.parent <> ''")
	}
	if len(f.Statuses) > 0 {
		// A final status stands in the record, any other in the moving part.
		var final, moving []petrel.Status
		for _, s := range f.Statuses {
			if s.Final() {
				final = append(final, s)
			} else {
				moving = append(moving, s)
			}
		}
		switch {
		case len(moving) == 0:
			in(w, "e.status", final)
		case len(final) == 0:
			in(w, "l.status", moving)
		default:
			w.conds = append(w.conds, "("+w.inText("e.status", plain(final))+" or "+w.inText("l.status", plain(moving))+")")
		}
	}
	for _, t := range []struct {
		at   time.Time
		cond string
	}{{f.From, "e.started_at >= %s"}, {f.To, "e.started_at <= %s"}, {f.After, "e.started_at > %s"}, {f.Before, "e.started_at < %s"}} {
		if !t.at.IsZero() {
			w.add(t.cond, rows.Micros(t.at))
		}
	}
	if f.WorkflowExecution != "" {
		w.add("e.workflow_execution = %s and e.workflow_execution <> ''", string(f.WorkflowExecution))
	}
	if f.IdempotencyKey != "" {
		w.add("e.idempotency_key = %s", Searchable(f.IdempotencyKey))
	}
}

// orderColumns are the columns an ExecutionFilter can order by.
var orderColumns = map[string]string{
	"id": "e.id", "action": "e.action_ref", "status": "coalesce(l.status, e.status)", "runner": "e.runner", "user": "e.user_name",
	"parent": "e.parent", "liveaction": "e.liveaction_id",
}

// ExecutionList gives the runs that pass a filter.
func (s Store) ExecutionList(ctx context.Context, f storage.ExecutionFilter) ([]petrel.Execution, int, error) {
	var all []petrel.Execution
	total := -1
	err := s.Read(ctx, func(ctx context.Context, q Query) (err error) {
		total = -1
		w := &where{q: q}
		w.filter(f)
		if !f.NoTotal {
			if _, err := one(ctx, q, []any{&total}, `select count(*) from execution e left join live l on l.id = e.id`+w.sql(), w.args...); err != nil {
				return err
			}
		}
		order, past := " order by e.started_at desc, e.id desc", "<"
		if f.Ascending {
			order, past = " order by e.started_at, e.id", ">"
		}
		offset := f.Offset
		if f.OrderBy != "" {
			column, known := orderColumns[f.OrderBy]
			if !known {
				return rows.Invalid("order_by", "executions cannot be ordered by '%s'", rows.Shown(f.OrderBy))
			}
			order = " order by " + column
			if !f.Ascending {
				order += " desc"
			}
			order += ", e.id"
		}
		if f.AfterID != "" {
			w.add("(e.started_at, e.id) "+past+" (select a.started_at, a.id from execution a where a.id = %s)", Searchable(string(f.AfterID)))
			offset = 0
		}
		tail := w.sql() + order + w.page(f.Limit, offset)
		all, err = s.executions(ctx, q, !f.OmitResult, tail, w.args...)
		return err
	})
	return all, total, err
}

// ExecutionValues lists the distinct values of a column.
func (s Store) ExecutionValues(ctx context.Context, column string) ([]string, error) {
	// The recursive queries jump from value to value in an index instead of
	// reading every run.
	jump := func(table, column string) string {
		return fmt.Sprintf(`with recursive r(v) as (select min(%[2]s) from %[1]s union all select (select min(%[2]s) from %[1]s where %[2]s > r.v) from r where r.v is not null)
			select v from r where v is not null`, table, column)
	}
	var sql string
	switch column {
	case "action":
		sql = jump("execution", "action_ref")
	case "runner":
		sql = `select distinct runner from execution where runner <> '' order by runner`
	case "user":
		sql = `select distinct user_name from execution where user_name <> '' order by user_name`
	case "status":
		sql = `select status from execution where status is not null union select status from live order by 1`
	default:
		return nil, rows.Invalid("column", "executions have no column '%s' to list; the columns are action, status, runner, user", rows.Shown(column))
	}
	var all []string
	err := s.Read(ctx, func(ctx context.Context, q Query) (err error) {
		all, err = texts[string](ctx, q, sql)
		return err
	})
	return all, err
}
