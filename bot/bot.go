package bot

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"petrel"
	"petrel/actions"
	"petrel/aliases"
	"petrel/auth"
	"petrel/engine"
	"petrel/expr/value"
	"petrel/queue"
	"petrel/storage"
)

// Store is what the bot keeps and reads; storage.Store has it.
type Store interface {
	storage.Chats
	Execution(ctx context.Context, id petrel.ID) (petrel.Execution, error)
	OutputList(ctx context.Context, execution petrel.ID, kind string, after int64, limit int) ([]petrel.OutputChunk, error)
	Generations(ctx context.Context) (map[storage.Kind]int64, error)
	AliasList(ctx context.Context, f storage.ContentFilter) ([]petrel.Alias, int, error)
	Action(ctx context.Context, refOrID string) (petrel.Action, error)
	RunnerType(ctx context.Context, nameOrID string) (petrel.RunnerType, error)
}

// Engine is what the bot asks for runs; engine.Engine has it.
type Engine interface {
	// Incarnation is what this node is called as an owner.
	Incarnation() string
	Request(ctx context.Context, r engine.Request) (petrel.Execution, bool, error)
	Cancel(ctx context.Context, id petrel.ID, by string, force bool, audit ...petrel.AuditEntry) (petrel.Execution, error)
}

// Auth answers who a person in a chat is and what they may; auth.Service has it.
type Auth interface {
	auth.Authorizer
	// Chat is the user a chat identity is linked to; Unauthorized, with the
	// sentence how to link, when it is linked to nobody.
	Chat(ctx context.Context, c petrel.ChatIdentity, from string) (auth.Principal, error)
	// Named is a user by name.
	Named(ctx context.Context, name string, c petrel.ChatIdentity, from string) (auth.Principal, error)
	// Anonymous is who everybody is while authentication is off; false while it is on.
	Anonymous() (auth.Principal, bool)
}

// Config is what a bot is made of. Store, Engine, Queue, Feed and Auth are
// required; the zero of every other field means the default it names.
type Config struct {
	Store    Store
	Engine   Engine
	Queue    queue.Queue
	Feed     queue.Feed
	Auth     Auth
	Adapters []Adapter
	KV       actions.KV // answers st2kv in immutable parameters; default: an empty datastore

	// View is an execution as result formats see it; default: the bot's own,
	// which has the members people use.
	View func(petrel.Execution) (*value.Dict, error)

	Prefix      string        // what a line in a channel begins with; default "!"
	DefaultUser string        // who people are that are linked to nobody; default: they are refused
	WebURL      string        // base of links to executions; default: no links
	Workers     int           // events handled at once; default 16
	Progress    time.Duration // between two changes of a progress line; default 1 s, at least that
	Sweep       time.Duration // between two looks for what was missed; default 5 s
	MaxRuns     int           // runs one line may start (match_multiple); default 50
	SendTimeout time.Duration // of one sending; default 30 s

	Now      func() time.Time      // default time.Now
	Log      *slog.Logger          // default: discard
	Registry prometheus.Registerer // nil: metrics are kept and not shown
}

// Bot joins adapters with the engine. Make one with New.
type Bot struct {
	cfg      Config
	adapters map[string]Adapter
	metrics  *metrics
	commands *commands
	live     *live
	pace     pacer

	wakeEvents chan []petrel.ID
	wakePosts  chan struct{}
	retries    retries
	handling   inFlight // events
	sending    inFlight // posts
	lookHeld   atomic.Bool

	mu      sync.Mutex
	started bool
	stop    context.CancelFunc
	work    context.Context // canceled when Stop gives up waiting
	kill    context.CancelFunc
	wg      sync.WaitGroup
}

// New checks the configuration and makes a bot that does not run yet.
func New(cfg Config) (*Bot, error) {
	for name, missing := range map[string]bool{"Store": cfg.Store == nil, "Engine": cfg.Engine == nil, "Queue": cfg.Queue == nil,
		"Feed": cfg.Feed == nil, "Auth": cfg.Auth == nil} {
		if missing {
			return nil, petrel.Errorf(petrel.Invalid, "bot: %s is required", name)
		}
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "!"
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 16
	}
	if cfg.Progress < time.Second {
		cfg.Progress = time.Second
	}
	if cfg.Sweep <= 0 {
		cfg.Sweep = 5 * time.Second
	}
	if cfg.MaxRuns <= 0 {
		cfg.MaxRuns = 50
	}
	if cfg.SendTimeout <= 0 {
		cfg.SendTimeout = 30 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	b := &Bot{cfg: cfg, adapters: map[string]Adapter{}, metrics: newMetrics(cfg.Registry),
		wakeEvents: make(chan []petrel.ID, 256), wakePosts: make(chan struct{}, 1)}
	for _, a := range cfg.Adapters {
		if _, twice := b.adapters[a.Name()]; twice {
			return nil, petrel.Errorf(petrel.Invalid, "bot: two adapters are called %q", a.Name())
		}
		b.adapters[a.Name()] = a
	}
	b.commands = newCommands(cfg.Store, cfg.Log)
	b.live = newLive()
	b.pace.last, b.pace.held = map[string]time.Time{}, map[string]time.Time{}
	return b, nil
}

// Start starts the adapters and begins to handle events and posts. It goes on until
// Stop, whatever becomes of ctx. Starting twice is an error.
func (b *Bot) Start(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.started {
		return petrel.Errorf(petrel.Conflict, "bot: it was started already")
	}
	var run context.Context
	run, b.stop = context.WithCancel(context.WithoutCancel(ctx))
	b.work, b.kill = context.WithCancel(context.WithoutCancel(ctx))
	b.started = true
	sub, err := b.cfg.Feed.Listen(run)
	if err != nil {
		b.stop()
		return fmt.Errorf("bot: listen to the feed: %w", err)
	}
	for _, part := range []func(context.Context){b.handleEvents, b.hearEvents, b.hearPosts, b.sendPosts, b.showProgress, b.sweepAll} {
		b.wg.Go(func() { part(run) })
	}
	b.wg.Go(func() { b.hearFeed(run, sub) })
	for i, a := range b.cfg.Adapters {
		if err := a.Start(ctx, host{b, a}); err != nil {
			for _, started := range b.cfg.Adapters[:i] {
				_ = started.Stop(ctx)
			}
			b.stop()
			b.kill()
			b.wg.Wait()
			return fmt.Errorf("bot: start %s: %w", a.Name(), err)
		}
	}
	return nil
}

// Stop ends receiving, lets what is being handled and sent come to its end,
// and stops the adapters. What is stored and not done is done by the next
// start, or by another node. Stopping twice, or before Start, is safe.
func (b *Bot) Stop(ctx context.Context) error {
	b.mu.Lock()
	stop, kill := b.stop, b.kill
	b.mu.Unlock()
	if stop == nil {
		return nil
	}
	stop()
	done := make(chan struct{})
	go func() { b.wg.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
		kill()
		<-done
	}
	for _, a := range b.cfg.Adapters {
		if stopErr := a.Stop(context.WithoutCancel(ctx)); stopErr != nil && err == nil {
			err = fmt.Errorf("bot: stop %s: %w", a.Name(), stopErr)
		}
	}
	kill()
	return err
}

// host is what one adapter sees of the bot.
type host struct {
	b *Bot
	a Adapter
}

// Receive stores an event and wakes whoever handles events.
func (h host) Receive(ctx context.Context, e Event) (petrel.ID, bool, error) {
	e.Identity.Adapter = h.a.Name()
	if err := e.check(); err != nil {
		h.b.metrics.events.WithLabelValues(h.a.Name(), "refused").Inc()
		return "", false, err
	}
	row := e.stored(h.b.cfg.Now())
	answer := h.b.cfg.Store.PutChatEvents(ctx, []petrel.ChatEvent{row})[0]
	if answer.Err != nil {
		h.b.metrics.events.WithLabelValues(h.a.Name(), "failed").Inc()
		return "", false, answer.Err
	}
	if answer.Existing {
		h.b.metrics.events.WithLabelValues(h.a.Name(), "repeated").Inc()
		return answer.ID, true, nil
	}
	h.b.metrics.events.WithLabelValues(h.a.Name(), "stored").Inc()
	h.b.wake(answer.ID)
	return answer.ID, false, nil
}

// wake tells this node about events; when it is behind, the queue and the
// sweep find them.
func (b *Bot) wake(ids ...petrel.ID) {
	select {
	case b.wakeEvents <- ids:
	default:
		if err := b.cfg.Queue.Publish(b.work, queue.TopicEvents, ids...); err != nil {
			b.cfg.Log.Warn("The queue did not take a chat event; the next sweep finds it.", "error", err)
		}
	}
}

// Commands lists what a person can say.
func (h host) Commands(ctx context.Context, who petrel.ChatIdentity) ([]Command, error) {
	principal, err := h.b.principal(ctx, who, "")
	if err != nil {
		return nil, err
	}
	x, err := h.b.commands.index(ctx)
	if err != nil {
		return nil, err
	}
	return h.b.visible(ctx, principal, x.all), nil
}

// File gives the whole text of a message that holds only its head.
func (h host) File(ctx context.Context, post petrel.Post) (string, []byte, error) {
	return h.b.file(ctx, post)
}

// principal is the user a person in a chat stands for.
func (b *Bot) principal(ctx context.Context, who petrel.ChatIdentity, channel string) (auth.Principal, error) {
	from := channel
	if who.Adapter == ConsoleAdapter {
		// The console's people are logged in: the identity is the user.
		if all, off := b.cfg.Auth.Anonymous(); off {
			all.Chat, all.From = who, from
			return all, nil
		}
		return b.cfg.Auth.Named(ctx, who.User, who, from)
	}
	p, err := b.cfg.Auth.Chat(ctx, who, from)
	if petrel.Is(err, petrel.Unauthorized) && b.cfg.DefaultUser != "" {
		return b.cfg.Auth.Named(ctx, b.cfg.DefaultUser, who, from)
	}
	return p, err
}

// ConsoleAdapter is the name of the adapter whose people are logged in users.
const ConsoleAdapter = "console"

// permissions, in StackStorm's words.
const (
	permissionExecute = "action_execute"
	permissionStop    = "execution_stop"
)

func actionUID(a petrel.Action) string {
	if a.UID != "" {
		return a.UID
	}
	return "action:" + a.Pack + ":" + a.Name
}

var _ aliases.Catalog = Store(nil)
