package relational

import (
	"context"
	"time"

	"petrel"
	"petrel/storage"
	"petrel/storage/rows"
)

// dedupWindow is how long the key of a chat event stands for it.
const dedupWindow = 24 * time.Hour

// PutChatEvents stores events.
func (s Store) PutChatEvents(ctx context.Context, batch []petrel.ChatEvent) []storage.Requested {
	out := make([]storage.Requested, len(batch))
	errs := s.Each(ctx, Inbound, len(batch), func(ctx context.Context, q Query, i int) error {
		id, existing, err := putEvent(ctx, q, batch[i])
		out[i] = storage.Requested{ID: id, Existing: existing}
		return err
	})
	for i, err := range errs {
		out[i].Err = err
		if err != nil {
			out[i].ID, out[i].Existing = batch[i].ID, false
		}
	}
	return out
}

func putEvent(ctx context.Context, q Query, e petrel.ChatEvent) (petrel.ID, bool, error) {
	if e.State == "" {
		e.State = petrel.ChatEventNew
	}
	if err := rows.CheckEvent(e); err != nil {
		return "", false, err
	}
	if e.State != petrel.ChatEventNew && e.State != petrel.ChatEventDone {
		return "", false, rows.Invalid("state", "'%s' is not a state of a chat event", rows.Shown(string(e.State)))
	}
	now, err := q.Now(ctx)
	if err != nil {
		return "", false, err
	}
	insert := func() (int64, error) {
		return q.Exec(ctx, `insert into chat_event (id, key, adapter, workspace, chat_user, channel, thread, kind, at, stored_at, owner, attempt, state, outcome, text, payload)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) on conflict do nothing`,
			string(e.ID), nullable(e.Key), e.Adapter, e.Identity.Workspace, e.Identity.User, e.Channel, e.Thread, e.Kind, rows.Micros(e.At), now,
			e.Owner, e.Attempt, string(e.State), rows.ShortText(e.Outcome), packed([]byte(e.Text)), packed(e.Payload))
	}
	for range 3 { // more than once only when a key runs out while others use it
		n, err := insert()
		if err != nil || n > 0 {
			return e.ID, false, err
		}
		if e.Key == "" {
			break
		}
		var first string
		var stored int64
		found, err := one(ctx, q, []any{&first, &stored}, `select id, stored_at from chat_event where key = $1`, e.Key)
		if err != nil {
			return "", false, err
		}
		if !found {
			break
		}
		if stored >= now-dedupWindow.Microseconds() {
			return petrel.ID(first), true, nil
		}
		// The key has run out and stands for a new event from now on.
		if _, err := q.Exec(ctx, `update chat_event set key = null where id = $1`, first); err != nil {
			return "", false, err
		}
	}
	return "", false, conflict(e.ID, "There is already a chat event with id %s.", e.ID)
}

const eventColumns = `id, coalesce(key, ''), adapter, workspace, chat_user, channel, thread, kind, at, owner, attempt, state, outcome, text, payload`

func scanEvent(scan func(...any) error) (petrel.ChatEvent, error) {
	var e petrel.ChatEvent
	var id, state string
	var at int64
	var text, payload []byte
	err := scan(&id, &e.Key, &e.Adapter, &e.Identity.Workspace, &e.Identity.User, &e.Channel, &e.Thread, &e.Kind, &at, &e.Owner, &e.Attempt, &state, &e.Outcome, &text, &payload)
	if err != nil {
		return e, err
	}
	e.ID, e.State, e.At, e.Identity.Adapter = petrel.ID(id), petrel.ChatEventState(state), rows.Time(at), e.Adapter
	said, err := rows.Unpack(text)
	if err != nil {
		return e, err
	}
	e.Text = string(said)
	value, err := rows.Unpack(payload)
	e.Payload = value
	return e, err
}

func events(ctx context.Context, q Query, tail string, args ...any) ([]petrel.ChatEvent, error) {
	var all []petrel.ChatEvent
	err := each(ctx, q, func(scan func(...any) error) error {
		e, err := scanEvent(scan)
		all = append(all, e)
		return err
	}, `select `+eventColumns+` from chat_event `+tail, args...)
	return all, err
}

// ClaimChatEvents gives new events without a living owner to an owner.
func (s Store) ClaimChatEvents(ctx context.Context, owner string, ids []petrel.ID, limit int) ([]petrel.ChatEvent, error) {
	var c rows.Check
	c.Need("owner", owner)
	if c.Err() != nil || limit <= 0 {
		return nil, c.Err()
	}
	limit = min(limit, storage.MaxBatchRows)
	var all []petrel.ChatEvent
	err := s.Write(ctx, Inbound, func(ctx context.Context, q Query) (err error) {
		all = nil
		if err := notDead(ctx, q, owner); err != nil {
			return err
		}
		// First locked, then looked at again: a lock gives the newest row, but the
		// condition about its owner's node was answered for the row before it.
		const free = `state = 'new' and owner <> %s and not exists (select 1 from node where node.incarnation = chat_event.owner and not node.dead)`
		w := &where{q: q}
		w.add(free, owner)
		in(w, "id", ids)
		sql := `select id from chat_event` + w.sql() + ` order by seq` + w.page(limit, 0) + q.LockFree()
		locked, err := texts[string](ctx, q, sql, w.args...)
		if err != nil || len(locked) == 0 {
			return err
		}
		w = &where{q: q}
		w.add(free, owner)
		in(w, "id", locked)
		found, err := texts[string](ctx, q, `select id from chat_event`+w.sql(), w.args...)
		if err != nil || len(found) == 0 {
			return err
		}
		_, err = q.Exec(ctx, `update chat_event set owner = $1, attempt = attempt + 1 where `+q.In("id", 2), owner, q.List(found))
		if err != nil {
			return err
		}
		all, err = events(ctx, q, `where `+q.In("id", 1)+` order by seq`, q.List(found))
		return err
	})
	return all, err
}

// closeEvent marks an event done for its owner.
func closeEvent(ctx context.Context, q Query, id petrel.ID, owner, outcome string) error {
	n, err := q.Exec(ctx, `update chat_event set state = 'done', outcome = $3 where id = $1 and owner = $2 and state = 'new'`,
		Searchable(string(id)), Searchable(owner), rows.ShortText(outcome))
	if err != nil || n > 0 {
		return err
	}
	var state, of string
	found, err := one(ctx, q, []any{&state, &of}, `select state, owner from chat_event where id = $1`, Searchable(string(id)))
	switch {
	case err != nil:
		return err
	case !found:
		return notFound("The chat event %s cannot be found.", rows.Shown(string(id)))
	case state == string(petrel.ChatEventDone):
		return conflict(id, "The chat event %s was handled already.", id)
	}
	return &petrel.Error{Kind: petrel.NotOwner, ID: id, Message: "The chat event " + string(id) + " is no longer owned by " + rows.Shown(owner) + "."}
}

// FinishChatEvent marks an event done without a run.
func (s Store) FinishChatEvent(ctx context.Context, id petrel.ID, owner, outcome string, posts []petrel.Post, entries []petrel.AuditEntry) error {
	return s.Each(ctx, Inbound, 1, func(ctx context.Context, q Query, _ int) error {
		if err := closeEvent(ctx, q, id, owner, outcome); err != nil {
			if petrel.Is(err, petrel.Conflict) { // whoever closed it, this caller is too late
				return &petrel.Error{Kind: petrel.NotOwner, ID: id, Message: petrel.Message(err)}
			}
			return err
		}
		for _, p := range posts {
			if _, _, err := putPost(ctx, q, p); err != nil {
				return err
			}
		}
		return audit(ctx, q, entries)
	})[0]
}

// ChatEvent is one event.
func (s Store) ChatEvent(ctx context.Context, id petrel.ID) (petrel.ChatEvent, error) {
	return get(ctx, s.Admin, scanEvent, `select `+eventColumns+` from chat_event where id = $1`, "chat event", Searchable(string(id)))
}

// HeldChats lists the events and posts in the hands of an owner.
func (s Store) HeldChats(ctx context.Context, owner string) (held []petrel.ChatEvent, sending []petrel.Post, err error) {
	err = s.Read(ctx, func(ctx context.Context, q Query) (err error) {
		if held, err = events(ctx, q, `where state = 'new' and owner = $1 order by seq limit $2`, Searchable(owner), storage.MaxBatchRows); err != nil {
			return err
		}
		sending, err = posts(ctx, q, `where state = 'sending' and owner = $1 order by seq limit $2`, Searchable(owner), storage.MaxBatchRows)
		return err
	})
	return held, sending, err
}

// PurgeChats removes events that were done and posts that came to rest before a time.
func (s Store) PurgeChats(ctx context.Context, before time.Time, limit int) (int, error) {
	var n int64
	err := s.Write(ctx, Rest, func(ctx context.Context, q Query) error {
		events, err := q.Exec(ctx, `delete from chat_event where id in (select id from chat_event where state = 'done' and stored_at < $1 order by stored_at limit $2)`,
			rows.Micros(before), limit)
		if err != nil {
			return err
		}
		posts, err := q.Exec(ctx, `delete from post where id in (select id from post where updated_at < $1 and state not in ('pending', 'sending') and not stale
			order by updated_at limit $2) and updated_at < $1 and state not in ('pending', 'sending') and not stale`, rows.Micros(before), limit)
		n = events + posts
		return err
	})
	return int(n), err
}
