package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"petrel"
	"petrel/migrations"
)

// prepare checks the server and brings the tables up to date. An advisory lock
// lets one node do it; the others wait and find it done.
func prepare(ctx context.Context, db *sql.DB) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return petrel.Wrap(petrel.Unavailable, mapError(err), "The database cannot be reached")
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var version int
	var encoding, schema sql.NullString
	if err := conn.QueryRowContext(ctx, `select current_setting('server_version_num')::int, current_setting('server_encoding'), current_schema()`).Scan(&version, &encoding, &schema); err != nil {
		return mapError(err)
	}
	if version < minVersion {
		return petrel.Errorf(petrel.Invalid, "The database server has version %d; Petrel needs PostgreSQL %d or newer.", version/10000, minVersion/10000)
	}
	if encoding.String != "UTF8" {
		return petrel.Errorf(petrel.Invalid, "The database has the encoding %s; Petrel needs UTF8: create database … encoding 'UTF8' template template0", encoding.String)
	}
	if !schema.Valid {
		return petrel.Errorf(petrel.Invalid, "The database has no schema of the search path; create it first.")
	}
	const key = `hashtextextended('petrel migration ' || current_schema(), 0)`
	if _, err := conn.ExecContext(ctx, `select pg_advisory_lock(`+key+`)`); err != nil {
		return mapError(err)
	}
	defer func() {
		if _, e := conn.ExecContext(context.WithoutCancel(ctx), `select pg_advisory_unlock(`+key+`)`); e != nil {
			err = errors.Join(err, fmt.Errorf("give back the migration lock: %w", e))
		}
	}()
	return migrations.Apply(ctx, migrations.Postgres, db)
}
