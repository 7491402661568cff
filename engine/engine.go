// Package engine runs actions: it takes requests, gives them to workers,
// streams what they print and stores how they ended. The row in the store is
// the truth; the queue only wakes, and the feed only tells.
package engine

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"petrel"
	"petrel/queue"
	"petrel/runners"
	"petrel/storage"
)

// Config is what an engine is made of. Store, Queue, Feed and Runners are
// required; the zero of every other field means the default it names.
type Config struct {
	Store   storage.Store
	Queue   queue.Queue
	Feed    queue.Feed
	Runners map[string]runners.Runner // by runner name

	NoWork     bool     // this node takes requests and claims nothing
	Roles      []string // shown in the node's row
	Version    string   // shown in the node's row
	Host       string   // default: the machine's name
	StateDir   string   // the folder whose lock this process holds; empty for none
	SystemUser string   // the user of requests that name none; default stanley
	APIURL     string   // what actions are told in ST2_ACTION_API_URL
	Debug      bool     // what actions are told in ST2_ACTION_DEBUG

	Slots          int           // runs at once; default 100
	ReservedShare  float64       // share of slots that only the interactive lane may use; default 0.2, negative for none
	IdlePull       time.Duration // a worker that heard nothing for so long looks by itself; default 1 s
	Lease          time.Duration // a node that did not renew for so long may be marked dead; default 15 s
	Renew          time.Duration // between two renewals; default a third of the lease
	Sweep          time.Duration // between two looks for dead nodes; default 5 s
	Grace          time.Duration // a drain waits so long for running work; default 300 s
	KillWait       time.Duration // how long killed work may take to end; default 10 s
	MaxDepth       int           // of a chain of causes; default 32
	MaxResultSize  int           // bytes of a result as JSON; default 14 MiB
	MaxParamSize   int           // bytes of the parameters as JSON; default 8 MiB
	TokenTTL       time.Duration // of a run's own credential; default 24 h
	NoStream       bool          // do not store output while it comes
	ValidateOutput bool          // check results against output schemas

	Now      func() time.Time      // times of record; default time.Now
	Log      *slog.Logger          // default: discard
	Registry prometheus.Registerer // nil: metrics are kept and not shown
}

// Engine requests, runs and ends executions. Make one with New; its methods
// may be called from any goroutine.
type Engine struct {
	cfg Config
}

// New checks the configuration and makes an engine that does not run yet.
// Request, Cancel, SetStatus and Rerun work before Start and after Stop.
func New(cfg Config) (*Engine, error) {
	switch {
	case cfg.Store == nil:
		return nil, petrel.Errorf(petrel.Invalid, "engine: Store is required")
	case cfg.Queue == nil:
		return nil, petrel.Errorf(petrel.Invalid, "engine: Queue is required")
	case cfg.Feed == nil:
		return nil, petrel.Errorf(petrel.Invalid, "engine: Feed is required")
	}
	return &Engine{cfg: cfg}, nil
}

// Start registers the node and begins to work. It returns when the node is
// registered; the work goes on until Stop, whatever becomes of ctx.
func (e *Engine) Start(ctx context.Context) error { return nil }

// Stop drains: it takes no more work at once, waits for running work up to
// the grace time or the end of ctx, ends what is left as abandoned, and
// retires the node. A second call while the first waits ends the waiting.
func (e *Engine) Stop(ctx context.Context) error { return nil }

// Incarnation is what the node is called as an owner. It changes when the
// node was taken for dead and registered anew; ask for it at each use.
func (e *Engine) Incarnation() string { return "" }

// Ready says why the engine cannot take and run work now; nil when it can.
func (e *Engine) Ready(ctx context.Context) error { return nil }
