package auth_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"petrel/auth"
	"petrel/storage/sqlite"
)

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// newService makes a service on a store of its own. Passwords are hashed
// cheaply.
func newService(t testing.TB, cfg auth.Config) (*auth.Service, *sqlite.Store) {
	t.Helper()
	store, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "petrel.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	cfg.Store = store
	if cfg.PasswordCost == 0 {
		cfg.PasswordCost = 4
	}
	s, err := auth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, store
}
