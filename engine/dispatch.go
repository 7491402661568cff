package engine

import (
	"context"
	"time"

	"petrel"
	"petrel/engine/hook"
	"petrel/queue"
	"petrel/storage"
)

// nudge is what a message told: look at these runs, then acknowledge.
type nudge struct {
	ids      []petrel.ID
	messages []string
}

const (
	workers      = "workers" // the group of all workers
	maxMessages  = 256       // taken from the queue at once
	storeTimeout = 30 * time.Second
)

// receiving takes messages from the queue while there are free slots; a
// worker without one leaves them to others.
func (e *Engine) receiving() {
	for n := 0; e.taking.Err() == nil; {
		messages, err := e.cfg.Queue.Receive(e.taking, queue.TopicExecutions, workers, string(e.node), maxMessages)
		if err != nil {
			if e.taking.Err() != nil {
				return
			}
			n++
			e.cfg.Log.Warn("The queue is away; the worker looks by itself.", "error", err)
			if !sleep(e.taking, backoff(n)) {
				return
			}
			continue
		}
		n = 0
		var heard nudge
		for _, m := range messages {
			heard.ids = append(heard.ids, m.IDs...)
			heard.messages = append(heard.messages, m.ID)
		}
		select {
		case e.nudges <- heard:
		case <-e.taking.Done():
			return
		}
	}
}

// dispatching claims work: what messages name, what is due, and every so often
// whatever waits, because messages may be lost.
func (e *Engine) dispatching() {
	pull := time.NewTicker(e.cfg.IdlePull)
	defer pull.Stop()
	due := time.NewTimer(0) // at the start look at once
	defer due.Stop()
	backlog := false // more waited than there were slots
	failed := 0      // claims in a row
	for {
		e.mu.Lock()
		free := e.load.free() > 0
		e.mu.Unlock()
		nudges := e.nudges
		if !free {
			nudges = nil
		}
		var heard nudge
		look, waiting := false, false // claim whatever waits; look when the next run is due
		select {
		case <-e.taking.Done():
			return
		case heard = <-nudges:
		case <-e.freed:
			if !backlog {
				continue
			}
			look = true
		case <-e.soon:
			look, waiting = true, true
		case <-due.C:
			look, waiting = true, true
		case <-pull.C:
			look, waiting = true, true
		}
		t := e.current()
		if t == nil {
			continue // The node registers anew; what was named is found by looking.
		}
		if waiting {
			// Before the claim: what becomes due between the two is then either
			// claimed or waited for.
			e.setDue(due)
		}
		var err error
		backlog, err = e.claim(t, heard.ids, look || backlog)
		if err != nil {
			failed++
			e.cfg.Log.Warn("Work could not be claimed.", "error", err)
			// Unacknowledged, the messages come again.
			if !sleep(e.taking, backoff(failed)) {
				return
			}
			continue
		}
		failed = 0
		if len(heard.messages) > 0 {
			if err := e.cfg.Queue.Ack(e.taking, queue.TopicExecutions, workers, heard.messages...); err != nil && e.taking.Err() == nil {
				e.metrics.untold.WithLabelValues("ack").Inc()
			}
		}
	}
}

// setDue makes the timer go off when the next delayed run is due, if that is
// before the next look.
func (e *Engine) setDue(due *time.Timer) {
	ctx, cancel := context.WithTimeout(e.taking, storeTimeout)
	defer cancel()
	wait, some, err := e.cfg.Store.NextDue(ctx)
	if err != nil || !some || wait > e.cfg.IdlePull {
		due.Stop()
		return
	}
	// Never at once: a run that is due and cannot be claimed must not spin.
	due.Reset(max(wait, 0) + time.Millisecond)
}

// claim takes work into the free slots; true says that more may be waiting.
func (e *Engine) claim(t *tenure, ids []petrel.ID, pull bool) (bool, error) {
	e.mu.Lock()
	now := e.load
	e.claiming++
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.claiming--
		e.claims++
		e.mu.Unlock()
	}()
	takes := planTakes(now, ids, pull)
	more := len(takes) == 0
	for _, take := range takes {
		ctx, cancel := context.WithTimeout(e.life, storeTimeout)
		claimed, err := e.cfg.Store.Claim(ctx, storage.Claim{
			Owner: t.incarnation, Host: e.cfg.Host, PID: pid, IDs: take.ids, Lanes: take.lanes, Limit: take.limit,
			Straight: e.straight, At: e.now(),
		})
		cancel()
		if err != nil {
			return true, err
		}
		e.metrics.claimed.WithLabelValues(take.reason).Add(float64(len(claimed)))
		for _, x := range claimed {
			e.begin(t, x)
		}
		if take.ids == nil && len(claimed) == take.limit {
			more = true
		}
	}
	return more, nil
}

// begin puts a claimed run into a slot and works on it.
func (e *Engine) begin(t *tenure, x petrel.Execution) {
	r := newRun(e, t, x)
	e.mu.Lock()
	if old := e.runs[x.ID]; old != nil {
		// The same run at a later attempt: somebody took it away from us, so
		// what we still do for it is lost.
		old.cancel(errSuperseded)
	}
	e.runs[x.ID] = r
	e.count(x.Lane, +1)
	e.work.Add(1)
	e.mu.Unlock()
	e.metrics.waited.WithLabelValues(string(x.Lane)).Observe(e.now().Sub(x.StartedAt).Seconds())
	go func() {
		defer e.work.Done()
		defer e.release(r)
		if hook.Enabled {
			if err := hook.Fire(hook.AfterClaim); err != nil {
				// As if the answer to the claim had been lost.
				return
			}
		}
		r.work()
	}()
}

// release gives the slot back.
func (e *Engine) release(r *run) {
	r.cancel(nil)
	e.mu.Lock()
	if e.runs[r.x.ID] == r {
		delete(e.runs, r.x.ID)
	}
	e.count(r.x.Lane, -1)
	e.mu.Unlock()
	poke(e.freed)
}

// count keeps the load; the caller holds the lock.
func (e *Engine) count(lane petrel.Lane, by int) {
	if lane == petrel.LaneInteractive {
		e.load.interactive += by
	} else {
		e.load.others += by
	}
	e.metrics.busy.WithLabelValues(string(lane)).Add(float64(by))
}

// sleep waits; false says that the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
