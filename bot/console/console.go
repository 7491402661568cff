// Package console is the chat without a chat service: the server side of
// `petrel chat` and of the web console. People are the users they are logged in
// as; lines and clicks come as HTTP requests, messages go out on a stream of
// server-sent events that can be taken up again where it broke.
package console

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"petrel"
	"petrel/bot"
	"petrel/queue"
	"petrel/storage"
)

// Name is what identities and posts call the console.
const Name = bot.ConsoleAdapter

// Workspace is the console's only workspace.
const Workspace = "local"

// Store is what streams read; storage.Store has it.
type Store interface {
	Post(ctx context.Context, id petrel.ID) (petrel.Post, error)
	PostList(ctx context.Context, f storage.PostFilter) ([]petrel.Post, error)
}

// Config sets the console up. Store and Feed are required; the zero of every
// other field means the default it names.
type Config struct {
	Store Store
	Feed  queue.Feed

	Heartbeat      time.Duration // longest silence on a stream; default 15 s
	WriteTimeout   time.Duration // a reader that takes nothing for so long is cut off; default 10 s
	StreamsPerUser int           // default 20
	Resume         int           // messages of a channel looked at when a stream is taken up again; default 500
	Now            func() time.Time
	Log            *slog.Logger
}

// Console is the adapter and the HTTP handler. Make one with New.
type Console struct {
	cfg    Config
	routes *http.ServeMux

	mu      sync.Mutex
	host    bot.Host
	streams map[string]int // by user
	closing chan struct{}  // closed by Stop
	closed  bool
}

// New checks the configuration.
func New(cfg Config) (*Console, error) {
	switch {
	case cfg.Store == nil:
		return nil, petrel.Errorf(petrel.Invalid, "console: Store is required")
	case cfg.Feed == nil:
		return nil, petrel.Errorf(petrel.Invalid, "console: Feed is required")
	}
	if cfg.Heartbeat <= 0 {
		cfg.Heartbeat = 15 * time.Second
	}
	if cfg.WriteTimeout <= 0 {
		cfg.WriteTimeout = 10 * time.Second
	}
	if cfg.StreamsPerUser <= 0 {
		cfg.StreamsPerUser = 20
	}
	if cfg.Resume <= 0 {
		cfg.Resume = 500
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	c := &Console{cfg: cfg, streams: map[string]int{}, closing: make(chan struct{})}
	c.routes = c.table()
	return c, nil
}

// Name implements bot.Adapter.
func (c *Console) Name() string { return Name }

// Limits implements bot.Limiter: a terminal takes a lot.
func (c *Console) Limits() bot.Limits { return bot.Limits{Text: 16 << 10, Lines: 200} }

// TakesSilent implements bot.SilentTaker: a client that waits for the end of
// its command must hear of it even when nothing is said.
func (c *Console) TakesSilent() {}

// Start implements bot.Adapter.
func (c *Console) Start(_ context.Context, host bot.Host) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.host = host
	return nil
}

// Stop implements bot.Adapter: it ends all streams; clients take them up again
// elsewhere.
func (c *Console) Stop(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.host = nil
	if !c.closed {
		c.closed = true
		close(c.closing)
	}
	return nil
}

// Send implements bot.Adapter. The message is in the store already; streams on
// all nodes are told to read it there. A message's id is its post's.
func (c *Console) Send(ctx context.Context, out bot.Outgoing) (string, error) {
	return string(out.Post.ID), c.tell(ctx, out.Post)
}

// Edit implements bot.Adapter.
func (c *Console) Edit(ctx context.Context, _ string, out bot.Outgoing) error {
	return c.tell(ctx, out.Post)
}

// SendPrivate implements bot.Private: the message names the person, and
// streams show it to nobody else.
func (c *Console) SendPrivate(ctx context.Context, _ string, out bot.Outgoing) (string, error) {
	return c.Send(ctx, out)
}

// Find implements bot.Finder. A message that is stored is there for whoever
// takes a stream up, and telling it twice does no harm: it is never found.
func (c *Console) Find(context.Context, bot.Outgoing) (string, bool, error) { return "", false, nil }

func (c *Console) tell(ctx context.Context, p petrel.Post) error {
	err := c.cfg.Feed.Tell(ctx, queue.Event{Kind: "chat", Op: "update", ID: p.ID, Revision: int64(p.Revision), Route: route(p.Workspace, p.Channel), At: c.cfg.Now()})
	if err != nil {
		return &bot.SendError{Err: err}
	}
	return nil
}

// route is what chat events of the feed are addressed by.
func route(workspace, channel string) string { return Name + ":" + workspace + ":" + channel }

func (c *Console) getHost() (bot.Host, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.host == nil {
		return nil, petrel.Errorf(petrel.Unavailable, "The chat is not running.")
	}
	return c.host, nil
}
