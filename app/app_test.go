package app_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/app"
	"petrel/app/config"
	"petrel/bot/console/terminal"
	"petrel/storage/storagetest"
)

// start starts a whole process on a port of its own and stops it with the test.
func start(t testing.TB, change func(*config.Config)) *app.App {
	t.Helper()
	cfg := config.Default()
	cfg.State = t.TempDir()
	cfg.Content = config.Content{}
	if change != nil {
		change(&cfg)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.Start(t.Context(), app.Options{Config: cfg, Version: "test", Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, a) })
	return a
}

func stop(t testing.TB, a *app.App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := a.Stop(ctx); err != nil {
		t.Errorf("stopping: %v", err)
	}
}

// say says a line as the owner of the state folder.
func say(t testing.TB, state, line string) terminal.Reply {
	t.Helper()
	login, err := app.ReadLogin(state)
	if err != nil {
		t.Fatal(err)
	}
	c := &terminal.Client{URL: login.URL + "/api/v1", Header: http.Header{"St2-Api-Key": {login.APIKey}}}
	reply, err := c.Say(t.Context(), line, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// TestApp_FromLineToReply is the first whole path on both stores: a line is
// stored, becomes one execution, and its result is the reply.
func TestApp_FromLineToReply(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*testing.T, *config.Config)
	}{
		{"sqlite", func(*testing.T, *config.Config) {}},
		{"postgres", func(t *testing.T, c *config.Config) { c.DatabaseURL = storagetest.PostgresURL(t) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			state := t.TempDir()
			start(t, func(c *config.Config) {
				c.State = state
				tc.change(t, c)
			})
			for _, line := range []struct{ say, want string }{
				{"!st2 run core.noop", "succeeded"},
				{"!st2 run core.local -- echo from the shell", "from the shell"},
				{"!st2 run linux.check_loadavg", "15"},
			} {
				reply := say(t, state, line.say)
				if reply.Status != petrel.StatusSucceeded || !strings.Contains(reply.Text, line.want) {
					t.Errorf("%s: %s: %s", line.say, reply.Status, reply.Text)
				}
			}
			if reply := say(t, state, "!st2 rnu core.noop"); reply.Execution != "" || !strings.Contains(reply.Text, "st2 run") {
				t.Errorf("a typo is answered with %q", reply.Text)
			}
			if reply := say(t, state, "!st2 run core.local -- exit 3"); reply.Status != petrel.StatusFailed || reply.Succeeded() {
				t.Errorf("a failing command is answered with %s", reply.Status)
			}
		})
	}
}

func TestApp_FirstStartAndNext(t *testing.T) {
	state := t.TempDir()
	first := start(t, func(c *config.Config) { c.State = state })
	user, password := first.FirstStart()
	if user != "admin" || len(password) < 20 {
		t.Fatalf("the first start made %q with a password of %d characters", user, len(password))
	}
	login, err := app.ReadLogin(state)
	if err != nil || login.APIKey == "" || login.URL != first.URL() {
		t.Fatalf("login %+v, %v", login, err)
	}
	info, err := os.Stat(filepath.Join(state, "login.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the login's mode is %v, %v", info.Mode(), err)
	}
	if raw, err := os.ReadFile(filepath.Join(state, "petrel.db")); err == nil && strings.Contains(string(raw), login.APIKey) {
		t.Error("the key stands in the database in the clear")
	}
	stop(t, first)
	second := start(t, func(c *config.Config) { c.State = state })
	if user, password := second.FirstStart(); user != "" || password != "" {
		t.Error("the second start made an admin again")
	}
	again, err := app.ReadLogin(state)
	if err != nil || again.APIKey != login.APIKey {
		t.Errorf("the second start made another key: %v", err)
	}
}

func TestApp_OneProcessAFolder(t *testing.T) {
	state := t.TempDir()
	start(t, func(c *config.Config) { c.State = state })
	cfg := config.Default()
	cfg.State, cfg.Listen = state, "127.0.0.1:0"
	_, err := app.Start(t.Context(), app.Options{Config: cfg})
	if !errors.Is(err, app.ErrLocked) || !strings.Contains(err.Error(), state) {
		t.Fatalf("a second process in the folder: %v", err)
	}
}

func TestApp_TakenPortStartsNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := config.Default()
	cfg.State, cfg.Listen = t.TempDir(), taken.Addr().String()
	if _, err := app.Start(t.Context(), app.Options{Config: cfg}); err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Fatalf("got %v", err)
	}
	// What was taken before the port is given back.
	cfg.Listen = "127.0.0.1:0"
	a, err := app.Start(t.Context(), app.Options{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	stop(t, a)
	stop(t, a) // twice is safe
}

// BenchmarkApp_LineToReply is the time from a line in the console to its final
// reply on an idle system; the goal is 50 ms.
func BenchmarkApp_LineToReply(b *testing.B) {
	state := b.TempDir()
	start(b, func(c *config.Config) { c.State = state })
	say(b, state, "!st2 run core.noop") // caches fill
	for b.Loop() {
		say(b, state, "!st2 run core.noop")
	}
}
