package relational

import (
	"context"

	"petrel"
	"petrel/storage"
	"petrel/storage/rows"
)

func checkAudit(e petrel.AuditEntry) error {
	var c rows.Check
	c.ID("audit.id", e.ID)
	c.Name("audit.user", e.User)
	c.Name("audit.target", e.Target)
	c.Name("audit.action", e.Action)
	c.Text("audit.chat", e.Chat)
	c.Text("audit.from", e.From)
	c.Text("audit.reason", e.Reason)
	c.Text("audit.request_id", e.RequestID)
	return c.Err()
}

// AuditInsert is the statement that stores an entry; AuditArgs are its arguments.
const AuditInsert = `insert into audit (id, at, user_name, chat, came_from, action, target, allowed, reason, request_id, arguments)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

// AuditArgs are the arguments of AuditInsert.
func AuditArgs(e petrel.AuditEntry) []any {
	return []any{string(e.ID), rows.Micros(e.At), e.User, e.Chat, e.From, e.Action, e.Target, e.Allowed, e.Reason, e.RequestID, packed(e.Arguments)}
}

// audit stores entries with the change they tell of.
func audit(ctx context.Context, q Query, entries []petrel.AuditEntry) error {
	for _, e := range entries {
		if err := checkAudit(e); err != nil {
			return err
		}
		if _, err := q.Exec(ctx, AuditInsert, AuditArgs(e)...); err != nil {
			return err
		}
	}
	return nil
}

// AppendAudit stores entries.
func (a Admin) AppendAudit(ctx context.Context, entries ...petrel.AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	return a.Write(ctx, Rest, func(ctx context.Context, q Query) error { return audit(ctx, q, entries) })
}

// AuditList gives the entries that pass, newest first.
func (a Admin) AuditList(ctx context.Context, f storage.AuditFilter) ([]petrel.AuditEntry, error) {
	var all []petrel.AuditEntry
	err := a.Read(ctx, func(ctx context.Context, q Query) error {
		all = nil
		w := &where{q: q}
		if f.User != "" {
			w.add("user_name = %s", f.User)
		}
		if f.Action != "" {
			w.add("action = %s", f.Action)
		}
		if f.Target != "" {
			w.add("target = %s", f.Target)
		}
		if f.Allowed != nil {
			w.add("allowed = %s", *f.Allowed)
		}
		if !f.From.IsZero() {
			w.add("at >= %s", rows.Micros(f.From))
		}
		if !f.To.IsZero() {
			w.add("at <= %s", rows.Micros(f.To))
		}
		if f.AfterID != "" {
			w.add("seq < (select seq from audit where id = %s)", string(f.AfterID))
		}
		query := `select id, at, user_name, chat, came_from, action, target, allowed, reason, request_id, arguments from audit` +
			w.sql() + ` order by seq desc` + w.page(f.Limit, 0)
		return each(ctx, q, func(scan func(...any) error) error {
			var e petrel.AuditEntry
			var id string
			var at int64
			var arguments []byte
			if err := scan(&id, &at, &e.User, &e.Chat, &e.From, &e.Action, &e.Target, &e.Allowed, &e.Reason, &e.RequestID, &arguments); err != nil {
				return err
			}
			value, err := rows.Unpack(arguments)
			e.ID, e.At, e.Arguments = petrel.ID(id), rows.Time(at), value
			all = append(all, e)
			return err
		}, query, w.args...)
	})
	return all, err
}
