package migrations

import (
	"context"
	"database/sql"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"petrel"
	"petrel/storage/storagetest"
)

var update = flag.Bool("update", false, "write schema.sql anew")

var ctx = context.Background()

func openDB(t *testing.T, d Dialect) *sql.DB {
	t.Helper()
	driver, dsn := "sqlite", filepath.Join(t.TempDir(), "x.db")
	if d == Postgres {
		driver, dsn = "pgx", storagetest.PostgresURL(t)
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func lines(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	var text strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		text.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// dump writes what the migrations lead to, for review.
func dump(t *testing.T, d Dialect, db *sql.DB) string {
	t.Helper()
	head := "-- What the migrations of this folder lead to; written by: go test ./migrations -update\n\n"
	if d == SQLite {
		return head + lines(t, db, `select sql || ';' || char(10) from sqlite_master where sql is not null and name not like 'goose%' and name not like 'sqlite%' order by tbl_name, type = 'table' desc, name`)
	}
	return head + lines(t, db, `
		select text from (
			select c.relname as owner, 0 as rank, 'table ' || c.relname || coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', '') as text
				from pg_class c where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'
			union all
			select c.relname, a.attnum, '    ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
					|| case when a.attcollation <> 0 and a.attcollation <> (select oid from pg_collation where collname = 'default') then ' collate ' || (select collname from pg_collation where oid = a.attcollation) else '' end
					|| case when a.attnotnull then ' not null' else '' end || case when a.attidentity <> '' then ' identity' else '' end
				from pg_class c join pg_attribute a on a.attrelid = c.oid
				where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
			union all
			select c.relname, 1000, '    constraint ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
				from pg_class c join pg_constraint k on k.conrelid = c.oid and k.contype <> 'n' where c.relnamespace = current_schema()::regnamespace
			union all
			select tablename, 2000, '    ' || replace(replace(indexdef, current_schema() || '.', ''), 'CREATE ', '') from pg_indexes where schemaname = current_schema()
			union all
			select c.relname, 3000, '    ' || replace(replace(pg_get_triggerdef(g.oid), current_schema() || '.', ''), 'CREATE ', '')
				from pg_class c join pg_trigger g on g.tgrelid = c.oid where c.relnamespace = current_schema()::regnamespace and not g.tgisinternal
		) as all_lines where owner not like 'goose%' order by owner, rank, text`)
}

func TestSchemaIsCurrent(t *testing.T) {
	for _, d := range []Dialect{SQLite, Postgres} {
		t.Run(string(d), func(t *testing.T) {
			db := openDB(t, d)
			if err := Apply(ctx, d, db); err != nil {
				t.Fatal(err)
			}
			if err := Apply(ctx, d, db); err != nil { // again: nothing to do
				t.Fatal(err)
			}
			got, file := dump(t, d, db), filepath.Join(string(d), "schema.sql")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Fatalf("%s is not what the migrations lead to; run: go test ./migrations -update\n%s", file, got)
			}
		})
	}
}

func TestVersionIsTheNewestFile(t *testing.T) {
	for _, d := range []Dialect{SQLite, Postgres} {
		found, err := files.ReadDir(string(d))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != Version {
			t.Errorf("%s has %d migrations; Version is %d", d, len(found), Version)
		}
	}
}

// TestOtherVersions is a rolling upgrade: a node beside tables that a newer one
// has changed.
func TestOtherVersions(t *testing.T) {
	for _, d := range []Dialect{SQLite, Postgres} {
		t.Run(string(d), func(t *testing.T) {
			db := openDB(t, d)
			if err := Apply(ctx, d, db); err != nil {
				t.Fatal(err)
			}
			set := func(version, oldest int) {
				if _, err := db.Exec(`update schema set version = $1, oldest_reader = $2`, version, oldest); err != nil {
					t.Fatal(err)
				}
			}
			set(Version+1, Version)
			if err := Apply(ctx, d, db); err != nil {
				t.Fatalf("a node of the release before: %v", err)
			}
			set(Version+2, Version+1)
			err := Apply(ctx, d, db)
			if !petrel.Is(err, petrel.Unavailable) || !strings.Contains(err.Error(), "Install the newer Petrel") {
				t.Fatalf("a node too old: %v", err)
			}
		})
	}
}

// TestFailedStep is a migration that fails half way: nothing of it is kept, and
// the tables serve on.
func TestFailedStep(t *testing.T) {
	for _, d := range []Dialect{SQLite, Postgres} {
		t.Run(string(d), func(t *testing.T) {
			db := openDB(t, d)
			first, err := files.ReadFile(string(d) + "/00001_first.sql")
			if err != nil {
				t.Fatal(err)
			}
			steps := fstest.MapFS{
				"00001_first.sql": {Data: first},
				"00002_bad.sql":   {Data: []byte("-- +goose Up\ncreate table half (a integer);\nupdate schema set version = 2, oldest_reader = 2;\ninsert into nowhere values (1);\n")},
			}
			if err := apply(ctx, d, db, steps); !petrel.Is(err, petrel.Unavailable) {
				t.Fatalf("the error is %v", err)
			}
			var version int
			if err := db.QueryRow(`select version from schema`).Scan(&version); err != nil || version != 1 {
				t.Fatalf("version %d, %v", version, err)
			}
			if _, err := db.Exec(`select * from half`); err == nil {
				t.Fatal("a table of the failed step is there")
			}
			if err := Apply(ctx, d, db); err != nil {
				t.Fatal(err)
			}
		})
	}
}
