package bot_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"petrel"
	"petrel/bot"
	"petrel/bot/bottest"
)

// countingStore counts what was claimed of it.
type countingStore struct {
	bot.Store
	events, looks atomic.Int64
}

func (c *countingStore) ClaimChatEvents(ctx context.Context, owner string, ids []petrel.ID, limit int) ([]petrel.ChatEvent, error) {
	out, err := c.Store.ClaimChatEvents(ctx, owner, ids, limit)
	c.events.Add(int64(len(out)))
	return out, err
}

func (c *countingStore) StalePosts(ctx context.Context, limit int) ([]petrel.Post, error) {
	c.looks.Add(1)
	return c.Store.StalePosts(ctx, limit)
}

// stuck is a chat whose marks take until it is released.
type stuck struct {
	*bottest.Chat
	released chan struct{}
}

func (s stuck) React(context.Context, bot.Event, string) error {
	<-s.released
	return nil
}

// A flood of lines waits in the store, not in the memory of the process, and
// each is answered.
func TestBot_AFloodOfLinesWaitsInTheStore(t *testing.T) {
	const lines, most = 2000, 600
	h := bottest.NewHouse(t)
	h.Link("fake", "w", "U-ann", "ann")
	batch := make([]petrel.ChatEvent, lines)
	for i := range batch {
		now := time.Now()
		batch[i] = petrel.ChatEvent{ID: petrel.NewID(now), Key: fmt.Sprint("fake:w:", i), Adapter: "fake", Channel: fmt.Sprint("c", i%50), Kind: string(bot.EventLine),
			Identity: petrel.ChatIdentity{Adapter: "fake", Workspace: "w", User: "U-ann"}, Text: "!nonsense", At: petrel.Micros(now), State: petrel.ChatEventNew}
	}
	for from := 0; from < lines; from += 500 {
		for _, r := range h.Store.PutChatEvents(t.Context(), batch[from:from+500]) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
	}
	store := &countingStore{Store: h.Store}
	c := stuck{bottest.NewChat("fake", bot.Limits{}), make(chan struct{})}
	h.Bot(h.Engine(), func(cfg *bot.Config) {
		cfg.Store, cfg.Adapters, cfg.Sweep = store, []bot.Adapter{c}, 50*time.Millisecond
	})
	deadline := time.Now().Add(bottest.Patience)
	wait := func(what string, until func() bool) {
		t.Helper()
		for !until() {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d lines were claimed", what, store.events.Load())
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	wait("nothing is claimed", func() bool { return store.events.Load() >= 400 })
	looks := store.looks.Load()
	wait("no more sweeps", func() bool { return store.looks.Load() >= looks+10 || store.events.Load() > most })
	if n := store.events.Load(); n > most {
		t.Errorf("%d lines were claimed while none could be handled, at most %d may be", n, most)
	}
	close(c.released)
	wait("not all lines are answered", func() bool {
		last, err := h.Store.ChatEvent(t.Context(), batch[lines-1].ID)
		return err == nil && last.State == petrel.ChatEventDone && store.events.Load() >= lines
	})
}
