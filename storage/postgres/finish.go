package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"petrel"
	"petrel/storage"
	"petrel/storage/relational"
	"petrel/storage/rows"
)

// Finish ends attempts.
func (s *Store) Finish(ctx context.Context, batch []storage.Finish) []error {
	return s.groups.finish.do(ctx, batch)
}

func (s *Store) finishAll(ctx context.Context, batch []storage.Finish) []error {
	var errs []error
	for _, p := range distinct(batch, func(f storage.Finish) []string { return []string{string(f.ID)} }) {
		errs = append(errs, halves(p,
			func(batch []storage.Finish) ([]error, error) { return s.finishTogether(ctx, batch) },
			func(one storage.Finish) error { return s.finishOne(ctx, one) })...)
	}
	return errs
}

func (s *Store) finishOne(ctx context.Context, f storage.Finish) error {
	return mapError(s.transact(ctx, relational.Rest, func(ctx context.Context, q *query) error { return relational.FinishOne(ctx, q, f) }))
}

// ending is the record's part of a batch of endings, a column each.
type ending struct {
	ids, statuses, logs, hosts       []string
	ended, attempts, pids, revisions []int64
	results                          [][]byte
	sizes                            []*int64
}

// finishTogether ends attempts with a few statements. What is not the plain
// case (a run that waits, a context that changes) goes through the statements
// for one, in the same transaction.
func (s *Store) finishTogether(ctx context.Context, batch []storage.Finish) ([]error, error) {
	var errs []error
	err := s.transact(ctx, relational.Rest, func(ctx context.Context, q *query) error {
		errs = make([]error, len(batch))
		var ids []string
		for i, f := range batch {
			if errs[i] = relational.CheckFinish(f); errs[i] == nil {
				ids = append(ids, string(f.ID))
			}
		}
		live, err := relational.ReadMoving(ctx, q, ids)
		if err != nil {
			return err
		}
		var end ending
		for i, f := range batch {
			if errs[i] != nil {
				continue
			}
			m, prefix, err := relational.MayFinish(f, live)
			switch {
			case err != nil:
				errs[i] = err
			case !f.Status.Final() || len(f.MergeContext) > 0:
				if err := relational.FinishOne(ctx, q, f); err != nil {
					return errHalve
				}
			default:
				end.ids, end.statuses, end.hosts = append(end.ids, string(f.ID)), append(end.statuses, string(f.Status)), append(end.hosts, m.Host)
				end.logs = append(end.logs, m.Log+prefix+rows.LogText(f.Status, f.At))
				end.ended, end.attempts = append(end.ended, rows.Micros(f.At)), append(end.attempts, int64(m.Attempt))
				end.pids, end.revisions = append(end.pids, int64(m.PID)), append(end.revisions, m.Revision+1)
				end.results = append(end.results, rows.Pack(f.Result))
				var size *int64
				if f.Result != nil {
					n := int64(len(f.Result))
					size = &n
				}
				end.sizes = append(end.sizes, size)
			}
		}
		if len(end.ids) == 0 {
			return nil
		}
		b := &pgx.Batch{}
		b.Queue(`update execution e set status = u.status, ended_at = u.ended_at, log = u.log, attempt = u.attempt, host = u.host, pid = u.pid, revision = u.revision,
			result = coalesce(u.result, e.result), result_size = coalesce(u.size, e.result_size)
			from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[], $9::bytea[], $10::bigint[])
			as u(id, status, ended_at, log, attempt, host, pid, revision, result, size) where e.id = u.id and e.status is null`,
			end.ids, end.statuses, end.ended, end.logs, end.attempts, end.hosts, end.pids, end.revisions, end.results, end.sizes)
		b.Queue(`delete from live where id = any($1)`, end.ids)
		b.Queue(`delete from token where execution_id <> '' and execution_id = any($1)`, end.ids)
		b.Queue(`update post set stale = true where execution_id <> '' and execution_id = any($1) and not final`, end.ids)
		changed, err := q.send(ctx, b)
		if err == nil && changed[0] != int64(len(end.ids)) {
			return errHalve
		}
		return err
	})
	return errs, err
}

// ownedChunk is a chunk with who says that the run is his.
type ownedChunk struct {
	petrel.OutputChunk
	owner string
}

// AppendOutput stores chunks of attempts that are still the owner's.
func (s *Store) AppendOutput(ctx context.Context, owner string, batch []petrel.OutputChunk) []error {
	owned := make([]ownedChunk, len(batch))
	for i, o := range batch {
		owned[i] = ownedChunk{o, relational.Searchable(owner)}
	}
	return s.groups.output.do(ctx, owned)
}

func (s *Store) outputAll(ctx context.Context, batch []ownedChunk) []error {
	var errs []error
	for _, p := range distinct(batch, func(o ownedChunk) []string {
		return []string{fmt.Sprint(o.ExecutionID, " ", o.Seq, " ", o.Attempt)}
	}) {
		errs = append(errs, halves(p,
			func(batch []ownedChunk) ([]error, error) { return s.outputTogether(ctx, batch) },
			func(one ownedChunk) error {
				errs, err := s.outputTogether(ctx, []ownedChunk{one})
				if err != nil {
					return mapError(err)
				}
				return errs[0]
			})...)
	}
	return errs
}

type chunkKey struct {
	execution    string
	seq, attempt int64
}

func (s *Store) outputTogether(ctx context.Context, batch []ownedChunk) ([]error, error) {
	var errs []error
	err := s.transact(ctx, relational.Rest, func(ctx context.Context, q *query) error {
		errs = make([]error, len(batch))
		var executions, ids, refs, runners, types, owners []string
		var seqs, attempts, at []int64
		var data [][]byte
		for i, o := range batch {
			if errs[i] = rows.CheckChunk(o.OutputChunk); errs[i] != nil {
				continue
			}
			executions, ids, refs = append(executions, string(o.ExecutionID)), append(ids, string(o.ID)), append(refs, string(o.ActionRef))
			runners, types, owners = append(runners, o.RunnerRef), append(types, o.Type), append(owners, o.owner)
			seqs, attempts, at = append(seqs, o.Seq), append(attempts, int64(o.Attempt)), append(at, rows.Micros(o.At))
			data = append(data, rows.Pack([]byte(o.Data)))
		}
		if len(ids) == 0 {
			return nil
		}
		result, err := q.conn.Query(ctx, `insert into output (execution_id, seq, attempt, id, action_ref, runner_ref, at, type, data)
			select u.execution_id, u.seq, u.attempt, u.id, u.action_ref, u.runner_ref, u.at, u.type, u.data
			from unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::bytea[], $10::text[])
				as u(execution_id, seq, attempt, id, action_ref, runner_ref, at, type, data, owner)
			join live l on l.id = u.execution_id and l.owner = u.owner and l.attempt = u.attempt and l.owner <> ''
			order by u.execution_id, u.seq, u.attempt on conflict do nothing returning execution_id, seq, attempt`,
			executions, seqs, attempts, ids, refs, runners, at, types, data, owners)
		if err != nil {
			return q.lost(err)
		}
		stored := make(map[chunkKey]bool)
		var k chunkKey
		if _, err := pgx.ForEachRow(result, []any{&k.execution, &k.seq, &k.attempt}, func() error {
			stored[k] = true
			return nil
		}); err != nil {
			return q.lost(err)
		}
		for i, o := range batch {
			k := chunkKey{string(o.ExecutionID), o.Seq, int64(o.Attempt)}
			if errs[i] != nil {
				continue
			}
			if stored[k] {
				continue
			}
			err := relational.ChunkRefused(ctx, q, o.owner, o.OutputChunk)
			if err != nil && petrel.KindOf(err) == petrel.Internal {
				return err
			}
			errs[i] = err
		}
		return nil
	})
	return errs, err
}
