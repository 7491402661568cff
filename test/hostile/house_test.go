package hostile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/app"
	"petrel/app/config"
	"petrel/bot/console/terminal"
	"petrel/cmd/petrel/cli"
)

// serveName makes the test binary the program itself, so that tests can measure
// and limit a process of its own.
const serveName = "PETREL_HOSTILE_PROGRAM"

func TestMain(m *testing.M) {
	// The guard is started by the program under its own name.
	if os.Getenv(serveName) != "" {
		os.Exit(cli.New().Run(context.Background(), os.Args[1:]))
	}
	os.Exit(m.Run())
}

// journal is a log that tests read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// house is a whole Petrel with everything it serves, in this process.
type house struct {
	app   *app.App
	url   string
	state string
	key   string // of the admin; empty when nobody is asked who they are
	log   *journal
}

type options struct {
	change func(*config.Config)
	packs  map[string]string // files below packs/, by path
}

// open starts a house that ends with the test.
func open(t testing.TB, o options) *house {
	t.Helper()
	cfg := config.Default()
	cfg.State = t.TempDir()
	cfg.Content = config.Content{}
	cfg.Log.Level = "debug"
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	cfg.SystemUser.User = me.Username
	if o.change != nil {
		o.change(&cfg)
	}
	plant(t, filepath.Join(cfg.State, "packs"), o.packs)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{state: cfg.State, log: &journal{}}
	log := slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h.app, err = app.Start(t.Context(), app.Options{Config: cfg, Version: "test", Listener: listener, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := h.app.Stop(ctx); err != nil {
			t.Errorf("stopping: %v", err)
		}
		if strings.Contains(h.log.String(), "panicked") || strings.Contains(h.log.String(), "fault of Petrel") {
			t.Errorf("something panicked: %.4000s", h.log)
		}
	})
	h.url = h.app.URL()
	if cfg.Auth.Enable {
		login, err := app.ReadLogin(cfg.State)
		if err != nil {
			t.Fatal(err)
		}
		h.key = login.APIKey
	}
	return h
}

// plant writes files below a folder.
func plant(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// answer is what the server said.
type answer struct {
	status int
	header http.Header
	text   string
}

// fault is the sentence of an error.
func (a answer) fault() string {
	var body struct {
		Fault string `json:"faultstring"`
	}
	_ = json.Unmarshal([]byte(a.text), &body)
	return body.Fault
}

func (a answer) decode(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.text), into); err != nil {
		t.Fatalf("%d %.300s: %v", a.status, a.text, err)
	}
}

var client = &http.Client{
	Timeout:       20 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// do sends a request; headers are names and values in turns and replace those of the admin.
func (h *house) do(t testing.TB, method, path, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequest(method, h.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if h.key != "" {
		r.Header.Set("St2-Api-Key", h.key)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s %.100s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %.100s: %v", method, path, err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

// serves fails unless an ordinary request is answered within a second.
func (h *house) serves(t testing.TB, after string) {
	t.Helper()
	start := time.Now()
	got := h.do(t, "GET", "/api/v1/actions/core.noop", "")
	if took := time.Since(start); got.status != 200 || took > time.Second {
		t.Errorf("after %s: an ordinary request got %d in %v", after, got.status, took)
	}
}

// count is how many things a list holds.
func (h *house) count(t testing.TB, path string) int {
	t.Helper()
	got := h.do(t, "GET", path+"?limit=1", "")
	n, err := strconv.Atoi(got.header.Get("X-Total-Count"))
	if err != nil {
		t.Fatalf("%s: %d %.200s", path, got.status, got.text)
	}
	return n
}

// execution is a run as the API shows it.
type execution struct {
	ID         string          `json:"id"`
	Status     string          `json:"status"`
	Parameters map[string]any  `json:"parameters"`
	Result     json.RawMessage `json:"result"`
}

// encode writes a value as JSON.
func encode(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// request asks for a run.
func (h *house) request(t testing.TB, action string, parameters map[string]any) answer {
	t.Helper()
	if parameters == nil {
		parameters = map[string]any{}
	}
	return h.do(t, "POST", "/api/v1/executions", encode(t, map[string]any{"action": action, "parameters": parameters}))
}

// run runs an action to its end.
func (h *house) run(t testing.TB, action string, parameters map[string]any) execution {
	t.Helper()
	got := h.request(t, action, parameters)
	if got.status != 201 {
		t.Fatalf("%s: %d %.500s", action, got.status, got.text)
	}
	var x execution
	got.decode(t, &x)
	return h.wait(t, x.ID)
}

// wait waits for the end of a run.
func (h *house) wait(t testing.TB, id string) execution {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var status string
		h.do(t, "GET", "/api/v1/executions/"+id+"/attribute/status", "").decode(t, &status)
		if petrel.Status(status).Final() {
			var x execution
			h.do(t, "GET", "/api/v1/executions/"+id, "").decode(t, &x)
			return x
		}
	}
	t.Fatalf("execution %s does not end", id)
	return execution{}
}

// stdout is what an ended command printed.
func (x execution) stdout(t testing.TB) string {
	t.Helper()
	var r struct{ Stdout any }
	if err := json.Unmarshal(x.Result, &r); err != nil {
		t.Fatalf("%.300s: %v", x.Result, err)
	}
	if s, ok := r.Stdout.(string); ok {
		return s
	}
	return fmt.Sprint(r.Stdout)
}

// say says a line in the chat and gives the final answer.
func (h *house) say(t testing.TB, line string) terminal.Reply {
	t.Helper()
	c := &terminal.Client{URL: h.url + "/api/v1", Header: http.Header{"St2-Api-Key": {h.key}}}
	r, err := c.Say(t.Context(), line, 20*time.Second)
	if err != nil {
		t.Fatalf("%.100q: %v", line, err)
	}
	return r
}

// quick fails when a single hostile input cost more than it may.
func quick(t testing.TB, what string, start time.Time, limit time.Duration) {
	t.Helper()
	if took := time.Since(start); took > limit {
		t.Errorf("%s took %v, at most %v", what, took, limit)
	}
}
