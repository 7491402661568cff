package postgres

import (
	"context"
	"slices"
	"sort"

	"github.com/jackc/pgx/v5"

	"petrel"
	"petrel/storage"
	"petrel/storage/relational"
	"petrel/storage/rows"
)

// requested is a run on its way into the store.
type requested struct {
	storage.NewExecution
	row      *relational.NewRow
	events   map[petrel.ID]string // of its call: events its runs have marked done, and for whom
	id       petrel.ID
	existing bool
}

func requestedSize(r *requested) int {
	x := r.Execution
	n := 600 + len(x.Parameters) + len(x.Context) + len(x.Result)
	for _, p := range r.Posts {
		n += 200 + len(p.Body)
	}
	return n
}

// keys are what no two rows of one statement may share.
func (r *requested) keys() []string {
	x := r.Execution
	keys := []string{"x" + string(x.ID)}
	if x.LiveActionID != "" {
		keys = append(keys, "l"+string(x.LiveActionID))
	}
	if x.IdempotencyKey != "" {
		keys = append(keys, "k"+x.IdempotencyKey)
	}
	if r.Event != "" {
		keys = append(keys, "e"+string(r.Event))
	}
	if r.Token != nil {
		keys = append(keys, "t"+r.Token.Hash)
	}
	return keys
}

// Request stores runs.
func (s *Store) Request(ctx context.Context, batch []storage.NewExecution) []storage.Requested {
	out := make([]storage.Requested, len(batch))
	events := make(map[petrel.ID]string)
	var good []*requested
	var place []int
	for i, n := range batch {
		out[i].ID = n.Execution.ID
		row, err := relational.Prepare(n)
		if err != nil {
			out[i].Err = err
			continue
		}
		good, place = append(good, &requested{NewExecution: n, row: row, events: events}), append(place, i)
	}
	for i, err := range s.groups.request.do(ctx, good) {
		if err == nil {
			out[place[i]].ID, out[place[i]].Existing = good[i].id, good[i].existing
		}
		out[place[i]].Err = err
	}
	return out
}

func (s *Store) requestAll(ctx context.Context, batch []*requested) []error {
	var errs []error
	for _, p := range distinct(batch, (*requested).keys) {
		errs = append(errs, halves(p,
			func(batch []*requested) ([]error, error) { return s.requestTogether(ctx, batch) },
			func(one *requested) error { return s.requestOne(ctx, one) })...)
	}
	return errs
}

// done remembers what a committed run brought with it.
func (s *Store) done(r *requested) {
	if r.existing {
		return
	}
	if r.Event != "" {
		r.events[r.Event] = r.EventOwner
	}
	for _, d := range r.row.Docs {
		s.Docs.Wrote(d.Hash, rows.Micros(r.Execution.StartedAt))
	}
}

func (s *Store) requestOne(ctx context.Context, r *requested) error {
	err := s.transact(ctx, relational.Rest, func(ctx context.Context, q *query) (err error) {
		r.id, r.existing, err = s.RequestOne(ctx, q, r.NewExecution, r.row, r.events)
		return err
	})
	if err == nil {
		s.done(r)
	}
	return mapError(err)
}

// requestTogether stores runs among which nothing is wrong. Anything that is
// not as expected gives errHalve, and nothing is kept.
func (s *Store) requestTogether(ctx context.Context, batch []*requested) ([]error, error) {
	err := s.transact(ctx, relational.Rest, func(ctx context.Context, q *query) error {
		fresh, err := s.withoutExisting(ctx, q, batch)
		if err != nil || len(fresh) == 0 {
			return err
		}
		if err := s.putDocs(ctx, q, fresh); err != nil {
			return err
		}
		b := &pgx.Batch{}
		var want []int64 // how many rows each statement must change; -1 is any
		queue := func(n int64, sql string, args ...any) {
			want = append(want, n)
			b.Queue(sql, args...)
		}
		queue(int64(len(fresh)), executionsInsert, executionArrays(fresh)...)
		queueEvents(fresh, queue)
		queueLive(fresh, q.now, queue)
		for _, r := range fresh {
			for _, p := range r.Posts {
				sql, args := relational.PostInsert(p, q.now)
				queue(1, sql, args...)
			}
			for _, e := range r.Audit {
				queue(1, relational.AuditInsert, relational.AuditArgs(e)...)
			}
			if r.Token != nil {
				queue(1, relational.TokenInsert, relational.TokenArgs(*r.Token)...)
			}
		}
		changed, err := q.send(ctx, b)
		if err != nil {
			return err
		}
		for i, n := range want {
			if n >= 0 && changed[i] != n {
				return errHalve
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, r := range batch {
		s.done(r)
	}
	return make([]error, len(batch)), nil
}

// withoutExisting takes out the runs whose idempotency key was seen before.
func (s *Store) withoutExisting(ctx context.Context, q *query, batch []*requested) ([]*requested, error) {
	var keys []string
	for _, r := range batch {
		r.id, r.existing = r.Execution.ID, false
		if r.Execution.IdempotencyKey != "" {
			keys = append(keys, r.Execution.IdempotencyKey)
		}
	}
	if len(keys) == 0 {
		return batch, nil
	}
	result, err := q.conn.Query(ctx, `select idempotency_key, id from execution where idempotency_key = any($1)`, keys)
	if err != nil {
		return nil, q.lost(err)
	}
	first := make(map[string]petrel.ID)
	var key, id string
	if _, err := pgx.ForEachRow(result, []any{&key, &id}, func() error {
		first[key] = petrel.ID(id)
		return nil
	}); err != nil {
		return nil, q.lost(err)
	}
	var fresh []*requested
	for _, r := range batch {
		if id, seen := first[r.Execution.IdempotencyKey]; seen {
			r.id, r.existing = id, true
			continue
		}
		fresh = append(fresh, r)
	}
	return fresh, nil
}

// putDocs stores the copies of actions and runners that may not be there yet,
// in the order of their hashes, so that two batches lock them in one order.
func (s *Store) putDocs(ctx context.Context, q *query, batch []*requested) error {
	type doc struct {
		rows.Doc
		used int64
	}
	needed := make(map[string]doc)
	for _, r := range batch {
		at := rows.Micros(r.Execution.StartedAt)
		for _, d := range r.row.Docs {
			if !s.Docs.Stored(d.Hash, at, q.now) && (needed[d.Hash].Hash == "" || at > needed[d.Hash].used) {
				needed[d.Hash] = doc{d, at}
			}
		}
	}
	if len(needed) == 0 {
		return nil
	}
	hashes := make([]string, 0, len(needed))
	for hash := range needed {
		hashes = append(hashes, hash)
	}
	sort.Strings(hashes)
	used, bodies := make([]int64, len(hashes)), make([][]byte, len(hashes))
	for i, hash := range hashes {
		used[i], bodies[i] = needed[hash].used, needed[hash].Body
	}
	_, err := q.Exec(ctx, `insert into doc (hash, used, body) select * from unnest($1::text[], $2::bigint[], $3::bytea[]) as u(hash, used, body) order by hash
		on conflict (hash) do update set used = excluded.used where doc.used + $4 < excluded.used`, hashes, used, bodies, rows.DocTouch)
	return err
}

const executionsInsert = `insert into execution (id, liveaction_id, action_ref, action_doc, runner, runner_doc, status, started_at, ended_at, user_name,
	parent, delay, lane, depth, idempotency_key, attempt, workflow_execution, task_execution, result_size, log,
	parameters, context, result, notify, callback, host, pid, revision)
	select u.*, '', 0, 1 from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::text[],
		$11::text[], $12::bigint[], $13::text[], $14::bigint[], $15::text[], $16::bigint[], $17::text[], $18::text[], $19::bigint[], $20::text[],
		$21::bytea[], $22::bytea[], $23::bytea[], $24::bytea[], $25::bytea[]) as u
	order by 1 on conflict do nothing`

// executionArrays turns the runs' columns into one array for each column.
func executionArrays(batch []*requested) []any {
	arrays := make([]any, len(batch[0].row.Args))
	for column := range arrays {
		switch column {
		case 7, 8, 11, 13, 15, 18: // the bigint columns
			array := make([]int64, len(batch))
			for i, r := range batch {
				array[i] = r.row.Args[column].(int64)
			}
			arrays[column] = array
		case 20, 21, 22, 23, 24: // the bytea columns
			array := make([][]byte, len(batch))
			for i, r := range batch {
				array[i], _ = r.row.Args[column].([]byte) // null stays nil
			}
			arrays[column] = array
		default:
			array := make([]*string, len(batch))
			for i, r := range batch {
				if text, is := r.row.Args[column].(string); is {
					array[i] = &text
				}
			}
			arrays[column] = array
		}
	}
	return arrays
}

func queueEvents(batch []*requested, queue func(int64, string, ...any)) {
	var ids, owners, outcomes []string
	for _, r := range batch {
		if owner, done := r.events[r.Event]; r.Event == "" || done && owner == r.EventOwner {
			continue
		}
		ids, owners, outcomes = append(ids, string(r.Event)), append(owners, r.EventOwner), append(outcomes, "execution "+string(r.Execution.ID))
	}
	if len(ids) == 0 {
		return
	}
	// The rows are locked in the order of their ids before they change.
	sorted := slices.Sorted(slices.Values(ids))
	queue(-1, `select id from chat_event where id = any($1) order by id for update`, sorted)
	queue(int64(len(ids)), `update chat_event c set state = 'done', outcome = u.outcome from unnest($1::text[], $2::text[], $3::text[]) as u(id, owner, outcome)
		where c.id = u.id and c.owner = u.owner and c.state = 'new'`, ids, owners, outcomes)
}

func queueLive(batch []*requested, now int64, queue func(int64, string, ...any)) {
	var ids, statuses, lanes, refs, runners, logs []string
	var attempts, due []int64
	for _, r := range batch {
		x := r.Execution
		if x.Status.Final() {
			continue
		}
		ids, statuses, lanes, refs = append(ids, string(x.ID)), append(statuses, string(x.Status)), append(lanes, string(x.Lane)), append(refs, string(x.Action.Ref))
		runners, logs = append(runners, x.Runner.Name), append(logs, r.row.Log)
		attempts, due = append(attempts, int64(x.Attempt)), append(due, now+r.Due.Microseconds())
	}
	if len(ids) == 0 {
		return
	}
	queue(int64(len(ids)), `insert into live (id, status, owner, attempt, due, lane, action_ref, runner, host, pid, revision, log)
		select id, status, '', attempt, due, lane, action_ref, runner, '', 0, 1, log
		from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[])
		as u(id, status, attempt, due, lane, action_ref, runner, log)`, ids, statuses, attempts, due, lanes, refs, runners, logs)
}
