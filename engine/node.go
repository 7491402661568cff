package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"petrel"
	"petrel/queue"
	"petrel/runners"
)

// abandoned is the result of runs whose owner died while they ran.
var abandoned = failuref("The worker that ran the action died; whether the action took effect is not known.")

// sweepLimit is how many runs one call takes away from the dead.
const sweepLimit = 500

// register gives the node a new incarnation and a lease.
func (e *Engine) register(ctx context.Context) (*tenure, error) {
	var raw [8]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return nil, petrel.Wrap(petrel.Internal, err, "The system has no random numbers.")
	}
	t := &tenure{incarnation: string(e.node) + "-" + hex.EncodeToString(raw[:])}
	node := petrel.Node{
		ID: petrel.NewID(e.cfg.Now()), Incarnation: t.incarnation, Host: e.cfg.Host, PID: pid, Roles: e.cfg.Roles,
		StateDir: e.cfg.StateDir, StartedAt: e.now(), Version: e.cfg.Version,
	}
	if err := e.cfg.Store.RegisterNode(ctx, node, e.cfg.Lease); err != nil {
		return nil, err
	}
	t.ctx, t.end = context.WithCancelCause(e.life)
	return t, nil
}

// renewing keeps the lease. A node that was marked dead kills its work, which
// is somebody else's by now, and registers anew.
func (e *Engine) renewing() {
	tick := time.NewTicker(e.cfg.Renew)
	defer tick.Stop()
	for {
		select {
		case <-e.life.Done():
			return
		case <-tick.C:
		}
		t := e.current()
		ctx, cancel := context.WithTimeout(e.life, e.cfg.Renew)
		err := e.cfg.Store.RenewNode(ctx, t.incarnation, e.cfg.Lease)
		cancel()
		switch {
		case err == nil || e.life.Err() != nil:
		case petrel.Is(err, petrel.NotOwner):
			if !e.reborn(t) {
				return
			}
		default:
			e.metrics.retried.WithLabelValues("renew").Inc()
			e.cfg.Log.Warn("The lease could not be renewed.", "error", err)
		}
	}
}

// reborn ends the work of a tenure that others ended and begins a new one;
// false says that the engine stops.
func (e *Engine) reborn(old *tenure) bool {
	e.metrics.reborn.Inc()
	e.cfg.Log.Error("This node was taken for dead; it ends its work and registers anew.", "incarnation", old.incarnation)
	e.mu.Lock()
	e.tenure = nil
	e.mu.Unlock()
	old.end(runners.ErrLost)
	for n := 1; ; n++ {
		ctx, cancel := context.WithTimeout(e.life, e.cfg.Lease)
		t, err := e.register(ctx)
		cancel()
		if err == nil {
			e.mu.Lock()
			e.tenure = t
			e.mu.Unlock()
			e.cfg.Log.Info("The node is registered anew.", "incarnation", t.incarnation)
			return true
		}
		e.cfg.Log.Warn("The node could not be registered.", "error", err)
		if !sleep(e.life, backoff(n)) {
			return false
		}
	}
}

// sweeping looks for nodes that died and takes their runs away from them.
func (e *Engine) sweeping() {
	tick := time.NewTicker(e.cfg.Sweep)
	defer tick.Stop()
	// A node that renewed just before an absence of half of what is left of its
	// lease then still has the other half.
	gate := newSweepGate(e.cfg.Lease, e.cfg.Sweep+(e.cfg.Lease-e.cfg.Renew)/2)
	for {
		e.sweep(&gate)
		select {
		case <-e.life.Done():
			return
		case <-tick.C:
		}
	}
}

func (e *Engine) sweep(gate *sweepGate) {
	ctx, cancel := context.WithTimeout(e.life, e.cfg.Sweep)
	at, err := e.cfg.Store.Now(ctx)
	cancel()
	if err != nil {
		gate.missed()
		return
	}
	gate.looked(at)
	if gate.open(time.Now()) {
		ctx, cancel := context.WithTimeout(e.life, e.cfg.Sweep)
		dead, err := e.cfg.Store.MarkDead(ctx)
		cancel()
		if err != nil {
			gate.missed()
			return
		}
		for _, incarnation := range dead {
			e.metrics.nodesDead.Inc()
			e.cfg.Log.Error("A node did not renew its lease and was marked dead.", "incarnation", incarnation)
		}
		if len(dead) > 0 {
			defer func() {
				// Chat events and messages the dead one held are free now too.
				e.nudge(e.life, queue.TopicEvents)
				e.nudge(e.life, queue.TopicPosts)
			}()
		}
	}
	// A node may have been marked by somebody who then died himself, or by the
	// one that took over its folder: what it held is looked for each time.
	for {
		ctx, cancel := context.WithTimeout(e.life, storeTimeout)
		swept, err := e.cfg.Store.Sweep(ctx, e.now(), abandoned, e.straight, sweepLimit)
		cancel()
		if err != nil {
			if e.life.Err() == nil {
				gate.missed()
				e.cfg.Log.Warn("The work of dead nodes could not be looked for.", "error", err)
			}
			return
		}
		gate.reached(time.Now())
		for _, id := range swept.Requeued {
			e.cfg.Log.Warn("A run of a dead node waits to be run again: it had not started.", "execution", id)
			e.tell(e.life, "update", id, 0, petrel.StatusRequested)
		}
		if len(swept.Requeued) > 0 {
			e.metrics.swept.WithLabelValues("requeued").Add(float64(len(swept.Requeued)))
			e.nudge(e.life, queue.TopicExecutions, swept.Requeued...)
		}
		for _, id := range swept.Abandoned {
			e.cfg.Log.Error("A run of a dead node was abandoned: whether it took effect is not known.", "execution", id)
			e.metrics.swept.WithLabelValues("abandoned").Inc()
			e.tell(e.life, "update", id, 0, petrel.StatusAbandoned)
			e.posts(e.life, id)
		}
		for _, id := range swept.Canceled {
			e.metrics.swept.WithLabelValues("canceled").Inc()
			e.tell(e.life, "update", id, 0, petrel.StatusCanceled)
			e.posts(e.life, id)
		}
		if len(swept.Requeued)+len(swept.Abandoned)+len(swept.Canceled) < sweepLimit {
			return
		}
	}
}
