// Package runners is the contract of the things that run actions, one folder
// per runner below it. A runner runs one attempt, streams what it prints, and
// reports; it knows nothing of the store. The suite in runnertest checks every
// implementation.
package runners

import (
	"context"
	"log/slog"
	"time"

	"petrel"
	"petrel/expr/value"
)

// Job is one attempt at running an action.
type Job struct {
	ExecutionID  petrel.ID
	LiveActionID petrel.ID
	Attempt      int
	Action       petrel.Action
	Runner       petrel.RunnerType
	PackDir      string // the pack's folder; empty when it has none
	EntryPoint   string // absolute path of the entry point; empty when the action has none
	// RunnerParameters and ActionParameters are final: rendered, cast, defaults filled in.
	RunnerParameters *value.Dict
	ActionParameters *value.Dict
	Context          *value.Dict // the execution's context
	Config           *value.Dict // the pack's resolved configuration; nil when empty
	User             string
	// Env are the ST2_ACTION_* variables, token included; name → value.
	Env map[string]string
	// Secrets are values that must not appear in logs.
	Secrets []string
	// Output takes what the action prints, as it comes, already valid UTF-8. It
	// is called by one goroutine at a time, and not after Run returned.
	Output func(stream string, data string)
	Log    *slog.Logger
}

// Outcome is what became of a job.
type Outcome struct {
	Status petrel.Status // final, or pending for an inquiry
	Result value.Value   // the runner's result shape; see actions-and-runners §5 of the contract
	// Context are keys to merge into the execution's context; nil for none.
	Context *value.Dict
}

// Runner runs actions of one kind.
type Runner interface {
	// Type is the runner's description as clients see it.
	Type() petrel.RunnerType
	// Prepare does what must not count as started: it checks the job and builds
	// what it needs. An error ends the execution as failed with the error's text.
	Prepare(ctx context.Context, job *Job) error
	// Run runs the job to its end. When ctx is canceled the whole process group
	// is killed and the status is canceled (cause ErrCanceled) or abandoned (the
	// worker is going down). It does not return while a process of the job lives.
	Run(ctx context.Context, job *Job) Outcome
}

// Straight is implemented by runners whose runs have no side effects and may be
// started twice: they go straight to running and are taken again when their owner dies.
type Straight interface{ Straight() bool }

// Causes with which a job's context is canceled.
type Cause string

// Error is the cause's text.
func (c Cause) Error() string { return string(c) }

// The causes.
const (
	ErrCanceled Cause = "the execution was canceled"
	ErrShutdown Cause = "the worker is going down"
	ErrLost     Cause = "the worker lost the ownership of the execution"
)

// Limits bound a job's output and time.
type Limits struct {
	Output    int           // bytes kept of each of stdout and stderr, head and tail; default 10 MiB
	Grace     time.Duration // between TERM and KILL; default 5 s
	DrainWait time.Duration // for pipes held open after the process ended; default 2 s
}
