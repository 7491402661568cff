// Package postgres is the store on PostgreSQL 15 or newer, for one or many
// nodes. Most nouns are those of storage/relational; the methods of the hot
// path are here with statements over sets: a batch is a few statements however
// many rows it has, and concurrent callers share its commit.
package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/prometheus/client_golang/prometheus"

	"petrel"
	"petrel/migrations"
	"petrel/storage"
	"petrel/storage/relational"
)

// Options are the settings of a store. Zero fields mean what they say.
type Options struct {
	// MaxConns is the size of the pool; zero is pool_max_conns of the URL, or 12.
	MaxConns int
	// Timeout bounds every call, waits and repetitions included; zero is 10 s.
	Timeout time.Duration
	// Metrics is where the metrics are registered; nil is nowhere.
	Metrics prometheus.Registerer
	// Log takes what an operator should know; nil is slog.Default.
	Log *slog.Logger
}

const (
	defaultConns = 12
	// leaseConns keep leases alive while slow work holds the others.
	leaseConns = 2
	// minVersion is the oldest server that is tested.
	minVersion = 150000
)

// Store is a pool of connections to a database.
type Store struct {
	relational.Store
	options Options
	pool    *pgxpool.Pool
	leases  *pgxpool.Pool
	groups  groups
	metrics *metrics
	quit    chan struct{}
	swept   chan struct{}
	ended   atomic.Bool
	close   sync.Once
}

var _ storage.Store = (*Store)(nil)

// Open connects to the database of a URL (postgres://…, with search_path to
// choose a schema) and brings its tables up to date.
func Open(ctx context.Context, url string, options Options) (*Store, error) {
	if options.Timeout <= 0 {
		options.Timeout = 10 * time.Second
	}
	if options.Log == nil {
		options.Log = slog.Default()
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The cause may quote the URL with its password, so it is left out.
		return nil, petrel.Errorf(petrel.Invalid, "The database URL cannot be read; its form is postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	switch {
	case options.MaxConns > 0:
		config.MaxConns = int32(options.MaxConns)
	case !strings.Contains(url, "pool_max_conns"):
		config.MaxConns = defaultConns
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = options.Timeout
	}
	migrate := config.ConnConfig.Copy()
	// The server gives up when the client did, so that no lock outlives its call.
	limit := fmt.Sprintf("%dms", options.Timeout.Milliseconds())
	for name, value := range map[string]string{
		"application_name": "petrel", "statement_timeout": limit, "lock_timeout": limit, "idle_in_transaction_session_timeout": limit,
	} {
		if _, given := config.ConnConfig.RuntimeParams[name]; !given {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	leases := config.Copy()
	leases.MaxConns = leaseConns

	db := stdlib.OpenDB(*migrate)
	defer func() { _ = db.Close() }() // what it did was committed or answered
	if err := prepare(ctx, db); err != nil {
		return nil, err
	}
	s := &Store{options: options, quit: make(chan struct{}), swept: make(chan struct{})}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, mapError(err)
	}
	if s.leases, err = pgxpool.NewWithConfig(ctx, leases); err != nil {
		s.pool.Close()
		return nil, mapError(err)
	}
	s.metrics = newMetrics(options.Metrics, s.pool)
	s.Store = relational.New(s)
	s.groups.open(s)
	go s.sweepReceipts()
	return s, nil
}

// Close ends all connections after the writes that are under way.
func (s *Store) Close() error {
	s.close.Do(func() {
		s.groups.close()
		s.ended.Store(true)
		close(s.quit)
		<-s.swept
		ended := make(chan struct{})
		go func() {
			s.leases.Close()
			s.pool.Close()
			close(ended)
		}()
		// A server that is away must not hold up the end of the process; nothing
		// that was answered hangs on these goodbyes.
		late := time.NewTimer(s.options.Timeout)
		defer late.Stop()
		select {
		case <-ended:
		case <-late.C:
			s.options.Log.Warn("The connections to the database were left open, because the server does not answer.")
		}
	})
	return nil
}

// Ping writes a row: it is what a write would meet.
func (s *Store) Ping(ctx context.Context) error {
	return s.Write(ctx, relational.Lease, func(ctx context.Context, q relational.Query) error {
		result, err := q.Rows(ctx, `select version, oldest_reader from schema`)
		if err != nil {
			return err
		}
		defer result.Close()
		version, oldest := 0, 0
		for result.Next() {
			if err := result.Scan(&version, &oldest); err != nil {
				return err
			}
		}
		if err := result.Err(); err != nil {
			return err
		}
		return migrations.Check(version, oldest)
	})
}

var errClosed = petrel.Errorf(petrel.Unavailable, "The database is closed.")

// receiptKept is how long a receipt can be asked for; a call asks within its
// timeout.
const receiptKept = time.Hour

// sweepReceipts removes old receipts now and then.
func (s *Store) sweepReceipts() {
	defer close(s.swept)
	tick := time.NewTicker(receiptKept / 6)
	defer tick.Stop()
	for {
		select {
		case <-s.quit:
			return
		case <-tick.C:
		}
		err := s.Write(context.Background(), relational.Rest, func(ctx context.Context, q relational.Query) error {
			now, err := q.Now(ctx)
			if err != nil {
				return err
			}
			_, err = q.Exec(ctx, `delete from receipt where at < $1`, now-receiptKept.Microseconds())
			return err
		})
		if err != nil {
			s.options.Log.Warn("Old receipts were not removed.", "error", err)
		}
	}
}
