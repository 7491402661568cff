package kill_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"petrel/app"
	"petrel/storage"
	"petrel/storage/postgres"
	"petrel/storage/sqlite"
	"petrel/storage/storagetest"
)

const (
	// patience is how long a test waits for what must come.
	patience = 60 * time.Second
	// lease is longer than any test waits for a take-over: what is taken over
	// within takeOver was taken over because the new process holds the folder's
	// lock, not because a lease ran out.
	lease    = 60 * time.Second
	takeOver = 10 * time.Second
	// upAgain is how soon a killed program must be ready again.
	upAgain = 10 * time.Second
	// orphans is how long children may outlive a killed program.
	orphans = 2 * time.Second
	// poll is the pause between two looks at a condition that gives no signal.
	poll = 5 * time.Millisecond
)

// program builds the program, once for each set of build tags.
var program = func() func(tags string) (string, error) {
	var mu sync.Mutex
	built := map[string]string{}
	return func(tags string) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if path := built[tags]; path != "" {
			return path, nil
		}
		path := filepath.Join(folder, "petrel"+tags)
		build := exec.Command("go", "build", "-tags", tags, "-ldflags", "-s -w", "-o", path, "petrel/cmd/petrel")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("go build: %w\n%s", err, out)
		}
		built[tags] = path
		return path, nil
	}
}()

// folder is where the programs are built; it ends with the tests.
var folder string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "petrel-kill-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	folder = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// databases are the stores the tests run over.
var databases = []string{"sqlite", "postgres"}

// house is an installation that is killed and started again.
type house struct {
	t        *testing.T
	random   *rand.Rand
	program  string
	state    string
	ledger   string // what actions write
	fired    string // what hooks write
	logs     string // what all processes logged
	database string // URL of PostgreSQL; empty is SQLite
	client   string // what connections to PostgreSQL are called
	address  string
	url      string
	canary   string // a secret that must not get out
	http     *http.Client
	env      []string // besides the usual ones

	cmd      *exec.Cmd
	log      *os.File
	logFrom  int64         // where the log of the present process begins
	gone     chan struct{} // closed when the process has ended
	began    time.Time     // of the present process
	guiltily sync.Once     // shows the log once
}

// seedOf is the seed of a test's random choices. It is printed, so that
// PETREL_SEED can repeat them.
func seedOf(t *testing.T) uint64 {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("PETREL_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("PETREL_SEED=%s is not a number", text)
		}
	}
	t.Logf("PETREL_SEED=%d", seed)
	return seed
}

// newHouse makes the state folder with a pack whose action writes the ledger.
func newHouse(t *testing.T, database, tags string, seed uint64) *house {
	t.Helper()
	path, err := program(tags)
	if err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	h := &house{
		t: t, program: path, state: filepath.Join(outside, "state"), random: rand.New(rand.NewPCG(seed, 0)),
		ledger: filepath.Join(outside, "ledger"), fired: filepath.Join(outside, "fired"), logs: filepath.Join(outside, "log"),
		canary: fmt.Sprintf("canary%016x", seed*0x9e3779b97f4a7c15),
		http:   &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
	}
	if h.log, err = os.OpenFile(h.logs, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
		t.Fatal(err)
	}
	if database == "postgres" {
		u, err := url.Parse(storagetest.PostgresURL(t))
		if err != nil {
			t.Fatal(err)
		}
		h.client = fmt.Sprintf("kill_%d_%d", os.Getpid(), time.Now().UnixNano())
		q := u.Query()
		q.Set("application_name", h.client)
		u.RawQuery = q.Encode()
		h.database = u.String()
	}
	h.address = freeAddress(t)
	h.url = "http://" + h.address
	for name, text := range pack {
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
		h.http.CloseIdleConnections()
		if t.Failed() {
			h.showLog()
		}
		if err := h.log.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// freeAddress finds a port below those the system gives to outgoing
// connections: clients that knock while the program is away could be given its
// port, and on loopback even be connected to themselves.
func freeAddress(t *testing.T) string {
	t.Helper()
	var err error
	for range 100 {
		var listener net.Listener
		if listener, err = net.Listen("tcp", fmt.Sprint("127.0.0.1:", 12000+rand.IntN(18000))); err == nil {
			defer func() { _ = listener.Close() }() // nothing was written to it
			return listener.Addr().String()
		}
	}
	t.Fatalf("no port is free: %v", err)
	return ""
}

// pack writes down what it does. Each line is one write by O_APPEND: the truth
// about side effects. An attempt is told by its process id. With stray it
// leaves a process behind that has left its group and session.
var pack = map[string]string{
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
  stray:
    type: boolean
    position: 1
    default: false
  token:
    type: string
    position: 2
    secret: true
    default: ""
`,
	"actions/mark.sh": `#!/bin/sh
echo "$ST2_ACTION_EXECUTION_ID $$ start" >> "$KILL_LEDGER"
if [ "$2" = 1 ]; then setsid sleep 600 </dev/null >/dev/null 2>&1 & fi
echo started
sleep "$1"
echo "$ST2_ACTION_EXECUTION_ID $$ end" >> "$KILL_LEDGER"
echo ended
`,
}

// command is the program with the house's environment. Actions get KILL_LEDGER
// too, by which children are known.
func (h *house) command(args ...string) *exec.Cmd {
	cmd := exec.Command(h.program, args...)
	for _, line := range os.Environ() {
		if !strings.HasPrefix(line, "PETREL_") && !strings.HasPrefix(line, "DATABASE_URL=") && !strings.HasPrefix(line, "REDIS_URL=") {
			cmd.Env = append(cmd.Env, line)
		}
	}
	cmd.Env = append(cmd.Env, "KILL_LEDGER="+h.ledger, "PETREL_ENGINE_LEASE="+lease.String(), "PETREL_ENGINE_RENEW=1s", "DATABASE_URL="+h.database)
	cmd.Env = append(cmd.Env, h.env...)
	return cmd
}

// start starts the program with hooks armed, "" for none.
func (h *house) start(hooks string) {
	h.t.Helper()
	info, err := h.log.Stat()
	if err != nil {
		h.t.Fatal(err)
	}
	h.logFrom = info.Size()
	h.cmd = h.command("serve", "--state", h.state, "--listen", h.address)
	if hooks != "" {
		h.cmd.Env = append(h.cmd.Env, "PETREL_HOOK="+hooks, "PETREL_HOOK_FILE="+h.fired)
	}
	h.cmd.Stdout, h.cmd.Stderr = h.log, h.log
	h.began = time.Now()
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.gone = make(chan struct{})
	go func(cmd *exec.Cmd, gone chan struct{}) {
		_ = cmd.Wait() // its state says how it ended
		close(gone)
	}(h.cmd, h.gone)
}

// wait asks again and again until yes, the program's end (false) or the
// deadline, which fails the test.
func (h *house) wait(what string, limit time.Duration, yes func() bool) bool {
	h.t.Helper()
	deadline := time.After(limit)
	for {
		if yes() {
			return true
		}
		select {
		case <-h.gone:
			return false
		case <-deadline:
			h.showLog()
			h.t.Fatalf("after %v: %s", limit, what)
		case <-time.After(poll):
		}
	}
}

// ready waits until the program serves and says how long after its start that
// was; false says that it died before.
func (h *house) ready() (time.Duration, bool) {
	h.t.Helper()
	alive := h.wait("the program is not ready", upAgain, func() bool {
		answer, err := h.http.Get(h.url + "/readyz")
		if err != nil {
			return false
		}
		_, _ = io.Copy(io.Discard, answer.Body) // the status tells
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return time.Since(h.began), alive
}

// up is ready for a program that must not die.
func (h *house) up() time.Duration {
	h.t.Helper()
	took, alive := h.ready()
	if !alive {
		h.showLog()
		h.t.Fatalf("the program ended by itself: %v", h.cmd.ProcessState)
	}
	return took
}

// kill ends the program without a word and checks that no child of it lives on.
func (h *house) kill() {
	if h.cmd == nil {
		return
	}
	_ = h.cmd.Process.Kill() // it may have died by a hook
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
		h.t.Fatal("the hook did not kill the program")
	}
	status, _ := h.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGKILL {
		h.t.Fatalf("the program ended with %v, not by its hook", h.cmd.ProcessState)
	}
	h.cmd = nil
	h.childless()
}

// signal sends a signal to the program.
func (h *house) signal(s os.Signal) {
	h.t.Helper()
	if err := h.cmd.Process.Signal(s); err != nil {
		h.t.Fatalf("sending %v: %v", s, err)
	}
}

// stopped waits until the program ended in order after SIGTERM.
func (h *house) stopped() {
	h.t.Helper()
	select {
	case <-h.gone:
	case <-time.After(patience):
		h.t.Fatal("SIGTERM did not end the program")
	}
	if code := h.cmd.ProcessState.ExitCode(); code != 0 {
		h.t.Errorf("after SIGTERM the program ended with %v, not with exit code 0", h.cmd.ProcessState)
	}
	h.cmd = nil
	h.childless()
}

// childless checks that all that the program started is gone soon.
func (h *house) childless() {
	h.t.Helper()
	deadline := time.Now().Add(orphans)
	for {
		left := h.children()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			h.t.Errorf("%v after the program's end these live on: %v", orphans, left)
			return
		}
		time.Sleep(poll)
	}
}

// children are the processes with our ledger in their environment, the guard
// among them.
func (h *house) children() []string {
	mark := []byte("KILL_LEDGER=" + h.ledger + "\x00")
	var left []string
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(environ, mark) {
			continue
		}
		command, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err == nil && len(command) > 0 { // A zombie has none.
			left = append(left, filepath.Base(filepath.Dir(file))+" "+strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " ")))
		}
	}
	return left
}

// logged is what the present or last process logged.
func (h *house) logged() string {
	raw, err := os.ReadFile(h.logs)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(raw[min(h.logFrom, int64(len(raw))):])
}

// showLog shows the end of the log with a test that failed.
func (h *house) showLog() {
	h.guiltily.Do(func() {
		text := h.logged()
		h.t.Logf("the end of the last process's log:\n%s", text[max(0, len(text)-6000):])
	})
}

// login is the key the program left for its owner.
func (h *house) login() app.Login {
	h.t.Helper()
	l, err := app.ReadLogin(h.state)
	if err != nil {
		h.t.Fatalf("the program left no login: %v", err)
	}
	return l
}

// open opens the store while the program is away.
func (h *house) open() storage.Store {
	h.t.Helper()
	ctx := context.Background()
	var s storage.Store
	var err error
	if h.database != "" {
		h.disconnected(ctx)
		s, err = postgres.Open(ctx, h.database, postgres.Options{})
	} else {
		s, err = sqlite.Open(ctx, filepath.Join(h.state, "petrel.db"), sqlite.Options{})
	}
	if err != nil {
		h.t.Fatalf("the database does not open: %v", err)
	}
	return s
}

// disconnected waits until the database has noticed that the program is gone:
// a commit that was sent before the kill may still be made after it.
func (h *house) disconnected(ctx context.Context) {
	h.t.Helper()
	config, err := pgx.ParseConfig(h.database)
	if err != nil {
		h.t.Fatal(err)
	}
	config.RuntimeParams["application_name"] = "kill_look"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }() // only read from
	for deadline := time.Now().Add(patience); ; time.Sleep(poll) {
		var n int
		if err := conn.QueryRow(ctx, `select count(*) from pg_stat_activity where application_name = $1`, h.client).Scan(&n); err != nil {
			h.t.Fatal(err)
		}
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("the database still has %d connections of a program that is gone", n)
		}
	}
}
