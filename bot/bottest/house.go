// Package bottest checks chat adapters: a suite that every adapter passes, a
// small but whole installation to run it against, and a working fake of a chat
// service.
package bottest

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/auth"
	"petrel/bot"
	"petrel/engine"
	"petrel/expr/value"
	"petrel/queue"
	"petrel/queue/local"
	"petrel/runners"
	"petrel/runners/noop"
	"petrel/storage"
	"petrel/storage/sqlite"
)

// Patience is how long a test waits for what must come.
const Patience = 30 * time.Second

// House is an installation: a store in a file, a queue, a feed, an engine that
// works, users and commands. Its parts are the real ones; only the runner
// "scripted" does what its parameters say.
type House struct {
	T      testing.TB
	Store  storage.Store
	Queue  queue.Queue
	Feed   *local.Feed
	Auth   *auth.Service
	Runner *Scripted
	Logs   *Logs
}

// NewHouse builds an installation on SQLite without an engine and a bot.
func NewHouse(t testing.TB, change ...func(*auth.Config)) *House {
	t.Helper()
	return Furnish(t, SQLite(t), local.New(local.Options{}), change...)
}

// SQLite opens a store in a file of its own.
func SQLite(t testing.TB) storage.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "petrel.db"), sqlite.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Furnish builds an installation on a store and a queue, which it closes.
func Furnish(t testing.TB, store storage.Store, q queue.Queue, change ...func(*auth.Config)) *House {
	t.Helper()
	ctx := context.Background()
	h := &House{T: t, Store: store, Queue: q, Feed: local.NewFeed(1 << 16), Runner: NewScripted(), Logs: &Logs{}}
	var err error
	t.Cleanup(func() {
		h.Queue.Close()
		h.Feed.Close()
		if err := h.Store.Close(); err != nil {
			t.Error(err)
		}
	})
	settings := auth.Config{Store: h.Store, PasswordCost: 4}
	for _, f := range change {
		f(&settings)
	}
	if h.Auth, err = auth.New(settings); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann", "bob"} {
		if err := h.Store.PutUser(ctx, petrel.User{ID: petrel.NewID(time.Now()), Name: name, Admin: name == "ann", CreatedAt: petrel.Micros(time.Now())}); err != nil {
			t.Fatal(err)
		}
	}
	types := []petrel.RunnerType{h.Runner.Type(), noop.New().Type()}
	for i := range types {
		types[i].ID = petrel.NewID(time.Now())
		types[i].Enabled = true
	}
	if err := h.Store.PutRunnerTypes(ctx, types); err != nil {
		t.Fatal(err)
	}
	if err := h.Store.PutPackContent(ctx, content()); err != nil {
		t.Fatal(err)
	}
	return h
}

// content is the pack the tests' commands are in.
func content() storage.PackContent {
	at := time.Now()
	c := storage.PackContent{Pack: petrel.Pack{ID: petrel.NewID(at), UID: "pack:test", Ref: "test", Name: "test"}}
	action := func(name, runner, parameters string, enabled bool) {
		c.Actions = append(c.Actions, petrel.Action{ID: petrel.NewID(at), UID: "action:test:" + name, Ref: petrel.MakeRef("test", name), Pack: "test", Name: name,
			RunnerType: runner, Enabled: enabled, Parameters: petrel.JSON(parameters)})
	}
	talk := `{"say": {"type": "string", "required": true}, "times": {"type": "integer", "default": 1}, "password": {"type": "string", "secret": true},
		"tags": {"type": "array"}}`
	action("noop", "noop", `{}`, true)
	action("talk", "scripted", talk, true)
	action("off", "noop", `{}`, false)
	alias := func(name, action, extra string, formats ...string) {
		a := petrel.Alias{ID: petrel.NewID(at), UID: "action_alias:test:" + name, Ref: petrel.MakeRef("test", name), Pack: "test", Name: name, Enabled: true,
			ActionRef: petrel.Ref(action), Description: "Does " + name + "."}
		for _, f := range formats {
			a.Formats = append(a.Formats, petrel.AliasFormat{Display: f, Representations: []string{f}, Bare: true})
		}
		var parts struct{ Ack, Result, Extra petrel.JSON }
		if err := json.Unmarshal([]byte(extra), &parts); err != nil {
			panic(err)
		}
		a.Ack, a.Result, a.Extra = parts.Ack, parts.Result, parts.Extra
		c.Aliases = append(c.Aliases, a)
	}
	alias("nothing", "test.noop", `{}`, "do nothing")
	alias("talk", "test.talk", `{}`, "talk {{ say }}")
	alias("repeat", "test.talk", `{}`, "repeat {{ say }} {{ times }} times")
	alias("custom", "test.talk", `{"ack": {"format": "On it: {{ execution.action.ref }}", "append_url": false},
		"result": {"format": "Said {~}{{ execution.result.stdout }}", "extra": {"slack": {"color": "#123456"}}}}`, "custom {{ say }}")
	alias("quiet", "test.talk", `{"ack": {"enabled": false}}`, "quiet {{ say }}")
	alias("mute", "test.talk", `{"ack": {"enabled": false}, "result": {"enabled": false}}`, "mute {{ say }}")
	alias("off", "test.off", `{}`, "use off")
	alias("gone", "test.gone", `{}`, "use gone")
	alias("twice", "test.noop", `{}`, "same {{ a }}", "same {{ b }}")
	alias("run", "test.noop", `{"extra": {"petrel": {"run": true}}}`, "st2 run {{ action }} {{ parameters = }}")
	c.Aliases = append(c.Aliases, petrel.Alias{ID: petrel.NewID(at), UID: "action_alias:test:many", Ref: "test.many", Pack: "test", Name: "many", Enabled: true,
		ActionRef: "test.talk", Formats: []petrel.AliasFormat{{Display: "tickets", MatchMultiple: true,
			Representations: []string{`(?:.*?|^)(?P<say>[A-Z]{2,}-\d+)(?:.*?|$)`}}}})
	return c
}

// Engine starts an engine; at the end of the test it is stopped.
func (h *House) Engine(change ...func(*engine.Config)) *engine.Engine {
	h.T.Helper()
	c := engine.Config{Store: h.Store, Queue: h.Queue, Feed: h.Feed,
		Runners: map[string]runners.Runner{"scripted": h.Runner, "noop": noop.New()},
		Slots:   20, IdlePull: 200 * time.Millisecond, Lease: 2 * time.Second, Sweep: 200 * time.Millisecond, Host: "here", Log: h.Logs.Logger()}
	for _, f := range change {
		f(&c)
	}
	e, err := engine.New(c)
	if err != nil {
		h.T.Fatal(err)
	}
	if err := e.Start(context.Background()); err != nil {
		h.T.Fatal(err)
	}
	h.T.Cleanup(func() { h.StopEngine(e) })
	return e
}

// StopEngine ends an engine and whatever it runs.
func (h *House) StopEngine(e *engine.Engine) {
	h.Runner.Release()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		h.T.Error(err)
	}
}

// Bot starts a bot on an engine; at the end of the test it is stopped.
func (h *House) Bot(e *engine.Engine, change ...func(*bot.Config)) *bot.Bot {
	h.T.Helper()
	c := bot.Config{Store: h.Store, Engine: e, Queue: h.Queue, Feed: h.Feed, Auth: h.Auth, Sweep: 300 * time.Millisecond, Log: h.Logs.Logger()}
	for _, f := range change {
		f(&c)
	}
	b, err := bot.New(c)
	if err != nil {
		h.T.Fatal(err)
	}
	if err := b.Start(context.Background()); err != nil {
		h.T.Fatal(err)
	}
	h.T.Cleanup(func() { h.StopBot(b) })
	return b
}

// StopBot ends a bot.
func (h *House) StopBot(b *bot.Bot) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := b.Stop(ctx); err != nil {
		h.T.Error(err)
	}
}

// Link makes a person of a chat stand for a user.
func (h *House) Link(adapter, workspace, person, user string) {
	h.T.Helper()
	if err := h.Store.LinkChat(context.Background(), petrel.ChatIdentity{Adapter: adapter, Workspace: workspace, User: person}, user); err != nil {
		h.T.Fatal(err)
	}
}

// Executions are all runs, oldest first.
func (h *House) Executions() []petrel.Execution {
	h.T.Helper()
	all, _, err := h.Store.ExecutionList(context.Background(), storage.ExecutionFilter{Ascending: true})
	if err != nil {
		h.T.Fatal(err)
	}
	return all
}

// Posts are the messages of a run.
func (h *House) Posts(ctx context.Context, execution petrel.ID) ([]petrel.Post, error) {
	return h.Store.PostList(ctx, storage.PostFilter{ExecutionID: execution})
}

// Scripted is a runner that prints its parameter say, and keeps running while
// it says "wait".
type Scripted struct {
	mu      sync.Mutex
	release chan struct{}
	Started chan petrel.ID // each run that waits
}

// NewScripted makes the runner.
func NewScripted() *Scripted {
	return &Scripted{release: make(chan struct{}), Started: make(chan petrel.ID, 1000)}
}

// Release lets all runs that wait, and all later ones, end.
func (s *Scripted) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.release:
	default:
		close(s.release)
	}
}

// Type implements runners.Runner.
func (s *Scripted) Type() petrel.RunnerType {
	return petrel.RunnerType{Name: "scripted", UID: "runner_type:scripted", Enabled: true, Parameters: petrel.JSON(`{}`)}
}

// Prepare implements runners.Runner.
func (s *Scripted) Prepare(context.Context, *runners.Job) error { return nil }

// Run implements runners.Runner.
func (s *Scripted) Run(ctx context.Context, job *runners.Job) runners.Outcome {
	say, _ := job.ActionParameters.Get("say")
	text, _ := value.AsString(say)
	if v, ok := job.ActionParameters.Get("times"); ok {
		if n, ok := value.AsInt(v); ok && n > 1 {
			text = strings.TrimSuffix(strings.Repeat(text+"\n", int(n)), "\n")
		}
	}
	if job.Output != nil {
		job.Output("stdout", text+"\n")
	}
	status := petrel.StatusSucceeded
	switch {
	case strings.HasPrefix(text, "wait"):
		s.Started <- job.ExecutionID
		select {
		case <-ctx.Done():
			status = petrel.StatusCanceled
			if context.Cause(ctx) != error(runners.ErrCanceled) {
				status = petrel.StatusAbandoned
			}
		case <-s.release:
		}
	case strings.HasPrefix(text, "fail"):
		status = petrel.StatusFailed
	}
	return runners.Outcome{Status: status, Result: value.DictOf("stdout", text, "stderr", "", "return_code", int64(0), "failed", status != petrel.StatusSucceeded)}
}

// Logs keeps what was logged, for a test that failed.
type Logs struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (l *Logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all that was logged.
func (l *Logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Logger logs here.
func (l *Logs) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
