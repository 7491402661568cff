// Package engine runs actions: it takes requests, gives them to workers,
// streams what they print and stores how they ended. The row in the store is
// the truth; the queue only wakes, and the feed only tells.
//
//	Request ──▶ store ──▶ nudge ──▶ claim ──▶ Prepare ──▶ Start ──▶ Run ──▶ Finish
//	                        │          ▲        (scheduled)    (running)      (final)
//	                        └─ lost? ──┘ an idle worker looks by itself
//
// What a process owns names its incarnation. A process that was taken for dead
// kills its work and registers anew, and the store refuses what it still says
// under the old name.
package engine

import (
	"context"
	"sync"
	"time"

	"petrel"
	"petrel/runners"
)

// Engine requests, runs and ends executions. Make one with New; its methods
// may be called from any goroutine.
type Engine struct {
	cfg      Config
	metrics  *metrics
	content  *contentCache
	output   *outputs
	node     petrel.ID // the same through all incarnations
	straight []string  // runners without side effects

	// Life is the time in which the node has a lease; taking is the part of
	// it in which it claims work.
	life, taking       context.Context
	endLife, endTaking context.CancelFunc
	parts              sync.WaitGroup // goroutines of the life
	takers             sync.WaitGroup // goroutines that start runs
	work               sync.WaitGroup // runs

	nudges chan nudge
	freed  chan struct{} // a slot came free
	soon   chan struct{} // a delayed run was stored
	hard   chan struct{} // closed: do not wait for running work
	done   chan struct{} // closed: the engine has stopped

	mu       sync.Mutex
	phase    phase
	hardOnce bool
	tenure   *tenure // nil when the node is not registered
	runs     map[petrel.ID]*run
	load     load
	claiming int // claims under way
	claims   int // claims ended
}

type phase int

const (
	phaseNew phase = iota
	phaseRunning
	phaseStopping
	phaseStopped
)

// tenure is the time of one incarnation.
type tenure struct {
	incarnation string
	ctx         context.Context
	end         context.CancelCauseFunc
}

// New checks the configuration and makes an engine that does not run yet.
// Request, Cancel, SetStatus and Rerun work before Start and after Stop.
func New(cfg Config) (*Engine, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	m, err := newMetrics(cfg.Registry)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		cfg:     cfg,
		metrics: m,
		content: newContentCache(cfg.Store, cfg.KV),
		node:    petrel.NewID(cfg.Now()),
		nudges:  make(chan nudge),
		freed:   make(chan struct{}, 1),
		soon:    make(chan struct{}, 1),
		hard:    make(chan struct{}),
		done:    make(chan struct{}),
		runs:    map[petrel.ID]*run{},
		load:    load{slots: cfg.Slots, reserved: cfg.reserved()},
	}
	for name, r := range cfg.Runners {
		if s, is := r.(runners.Straight); is && s.Straight() {
			e.straight = append(e.straight, name)
		}
	}
	e.output = newOutputs(e)
	return e, nil
}

// Start registers the node and begins to work. It returns when the node is
// registered; the work goes on until Stop, whatever becomes of ctx. Starting
// twice is harmless; an engine that was stopped cannot be started again.
func (e *Engine) Start(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch e.phase {
	case phaseRunning:
		return nil
	case phaseStopping, phaseStopped:
		return petrel.Errorf(petrel.Conflict, "The engine was stopped and cannot be started again.")
	}
	e.life, e.endLife = context.WithCancel(context.Background())
	e.taking, e.endTaking = context.WithCancel(e.life)
	t, err := e.register(ctx)
	if err != nil {
		e.endLife()
		return err
	}
	e.tenure, e.phase = t, phaseRunning
	for _, part := range []func(){e.renewing, e.sweeping, e.tidying, e.output.flushing} {
		e.parts.Go(part)
	}
	if !e.cfg.NoWork {
		e.parts.Go(e.hearing)
		e.parts.Go(e.watching)
		e.takers.Go(e.receiving)
		e.takers.Go(e.dispatching)
	}
	e.cfg.Log.Info("The engine works.", "incarnation", t.incarnation, "slots", e.cfg.Slots, "work", !e.cfg.NoWork)
	return nil
}

// Stop drains: it takes no more work at once, waits for running work up to
// the grace time or the end of ctx, ends what is left as abandoned, and
// retires the node. A second call while the first waits ends the waiting.
// Stopping an engine that does not run, or twice, is harmless.
func (e *Engine) Stop(ctx context.Context) error {
	e.mu.Lock()
	switch e.phase {
	case phaseNew:
		e.phase = phaseStopped
		close(e.done)
	case phaseRunning:
		e.phase = phaseStopping
		go e.draining()
	case phaseStopping:
		e.stopHard()
	}
	e.mu.Unlock()
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
	}
	e.mu.Lock()
	e.stopHard()
	e.mu.Unlock()
	<-e.done
	return nil
}

// stopHard ends the waiting of a drain; the caller holds the lock.
func (e *Engine) stopHard() {
	if !e.hardOnce {
		e.hardOnce = true
		close(e.hard)
	}
}

func (e *Engine) draining() {
	defer close(e.done)
	e.endTaking()
	e.takers.Wait()
	ended := make(chan struct{})
	go func() {
		e.work.Wait()
		close(ended)
	}()
	e.mu.Lock()
	left := len(e.runs)
	e.mu.Unlock()
	e.cfg.Log.Info("The engine takes no more work and waits for what runs.", "running", left, "grace", e.cfg.Grace)
	grace := time.NewTimer(e.cfg.Grace)
	defer grace.Stop()
	select {
	case <-ended:
	case <-e.hard:
	case <-grace.C:
	}
	e.mu.Lock()
	t := e.tenure
	for _, r := range e.runs {
		r.cancel(runners.ErrShutdown)
	}
	left = len(e.runs)
	e.mu.Unlock()
	if left > 0 {
		e.cfg.Log.Warn("The engine ends work that did not end by itself.", "running", left)
		kill := time.NewTimer(e.cfg.KillWait)
		defer kill.Stop()
		select {
		case <-ended:
		case <-kill.C:
			e.cfg.Log.Error("Some work did not end when it was killed; a sweeper will mark it.")
		}
	}
	e.endLife()
	if t != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := e.cfg.Store.RetireNode(ctx, t.incarnation); err != nil && !petrel.Is(err, petrel.NotOwner) {
			e.cfg.Log.Warn("The node could not be retired; a sweeper will mark it.", "error", err)
		}
		t.end(runners.ErrShutdown)
	}
	e.parts.Wait()
	e.mu.Lock()
	e.phase = phaseStopped
	e.tenure = nil
	e.mu.Unlock()
	e.cfg.Log.Info("The engine has stopped.")
}

// Incarnation is what the node is called as an owner. It changes when the
// node was taken for dead and registered anew, so ask for it at each use; it
// is empty while the node is not registered.
func (e *Engine) Incarnation() string {
	if t := e.current(); t != nil {
		return t.incarnation
	}
	return ""
}

func (e *Engine) current() *tenure {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tenure
}

// Ready says why the engine cannot take and run work now; nil when it can.
func (e *Engine) Ready(ctx context.Context) error {
	e.mu.Lock()
	phase, t := e.phase, e.tenure
	e.mu.Unlock()
	switch {
	case phase != phaseRunning:
		return petrel.Errorf(petrel.Unavailable, "The engine is not running.")
	case t == nil:
		return petrel.Errorf(petrel.Unavailable, "The node was taken for dead and is not registered again yet.")
	}
	return e.cfg.Store.Ping(ctx)
}
