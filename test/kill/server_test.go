package kill_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"petrel/storage"
	"petrel/storage/postgres"
	"petrel/storage/sqlite"
	"petrel/storage/storagetest"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// program builds the program with its hooks, once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "petrel-kill-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "petrel")
	build := exec.Command("go", "build", "-tags", "hooks", "-o", path, "petrel/cmd/petrel")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// house is an installation that is killed and started again.
type house struct {
	t        *testing.T
	program  string
	state    string
	ledger   string // what actions write
	fired    string // what hooks write
	database string // URL of Postgres; empty is SQLite
	address  string
	url      string
	http     *http.Client

	cmd  *exec.Cmd
	log  *bytes.Buffer
	gone chan struct{} // closed when the process has ended
}

// databases are the stores the tests run over.
var databases = []string{"sqlite", "postgres"}

func newHouse(t *testing.T, database string) *house {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, program: path, state: t.TempDir(), http: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
	h.ledger, h.fired = filepath.Join(h.state, "ledger"), filepath.Join(h.state, "fired")
	if database == "postgres" {
		h.database = storagetest.PostgresURL(t)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.address = listener.Addr().String()
	listener.Close()
	h.url = "http://" + h.address
	files := map[string]string{
		"pack.yaml": "name: kill\nref: kill\ndescription: Writes down what it does\nversion: 1.0.0\nauthor: Petrel\nemail: petrel@example.com\n",
		"actions/mark.yaml": `name: mark
runner_type: local-shell-script
entry_point: mark.sh
description: Writes a line when it starts and one when it ends
enabled: true
parameters:
  seconds:
    type: string
    position: 0
    default: "0.02"
`,
		// One write by O_APPEND for each line: the truth about side effects.
		"actions/mark.sh": `#!/bin/sh
set -e
echo "$ST2_ACTION_EXECUTION_ID $$ start" >> "$KILL_TEST_LEDGER"
echo started
sleep "$1"
echo "$ST2_ACTION_EXECUTION_ID $$ end" >> "$KILL_TEST_LEDGER"
echo ended
`,
	}
	for name, text := range files {
		file := filepath.Join(h.state, "packs", "kill", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		h.kill()
		if t.Failed() && h.log != nil {
			text := h.log.String()
			t.Logf("the end of the last log:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return h
}

// start starts the program with hooks armed, "" for none.
func (h *house) start(hooks string) {
	h.t.Helper()
	h.log = &bytes.Buffer{}
	h.cmd = exec.Command(h.program, "serve", "--state", h.state, "--listen", h.address)
	h.cmd.Env = append(os.Environ(),
		"PETREL_AUTH_ENABLE=false", "PETREL_BOT_DEFAULT_USER=stanley", "PETREL_ACTIONS_SLOTS=8", "PETREL_ENGINE_LEASE=3s", "PETREL_ENGINE_RENEW=1s",
		"KILL_TEST_LEDGER="+h.ledger, "PETREL_HOOK="+hooks, "PETREL_HOOK_FILE="+h.fired, "DATABASE_URL="+h.database, "REDIS_URL=")
	h.cmd.Stdout, h.cmd.Stderr = h.log, h.log
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.gone = make(chan struct{})
	go func(cmd *exec.Cmd, gone chan struct{}) {
		cmd.Wait()
		close(gone)
	}(h.cmd, h.gone)
}

// ready waits until the program serves; false says that it died before.
func (h *house) ready() bool {
	h.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		answer, err := h.http.Get(h.url + "/readyz")
		if err == nil {
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return true
			}
		}
		select {
		case <-h.gone:
			return false
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("the program does not get ready:\n%s", h.log)
		}
	}
}

// kill ends the program without a word and checks that no child of it lives on.
func (h *house) kill() {
	if h.cmd == nil {
		return
	}
	h.cmd.Process.Kill()
	<-h.gone
	h.cmd = nil
	h.childless()
}

// died waits until the program was killed by its own hook.
func (h *house) died() {
	h.t.Helper()
	select {
	case <-h.gone:
	case <-time.After(patience):
		h.t.Fatalf("the hook did not kill the program:\n%s", h.log)
	}
	status, _ := h.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGKILL {
		h.t.Fatalf("the program ended with %v, not by its hook:\n%s", h.cmd.ProcessState, h.log)
	}
	h.cmd = nil
	h.childless()
}

// stop ends the program by SIGTERM, which drains.
func (h *house) stop() {
	h.t.Helper()
	h.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-h.gone:
	case <-time.After(patience):
		h.t.Fatalf("SIGTERM did not end the program:\n%s", h.log)
	}
	if code := h.cmd.ProcessState.ExitCode(); code != 0 {
		h.t.Errorf("after SIGTERM the exit code is %d:\n%s", code, h.log)
	}
	h.cmd = nil
	h.childless()
}

// childless checks that all that the program started is gone within 2 s.
func (h *house) childless() {
	deadline := time.Now().Add(2 * time.Second)
	for {
		left := h.children()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			h.t.Errorf("2 s after the program's end these live on: %v", left)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// children are the processes with our ledger in their environment.
func (h *house) children() []string {
	mark := []byte("KILL_TEST_LEDGER=" + h.ledger + "\x00")
	var left []string
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(environ, mark) {
			continue
		}
		command, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err == nil && len(command) > 0 { // A zombie has none.
			left = append(left, filepath.Base(filepath.Dir(file))+" "+strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return left
}

// open opens the store while the program is away.
func (h *house) open() storage.Store {
	h.t.Helper()
	ctx := context.Background()
	if h.database != "" {
		s, err := postgres.Open(ctx, h.database, postgres.Options{})
		if err != nil {
			h.t.Fatal(err)
		}
		return s
	}
	s, err := sqlite.Open(ctx, filepath.Join(h.state, "petrel.db"), sqlite.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}
