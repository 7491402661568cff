// Package migrations holds the tables of the store as numbered SQL files, one
// folder per database, and applies them.
//
// A release only adds in the version that starts using a thing and removes in a
// later one. The one row of table schema says which version the tables have and
// the oldest program (by the version it was built with) that can still work
// with them; each migration sets both. So a node of the release before goes on
// beside a newer one, and one that is too old refuses with a clear text.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"petrel"
)

//go:embed sqlite/0*.sql postgres/0*.sql
var files embed.FS

// Version is the newest version of the tables this program knows.
const Version = 1

// Dialect names a database.
type Dialect string

// The databases.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Apply brings the tables of a database to Version, each migration in a
// transaction of its own; one that was cut off half way leaves nothing behind.
// The caller keeps others out while it runs (the file lock, an advisory lock).
// Tables that are newer are left as they are when this program can work with
// them, and refused otherwise.
func Apply(ctx context.Context, dialect Dialect, db *sql.DB) error {
	return apply(ctx, dialect, db, nil)
}

func apply(ctx context.Context, dialect Dialect, db *sql.DB, more fs.FS) error {
	folder, err := fs.Sub(files, string(dialect))
	if err != nil {
		return fmt.Errorf("read the migrations inside the program: %w", err)
	}
	if more != nil {
		folder = more
	}
	version, oldest, err := read(ctx, dialect, db)
	if err != nil {
		return err
	}
	if version >= Version && more == nil {
		return Check(version, oldest)
	}
	name := goose.DialectSQLite3
	if dialect == Postgres {
		name = goose.DialectPostgres
	}
	provider, err := goose.NewProvider(name, db, folder, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read the migrations inside the program: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return petrel.Wrap(petrel.Unavailable, err, "The database could not be brought from version %d to version %d; nothing of the failed step was kept.", version, Version)
	}
	return nil
}

// Check says whether this program can work with tables of a version.
func Check(version, oldestReader int) error {
	if Version < oldestReader {
		return petrel.Errorf(petrel.Unavailable, "The database has version %d and can be used by programs of version %d or newer; this program has version %d. Install the newer Petrel.",
			version, oldestReader, Version)
	}
	if version < Version {
		return petrel.Errorf(petrel.Unavailable, "The database has version %d; this program needs version %d. Run: petrel migrate", version, Version)
	}
	return nil
}

// read gives what the schema row says, zeros for an empty database.
func read(ctx context.Context, dialect Dialect, db *sql.DB) (version, oldest int, err error) {
	there := `select count(*) from sqlite_master where type = 'table' and name = 'schema'`
	if dialect == Postgres {
		there = `select count(*) from pg_tables where schemaname = current_schema() and tablename = 'schema'`
	}
	var count int
	if err := db.QueryRowContext(ctx, there).Scan(&count); err != nil {
		return 0, 0, petrel.Wrap(petrel.Unavailable, err, "The database cannot be read")
	}
	if count == 0 {
		return 0, 0, nil
	}
	if err := db.QueryRowContext(ctx, `select version, oldest_reader from schema`).Scan(&version, &oldest); err != nil {
		return 0, 0, petrel.Wrap(petrel.Unavailable, err, "The version of the database cannot be read")
	}
	return version, oldest, nil
}
