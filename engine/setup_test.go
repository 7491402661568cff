package engine_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/engine"
	"petrel/expr/value"
	"petrel/queue"
	"petrel/queue/faulty"
	"petrel/queue/local"
	"petrel/runners"
	"petrel/runners/noop"
	"petrel/storage"
	"petrel/storage/postgres"
	"petrel/storage/sqlite"
	"petrel/storage/storagetest"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// setup is an installation without the engine: a store, a queue and a feed,
// content, and a runner that does what its parameters say.
type setup struct {
	t      *testing.T
	store  storage.Store
	queue  queue.Queue
	feed   *local.Feed
	runner *scripted
	logs   *logs
}

// over runs a test once over a good queue and once over one that drops 30 % and
// doubles 30 % of all messages; where a Postgres is given, the latter on it too.
func over(t *testing.T, test func(t *testing.T, s *setup)) {
	t.Run("queue", func(t *testing.T) {
		test(t, newSetup(t, local.New(local.Options{})))
	})
	loses := func(t *testing.T) queue.Queue {
		seed := uint64(time.Now().UnixNano())
		q := faulty.New(local.New(local.Options{}), faulty.Options{Seed: seed, Drop: 0.3, Double: 0.3})
		t.Cleanup(func() { t.Logf("seed %d, the queue did %+v", seed, q.Counts()) })
		return q
	}
	t.Run("faulty queue", func(t *testing.T) {
		test(t, newSetup(t, loses(t)))
	})
	if os.Getenv("PETREL_TEST_POSTGRES") != "" {
		t.Run("faulty queue, Postgres", func(t *testing.T) {
			s, err := postgres.Open(context.Background(), storagetest.PostgresURL(t), postgres.Options{})
			if err != nil {
				t.Fatal(err)
			}
			test(t, furnish(t, s, loses(t)))
		})
	}
}

// newSetup makes a setup on SQLite.
func newSetup(t testing.TB, q queue.Queue) *setup {
	t.Helper()
	s, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "petrel.db"), sqlite.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return furnish(t, s, q)
}

func furnish(t testing.TB, store storage.Store, q queue.Queue) *setup {
	t.Helper()
	ctx := context.Background()
	s := &setup{store: store, queue: q, feed: local.NewFeed(1 << 16), runner: newScripted("scripted"), logs: &logs{}}
	s.t, _ = t.(*testing.T)
	t.Cleanup(func() {
		noLeaks(t)
		q.Close()
		s.feed.Close()
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	types := []petrel.RunnerType{s.runner.Type(), noop.New().Type()}
	for i := range types {
		types[i].ID = petrel.NewID(time.Now())
		types[i].Enabled = true
	}
	if err := s.store.PutRunnerTypes(ctx, types); err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	script := petrel.JSON(`{"do":{"type":"string"},"text":{"type":"string"},"a":{},"b":{},"s":{}}`)
	content := storage.PackContent{Pack: petrel.Pack{ID: petrel.NewID(at), UID: "pack:test", Ref: "test", Name: "test", Path: "/packs/test"}}
	for _, a := range []petrel.Action{
		{Name: "run", RunnerType: "scripted", Enabled: true, EntryPoint: "run.sh", Parameters: script},
		{Name: "other", RunnerType: "scripted", Enabled: true, Parameters: script},
		{Name: "noop", RunnerType: "noop", Enabled: true},
		{Name: "off", RunnerType: "noop", Enabled: false},
		{Name: "elsewhere", RunnerType: "unknown", Enabled: true},
		{Name: "typed", RunnerType: "scripted", Enabled: true, Parameters: petrel.JSON(`{"text": {"type": "string"}, "password": {"type": "string", "secret": true}}`)},
		{Name: "notified", RunnerType: "noop", Enabled: true, Notify: petrel.JSON(`{"on-complete":{"message":"done"}}`)},
	} {
		a.ID, a.Pack, a.Ref = petrel.NewID(at), "test", petrel.MakeRef("test", a.Name)
		a.UID = "action:test:" + a.Name
		content.Actions = append(content.Actions, a)
	}
	if err := s.store.PutPackContent(ctx, content); err != nil {
		t.Fatal(err)
	}
	return s
}

// config is the configuration of the tests' engines: as the real one, and
// quicker where a test would have to wait.
func (s *setup) config() engine.Config {
	return engine.Config{
		Store: s.store, Queue: s.queue, Feed: s.feed,
		Runners: map[string]runners.Runner{"scripted": s.runner, "noop": noop.New()},
		Slots:   20, IdlePull: 100 * time.Millisecond, Lease: 2 * time.Second, Renew: 200 * time.Millisecond, Sweep: 200 * time.Millisecond,
		Watch: 100 * time.Millisecond, KillWait: 5 * time.Second, Host: "here", APIURL: "http://127.0.0.1:9101/v1",
		Log: slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// start starts an engine; at the end of the test it is stopped.
func (s *setup) start(change ...func(*engine.Config)) *engine.Engine {
	s.t.Helper()
	c := s.config()
	for _, f := range change {
		f(&c)
	}
	e, err := engine.New(c)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := e.Start(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		s.runner.releaseAll()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			s.t.Error(err)
		}
	})
	return e
}

// noLeaks checks that no goroutine of an engine is left.
func noLeaks(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		var left []string
		for _, g := range strings.Split(string(stacks), "\n\n") {
			if strings.Contains(g, "petrel/engine.(*") && !strings.Contains(g, "petrel/engine_test.noLeaks") {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%d goroutines of the engine are left:\n%s", len(left), strings.Join(left, "\n\n"))
			return
		}
		runtime.Gosched()
	}
}

func (s *setup) request(e *engine.Engine, r engine.Request) petrel.Execution {
	s.t.Helper()
	x, _, err := e.Request(context.Background(), r)
	if err != nil {
		s.t.Fatal(err)
	}
	return x
}

// run requests the scripted action.
func (s *setup) run(e *engine.Engine, parameters ...value.Value) petrel.Execution {
	s.t.Helper()
	return s.request(e, engine.Request{Action: "test.run", Parameters: value.DictOf(parameters...)})
}

func (s *setup) get(id petrel.ID) petrel.Execution {
	s.t.Helper()
	x, err := s.store.Execution(context.Background(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return x
}

// until waits until the execution is in one of the statuses, final ones when
// none is named.
func (s *setup) until(id petrel.ID, statuses ...petrel.Status) petrel.Execution {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	feed, err := s.feed.Listen(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		x := s.get(id)
		if len(statuses) == 0 && x.Status.Final() {
			return x
		}
		for _, want := range statuses {
			if x.Status == want {
				return x
			}
		}
		if x.Status.Final() {
			s.t.Fatalf("%s ended as %s with %s, want %v", id, x.Status, x.Result, statuses)
		}
		select {
		case <-feed.C:
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("%s stayed %s, want %v", id, x.Status, statuses)
		}
	}
}

// history is the statuses an execution passed.
func history(x petrel.Execution) string {
	var text []string
	for _, l := range x.Log {
		text = append(text, string(l.Status))
	}
	return strings.Join(text, " ")
}

// logs collects what is logged.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
