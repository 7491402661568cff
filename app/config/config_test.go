package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad_FileThenEnvironment(t *testing.T) {
	file := write(t, "petrel.yaml", "listen: 127.0.0.1:8000\napi: {max_page_size: 50}\nengine: {lease: 20s}\n")
	c, _, err := Load(file, []string{"PETREL_API_MAX_PAGE_SIZE=70", "DATABASE_URL=postgres://u:p@h/db", "PETREL_ROLES=api, worker"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:8000" || c.API.MaxPageSize != 70 || c.Engine.Lease != 20*time.Second || len(c.Roles) != 2 {
		t.Fatalf("read %+v", c)
	}
	if c.DatabaseURL != "postgres://u:p@h/db" {
		t.Fatalf("DATABASE_URL was not taken: %q", c.DatabaseURL)
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
}

func TestLoad_RefusesUnknownKey(t *testing.T) {
	_, _, err := Load(write(t, "petrel.yaml", "listne: x\n"), nil)
	if err == nil || !strings.Contains(err.Error(), "listne") {
		t.Fatalf("want an error that names the key, got %v", err)
	}
}

func TestCheck_NamesKeyValueAndLimit(t *testing.T) {
	for _, tc := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Listen = "nowhere" }, "listen: nowhere: must be host:port"},
		{func(c *Config) { c.Log.Level = "loud" }, "log.level: loud: must be one of debug, info, warn, error"},
		{func(c *Config) { c.Roles = []string{"cook"} }, "roles: cook: must be one of"},
		{func(c *Config) { c.Engine.Lease = time.Second }, "engine.lease: 1s: must be 10s or more"},
		{func(c *Config) { c.DatabaseURL = "mysql://u:secret@h/x" }, "database_url: mysql://********@h/x: must begin with postgres://"},
		{func(c *Config) { c.API.MaxPageSize = 0 }, "api.max_page_size: 0: must be 1 or more"},
	} {
		c := Default()
		tc.change(&c)
		err := c.Check()
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("want %q, got %v", tc.want, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the password stands in %v", err)
		}
	}
}

func TestLoad_StackStormFile(t *testing.T) {
	file := write(t, "st2.conf", `
[api]
host = 0.0.0.0
port = 9201
allow_origin = http://a,http://b
[auth]
enable = False
backend_kwargs = {"file_path": "/etc/st2/htpasswd"}
[garbagecollector]
action_executions_ttl = 2
[messaging]
url = amqp://guest:guest@127.0.0.1:5672//
[rbac]
enable = True
[system_user]
user = stanley
`)
	c, notes, err := Load(file, []string{"ST2_API__MAX_PAGE_SIZE=7"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "0.0.0.0:9201" || len(c.API.AllowOrigin) != 2 || c.Auth.Enable || c.Auth.Htpasswd != "/etc/st2/htpasswd" ||
		c.Retention.Executions != 48*time.Hour || c.API.MaxPageSize != 7 {
		t.Fatalf("read %+v", c)
	}
	text := strings.Join(notes, "\n")
	if !strings.Contains(text, "messaging.url is ignored: it has no meaning here") || !strings.Contains(text, "rbac.enable is ignored: it does not act yet") {
		t.Fatalf("notes: %s", text)
	}
	if strings.Contains(text, "guest") {
		t.Fatal("a note shows a value, which may be a secret")
	}
}

func TestCompatAddresses(t *testing.T) {
	c := Default()
	if got := c.CompatAddresses(); len(got) != 2 || got[0] != "127.0.0.1:9100" {
		t.Fatalf("beside 9101: %v", got)
	}
	c.Listen = "127.0.0.1:0"
	if got := c.CompatAddresses(); got != nil {
		t.Fatalf("beside another port: %v", got)
	}
}

func TestDescribe_NamesEverySetting(t *testing.T) {
	var out bytes.Buffer
	if err := Describe(&out); err != nil {
		t.Fatal(err)
	}
	c := Default()
	for _, s := range settings(&c) {
		if s.help == "" {
			t.Errorf("%s has no help", s.path)
		}
		if !strings.Contains(out.String(), Env(s.path)) {
			t.Errorf("%s is not described", s.path)
		}
	}
}
