package engine_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/expr/value"
	"petrel/runners"
)

// scripted is a runner that does what the action's parameter "do" says and
// keeps a ledger of what it started and ended.
type scripted struct {
	name    string
	started chan petrel.ID // each run that began; closed over by waiting tests

	mu      sync.Mutex
	release map[petrel.ID]chan struct{}
	open    bool // nobody waits any more
	ledger  map[petrel.ID][]string
	jobs    map[petrel.ID]*runners.Job
	alive   int
	most    int
}

func newScripted(name string) *scripted {
	return &scripted{
		name: name, started: make(chan petrel.ID, 1<<16), release: map[petrel.ID]chan struct{}{}, ledger: map[petrel.ID][]string{},
		jobs: map[petrel.ID]*runners.Job{},
	}
}

func (r *scripted) Type() petrel.RunnerType {
	return petrel.RunnerType{UID: "runner_type:" + r.name, Name: r.name, Enabled: true, Package: "scripted", Module: "scripted"}
}

func (r *scripted) Prepare(ctx context.Context, job *runners.Job) error {
	switch do(job) {
	case "refuse":
		return errors.New("this cannot be prepared")
	case "panic early":
		panic("canary " + job.User)
	case "hang early":
		r.enter(job, "prepare")
		r.wait(ctx, job)
		return ctx.Err()
	}
	return nil
}

func (r *scripted) Run(ctx context.Context, job *runners.Job) runners.Outcome {
	r.enter(job, "start")
	defer r.leave(job, "end")
	ok := func(v value.Value) runners.Outcome { return runners.Outcome{Status: petrel.StatusSucceeded, Result: v} }
	switch do(job) {
	case "":
		return ok(value.DictOf("ok", true))
	case "wait", "wait and succeed":
		if r.wait(ctx, job); ctx.Err() != nil && do(job) == "wait" {
			return runners.Outcome{Status: runners.Interrupted(context.Cause(ctx)), Result: value.DictOf("killed", true)}
		}
		return ok(value.DictOf("ok", true))
	case "deaf":
		// It does not listen to its context until it is released.
		r.wait(context.Background(), job)
		return ok(value.DictOf("ok", true))
	case "fail":
		return runners.Outcome{Status: petrel.StatusFailed, Result: value.DictOf("ok", false)}
	case "nonsense":
		return runners.Outcome{Status: "scheduled", Result: value.DictOf("ok", false)}
	case "panic":
		var none *runners.Job
		_ = none.User
	case "panic text":
		panic("canary " + job.User)
	case "text":
		v, _ := job.ActionParameters.GetStr("text")
		return ok(v)
	case "none":
		return ok(nil)
	case "nan":
		return ok(value.DictOf("list", value.NewList(math.NaN(), math.Inf(1), 1.5)))
	case "no json":
		return ok(value.DictOf("f", value.NewFunc("f", nil)))
	case "big":
		return ok(value.DictOf("big", strings.Repeat("x", 2000)))
	case "pending late":
		r.wait(context.Background(), job)
		fallthrough
	case "pending":
		return runners.Outcome{Status: petrel.StatusPending, Result: value.DictOf("asked", true)}
	case "context":
		return runners.Outcome{Status: petrel.StatusSucceeded, Result: true, Context: value.DictOf("more", int64(1))}
	case "print":
		for _, line := range []string{"one\n", "tw", "o\n", "ü"} {
			job.Output("stdout", line)
		}
		job.Output("stderr", "bad\n")
		return ok(true)
	case "flood":
		line := strings.Repeat("0123456789", 9) + "abcdefgh\n" // 99 bytes
		for range 40000 {
			job.Output("stdout", line)
		}
		return ok(true)
	}
	return runners.Outcome{Status: petrel.StatusFailed, Result: "unknown script"}
}

func do(job *runners.Job) string {
	if v, found := job.ActionParameters.GetStr("do"); found {
		text, _ := value.AsString(v)
		return text
	}
	return ""
}

func (r *scripted) enter(job *runners.Job, what string) {
	r.mu.Lock()
	r.ledger[job.ExecutionID] = append(r.ledger[job.ExecutionID], what)
	r.jobs[job.ExecutionID] = job
	r.alive++
	r.most = max(r.most, r.alive)
	r.mu.Unlock()
	select {
	case r.started <- job.ExecutionID:
	default:
	}
}

func (r *scripted) leave(job *runners.Job, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ledger[job.ExecutionID] = append(r.ledger[job.ExecutionID], what)
	r.alive--
}

func (r *scripted) gate(id petrel.ID) chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.release[id]
	if c == nil {
		c = make(chan struct{})
		r.release[id] = c
		if r.open {
			close(c)
		}
	}
	return c
}

func (r *scripted) wait(ctx context.Context, job *runners.Job) {
	select {
	case <-r.gate(job.ExecutionID):
	case <-ctx.Done():
	}
}

// let lets a waiting run end.
func (r *scripted) let(id petrel.ID) {
	c := r.gate(id)
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-c:
	default:
		close(c)
	}
}

// releaseAll lets everything end, now and later.
func (r *scripted) releaseAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = true
	for _, c := range r.release {
		select {
		case <-c:
		default:
			close(c)
		}
	}
}

// atOnce is how many ran at the same time at most.
func (r *scripted) atOnce() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most
}

// entries is the ledger of a run.
func (r *scripted) entries(id petrel.ID) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.ledger[id], " ")
}

func (r *scripted) job(id petrel.ID) *runners.Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.jobs[id]
}

// untilStarted waits until a run began.
func (r *scripted) untilStarted(t testing.TB, id petrel.ID) {
	t.Helper()
	deadline := time.After(patience)
	for {
		if r.entries(id) != "" {
			return
		}
		select {
		case <-r.started:
		case <-deadline:
			t.Fatalf("%s never started", id)
		}
	}
}
