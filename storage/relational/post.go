package relational

import (
	"context"

	"petrel"
	"petrel/storage"
	"petrel/storage/rows"
)

// PutPosts stores new messages.
func (s Store) PutPosts(ctx context.Context, batch []petrel.Post) []storage.Requested {
	out := make([]storage.Requested, len(batch))
	errs := s.Each(ctx, Rest, len(batch), func(ctx context.Context, q Query, i int) error {
		id, existing, err := putPost(ctx, q, batch[i])
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

func putPost(ctx context.Context, q Query, p petrel.Post) (petrel.ID, bool, error) {
	if err := rows.CheckPost(p); err != nil {
		return "", false, err
	}
	now, err := q.Now(ctx)
	if err != nil {
		return "", false, err
	}
	sql, args := PostInsert(p, now)
	n, err := q.Exec(ctx, sql, args...)
	if err != nil || n > 0 {
		return p.ID, false, err
	}
	if p.Key != "" {
		var first string
		found, err := one(ctx, q, []any{&first}, `select id from post where key = $1`, p.Key)
		if err != nil || found {
			return petrel.ID(first), found, err
		}
	}
	return "", false, conflict(p.ID, "There is already a post with id %s.", p.ID)
}

// PostInsert is the statement that stores a post unless its key or id exists.
func PostInsert(p petrel.Post, now int64) (string, []any) {
	if p.State == "" {
		p.State = petrel.PostPending
	}
	if p.Revision == 0 {
		p.Revision = 1
	}
	created := rows.Micros(p.CreatedAt)
	if created == 0 {
		created = now
	}
	return `insert into post (id, key, adapter, workspace, channel, thread, execution_id, event_id, revision, sent_revision, final, stale,
			external_id, state, owner, attempts, not_before, created_at, updated_at, error, body)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, false, $12, $13, '', $14, $15, $16, $17, $18, $19) on conflict do nothing`,
		[]any{string(p.ID), nullable(p.Key), p.Adapter, p.Workspace, p.Channel, p.Thread, string(p.ExecutionID), string(p.EventID), p.Revision, p.SentRevision, p.Final,
			p.ExternalID, string(p.State), p.Attempts, rows.Micros(p.NotBefore), created, now, rows.ShortText(p.Error), packed(p.Body)}
}

const postColumns = `id, coalesce(key, ''), adapter, workspace, channel, thread, execution_id, event_id, revision, sent_revision, final,
	external_id, state, owner, attempts, not_before, created_at, updated_at, error, body`

func scanPost(scan func(...any) error) (petrel.Post, error) {
	var p petrel.Post
	var id, execution, event, state string
	var notBefore, created, updated int64
	var body []byte
	err := scan(&id, &p.Key, &p.Adapter, &p.Workspace, &p.Channel, &p.Thread, &execution, &event, &p.Revision, &p.SentRevision, &p.Final,
		&p.ExternalID, &state, &p.Owner, &p.Attempts, &notBefore, &created, &updated, &p.Error, &body)
	if err != nil {
		return p, err
	}
	p.ID, p.ExecutionID, p.EventID, p.State = petrel.ID(id), petrel.ID(execution), petrel.ID(event), petrel.PostState(state)
	p.NotBefore, p.CreatedAt, p.UpdatedAt = rows.Time(notBefore), rows.Time(created), rows.Time(updated)
	value, err := rows.Unpack(body)
	p.Body = value
	return p, err
}

func posts(ctx context.Context, q Query, tail string, args ...any) ([]petrel.Post, error) {
	var all []petrel.Post
	err := each(ctx, q, func(scan func(...any) error) error {
		p, err := scanPost(scan)
		all = append(all, p)
		return err
	}, `select `+postColumns+` from post `+tail, args...)
	return all, err
}

// RevisePost replaces the body of a post.
func (s Store) RevisePost(ctx context.Context, id petrel.ID, body petrel.JSON, final bool) (petrel.Post, error) {
	var p petrel.Post
	var c rows.Check
	c.ID("id", id)
	c.Value("body", body, rows.MaxUserValue)
	if c.Err() != nil {
		return p, c.Err()
	}
	errs := s.Each(ctx, Rest, 1, func(ctx context.Context, q Query, _ int) error {
		now, err := q.Now(ctx)
		if err != nil {
			return err
		}
		// Locked first, so that the update sees a run that ended while it waited; a
		// run that ends later waits in turn, and marks the post again.
		if _, err := texts[string](ctx, q, `select id from post where id = $1`+q.Lock(), string(id)); err != nil {
			return err
		}
		n, err := q.Exec(ctx, `update post set body = $2, revision = revision + 1, final = $3, updated_at = $4,
			state = case when state = 'sending' then 'sending' else 'pending' end, not_before = case when state = 'sending' or state = 'pending' then not_before else 0 end,
			stale = case when $3 then $5 else exists (select 1 from execution e where e.id = post.execution_id and e.status is not null) end
			where id = $1 and not final`, string(id), packed(body), final, now, false)
		if err != nil {
			return err
		}
		all, err := posts(ctx, q, `where id = $1`, string(id))
		switch {
		case err != nil:
			return err
		case len(all) == 0:
			return notFound("The post %s cannot be found.", id)
		case n == 0:
			return conflict(id, "The post %s is closed.", id)
		}
		p = all[0]
		return nil
	})
	return p, errs[0]
}

// StalePosts are posts whose run changed since their body was rendered.
func (s Store) StalePosts(ctx context.Context, limit int) ([]petrel.Post, error) {
	var all []petrel.Post
	err := s.Read(ctx, func(ctx context.Context, q Query) (err error) {
		all, err = posts(ctx, q, `where stale order by seq limit $1`, limit)
		return err
	})
	return all, err
}

// ClaimPosts gives pending posts to a sender.
func (s Store) ClaimPosts(ctx context.Context, owner string, adapters []string, limit int) ([]petrel.Post, error) {
	var c rows.Check
	c.Need("owner", owner)
	if c.Err() != nil || limit <= 0 || len(adapters) == 0 {
		return nil, c.Err()
	}
	limit = min(limit, storage.MaxBatchRows)
	var all []petrel.Post
	err := s.Write(ctx, Rest, func(ctx context.Context, q Query) error {
		all = nil
		if err := notDead(ctx, q, owner); err != nil {
			return err
		}
		now, err := q.Now(ctx)
		if err != nil {
			return err
		}
		// One claim at a time for the channels of an adapter, so that two senders do
		// not both find a channel free.
		if err := q.Exclusive(ctx, "posts"); err != nil {
			return err
		}
		w := &where{q: q}
		w.add(`p.state = 'pending' and p.not_before <= %s`, now)
		in(w, "p.adapter", adapters)
		w.add(`not exists (select 1 from post o join node n on n.incarnation = o.owner and not n.dead where o.state = 'sending'
			and o.adapter = p.adapter and o.workspace = p.workspace and o.channel = p.channel and o.owner <> %s)`, owner)
		w.add(`not exists (select 1 from post o where o.state = 'pending' and o.adapter = p.adapter and o.workspace = p.workspace and o.channel = p.channel
			and o.seq < p.seq and o.attempts > 0 and o.not_before > %s)`, now)
		sql := `select p.id from post p` + w.sql() + ` order by p.seq` + w.page(limit, 0)
		found, err := texts[string](ctx, q, sql, w.args...)
		if err != nil || len(found) == 0 {
			return err
		}
		_, err = q.Exec(ctx, `update post set state = 'sending', owner = $1, attempts = attempts + 1, updated_at = $2 where state = 'pending' and `+q.In("id", 3),
			owner, now, q.List(found))
		if err != nil {
			return err
		}
		all, err = posts(ctx, q, `where state = 'sending' and owner = $1 and `+q.In("id", 2)+` order by seq`, owner, q.List(found))
		return err
	})
	return all, err
}

// PostSent records what became of one sending of a revision.
func (s Store) PostSent(ctx context.Context, id petrel.ID, owner string, revision int, sent storage.Sent) error {
	var c rows.Check
	c.ID("id", id)
	c.Text("external_id", sent.ExternalID)
	switch sent.State {
	case petrel.PostSent, petrel.PostPending, petrel.PostFailed, petrel.PostMaybeSent:
	default:
		c.That(false, "state", "a sending cannot end as '%s'", rows.Shown(string(sent.State)))
	}
	if c.Err() != nil {
		return c.Err()
	}
	return s.Each(ctx, Rest, 1, func(ctx context.Context, q Query, _ int) error {
		now, err := q.Now(ctx)
		if err != nil {
			return err
		}
		var newest, sentBefore int
		found, err := one(ctx, q, []any{&newest, &sentBefore}, `select revision, sent_revision from post where id = $1 and state = 'sending' and owner = $2`+q.Lock(),
			string(id), Searchable(owner))
		if err != nil {
			return err
		}
		if !found {
			return &petrel.Error{Kind: petrel.NotOwner, ID: id, Message: "The post " + string(id) + " is no longer sent by " + rows.Shown(owner) + "."}
		}
		state, notBefore := sent.State, int64(0)
		if sent.RetryIn > 0 {
			notBefore = now + sent.RetryIn.Microseconds()
		}
		if state == petrel.PostSent || state == petrel.PostMaybeSent {
			sentBefore = max(sentBefore, min(revision, newest))
		}
		if newest > revision { // there is something newer to send
			state = petrel.PostPending
		}
		_, err = q.Exec(ctx, `update post set state = $2, owner = '', sent_revision = $3, external_id = case when $4 = '' then external_id else $4 end,
			not_before = $5, error = $6, updated_at = $7, attempts = case when $8 then 0 else attempts end where id = $1`,
			string(id), string(state), sentBefore, sent.ExternalID, notBefore, rows.ShortText(sent.Error), now, sent.State == petrel.PostSent)
		return err
	})[0]
}

// SweepPosts takes posts away from dead senders. In the answer they have state
// "maybe sent": the new sender looks for them before it posts.
func (s Store) SweepPosts(ctx context.Context, limit int) ([]petrel.Post, error) {
	var all []petrel.Post
	err := s.Write(ctx, Rest, func(ctx context.Context, q Query) error {
		all = nil
		// First locked, then looked at again, as in ClaimChatEvents.
		const orphan = `state = 'sending' and not exists (select 1 from node n where n.incarnation = post.owner and not n.dead)`
		locked, err := texts[string](ctx, q, `select id from post where `+orphan+` order by id limit $1`+q.LockFree(), limit)
		if err != nil || len(locked) == 0 {
			return err
		}
		ids, err := texts[string](ctx, q, `select id from post where `+orphan+` and `+q.In("id", 1), q.List(locked))
		if err != nil || len(ids) == 0 {
			return err
		}
		if all, err = posts(ctx, q, `where `+q.In("id", 1)+` order by seq`, q.List(ids)); err != nil {
			return err
		}
		now, err := q.Now(ctx)
		if err != nil {
			return err
		}
		for i := range all {
			all[i].State, all[i].Owner = petrel.PostMaybeSent, ""
		}
		_, err = q.Exec(ctx, `update post set state = 'pending', owner = '', updated_at = $1 where `+q.In("id", 2), now, q.List(ids))
		return err
	})
	return all, err
}

// Post is one message.
func (s Store) Post(ctx context.Context, id petrel.ID) (petrel.Post, error) {
	return get(ctx, s.Admin, scanPost, `select `+postColumns+` from post where id = $1`, "post", Searchable(string(id)))
}

// PostList gives posts, oldest first.
func (s Store) PostList(ctx context.Context, f storage.PostFilter) ([]petrel.Post, error) {
	var all []petrel.Post
	err := s.Read(ctx, func(ctx context.Context, q Query) (err error) {
		w := &where{q: q}
		for _, c := range []struct{ column, value string }{
			{"adapter", f.Adapter}, {"workspace", f.Workspace}, {"channel", f.Channel}, {"execution_id", string(f.ExecutionID)}, {"event_id", string(f.EventID)},
		} {
			if c.value != "" {
				w.add(c.column+" = %s", Searchable(c.value))
			}
		}
		if f.After != "" {
			w.add("seq > (select seq from post where id = %s)", Searchable(string(f.After)))
		}
		order := ` order by seq`
		if f.Newest {
			order = ` order by seq desc`
		}
		tail := w.sql() + order + w.page(f.Limit, 0)
		all, err = posts(ctx, q, tail, w.args...)
		if f.Newest {
			for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
				all[i], all[j] = all[j], all[i]
			}
		}
		return err
	})
	return all, err
}
