package sqlite

import (
	"context"
	"database/sql"
	"time"
)

// The write-ahead log is copied into the file by a connection of its own, which
// does not hold up the writer. It starts again from its beginning when all of it
// was copied; under a load that never pauses the writer does the last of it.
const (
	checkpointEvery = time.Second
	logPagesLarge   = 8000 // 32 MB: started again by the writer
)

type checkpointer struct {
	store *Store
	quit  chan struct{}
	ended chan struct{}
}

func startCheckpointer(s *Store) *checkpointer {
	c := &checkpointer{store: s, quit: make(chan struct{}), ended: make(chan struct{})}
	go c.loop()
	return c
}

func (c *checkpointer) stop() {
	close(c.quit)
	<-c.ended
}

func (c *checkpointer) loop() {
	defer close(c.ended)
	db, err := sql.Open("sqlite", c.store.dsn(true))
	if err != nil {
		c.store.options.Log.Error("The write-ahead log cannot be copied into the database.", "error", err)
		return
	}
	defer func() { _ = db.Close() }() // nothing of it is open
	db.SetMaxOpenConns(1)
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	var done int64
	for {
		select {
		case <-c.quit:
			return
		case <-tick.C:
		}
		if rounds := c.store.writer.rounds.Load(); rounds != done {
			done = rounds
			c.copy(db)
		}
	}
}

func (c *checkpointer) copy(db *sql.DB) {
	ctx, cancel := context.WithTimeout(context.Background(), c.store.options.Timeout)
	defer cancel()
	var busy, log, copied int
	if err := db.QueryRowContext(ctx, `pragma wal_checkpoint(passive)`).Scan(&busy, &log, &copied); err != nil {
		c.store.options.Log.Warn("The write-ahead log was not copied into the database.", "error", err)
		return
	}
	if log >= logPagesLarge {
		c.store.writer.restart.Store(true)
	}
}
