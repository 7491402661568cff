package relational

import (
	"context"
	"math"
	"slices"
	"sort"
	"time"

	"petrel"
	"petrel/storage"
	"petrel/storage/rows"
)

// Request stores runs.
func (s Store) Request(ctx context.Context, batch []storage.NewExecution) []storage.Requested {
	out := make([]storage.Requested, len(batch))
	prepared := make([]*NewRow, len(batch))
	for i, n := range batch {
		prepared[i], out[i].Err = Prepare(n)
		out[i].ID = n.Execution.ID
	}
	// Which run of this call marked an event done. A transaction that is repeated
	// meets marks of its first try, so only those of earlier runs count.
	marks := make(map[petrel.ID]int)
	errs := s.Each(ctx, Rest, len(batch), func(ctx context.Context, q Query, i int) error {
		if prepared[i] == nil {
			return out[i].Err
		}
		event := batch[i].Event
		var events map[petrel.ID]string
		if j, marked := marks[event]; marked && j < i {
			events = map[petrel.ID]string{event: batch[j].EventOwner}
		}
		id, existing, err := s.RequestOne(ctx, q, batch[i], prepared[i], events)
		if j, marked := marks[event]; marked && j == i {
			delete(marks, event)
		}
		if err == nil {
			out[i].ID, out[i].Existing = id, existing
			if _, marked := marks[event]; event != "" && !existing && !marked {
				marks[event] = i
			}
		}
		return err
	})
	for i, err := range errs {
		out[i].Err = err
		if err == nil && !out[i].Existing {
			for _, d := range prepared[i].Docs {
				s.Docs.Wrote(d.Hash, rows.Micros(batch[i].Execution.StartedAt))
			}
		}
	}
	return out
}

// NewRow is a new run made ready for its columns.
type NewRow struct {
	Docs [2]rows.Doc // action, runner
	Args []any       // of ExecutionInsert
	Log  string
}

// Prepare checks a new run and makes it ready for its columns, outside of any transaction.
func Prepare(n storage.NewExecution) (*NewRow, error) {
	x := n.Execution
	if err := rows.CheckExecution(x); err != nil {
		return nil, err
	}
	for _, p := range n.Posts {
		if err := rows.CheckPost(p); err != nil {
			return nil, err
		}
	}
	for _, e := range n.Audit {
		if err := checkAudit(e); err != nil {
			return nil, err
		}
	}
	if n.Token != nil {
		if err := CheckToken(*n.Token); err != nil {
			return nil, err
		}
	}
	action, err := rows.NewDoc("action", x.Action)
	if err != nil {
		return nil, err
	}
	runner, err := rows.NewDoc("runner", x.Runner)
	if err != nil {
		return nil, err
	}
	row := &NewRow{Docs: [2]rows.Doc{action, runner}, Log: rows.FirstLog(x)}
	var status any
	var ended int64
	log := row.Log
	if x.Status.Final() {
		status = string(x.Status)
		end := x.EndedAt
		if end.IsZero() {
			end = x.StartedAt
		}
		ended = rows.Micros(end)
	}
	row.Args = []any{
		string(x.ID), string(x.LiveActionID), string(x.Action.Ref), action.Hash, x.Runner.Name, runner.Hash,
		status, rows.Micros(x.StartedAt), ended, x.User, string(x.Parent), int64(x.Delay), string(x.Lane), int64(x.Depth),
		nullable(x.IdempotencyKey), int64(x.Attempt), string(x.WorkflowExecution), string(x.TaskExecution), int64(x.ResultSize), log,
		packed(x.Parameters), packed(x.Context), packed(x.Result), packed(x.Notify), packed(x.Callback),
	}
	return row, nil
}

const executionInsert = `insert into execution (id, liveaction_id, action_ref, action_doc, runner, runner_doc, status, started_at, ended_at, user_name,
	parent, delay, lane, depth, idempotency_key, attempt, workflow_execution, task_execution, result_size, log,
	parameters, context, result, notify, callback, host, pid, revision)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, '', 0, 1)
	on conflict do nothing`

// RequestOne stores one run with all that belongs to it. events are those the
// same call has marked done already, and for whom.
func (s Store) RequestOne(ctx context.Context, q Query, n storage.NewExecution, row *NewRow, events map[petrel.ID]string) (petrel.ID, bool, error) {
	x := n.Execution
	if x.IdempotencyKey != "" {
		var id string
		found, err := one(ctx, q, []any{&id}, `select id from execution where idempotency_key = $1`, x.IdempotencyKey)
		if err != nil || found {
			return petrel.ID(id), found, err
		}
	}
	now, err := q.Now(ctx)
	if err != nil {
		return "", false, err
	}
	for _, d := range row.Docs {
		if s.Docs.Stored(d.Hash, rows.Micros(x.StartedAt), now) {
			continue
		}
		if _, err := q.Exec(ctx, `insert into doc (hash, used, body) values ($1, $2, $3)
			on conflict (hash) do update set used = excluded.used where doc.used + $4 < excluded.used`,
			d.Hash, rows.Micros(x.StartedAt), d.Body, rows.DocTouch); err != nil {
			return "", false, err
		}
	}
	added, err := q.Exec(ctx, executionInsert, row.Args...)
	if err != nil {
		return "", false, err
	}
	if added == 0 {
		id, existing, err := requestTaken(ctx, q, x)
		return id, existing, err
	}
	if owner, done := events[n.Event]; n.Event != "" && (!done || owner != n.EventOwner) {
		if err := closeEvent(ctx, q, n.Event, n.EventOwner, "execution "+string(x.ID)); err != nil {
			return "", false, err
		}
	}
	if !x.Status.Final() {
		_, err := q.Exec(ctx, `insert into live (id, status, owner, attempt, due, lane, action_ref, runner, host, pid, revision, log)
			values ($1, $2, '', $3, $4, $5, $6, $7, '', 0, 1, $8)`,
			string(x.ID), string(x.Status), int64(x.Attempt), now+n.Due.Microseconds(), string(x.Lane), string(x.Action.Ref), x.Runner.Name, row.Log)
		if err != nil {
			return "", false, err
		}
	}
	for _, p := range n.Posts {
		if _, _, err := putPost(ctx, q, p); err != nil {
			return "", false, err
		}
	}
	if err := audit(ctx, q, n.Audit); err != nil {
		return "", false, err
	}
	if n.Token != nil {
		if err := createToken(ctx, q, *n.Token); err != nil {
			return "", false, err
		}
	}
	return x.ID, false, nil
}

// requestTaken says what stands in the way of an insert that did nothing.
func requestTaken(ctx context.Context, q Query, x petrel.Execution) (petrel.ID, bool, error) {
	if x.IdempotencyKey != "" {
		var id string
		found, err := one(ctx, q, []any{&id}, `select id from execution where idempotency_key = $1`, x.IdempotencyKey)
		if err != nil || found {
			return petrel.ID(id), found, err
		}
	}
	return "", false, conflict(x.ID, "There is already an execution with id %s.", x.ID)
}

const executionColumns = `e.id, e.liveaction_id, e.action_doc, e.runner_doc, coalesce(l.status, e.status), e.started_at, e.ended_at, coalesce(l.log, e.log),
	e.parameters, e.context, e.user_name, e.result_size, e.parent, e.delay, e.notify, e.callback, e.lane, e.depth, coalesce(e.idempotency_key, ''),
	coalesce(l.attempt, e.attempt), coalesce(l.owner, ''), coalesce(l.host, e.host), coalesce(l.pid, e.pid), e.workflow_execution, e.task_execution,
	coalesce(l.revision, e.revision), `

// executionRow is what one row of executionColumns and the result gives.
type executionRow struct {
	petrel.Execution
	actionDoc, runnerDoc string
}

func scanExecution(scan func(...any) error) (executionRow, error) {
	var r executionRow
	var id, liveAction, status, log, parent, lane, workflow, task string
	var started, ended int64
	var parameters, given, notify, callback, result []byte
	err := scan(&id, &liveAction, &r.actionDoc, &r.runnerDoc, &status, &started, &ended, &log,
		&parameters, &given, &r.User, &r.ResultSize, &parent, &r.Delay, &notify, &callback, &lane, &r.Depth, &r.IdempotencyKey,
		&r.Attempt, &r.Owner, &r.RunnerHost, &r.RunnerPID, &workflow, &task, &r.Revision, &result)
	if err != nil {
		return r, err
	}
	r.ID, r.LiveActionID, r.Status, r.Parent, r.Lane = petrel.ID(id), petrel.ID(liveAction), petrel.Status(status), petrel.ID(parent), petrel.Lane(lane)
	r.WorkflowExecution, r.TaskExecution = petrel.ID(workflow), petrel.ID(task)
	r.StartedAt, r.EndedAt, r.Log = rows.Time(started), rows.Time(ended), rows.Log(log)
	for _, v := range []struct {
		stored []byte
		into   *petrel.JSON
	}{{parameters, &r.Parameters}, {given, &r.Context}, {notify, &r.Notify}, {callback, &r.Callback}, {result, &r.Result}} {
		value, err := rows.Unpack(v.stored)
		if err != nil {
			return r, err
		}
		*v.into = value
	}
	return r, nil
}

// executions reads runs by what follows "from execution e left join live l".
func (s Store) executions(ctx context.Context, q Query, withResult bool, tail string, args ...any) ([]petrel.Execution, error) {
	result := `e.result`
	if !withResult {
		result = `null`
	}
	var found []executionRow
	err := each(ctx, q, func(scan func(...any) error) error {
		r, err := scanExecution(scan)
		found = append(found, r)
		return err
	}, `select `+executionColumns+result+` from execution e left join live l on l.id = e.id`+tail, args...)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return s.complete(ctx, q, found)
}

// complete fills in the copies of action and runner and the children.
func (s Store) complete(ctx context.Context, q Query, found []executionRow) ([]petrel.Execution, error) {
	// What the cache has is held here: it may be emptied before it is asked again.
	actions, runners := make(map[string]petrel.Action), make(map[string]petrel.RunnerType)
	missing := make(map[string]bool)
	for _, r := range found {
		if a, cached := s.Docs.Action(r.actionDoc); cached {
			actions[r.actionDoc] = a
		} else {
			missing[r.actionDoc] = true
		}
		if t, cached := s.Docs.Runner(r.runnerDoc); cached {
			runners[r.runnerDoc] = t
		} else {
			missing[r.runnerDoc] = true
		}
	}
	bodies := make(map[string][]byte, len(missing))
	if len(missing) > 0 {
		hashes := make([]string, 0, len(missing))
		for hash := range missing {
			hashes = append(hashes, hash)
		}
		sort.Strings(hashes)
		err := each(ctx, q, func(scan func(...any) error) error {
			var hash string
			var body []byte
			err := scan(&hash, &body)
			bodies[hash] = slices.Clone(body)
			return err
		}, `select hash, body from doc where `+q.In("hash", 1), q.List(hashes))
		if err != nil {
			return nil, err
		}
	}
	all := make([]petrel.Execution, len(found))
	place := make(map[petrel.ID]int, len(found))
	ids := make([]string, len(found))
	for i, r := range found {
		action, have := actions[r.actionDoc]
		if !have {
			if err := rows.Unmarshal(bodies[r.actionDoc], &action); err != nil {
				return nil, petrel.Wrap(petrel.Internal, err, "The copy of the action of execution %s cannot be read.", r.ID)
			}
			s.Docs.KeepAction(r.actionDoc, action)
			actions[r.actionDoc] = action
		}
		runner, have := runners[r.runnerDoc]
		if !have {
			if err := rows.Unmarshal(bodies[r.runnerDoc], &runner); err != nil {
				return nil, petrel.Wrap(petrel.Internal, err, "The copy of the runner of execution %s cannot be read.", r.ID)
			}
			s.Docs.KeepRunner(r.runnerDoc, runner)
			runners[r.runnerDoc] = runner
		}
		r.Action, r.Runner = action, runner
		all[i], place[r.ID], ids[i] = r.Execution, i, string(r.ID)
	}
	err := each(ctx, q, func(scan func(...any) error) error {
		var parent, id string
		err := scan(&parent, &id)
		if at, found := place[petrel.ID(parent)]; found {
			all[at].Children = append(all[at].Children, petrel.ID(id))
		}
		return err
	}, `select parent, id from execution where parent <> '' and `+q.In("parent", 1)+` order by started_at, id`, q.List(ids))
	return all, err
}

// Execution is one run, whole.
func (s Store) Execution(ctx context.Context, id petrel.ID) (petrel.Execution, error) {
	var x petrel.Execution
	if !id.Valid() {
		return x, notFound("Execution with id '%s' not found.", rows.Shown(string(id)))
	}
	err := s.Read(ctx, func(ctx context.Context, q Query) (err error) {
		x, err = s.execution(ctx, q, id)
		return err
	})
	return x, err
}

func (s Store) execution(ctx context.Context, q Query, id petrel.ID) (petrel.Execution, error) {
	all, err := s.executions(ctx, q, true, ` where e.id = $1`, string(id))
	if err != nil {
		return petrel.Execution{}, err
	}
	if len(all) == 0 {
		return petrel.Execution{}, notFound("Execution with id '%s' not found.", id)
	}
	return all[0], nil
}

// Canceling lists the runs an owner holds whose cancellation was asked.
func (s Store) Canceling(ctx context.Context, owner string) ([]petrel.ID, error) {
	var ids []petrel.ID
	err := s.Read(ctx, func(ctx context.Context, q Query) (err error) {
		ids, err = texts[petrel.ID](ctx, q, `select id from live where owner = $1 and owner <> '' and status = 'canceling' order by id`, Searchable(owner))
		return err
	})
	return ids, err
}

// Held lists the runs an owner holds that have not ended.
func (s Store) Held(ctx context.Context, owner string) ([]storage.Held, error) {
	var all []storage.Held
	err := s.Read(ctx, func(ctx context.Context, q Query) error {
		all = nil
		return each(ctx, q, func(scan func(...any) error) error {
			var h storage.Held
			var id, status string
			err := scan(&id, &h.Attempt, &status)
			h.ID, h.Status = petrel.ID(id), petrel.Status(status)
			all = append(all, h)
			return err
		}, `select id, attempt, status from live where owner = $1 and owner <> '' order by id`, Searchable(owner))
	})
	return all, err
}

// NextDue is how long from now the next delayed run is due. Runs that are due
// already do not count: they wait for a worker, not for a time.
func (s Store) NextDue(ctx context.Context) (time.Duration, bool, error) {
	var wait time.Duration
	found := false
	err := s.Read(ctx, func(ctx context.Context, q Query) error {
		found = false
		now, err := q.Now(ctx)
		if err != nil {
			return err
		}
		first := rows.Never
		for _, lane := range rows.Lanes {
			refs, err := waitingRefs(ctx, q, lane, "", math.MaxInt32)
			if err != nil {
				return err
			}
			for _, ref := range refs {
				var due *int64
				if _, err := one(ctx, q, []any{&due}, `select min(due) from live where lane = $1 and action_ref = $2 and due > $3 and status in ('requested', 'delayed')`,
					string(lane), string(ref), now); err != nil {
					return err
				}
				if due != nil {
					first = min(first, *due)
				}
			}
		}
		if first != rows.Never {
			wait, found = time.Duration(first-now)*time.Microsecond, true
		}
		return nil
	})
	return wait, found, err
}

// QueueDepth counts runs that wait, due or not, by lane.
func (s Store) QueueDepth(ctx context.Context) (map[petrel.Lane]int, error) {
	var depth map[petrel.Lane]int
	err := s.Read(ctx, func(ctx context.Context, q Query) error {
		depth = make(map[petrel.Lane]int)
		return each(ctx, q, func(scan func(...any) error) error {
			var lane string
			var n int
			err := scan(&lane, &n)
			depth[petrel.Lane(lane)] = n
			return err
		}, `select lane, count(*) from live where status in ('requested', 'delayed') group by lane`)
	})
	return depth, err
}
