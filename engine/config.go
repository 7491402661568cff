package engine

import (
	"log/slog"
	"math"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"petrel"
	"petrel/actions"
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
	KV      actions.KV                // the datastore for templates; nil is an empty one

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
	IdlePull       time.Duration // a worker looks by itself so often, heard or not; default 1 s
	Lease          time.Duration // a node that did not renew for so long may be marked dead; default 15 s
	Renew          time.Duration // between two renewals; default a third of the lease
	Sweep          time.Duration // between two looks for dead nodes; default 5 s
	Watch          time.Duration // between two looks at what was done to own runs from outside; default 2 s
	Grace          time.Duration // a drain waits so long for running work; default 300 s
	KillWait       time.Duration // how long killed work may take to end; default 10 s
	MaxDepth       int           // of a chain of causes; default 32
	MaxResultSize  int           // bytes of a result as JSON; default 14 MiB
	MaxParamSize   int           // bytes of the parameters as JSON; default 8 MiB
	TokenTTL       time.Duration // of a run's own credential; default 24 h
	KeepExecutions time.Duration // final runs are removed so long after their end; 0 is for ever
	KeepTokens     time.Duration // tokens, after their expiry; 0 is for ever
	KeepChats      time.Duration // chat events that are done and messages at rest; 0 is for ever
	Tidy           time.Duration // between two looks for what is too old; default 1 min
	NoStream       bool          // do not store output while it comes
	ValidateOutput bool          // check results against output schemas

	Now      func() time.Time      // times of record; default time.Now
	Log      *slog.Logger          // default: discard
	Registry prometheus.Registerer // nil: metrics are kept and not shown
}

// maxDelay bounds how far ahead a run can be asked for.
const maxDelay = 366 * 24 * time.Hour

func (c *Config) setDefaults() error {
	switch {
	case c.Store == nil:
		return petrel.Errorf(petrel.Invalid, "engine: Store is required")
	case c.Queue == nil:
		return petrel.Errorf(petrel.Invalid, "engine: Queue is required")
	case c.Feed == nil:
		return petrel.Errorf(petrel.Invalid, "engine: Feed is required")
	case len(c.Runners) == 0 && !c.NoWork:
		return petrel.Errorf(petrel.Invalid, "engine: Runners are required on a node that works")
	case c.Slots < 0:
		return petrel.Errorf(petrel.Invalid, "engine: Slots is %d, it must be at least 1", c.Slots)
	case c.ReservedShare >= 1:
		return petrel.Errorf(petrel.Invalid, "engine: ReservedShare is %v, it must be below 1", c.ReservedShare)
	}
	if c.Host == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "localhost"
		}
		c.Host = host
	}
	if c.SystemUser == "" {
		c.SystemUser = "stanley"
	}
	if c.ReservedShare == 0 {
		c.ReservedShare = 0.2
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.IdlePull, time.Second}, {&c.Lease, 15 * time.Second}, {&c.Sweep, 5 * time.Second}, {&c.Watch, 2 * time.Second},
		{&c.Grace, 300 * time.Second}, {&c.KillWait, 10 * time.Second}, {&c.TokenTTL, 24 * time.Hour}, {&c.Tidy, time.Minute},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if c.Renew <= 0 {
		c.Renew = c.Lease / 3
	}
	if c.Renew >= c.Lease {
		return petrel.Errorf(petrel.Invalid, "engine: Renew is %v, it must be below the lease of %v", c.Renew, c.Lease)
	}
	for _, n := range []struct {
		field *int
		value int
	}{{&c.Slots, 100}, {&c.MaxDepth, 32}, {&c.MaxResultSize, 14 << 20}, {&c.MaxParamSize, 8 << 20}} {
		if *n.field <= 0 {
			*n.field = n.value
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// reserved is how many slots only the interactive lane may use. One slot is
// always left to the others.
func (c *Config) reserved() int {
	if c.ReservedShare < 0 {
		return 0
	}
	return min(int(math.Ceil(float64(c.Slots)*c.ReservedShare)), c.Slots-1)
}

// now is the time of record.
func (e *Engine) now() time.Time { return petrel.Micros(e.cfg.Now()) }
