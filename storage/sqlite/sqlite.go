// Package sqlite is the store inside the process: one file, one writer. The
// nouns are those of storage/relational; this package is the file, its lock,
// the writer with its queues, and the readers.
package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"petrel"
	"petrel/migrations"
	"petrel/storage"
	"petrel/storage/relational"
)

// Options are the settings of a store. Zero fields mean what they say.
type Options struct {
	// Synchronous is FULL (zero) or NORMAL, which is faster and may lose the last
	// commits at a power cut, never at a crash of the process.
	Synchronous string
	// Readers is how many queries may run at once; zero is the number of
	// processors, at least 4.
	Readers int
	// Timeout bounds the wait of a call for its turn or its rows; zero is 10 s.
	Timeout time.Duration
	// Now is the database's clock; nil is the process's.
	Now func() time.Time
	// Metrics is where the metrics are registered; nil is nowhere.
	Metrics prometheus.Registerer
	// Log takes what an operator should know; nil is slog.Default.
	Log *slog.Logger
}

// Store is an open database file.
type Store struct {
	relational.Store
	path    string
	options Options
	lock    *os.File
	write   *sql.DB
	read    *sql.DB
	writer  *writer
	check   *checkpointer
	ended   atomic.Bool
	close   sync.Once
	closed  error
}

var _ storage.Store = (*Store)(nil)

// Path takes the file out of "sqlite:PATH", "sqlite:///PATH" or a plain path.
func Path(pathOrURL string) string {
	path, is := strings.CutPrefix(pathOrURL, "sqlite:")
	if !is {
		return pathOrURL
	}
	return strings.TrimPrefix(path, "//")
}

// Open opens the file, makes it when there is none, and brings its tables up to
// date. Another process that has it open is an error of kind Conflict.
func Open(ctx context.Context, pathOrURL string, options Options) (*Store, error) {
	switch options.Synchronous = strings.ToUpper(options.Synchronous); options.Synchronous {
	case "":
		options.Synchronous = "FULL"
	case "FULL", "NORMAL":
	default:
		return nil, petrel.Errorf(petrel.Invalid, "synchronous is '%s'; it can be FULL or NORMAL", options.Synchronous)
	}
	if options.Readers <= 0 {
		options.Readers = max(4, runtime.NumCPU())
	}
	if options.Timeout <= 0 {
		options.Timeout = 10 * time.Second
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = slog.Default()
	}
	path, err := filepath.Abs(Path(pathOrURL))
	if err != nil {
		return nil, petrel.Wrap(petrel.Invalid, err, "The database path '%s' cannot be used", pathOrURL)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, petrel.Wrap(petrel.Unavailable, err, "The folder of the database %s cannot be made", path)
	}
	lock, err := lockFile(path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, options: options, lock: lock}
	if err := s.open(ctx); err != nil {
		s.release()
		return nil, mapError(err)
	}
	s.Store = relational.New(s)
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	// The file must not be readable by others: it holds tokens' hashes and users' values.
	file, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return petrel.Wrap(petrel.Unavailable, err, "The database %s cannot be opened", s.path)
	}
	if err := file.Close(); err != nil {
		return err
	}
	if s.write, err = sql.Open("sqlite", s.dsn(true)); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	s.write.SetMaxIdleConns(1)
	if err := migrations.Apply(ctx, migrations.SQLite, s.write); err != nil {
		return err
	}
	if s.read, err = sql.Open("sqlite", s.dsn(false)); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(s.options.Readers)
	s.read.SetMaxIdleConns(s.options.Readers)
	if err := s.read.PingContext(ctx); err != nil {
		return err
	}
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	s.writer = startWriter(conn, s.options)
	s.check = startCheckpointer(s)
	return nil
}

// dsn is the connection text. Checkpoints are made by the checkpointer, so that
// no commit has to wait for one.
func (s *Store) dsn(writer bool) string {
	pragmas := []string{"busy_timeout(5000)", "foreign_keys(1)", "temp_store(memory)"}
	if writer {
		pragmas = append(pragmas, "journal_mode(WAL)", "synchronous("+s.options.Synchronous+")", "wal_autocheckpoint(0)", "cache_size(-8000)")
	} else {
		pragmas = append(pragmas, "query_only(1)", "cache_size(-2000)")
	}
	q := url.Values{"_txlock": {"immediate"}}
	if !writer {
		q.Set("_txlock", "deferred")
	}
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	return "file:" + (&url.URL{Path: s.path}).EscapedPath() + "?" + q.Encode()
}

// Close ends the writer after what it was given, and the connections.
func (s *Store) Close() error {
	s.close.Do(func() {
		s.ended.Store(true)
		s.check.stop()
		s.writer.stop()
		s.closed = s.release()
	})
	return s.closed
}

func (s *Store) release() error {
	var first error
	keep := func(err error) {
		if err != nil && first == nil {
			first = err
		}
	}
	if s.read != nil {
		keep(s.read.Close())
	}
	if s.write != nil {
		keep(s.write.Close())
	}
	if s.lock != nil {
		keep(unlockFile(s.lock))
	}
	return first
}

// Ping writes a row: it is what a write would meet.
func (s *Store) Ping(ctx context.Context) error {
	return s.Write(ctx, relational.Lease, func(ctx context.Context, q relational.Query) error {
		now, err := q.Now(ctx)
		if err != nil {
			return err
		}
		if _, err := q.Exec(ctx, `update ping set at = $1`, now); err != nil {
			return err
		}
		var version, oldest int
		result, err := q.Rows(ctx, `select version, oldest_reader from schema`)
		if err != nil {
			return err
		}
		defer result.Close()
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

// Read runs a function over one consistent view of the database.
func (s *Store) Read(ctx context.Context, do func(ctx context.Context, q relational.Query) error) error {
	if err := relational.Nested(ctx); err != nil {
		return err
	}
	if s.ended.Load() {
		return errClosed
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return mapError(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return mapError(do(ctx, &query{run: tx, now: s.options.Now}))
}

// Write runs a function in a transaction of the writer, shared with other writes.
func (s *Store) Write(ctx context.Context, class relational.Class, do func(ctx context.Context, q relational.Query) error) error {
	if err := relational.Nested(ctx); err != nil {
		return err
	}
	return mapError(s.writer.do(ctx, class, do))
}

// eachRows is how many elements of a call one write takes, so that none holds
// the file for long (measured: 0.1 ms for each run requested).
const eachRows = 100

// Each runs a function for n elements in transactions of the writer, each
// element inside a savepoint of its own.
func (s *Store) Each(ctx context.Context, class relational.Class, n int, do func(ctx context.Context, q relational.Query, i int) error) []error {
	errs := make([]error, n)
	for from := 0; from < n; from += eachRows {
		to := min(n, from+eachRows)
		err := s.Write(ctx, class, func(ctx context.Context, q relational.Query) error {
			sqlite := q.(*query)
			for i := from; i < to; i++ {
				err := sqlite.inSavepoint(ctx, func() error { return do(ctx, q, i) })
				if broken(err) {
					return err
				}
				errs[i] = mapError(err)
			}
			return nil
		})
		if err != nil {
			for i := from; i < to; i++ {
				errs[i] = err
			}
		}
	}
	return errs
}

var errClosed = petrel.Errorf(petrel.Unavailable, "The database is closed.")

func (s *Store) String() string { return fmt.Sprintf("sqlite:%s", s.path) }
