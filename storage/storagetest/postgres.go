package storagetest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var services = sync.OnceValues(func() (string, error) {
	if given := os.Getenv("PETREL_TEST_POSTGRES"); given != "" {
		return given, nil
	}
	_, here, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(here), "..", "..", "scripts", "services.sh")
	if out, err := exec.Command(script, "start").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s start: %w\n%s", script, err, out)
	}
	out, err := exec.Command(script, "env").Output()
	if err != nil {
		return "", fmt.Errorf("%s env: %w", script, err)
	}
	found := regexp.MustCompile(`PETREL_TEST_POSTGRES='([^']+)'`).FindSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("%s env gives no PETREL_TEST_POSTGRES", script)
	}
	return string(found[1]), nil
})

var schemas atomic.Int64

// PostgresURL gives the URL of a new, empty schema that ends with the test, so
// that tests run beside each other on one server. The server is that of
// PETREL_TEST_POSTGRES, else the one scripts/services.sh gives; without any the
// test fails, because a store that was not tried is not tested.
func PostgresURL(t testing.TB) string {
	t.Helper()
	server, err := services()
	if err != nil {
		t.Fatalf("No PostgreSQL for the tests. Set PETREL_TEST_POSTGRES=postgres://… , or run `make test`, which starts one.\n%v", err)
	}
	schema := fmt.Sprintf("test_%d_%d_%d", os.Getpid(), time.Now().UnixNano(), schemas.Add(1))
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("PETREL_TEST_POSTGRES is not a URL: %v", err)
	}
	run := func(sql string) error {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, server)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }() // the statement's error is the one that tells
		_, err = conn.Exec(ctx, sql)
		return err
	}
	if err := run(`create schema ` + schema); err != nil {
		t.Fatalf("The PostgreSQL for the tests does not answer. Set PETREL_TEST_POSTGRES=postgres://… , or run `make test`, which starts one.\n%v", err)
	}
	t.Cleanup(func() {
		if err := run(`drop schema ` + schema + ` cascade`); err != nil {
			t.Errorf("drop the schema of the test: %v", err)
		}
	})
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}
