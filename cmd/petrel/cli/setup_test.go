package cli

import (
	"context"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"petrel/app"
	"petrel/app/config"
)

// recorded is a file or folder of the recorded cases; what only the API's
// tests keep is read there.
func recorded(name string) string {
	for _, dir := range []string{corpus(), filepath.Join("..", "..", "..", "api", "testdata")} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name)
		}
	}
	return filepath.Join(corpus(), name)
}

// systemUser is who runs the tests, so that actions need no sudo.
func systemUser(t *testing.T) string {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return me.Username
}

// users of the set-up "auth".
var users = map[string]string{"alice": "wonder1", "bob": "builder2", "carol": "singer3"}

// startServer starts a whole Petrel with pack conformance on a port of its own.
func startServer(t *testing.T, change func(*config.Config)) *app.App {
	t.Helper()
	cfg := config.Default()
	cfg.State = t.TempDir()
	cfg.Content = config.Content{}
	cfg.SystemUser.User = systemUser(t)
	change(&cfg)
	for _, f := range []struct{ from, to string }{{"packs", "packs"}, {"configs", "configs"}} {
		if err := os.CopyFS(filepath.Join(cfg.State, f.to), os.DirFS(recorded(f.from))); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.Start(t.Context(), app.Options{Config: cfg, Version: "test", Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	return a
}

// startSetups starts the set-ups of recorded scenarios: prefix of a path → base.
func startSetups(t *testing.T) map[string]map[string]string {
	t.Helper()
	bases := func(a *app.App) map[string]string {
		return map[string]string{"/api": a.URL() + "/api", "/auth": a.URL() + "/auth", "/stream": a.URL() + "/stream"}
	}
	open := startServer(t, func(c *config.Config) { c.Auth.Enable = false })
	htpasswd := filepath.Join(t.TempDir(), "htpasswd")
	var lines strings.Builder
	for name, password := range users {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		lines.WriteString(name + ":" + string(hash) + "\n")
	}
	if err := os.WriteFile(htpasswd, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	closed := startServer(t, func(c *config.Config) { c.Auth.Htpasswd = htpasswd })
	return map[string]map[string]string{"default": bases(open), "auth": bases(closed)}
}
