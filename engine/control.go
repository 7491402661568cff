package engine

import (
	"context"
	"time"

	"petrel"
	"petrel/expr/value"
	"petrel/queue"
	"petrel/runners"
	"petrel/storage"
)

// Cancel ends an execution: one that has not started at once, a running one
// by killing its processes. One that is canceled already is returned as it is;
// one that cannot be canceled is a Conflict error and returned too.
// With force, one that is canceling already has its owner told again.
func (e *Engine) Cancel(ctx context.Context, id petrel.ID, by string, force bool, audit ...petrel.AuditEntry) (petrel.Execution, error) {
	result, err := value.ToJSON(value.DictOf("message", "Action canceled by user.", "user", by), value.CompactJSON)
	if err != nil {
		return petrel.Execution{}, petrel.Wrap(petrel.Invalid, err, "The user's name cannot be written as JSON.")
	}
	at := e.now()
	x, owner, err := e.cfg.Store.Cancel(ctx, storage.Cancel{ID: id, By: by, At: at, Result: result, Audit: audit})
	if petrel.Is(err, petrel.Conflict) {
		x, look := e.cfg.Store.Execution(ctx, id)
		if look != nil {
			return x, look
		}
		return x, cannotCancel(x)
	}
	if err != nil {
		return x, err
	}
	if owner != "" {
		e.tellOwner(ctx, id, owner)
	}
	if last := len(x.Log) - 1; last < 0 || !x.Log[last].At.Equal(at) {
		// It was canceled or canceling before.
		if x.Status == petrel.StatusCanceling && !force {
			return x, cannotCancel(x)
		}
		return x, nil
	}
	e.tell(ctx, "update", id, x.Revision, x.Status)
	if x.Status.Final() {
		e.endLocal(id, runners.ErrCanceled)
		e.posts(ctx, id)
	}
	e.cfg.Log.Info("An execution was canceled.", "execution", id, "by", by, "status", x.Status)
	return x, nil
}

func cannotCancel(x petrel.Execution) error {
	return petrel.Errorf(petrel.Conflict, "Action cannot be canceled. State = %s.", x.Status)
}

// tellOwner makes the owner look at a run of its own.
func (e *Engine) tellOwner(ctx context.Context, id petrel.ID, owner string) {
	if t := e.current(); t != nil && t.incarnation == owner && e.endLocal(id, runners.ErrCanceled) {
		return
	}
	e.nudge(ctx, queue.TopicControl, id)
}

// endLocal ends a run that works in this process.
func (e *Engine) endLocal(id petrel.ID, cause runners.Cause) bool {
	e.mu.Lock()
	r := e.runs[id]
	e.mu.Unlock()
	if r == nil {
		return false
	}
	r.cancel(cause)
	return true
}

// SetStatus sets a status from outside, as PUT /executions/{id} does: cancel,
// pause, resume, or a result delivered by somebody else. A nil result keeps
// what is there. Refusals are Invalid errors with StackStorm's texts.
func (e *Engine) SetStatus(ctx context.Context, id petrel.ID, status petrel.Status, result petrel.JSON, by string, audit ...petrel.AuditEntry) (petrel.Execution, error) {
	// Between the look and the change somebody else may change it: then the
	// decision is made again from what it is now.
	for n := 0; ; n++ {
		x, err := e.cfg.Store.Execution(ctx, id)
		if err != nil {
			return x, err
		}
		d := decideStatus(x, status, result != nil)
		switch d.step {
		case stepRefuse:
			return x, fieldError("status", "%s", d.reason)
		case stepKeep:
			return x, nil
		case stepTell:
			e.tellOwner(ctx, id, x.Owner)
			return x, nil
		case stepCancel:
			x, err = e.Cancel(ctx, id, by, false, audit...)
		case stepSet:
			x, err = e.set(ctx, x, d, result, by, audit)
		}
		if !petrel.Is(err, petrel.Conflict) || n >= 5 {
			return x, err
		}
	}
}

func (e *Engine) set(ctx context.Context, x petrel.Execution, d statusDecision, result petrel.JSON, by string, audit []petrel.AuditEntry) (petrel.Execution, error) {
	if len(result) > e.cfg.MaxResultSize {
		return x, &petrel.Error{Kind: petrel.TooLarge, Field: "result", Message: tooLarge("The result", len(result), e.cfg.MaxResultSize)}
	}
	change := storage.StatusChange{ID: x.ID, From: []petrel.Status{x.Status}, Status: d.to, Result: result, At: e.now(), Audit: audit}
	if d.by != "" {
		merge, err := value.ToJSON(value.DictOf(d.by, by), value.CompactJSON)
		if err != nil {
			return x, petrel.Wrap(petrel.Invalid, err, "The user's name cannot be written as JSON.")
		}
		change.MergeContext = merge
	}
	owner := x.Owner
	x, err := e.cfg.Store.SetStatus(ctx, change)
	if err != nil {
		return x, err
	}
	e.tell(ctx, "update", x.ID, x.Revision, d.to)
	if d.to.Final() {
		// Whoever works on it works for nothing now.
		if owner != "" && !e.endLocal(x.ID, runners.ErrLost) {
			e.nudge(ctx, queue.TopicControl, x.ID)
		}
		e.posts(ctx, x.ID)
	}
	e.cfg.Log.Info("A status was set from outside.", "execution", x.ID, "by", by, "status", d.to)
	return x, nil
}

// hearing listens for runs of this node that somebody wants to end.
func (e *Engine) hearing() {
	group := "control-" + string(e.node)
	for n := 0; e.life.Err() == nil; {
		messages, err := e.cfg.Queue.Receive(e.life, queue.TopicControl, group, string(e.node), maxMessages)
		if err != nil {
			if e.life.Err() != nil {
				return
			}
			n++
			if !sleep(e.life, backoff(n)) {
				return
			}
			continue
		}
		n = 0
		done := make([]string, 0, len(messages))
		for _, m := range messages {
			for _, id := range m.IDs {
				e.look(id)
			}
			done = append(done, m.ID)
		}
		if err := e.cfg.Queue.Ack(e.life, queue.TopicControl, group, done...); err != nil && e.life.Err() == nil {
			e.metrics.untold.WithLabelValues("ack").Inc()
		}
	}
}

// look asks the store what became of a run that works here.
func (e *Engine) look(id petrel.ID) {
	e.mu.Lock()
	r := e.runs[id]
	e.mu.Unlock()
	if r == nil {
		return
	}
	ctx, cancel := context.WithTimeout(e.life, storeTimeout)
	defer cancel()
	x, err := e.cfg.Store.Execution(ctx, id)
	if err != nil {
		return // The watcher looks again.
	}
	switch {
	case x.Status == petrel.StatusCanceling || x.Status == petrel.StatusCanceled:
		r.cancel(runners.ErrCanceled)
	case x.Status.Final(), x.Owner != r.t.incarnation, x.Attempt != r.x.Attempt:
		r.cancel(runners.ErrLost)
	}
}

// watching compares, every so often, what the store says this node holds with
// what it works on: messages may be lost, and so may answers.
func (e *Engine) watching() {
	tick := time.NewTicker(e.cfg.Watch)
	defer tick.Stop()
	strays := map[petrel.ID]int{}
	claims := 0
	for {
		select {
		case <-e.life.Done():
			return
		case <-tick.C:
		}
		t := e.current()
		if t == nil {
			clear(strays)
			continue
		}
		// While a claim is under way, what it takes looks like a stray.
		e.mu.Lock()
		if e.claiming > 0 && e.claims == claims {
			clear(strays)
		}
		claims = e.claims
		e.mu.Unlock()
		if err := e.watch(t, strays); err != nil {
			clear(strays)
			e.cfg.Log.Warn("The node could not ask what it holds.", "error", err)
		}
	}
}

func (e *Engine) watch(t *tenure, strays map[petrel.ID]int) error {
	ctx, cancel := context.WithTimeout(t.ctx, storeTimeout)
	defer cancel()
	e.mu.Lock()
	before := make([]*run, 0, len(e.runs))
	for _, r := range e.runs {
		before = append(before, r)
	}
	e.mu.Unlock()
	list, err := e.cfg.Store.Held(ctx, t.incarnation)
	if err != nil {
		return err
	}
	held := make(map[petrel.ID]storage.Held, len(list))
	for _, h := range list {
		held[h.ID] = h
	}
	e.mu.Lock()
	ours := make(map[petrel.ID]bool, len(e.runs))
	for id := range e.runs {
		ours[id] = true
	}
	var gone []*run
	for _, r := range before {
		h, is := held[r.x.ID]
		switch {
		case r.ended || r.t != t:
		case is && h.Attempt == r.x.Attempt:
			r.missing = 0
			if h.Status == petrel.StatusCanceling {
				r.cancel(runners.ErrCanceled)
			}
		default:
			if r.missing++; r.missing > 1 {
				gone = append(gone, r)
			}
		}
	}
	e.mu.Unlock()
	for _, r := range gone {
		// Canceled before it started, ended from outside, or taken away.
		r.cancel(runners.ErrLost)
	}
	for id := range strays {
		if _, is := held[id]; !is || ours[id] {
			delete(strays, id)
		}
	}
	for id, h := range held {
		if ours[id] {
			continue
		}
		strays[id]++
		e.stray(ctx, t, h, strays[id])
	}
	return nil
}

// stray deals with a run the store says we hold and no slot works on.
func (e *Engine) stray(ctx context.Context, t *tenure, h storage.Held, n int) {
	if n < strayLooks {
		return
	}
	x, err := e.cfg.Store.Execution(ctx, h.ID)
	if err != nil || x.Owner != t.incarnation || x.Attempt != h.Attempt || x.Status != h.Status {
		return // It changed meanwhile; look again.
	}
	step := decideStray(h.Status, contains(e.straight, x.Runner.Name), n)
	if step == strayWait {
		return
	}
	e.metrics.strays.WithLabelValues(string(step)).Inc()
	e.cfg.Log.Warn("The store gave this node a run it did not hear of.", "execution", h.ID, "attempt", h.Attempt, "status", h.Status, "step", step)
	if step == strayRun {
		if e.taking.Err() == nil {
			e.begin(t, x)
		}
		return
	}
	f := storage.Finish{ID: h.ID, Owner: t.incarnation, Attempt: h.Attempt, Status: petrel.StatusCanceled, At: e.now()}
	if step == strayAbandon {
		f.Status, f.Result = petrel.StatusAbandoned, abandoned
	}
	if err := e.cfg.Store.Finish(ctx, []storage.Finish{f})[0]; err != nil {
		return // Looked at again, or somebody else was quicker.
	}
	e.tell(ctx, "update", h.ID, 0, f.Status)
	e.posts(ctx, h.ID)
}
