package bot_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/bot"
	"petrel/bot/bottest"
	"petrel/engine"
	"petrel/queue/faulty"
	"petrel/queue/local"
	"petrel/storage"
	"petrel/storage/postgres"
	"petrel/storage/storagetest"
)

// cutStore is a store whose writes end after a number of them, as if the
// process had died: the last one is lost, or stored without an answer.
type cutStore struct {
	bot.Store
	mu     sync.Mutex
	left   int
	stored bool // the last write is stored before the cut
	cut    chan struct{}
	once   sync.Once
}

// write says whether a write takes place, and whether its answer arrives.
func (c *cutStore) write() (does, answers bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left--
	if c.left < 0 {
		c.once.Do(func() { close(c.cut) })
	}
	return c.left >= 0 || c.left == -1 && c.stored, c.left >= 0
}

var errDead = petrel.Errorf(petrel.NotOwner, "this process is dead")

func (c *cutStore) do(write func() error) error {
	does, answers := c.write()
	var err error
	if does {
		err = write()
	}
	if !answers {
		return errDead
	}
	return err
}

func (c *cutStore) ClaimChatEvents(ctx context.Context, owner string, ids []petrel.ID, limit int) (out []petrel.ChatEvent, err error) {
	err = c.do(func() error { out, err = c.Store.ClaimChatEvents(ctx, owner, ids, limit); return err })
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *cutStore) FinishChatEvent(ctx context.Context, id petrel.ID, owner, outcome string, posts []petrel.Post, audit []petrel.AuditEntry) error {
	return c.do(func() error { return c.Store.FinishChatEvent(ctx, id, owner, outcome, posts, audit) })
}

func (c *cutStore) RevisePost(ctx context.Context, id petrel.ID, body petrel.JSON, final bool) (p petrel.Post, err error) {
	err = c.do(func() error { p, err = c.Store.RevisePost(ctx, id, body, final); return err })
	return p, err
}

func (c *cutStore) ClaimPosts(ctx context.Context, owner string, adapters []string, limit int) (out []petrel.Post, err error) {
	err = c.do(func() error { out, err = c.Store.ClaimPosts(ctx, owner, adapters, limit); return err })
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *cutStore) PostSent(ctx context.Context, id petrel.ID, owner string, revision int, s storage.Sent) error {
	return c.do(func() error { return c.Store.PostSent(ctx, id, owner, revision, s) })
}

func (c *cutStore) SweepPosts(ctx context.Context, limit int) (out []petrel.Post, err error) {
	c.mu.Lock()
	dead := c.left < 0
	c.mu.Unlock()
	if dead {
		return nil, errDead
	}
	return c.Store.SweepPosts(ctx, limit)
}

// cutEngine is an engine whose requests end with the store's writes.
type cutEngine struct {
	bot.Engine
	store *cutStore
}

func (c *cutEngine) Request(ctx context.Context, r engine.Request) (x petrel.Execution, existing bool, err error) {
	err = c.store.do(func() error { x, existing, err = c.Engine.Request(ctx, r); return err })
	if petrel.Is(err, petrel.NotOwner) {
		return petrel.Execution{}, false, err
	}
	return x, existing, err
}

// A bot that dies at any of its writes, before or after the write was stored,
// leaves a line that the next one brings to its one run and its one reply.
func TestBot_DiesAtEachWriteAndTheNextGoesOn(t *testing.T) {
	for _, line := range []string{"!talk hello", "!no such command", "!see AB-1, CD-2"} {
		for _, stored := range []bool{false, true} {
			for n := 0; n < 12; n++ {
				t.Run(fmt.Sprintf("%s, write %d, stored %v", line, n, stored), func(t *testing.T) {
					dieAt(t, bottest.SQLite(t), line, n, stored)
				})
			}
		}
	}
	if os.Getenv("PETREL_TEST_POSTGRES") == "" {
		return
	}
	for n := 0; n < 12; n++ {
		t.Run(fmt.Sprintf("Postgres, write %d", n), func(t *testing.T) {
			dieAt(t, onPostgres(t), "!talk hello", n, n%2 == 0)
		})
	}
}

func onPostgres(t *testing.T) storage.Store {
	s, err := postgres.Open(context.Background(), storagetest.PostgresURL(t), postgres.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every message of the queue may be lost or doubled; that costs delay only.
func TestBot_OverAQueueThatLosesAndDoubles(t *testing.T) {
	stores := map[string]func(*testing.T) storage.Store{"SQLite": func(t *testing.T) storage.Store { return bottest.SQLite(t) }}
	if os.Getenv("PETREL_TEST_POSTGRES") != "" {
		stores["Postgres"] = onPostgres
	}
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			h := bottest.Furnish(t, store(t), faulty.New(local.New(local.Options{}), faulty.Options{Seed: seed, Drop: 0.3, Double: 0.3}))
			h.Link("fake", "w", "U-ann", "ann")
			c := bottest.NewChat("fake", bot.Limits{})
			for range 2 {
				h.Bot(h.Engine(), func(cfg *bot.Config) { cfg.Adapters = []bot.Adapter{c} })
			}
			const n = 25
			for i := range n {
				c.Say(t, "U-ann", fmt.Sprint("channel", i%3), fmt.Sprintf("!talk %d", i), fmt.Sprint("e", i))
			}
			for i := range 3 {
				c.Until(t, fmt.Sprint("channel", i), bottest.Replied((n-i+2)/3))
			}
			if got := len(h.Executions()); got != n {
				t.Errorf("%d runs", got)
			}
		})
	}
}

func dieAt(t *testing.T, store storage.Store, line string, n int, stored bool) {
	h := bottest.Furnish(t, store, local.New(local.Options{}))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(h.Logs)
		}
	})
	h.Link("fake", "w", "U-ann", "ann")
	c := bottest.NewChat("fake", bot.Limits{})
	e1 := h.Engine()
	cut := &cutStore{Store: h.Store, left: n, stored: stored, cut: make(chan struct{})}
	first, err := bot.New(bot.Config{Store: cut, Engine: &cutEngine{e1, cut}, Queue: h.Queue, Feed: h.Feed, Auth: h.Auth,
		Adapters: []bot.Adapter{c}, Sweep: time.Hour, Log: h.Logs.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.Say(t, "U-ann", "ops", line, "e1")
	wanted, runs := 1, 1
	switch line {
	case "!see AB-1, CD-2":
		wanted, runs = 2, 2
	case "!no such command":
		runs = 0
	}
	replied := make(chan struct{})
	go func() {
		defer close(replied)
		for {
			changed := c.Changed()
			if all := c.Shown("ops"); len(all) == wanted && bottest.Replied(wanted)(all) {
				return
			}
			select {
			case <-changed:
			case <-cut.cut:
				return
			case <-time.After(bottest.Patience):
				return
			}
		}
	}()
	<-replied
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	_ = first.Stop(ctx) // dead: it may not end in order
	cancel()
	h.StopEngine(e1)
	e2 := h.Engine()
	h.Bot(e2, func(cfg *bot.Config) { cfg.Adapters = []bot.Adapter{c} })
	all := c.Until(t, "ops", bottest.Replied(wanted))
	x := h.Executions()
	if len(x) != runs {
		t.Errorf("%d runs, expected %d", len(x), runs)
	}
	for _, x := range x {
		if !x.Status.Final() {
			t.Errorf("%s is %s", x.ID, x.Status)
		}
	}
	if len(all) != wanted {
		t.Errorf("%d messages: %+v", len(all), all)
	}
}
