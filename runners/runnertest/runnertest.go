// Package runnertest is the suite every runner passes: the contract of
// runners.Runner, tried with real jobs.
package runnertest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"petrel"
	"petrel/expr/value"
	"petrel/runners"
	"petrel/runners/runnertype"
)

// Subject is a runner with jobs for it. A job that is nil is one the runner
// cannot be given, and what it would show is not promised by the runner.
type Subject struct {
	Runner runners.Runner
	// Keys are the keys of a result, in order.
	Keys []string
	// Good ends as succeeded.
	Good func(t *testing.T) *runners.Job
	// Bad is refused by Prepare.
	Bad func(t *testing.T) *runners.Job
	// Failing ends as failed, with a result of the same shape.
	Failing func(t *testing.T) *runners.Job
	// Effect writes to the file when it runs.
	Effect func(t *testing.T, file string) *runners.Job
	// Endless prints "ready" and goes on until it is killed, TERM or not, with
	// children of its own.
	Endless func(t *testing.T) *runners.Job
	// Late has a timeout of about a second and runs longer.
	Late func(t *testing.T) *runners.Job
	// Loud prints "first", more than the limit of the output, and "last".
	Loud func(t *testing.T) *runners.Job
	// Garbled prints what is not UTF-8.
	Garbled func(t *testing.T) *runners.Job
	// Limits are the ones the runner was made with.
	Limits runners.Limits
}

// Job makes a job with what every job has.
func Job(t *testing.T, params, actionParams *value.Dict) *runners.Job {
	t.Helper()
	id := petrel.NewID(time.Now())
	return &runners.Job{
		ExecutionID: id, LiveActionID: petrel.NewID(time.Now()), Attempt: 1,
		Action:           petrel.Action{Ref: "suite.action", Pack: "suite", Name: "action", Enabled: true},
		RunnerParameters: params, ActionParameters: actionParams, Context: value.NewDict(), User: "tester",
		Env: map[string]string{"ST2_ACTION_PACK_NAME": "suite", "ST2_ACTION_EXECUTION_ID": string(id),
			"ST2_ACTION_API_URL": "http://127.0.0.1:1/v1", "ST2_ACTION_DEBUG": "False", "ST2_ACTION_AUTH_TOKEN": "suite-token"},
		Log: slog.New(slog.DiscardHandler),
	}
}

// output collects what a job prints.
type output struct {
	mu   sync.Mutex
	text map[string]*strings.Builder
	got  chan struct{}
	once sync.Once
	want string
}

func collect(t *testing.T, job *runners.Job, want string) *output {
	o := &output{text: map[string]*strings.Builder{}, got: make(chan struct{}), want: want}
	job.Output = func(stream, data string) {
		if !utf8.ValidString(data) {
			t.Errorf("what was handed on is not UTF-8: %q", data)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		b := o.text[stream]
		if b == nil {
			b = &strings.Builder{}
			o.text[stream] = b
		}
		b.WriteString(data)
		if o.want != "" && strings.Contains(b.String(), o.want) {
			o.once.Do(func() { close(o.got) })
		}
	}
	return o
}

func (o *output) of(stream string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if b := o.text[stream]; b != nil {
		return b.String()
	}
	return ""
}

// Run runs the suite.
func Run(t *testing.T, s Subject) {
	t.Run("Type", func(t *testing.T) { s.hasType(t) })
	t.Run("Good", func(t *testing.T) { s.good(t) })
	try := func(name string, has bool, test func(t *testing.T)) {
		if has {
			t.Run(name, test)
		}
	}
	try("Bad", s.Bad != nil, s.bad)
	try("Failing", s.Failing != nil, s.failing)
	try("PrepareHasNoEffect", s.Effect != nil, s.effect)
	try("Cancel", s.Endless != nil, func(t *testing.T) { s.cancel(t, runners.ErrCanceled, petrel.StatusCanceled) })
	try("Shutdown", s.Endless != nil, func(t *testing.T) { s.cancel(t, runners.ErrShutdown, petrel.StatusAbandoned) })
	try("Lost", s.Endless != nil, func(t *testing.T) { s.cancel(t, runners.ErrLost, petrel.StatusAbandoned) })
	try("Timeout", s.Late != nil, s.late)
	try("OutputIsBounded", s.Loud != nil, s.loud)
	try("OutputIsUTF8", s.Garbled != nil, s.garbled)
	t.Run("CanceledBefore", func(t *testing.T) { s.canceledBefore(t) })
}

func (s Subject) hasType(t *testing.T) {
	got := s.Runner.Type()
	want, ok := runnertype.Named(got.Name)
	if !ok {
		t.Fatalf("there is no runner type %q", got.Name)
	}
	if string(got.Parameters) != string(want.Parameters) || got.OutputKey != want.OutputKey || !got.Enabled {
		t.Errorf("its description differs from the catalogue's: %+v", got)
	}
}

// start prepares and runs a job and checks what holds for every outcome.
func (s Subject) start(t *testing.T, ctx context.Context, job *runners.Job) runners.Outcome {
	t.Helper()
	if err := s.Runner.Prepare(ctx, job); err != nil {
		t.Fatalf("Prepare: %v", err)
	}
	out := s.Runner.Run(ctx, job)
	if !out.Status.Final() && out.Status != petrel.StatusPending {
		t.Errorf("the status is %q", out.Status)
	}
	text, err := value.ToJSON(out.Result, value.CompactJSON)
	if err != nil {
		t.Errorf("the result is no JSON: %v", err)
	}
	if !utf8.Valid(text) {
		t.Errorf("the result is not UTF-8")
	}
	if left := processes(job); len(left) > 0 {
		t.Errorf("Run returned while processes of the job live: %v", left)
	}
	return out
}

func (s Subject) shape(t *testing.T, out runners.Outcome) {
	t.Helper()
	d, ok := out.Result.(*value.Dict)
	if !ok {
		t.Fatalf("the result is a %s", value.TypeName(out.Result))
	}
	var keys []string
	for _, k := range d.Keys() {
		keys = append(keys, value.Str(k))
	}
	if len(keys) < len(s.Keys) || strings.Join(keys[:len(s.Keys)], " ") != strings.Join(s.Keys, " ") {
		t.Errorf("the result has the keys %v, want %v", keys, s.Keys)
	}
}

func (s Subject) good(t *testing.T) {
	out := s.start(t, t.Context(), s.Good(t))
	if out.Status != petrel.StatusSucceeded {
		t.Fatalf("%s %s", out.Status, value.Repr(out.Result))
	}
	s.shape(t, out)
	// A runner keeps nothing of a job: another one is not changed by it.
	again := s.start(t, t.Context(), s.Good(t))
	if again.Status != petrel.StatusSucceeded {
		t.Errorf("the second run: %s %s", again.Status, value.Repr(again.Result))
	}
}

func (s Subject) bad(t *testing.T) {
	job := s.Bad(t)
	if err := s.Runner.Prepare(t.Context(), job); err == nil {
		t.Error("Prepare takes a job that cannot be run")
	}
	off := s.Good(t)
	off.Runner = s.Runner.Type()
	off.Runner.Enabled = false
	want := fmt.Sprintf("Runner %q has been disabled by the administrator.", off.Runner.Name)
	if err := s.Runner.Prepare(t.Context(), off); err == nil || petrel.Message(err) != want {
		t.Errorf("Prepare of a runner that is switched off: %v", err)
	}
}

func (s Subject) failing(t *testing.T) {
	out := s.start(t, t.Context(), s.Failing(t))
	if out.Status != petrel.StatusFailed {
		t.Errorf("%s %s", out.Status, value.Repr(out.Result))
	}
	s.shape(t, out)
}

func (s Subject) effect(t *testing.T) {
	file := filepath.Join(t.TempDir(), "effect")
	job := s.Effect(t, file)
	for range 2 {
		if err := s.Runner.Prepare(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Fatal("Prepare started the action")
	}
	out := s.start(t, t.Context(), job)
	if _, err := os.Stat(file); err != nil || out.Status != petrel.StatusSucceeded {
		t.Errorf("%s %s: %v", out.Status, value.Repr(out.Result), err)
	}
}

func (s Subject) cancel(t *testing.T, cause runners.Cause, want petrel.Status) {
	job := s.Endless(t)
	o := collect(t, job, "ready")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var canceled time.Time
	go func() {
		select {
		case <-o.got:
		case <-time.After(20 * time.Second):
			t.Error("the job was not ready within 20 s")
		}
		canceled = time.Now()
		cancel(cause)
	}()
	out := s.start(t, ctx, job)
	if out.Status != want {
		t.Errorf("%s %s, want %s", out.Status, value.Repr(out.Result), want)
	}
	if d := time.Since(canceled); d > s.Limits.Grace+s.Limits.DrainWait+2*time.Second {
		t.Errorf("it took %v to end after it was canceled, the grace time is %v", d, s.Limits.Grace)
	}
}

func (s Subject) late(t *testing.T) {
	job := s.Late(t)
	began := time.Now()
	out := s.start(t, t.Context(), job)
	if out.Status != petrel.StatusTimeout {
		t.Errorf("%s %s", out.Status, value.Repr(out.Result))
	}
	if d := time.Since(began); d > 4*time.Second+s.Limits.Grace {
		t.Errorf("it took %v", d)
	}
	if d, ok := out.Result.(*value.Dict); !ok || !d.Has("error") {
		t.Errorf("the result does not say what happened: %s", value.Repr(out.Result))
	}
}

func (s Subject) loud(t *testing.T) {
	job := s.Loud(t)
	o := collect(t, job, "")
	out := s.start(t, t.Context(), job)
	text, _ := value.ToJSON(out.Result, value.CompactJSON)
	if n := len(text); n > 2*s.Limits.Output+1000 {
		t.Errorf("the result has %d bytes at a limit of %d", n, s.Limits.Output)
	}
	for _, part := range []string{"first", "bytes left out ...]", "last"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("the result lacks %q", part)
		}
		if !strings.Contains(o.of("stdout"), part) {
			t.Errorf("the live output lacks %q", part)
		}
	}
	if n := len(o.of("stdout")); n > 2*s.Limits.Output {
		t.Errorf("%d bytes were handed on live at a limit of %d", n, s.Limits.Output)
	}
}

func (s Subject) garbled(t *testing.T) {
	job := s.Garbled(t)
	o := collect(t, job, "")
	s.start(t, t.Context(), job)
	if !strings.Contains(o.of("stdout"), "\uFFFD") {
		t.Errorf("nothing stands for the broken bytes: %q", o.of("stdout"))
	}
}

func (s Subject) canceledBefore(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	job := s.Good(t)
	if err := s.Runner.Prepare(ctx, job); err != nil {
		t.Fatal(err)
	}
	cancel(runners.ErrShutdown)
	out := s.Runner.Run(ctx, job)
	if straight, ok := s.Runner.(runners.Straight); ok && straight.Straight() {
		return // it may end by itself before it looks
	}
	if out.Status != petrel.StatusAbandoned && out.Status != petrel.StatusSucceeded {
		t.Errorf("%s %s", out.Status, value.Repr(out.Result))
	}
}

// processes are the living processes that carry the job's execution id.
func processes(job *runners.Job) []string {
	var out []string
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	mark := "ST2_ACTION_EXECUTION_ID=" + string(job.ExecutionID)
	for _, d := range dirs {
		if d.Name()[0] < '0' || d.Name()[0] > '9' {
			continue
		}
		raw, err := os.ReadFile(filepath.Join("/proc", d.Name(), "environ"))
		if err != nil || !strings.Contains(string(raw), mark) {
			continue
		}
		line, _ := os.ReadFile(filepath.Join("/proc", d.Name(), "cmdline"))
		out = append(out, d.Name()+" "+strings.ReplaceAll(string(line), "\x00", " "))
	}
	return out
}
