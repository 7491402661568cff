package relational

import (
	"context"
	"slices"
	"strconv"
	"time"

	"petrel"
	"petrel/storage"
	"petrel/storage/rows"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Moving is the moving part of a run as a change finds it.
type Moving struct {
	Status        petrel.Status
	Owner         string
	Attempt       int
	Runner        string
	Host          string
	PID           int
	Revision      int64
	Log           string
	Due           int64
	storedContext []byte // read only when it is to be merged
}

// ReadMoving reads and locks the moving parts of runs, in the order of their ids.
func ReadMoving(ctx context.Context, q Query, ids []string) (map[petrel.ID]Moving, error) {
	all := make(map[petrel.ID]Moving, len(ids))
	err := each(ctx, q, func(scan func(...any) error) error {
		var m Moving
		var id, status string
		err := scan(&id, &status, &m.Owner, &m.Attempt, &m.Runner, &m.Host, &m.PID, &m.Revision, &m.Log, &m.Due)
		m.Status = petrel.Status(status)
		all[petrel.ID(id)] = m
		return err
	}, `select id, status, owner, attempt, runner, host, pid, revision, log, due from live where `+q.In("id", 1)+` order by id`+q.Lock(), q.List(ids))
	return all, err
}

func readMoving(ctx context.Context, q Query, id petrel.ID, withContext bool) (Moving, bool, error) {
	all, err := ReadMoving(ctx, q, []string{Searchable(string(id))})
	m, found := all[id]
	if err != nil || !found {
		return m, false, err
	}
	if withContext {
		if _, err := one(ctx, q, []any{&m.storedContext}, `select context from execution where id = $1`, string(id)); err != nil {
			return m, false, err
		}
	}
	return m, true, nil
}

// outcome is what becomes of a run.
type outcome struct {
	status  petrel.Status
	at      time.Time
	result  petrel.JSON // nil keeps what is there
	measure bool        // ResultSize is the result's
	merge   petrel.JSON
	prefix  string // of the log, before the entry of the status; stands in Moving.Log already
}

// merged is the context with the outcome's keys, as a column's value; nil keeps what is there.
func (o outcome) merged(stored []byte) (any, error) {
	if len(o.merge) == 0 {
		return nil, nil
	}
	before, err := rows.Unpack(stored)
	if err != nil {
		return nil, err
	}
	after, err := rows.MergeObject(before, o.merge)
	if err != nil {
		return nil, &petrel.Error{Kind: petrel.Invalid, Field: "context", Message: "The context cannot be merged: " + err.Error() + "."}
	}
	return packed(after), nil
}

func (o outcome) check() error {
	var c rows.Check
	c.That(o.status.Valid(), "status", "'%s' is not a status", rows.Shown(string(o.status)))
	c.Value("result", o.result, rows.MaxUserValue)
	c.Value("context", o.merge, rows.MaxUserValue)
	return c.Err()
}

// settle changes the status of a run whose moving part was read and locked.
// A final status ends the moving part; the update holds only while the record
// is not final, so that a final status never changes.
func settle(ctx context.Context, q Query, id petrel.ID, m Moving, o outcome) error {
	merged, err := o.merged(m.storedContext)
	if err != nil {
		return err
	}
	log := rows.LogText(o.status, o.at)
	size := any(nil)
	if o.measure && o.result != nil {
		size = int64(len(o.result))
	}
	if o.status.Final() {
		n, err := q.Exec(ctx, `update execution set status = $2, ended_at = $3, log = $4, attempt = $5, host = $6, pid = $7, revision = $8,
			result = coalesce($9, result), result_size = coalesce($10, result_size), context = coalesce($11, context)
			where id = $1 and status is null`,
			string(id), string(o.status), rows.Micros(o.at), m.Log+log, m.Attempt, m.Host, m.PID, m.Revision+1, packed(o.result), size, merged)
		if err != nil {
			return err
		}
		if n == 0 {
			return conflict(id, "Execution %s is final.", id)
		}
		if _, err := q.Exec(ctx, `delete from live where id = $1`, string(id)); err != nil {
			return err
		}
		if _, err := q.Exec(ctx, `delete from token where execution_id = $1 and execution_id <> ''`, string(id)); err != nil {
			return err
		}
		return staleAll(ctx, q, id)
	}
	owner, due := m.Owner, m.Due
	switch o.status {
	case petrel.StatusPending, petrel.StatusPaused: // it waits for something else than a worker
		owner, due = "", rows.Never
	case petrel.StatusRequested, petrel.StatusDelayed: // it waits for a worker
		owner = ""
		if due == rows.Never {
			due = 0
		}
	}
	_, err = q.Exec(ctx, `update live set status = $2, log = log || $3, owner = $4, due = $5, revision = revision + 1 where id = $1`,
		string(id), string(o.status), o.prefix+log, owner, due)
	if err != nil {
		return err
	}
	if o.result != nil || merged != nil {
		_, err := q.Exec(ctx, `update execution set result = coalesce($2, result), result_size = coalesce($3, result_size), context = coalesce($4, context)
			where id = $1 and status is null`, string(id), packed(o.result), size, merged)
		if err != nil {
			return err
		}
	}
	return staleAll(ctx, q, id)
}

// staleAll marks the posts that show a run to be rendered again, those marked
// before too: their lock puts this in order with a RevisePost under way.
func staleAll(ctx context.Context, q Query, id petrel.ID) error {
	_, err := q.Exec(ctx, `update post set stale = $2 where execution_id = $1 and execution_id <> '' and not final`, string(id), true)
	return err
}

// Finish ends attempts.
func (s Store) Finish(ctx context.Context, batch []storage.Finish) []error {
	return s.Each(ctx, Rest, len(batch), func(ctx context.Context, q Query, i int) error { return FinishOne(ctx, q, batch[i]) })
}

// FinishOne ends one attempt.
func FinishOne(ctx context.Context, q Query, f storage.Finish) error {
	if err := CheckFinish(f); err != nil {
		return err
	}
	m, found, err := readMoving(ctx, q, f.ID, len(f.MergeContext) > 0)
	if err != nil {
		return err
	}
	live := map[petrel.ID]Moving{}
	if found {
		live[f.ID] = m
	}
	m, prefix, err := MayFinish(f, live)
	if err != nil {
		return err
	}
	m.Log += prefix
	if !f.Status.Final() {
		if _, err := q.Exec(ctx, `delete from token where execution_id = $1 and execution_id <> ''`, string(f.ID)); err != nil {
			return err
		}
	}
	return settle(ctx, q, f.ID, m, outcome{status: f.Status, at: f.At, result: f.Result, measure: true, merge: f.MergeContext, prefix: prefix})
}

// MayFinish is the fence of Finish: the attempt must be the owner's and may
// take the step. prefix goes into the log before the step: a run that ended
// while it was prepared shows that it was taken up.
func MayFinish(f storage.Finish, live map[petrel.ID]Moving) (m Moving, prefix string, err error) {
	m, found := live[f.ID]
	if !found || m.Owner != f.Owner || m.Attempt != f.Attempt || m.Owner == "" {
		return m, "", NotOwner(f.ID, f.Owner, f.Attempt)
	}
	if m.Status == petrel.StatusScheduled {
		m.Status, prefix = petrel.StatusRunning, rows.LogText(petrel.StatusRunning, f.At)
	}
	if !m.Status.CanBecome(f.Status) {
		return m, "", IllegalStep(f.ID, m.Status, f.Status)
	}
	return m, prefix, nil
}

// CheckFinish says what is wrong with an ending before the store is asked.
func CheckFinish(f storage.Finish) error {
	var c rows.Check
	c.ID("id", f.ID)
	c.That(f.Status.Final() || f.Status == petrel.StatusPending || f.Status == petrel.StatusPaused, "status",
		"an attempt cannot end as '%s'", Searchable(string(f.Status)))
	if c.Err() != nil {
		return c.Err()
	}
	return outcome{status: f.Status, result: f.Result, merge: f.MergeContext}.check()
}

// IllegalStep is the answer to a change of status that the table of statuses does not have.
func IllegalStep(id petrel.ID, from, to petrel.Status) error {
	return conflict(id, "Execution %s is %s and cannot become %s.", id, from, to)
}

// Cancel asks for the end of a run.
func (s Store) Cancel(ctx context.Context, c storage.Cancel) (petrel.Execution, string, error) {
	var after petrel.Execution
	var tell string
	if !c.ID.Valid() {
		return after, "", notFound("Execution with id '%s' not found.", rows.Shown(string(c.ID)))
	}
	by, err := rows.Marshal("cancelled_by", map[string]string{"cancelled_by": c.By})
	if err != nil {
		return after, "", err
	}
	err = s.Write(ctx, Rest, func(ctx context.Context, q Query) (err error) {
		tell = ""
		m, found, err := readMoving(ctx, q, c.ID, true)
		if err != nil {
			return err
		}
		if !found {
			after, err = s.execution(ctx, q, c.ID)
			if err == nil && after.Status != petrel.StatusCanceled {
				err = conflict(c.ID, "Execution %s is %s and cannot be canceled.", c.ID, after.Status)
			}
			return err
		}
		switch {
		case m.Status == petrel.StatusCanceling: // asked before; who owns it is told again
			tell = m.Owner
		case !m.Status.Cancelable():
			return conflict(c.ID, "Execution %s is %s and cannot be canceled.", c.ID, m.Status)
		default:
			next := petrel.StatusCanceling
			if m.Owner == "" || m.Status == petrel.StatusScheduled {
				next = petrel.StatusCanceled // nothing runs
			} else {
				tell = m.Owner
			}
			if err := settle(ctx, q, c.ID, m, outcome{status: next, at: c.At, result: c.Result, measure: next == petrel.StatusCanceling, merge: by}); err != nil {
				return err
			}
		}
		if err := audit(ctx, q, c.Audit); err != nil {
			return err
		}
		after, err = s.execution(ctx, q, c.ID)
		return err
	})
	return after, tell, err
}

// SetStatus changes a status from outside.
func (s Store) SetStatus(ctx context.Context, c storage.StatusChange) (petrel.Execution, error) {
	var after petrel.Execution
	o := outcome{status: c.Status, at: c.At, result: c.Result, measure: true, merge: c.MergeContext}
	if err := o.check(); err != nil {
		return after, err
	}
	if !c.ID.Valid() {
		return after, notFound("Execution with id '%s' not found.", rows.Shown(string(c.ID)))
	}
	err := s.Write(ctx, Rest, func(ctx context.Context, q Query) (err error) {
		m, found, err := readMoving(ctx, q, c.ID, len(c.MergeContext) > 0)
		if err != nil {
			return err
		}
		if !found {
			x, err := s.execution(ctx, q, c.ID)
			if err == nil {
				err = IllegalStep(c.ID, x.Status, c.Status)
			}
			return err
		}
		if len(c.From) > 0 && !slices.Contains(c.From, m.Status) || !m.Status.CanBecome(c.Status) {
			return IllegalStep(c.ID, m.Status, c.Status)
		}
		if err := settle(ctx, q, c.ID, m, o); err != nil {
			return err
		}
		if err := audit(ctx, q, c.Audit); err != nil {
			return err
		}
		after, err = s.execution(ctx, q, c.ID)
		return err
	})
	return after, err
}

// Sweep takes the runs of nodes that are marked dead away from them.
func (s Store) Sweep(ctx context.Context, at time.Time, abandoned petrel.JSON, straight []string, limit int) (storage.Swept, error) {
	var swept storage.Swept
	err := s.Write(ctx, Rest, func(ctx context.Context, q Query) error {
		swept = storage.Swept{}
		ids, err := texts[petrel.ID](ctx, q, `select l.id from live l join node n on n.incarnation = l.owner where l.owner <> '' and n.dead order by l.id limit $1`, limit)
		if err != nil {
			return err
		}
		for _, id := range ids {
			m, found, err := readMoving(ctx, q, id, false)
			if err != nil {
				return err
			}
			if !found || m.Owner == "" {
				continue
			}
			if err := notDead(ctx, q, m.Owner); err == nil { // claimed again in between
				continue
			} else if !petrel.Is(err, petrel.NotOwner) {
				return err
			}
			o := outcome{status: petrel.StatusAbandoned, at: at, result: abandoned, measure: true}
			switch {
			case m.Status == petrel.StatusScheduled, m.Status == petrel.StatusRunning && slices.Contains(straight, m.Runner):
				o = outcome{status: petrel.StatusRequested, at: at}
				swept.Requeued = append(swept.Requeued, id)
			case m.Status == petrel.StatusCanceling:
				o = outcome{status: petrel.StatusCanceled, at: at}
				swept.Canceled = append(swept.Canceled, id)
			default:
				swept.Abandoned = append(swept.Abandoned, id)
			}
			if err := settle(ctx, q, id, m, o); err != nil {
				return err
			}
		}
		return nil
	})
	return swept, err
}
