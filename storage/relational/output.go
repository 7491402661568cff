package relational

import (
	"context"

	"petrel"
	"petrel/storage/rows"
)

// AppendOutput stores chunks of attempts that are still the owner's.
func (s Store) AppendOutput(ctx context.Context, owner string, batch []petrel.OutputChunk) []error {
	return s.Each(ctx, Rest, len(batch), func(ctx context.Context, q Query, i int) error {
		o := batch[i]
		if err := rows.CheckChunk(o); err != nil {
			return err
		}
		n, err := q.Exec(ctx, `insert into output (execution_id, seq, attempt, id, action_ref, runner_ref, at, type, data)
			select $1, $2, $3, $4, $5, $6, $7, $8, $9 where exists (select 1 from live where id = $1 and owner = $10 and attempt = $3 and owner <> '')
			on conflict do nothing`,
			string(o.ExecutionID), o.Seq, int64(o.Attempt), string(o.ID), string(o.ActionRef), o.RunnerRef, rows.Micros(o.At), o.Type, packed([]byte(o.Data)), Searchable(owner))
		if err != nil || n > 0 {
			return err
		}
		return ChunkRefused(ctx, q, owner, o)
	})
}

// ChunkRefused says why a chunk was not stored: it was before, the attempt is
// another's, or its place is taken.
func ChunkRefused(ctx context.Context, q Query, owner string, o petrel.OutputChunk) error {
	var id string
	found, err := one(ctx, q, []any{&id}, `select id from output where execution_id = $1 and seq = $2 and attempt = $3`, string(o.ExecutionID), o.Seq, int64(o.Attempt))
	switch {
	case err != nil:
		return err
	case !found:
		return NotOwner(o.ExecutionID, owner, o.Attempt)
	case id == string(o.ID):
		return nil
	}
	return conflict(petrel.ID(id), "There is already a piece %d of the output of execution %s.", o.Seq, o.ExecutionID)
}

// OutputList gives the chunks of a run behind a sequence number, in order.
func (s Store) OutputList(ctx context.Context, execution petrel.ID, kind string, after int64, limit int) ([]petrel.OutputChunk, error) {
	var all []petrel.OutputChunk
	err := s.Read(ctx, func(ctx context.Context, q Query) error {
		all = nil
		w := &where{q: q}
		w.add("execution_id = %s", Searchable(string(execution)))
		w.add("seq > %s", after)
		if kind != "" {
			w.add("type = %s", Searchable(kind))
		}
		sql := `select id, execution_id, attempt, seq, action_ref, runner_ref, at, type, data from output` + w.sql() + ` order by seq, attempt` + w.page(limit, 0)
		return each(ctx, q, func(scan func(...any) error) error {
			var o petrel.OutputChunk
			var id, of, action string
			var at int64
			var data []byte
			if err := scan(&id, &of, &o.Attempt, &o.Seq, &action, &o.RunnerRef, &at, &o.Type, &data); err != nil {
				return err
			}
			text, err := rows.Unpack(data)
			o.ID, o.ExecutionID, o.ActionRef, o.At, o.Data = petrel.ID(id), petrel.ID(of), petrel.Ref(action), rows.Time(at), string(text)
			all = append(all, o)
			return err
		}, sql, w.args...)
	})
	return all, err
}
