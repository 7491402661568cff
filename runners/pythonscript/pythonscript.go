// Package pythonscript runs Python actions (python-script), one process a run.
// The request goes to the process over a pipe of its own and its answer comes
// back over another, so that standard output and error are the action's and
// no parameter is to be seen in the list of processes.
package pythonscript

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"petrel"
	"petrel/expr/value"
	"petrel/python"
	"petrel/runners"
	"petrel/runners/process"
	"petrel/runners/runnertype"
	"petrel/runners/worktree"
)

// Options of New. The zero value works.
type Options struct {
	// Configs is the folder of the packs' configuration files, for the text of
	// the error about a missing key.
	Configs string
	// LogLevel stands in for the parameter's default. Default: DEBUG.
	LogLevel string
}

// Runner runs Python actions.
type Runner struct {
	typ     petrel.RunnerType
	host    *process.Host
	pythons *python.Pythons
	o       Options
}

// New makes the runner.
func New(host *process.Host, pythons *python.Pythons, o Options) *Runner {
	if o.LogLevel == "" {
		o.LogLevel = defaultLevel
	}
	return &Runner{runnertype.MustNamed("python-script"), host, pythons, o}
}

const (
	defaultLevel   = "DEBUG"
	defaultTimeout = 600 * time.Second
	// invalidStatus is the exit code of an action whose status is no truth value.
	invalidStatus = 220
	// noResult is what stands in the result of an action that gave none.
	noResult = "None"
)

// Type is the runner's description.
func (r *Runner) Type() petrel.RunnerType { return r.typ }

// plan is what is to be run, read from a job.
type plan struct {
	vars      map[string]string
	level     string
	timeout   *time.Duration
	timeoutAs string
	version   string
	debug     bool
}

// Prepare checks the job's parameters and that there is an interpreter.
func (r *Runner) Prepare(ctx context.Context, job *runners.Job) error {
	if err := runners.CheckEnabled(job); err != nil {
		return err
	}
	p, err := r.plan(job)
	if err != nil {
		return err
	}
	if _, err := r.host.Environment(p.vars, nil); err != nil {
		return err
	}
	_, err = r.pythons.For(ctx, job.Action.Pack)
	return err
}

func (r *Runner) plan(job *runners.Job) (*plan, error) {
	if job.EntryPoint == "" {
		return nil, petrel.Errorf(petrel.Invalid, "Action %q is missing entry_point attribute", job.Action.Name)
	}
	p := &plan{debug: job.Flag("debug")}
	var err error
	if p.vars, err = job.Variables("env"); err != nil {
		return nil, err
	}
	for name := range p.vars {
		// It would hide the modules that actions import.
		if strings.EqualFold(name, "PYTHONPATH") {
			delete(p.vars, name)
		}
	}
	if p.timeout, p.timeoutAs, err = job.Timeout(defaultTimeout); err != nil {
		return nil, err
	}
	if p.level, err = job.Text("log_level"); err != nil {
		return nil, err
	}
	if p.level == "" || p.level == defaultLevel {
		p.level = r.o.LogLevel
	}
	p.version, err = job.Text("content_version")
	return p, err
}

// Run runs the action to its end.
func (r *Runner) Run(ctx context.Context, job *runners.Job) runners.Outcome {
	p, err := r.plan(job)
	if err != nil {
		return runners.Failed(err)
	}
	log := job.Log
	if log == nil {
		log = slog.Default()
	}
	entryPoint, packDir := job.EntryPoint, job.PackDir
	if p.version != "" {
		tree, err := worktree.Add(ctx, job.Action.Pack, packDir, p.version)
		if err != nil {
			return runners.Failed(err)
		}
		if !p.debug {
			defer tree.Remove(context.WithoutCancel(ctx))
		}
		if entryPoint, err = tree.EntryPoint(entryPoint); err != nil {
			return runners.Failed(err)
		}
		packDir = tree.Dir
	}
	spec, err := r.spec(ctx, job, p, entryPoint, packDir)
	if err != nil {
		return runners.Failed(err)
	}
	spec.Log = log
	done, err := r.host.Run(ctx, *spec)
	if err != nil {
		return runners.Failed(err)
	}
	return r.outcome(done, p)
}

// spec is the process that runs an action.
func (r *Runner) spec(ctx context.Context, job *runners.Job, p *plan, entryPoint, packDir string) (*process.Spec, error) {
	found, err := r.pythons.For(ctx, job.Action.Pack)
	if err != nil {
		return nil, err
	}
	shim, err := r.pythons.Shim()
	if err != nil {
		return nil, err
	}
	request := value.DictOf(
		"pack", job.Action.Pack,
		"file_path", entryPoint,
		"user", job.User,
		"log_level", p.level,
		"configs_path", r.o.Configs,
		"config", orEmpty(job.Config),
		"parameters", orEmpty(job.ActionParameters),
	)
	text, err := value.ToJSON(request, value.CompactJSON)
	if err != nil {
		return nil, fmt.Errorf("the action's parameters: %w", err)
	}
	own := map[string]string{"PYTHONPATH": searchPath(packDir, shim)}
	for name, v := range job.Env {
		own[name] = v
	}
	// Where StackStorm's client looks.
	for name, from := range map[string]string{"ST2_API_URL": "ST2_ACTION_API_URL", "ST2_AUTH_TOKEN": "ST2_ACTION_AUTH_TOKEN"} {
		if v, ok := job.Env[from]; ok {
			own[name] = v
		}
	}
	if found.Virtualenv != "" {
		path := os.Getenv("PATH")
		if given, ok := p.vars["PATH"]; ok {
			path = given
		}
		own["PATH"] = filepath.Join(found.Virtualenv, "bin") + string(os.PathListSeparator) + path
	}
	env, err := r.host.Environment(p.vars, own)
	if err != nil {
		return nil, err
	}
	return &process.Spec{
		Argv:     []string{found.Path, "-u", filepath.Join(shim, python.RunAction), "--pack=" + job.Action.Pack, "--file-path=" + entryPoint},
		Env:      env,
		Exchange: true,
		Request:  text,
		Timeout:  p.timeout,
		Emit:     job.Output,
	}, nil
}

func orEmpty(d *value.Dict) *value.Dict {
	if d == nil {
		return value.NewDict()
	}
	return d
}

// searchPath is where a pack's modules lie, the ones packs import, and what
// the service itself was started with.
func searchPath(packDir, shim string) string {
	var parts []string
	if packDir != "" {
		parts = append(parts, filepath.Join(packDir, "actions", "lib"), filepath.Join(packDir, "lib"))
	}
	parts = append(parts, shim)
	if inherited := os.Getenv("PYTHONPATH"); inherited != "" {
		parts = append(parts, inherited)
	}
	return strings.Join(parts, string(os.PathListSeparator))
}

// outcome puts the result together in StackStorm's shape.
// st2: contrib/runners/python_runner/python_runner/python_runner.py
func (r *Runner) outcome(done *process.Result, p *plan) runners.Outcome {
	out := runners.Outcome{Context: done.Truncation()}
	code, problem := done.ExitCode, ""
	if done.Cause != nil {
		problem = done.Cause.Error()
	} else {
		switch {
		case done.Stdout.Err != nil:
			return runners.Failed(done.Stdout.Err)
		case done.Stderr.Err != nil:
			return runners.Failed(done.Stderr.Err)
		case done.TimedOut || code == -9:
			// A process that was killed from outside counts as timed out there.
			code = -9
			problem = fmt.Sprintf("Action failed to complete in %s seconds", p.timeoutAs)
		case code == invalidStatus:
			return runners.Failed(value.ValueErrorf("%s", done.Stderr.Text))
		}
	}
	result, status, err := answer(done.Answer, r.host.Limits().Output)
	if err != nil && done.Cause == nil {
		return runners.Failed(err)
	}
	shape := value.DictOf("stdout", done.Stdout.Text, "stderr", done.Stderr.Text, "exit_code", int64(code), "result", result)
	if problem != "" {
		shape.SetStr("error", problem)
	}
	out.Result = shape
	switch {
	case done.Cause != nil:
		out.Status = runners.Interrupted(done.Cause)
	case code == -9:
		out.Status = petrel.StatusTimeout
	case code != 0 || status == false:
		out.Status = petrel.StatusFailed
	default:
		out.Status = petrel.StatusSucceeded
	}
	return out
}

// readLimits bound what reading an answer may cost.
var readLimits = value.Limits{Steps: 20_000_000, Bytes: 512 << 20, Depth: value.MaxJSONDepth, Time: 10 * time.Second}

// answer reads what the action gave: a length, a line end, and an object of
// result and status. An answer that is missing or was cut off by the process's
// end is none.
func answer(raw process.Output, limit int) (result, status value.Value, err error) {
	line, rest, found := strings.Cut(raw.Text, "\n")
	size, bad := strconv.Atoi(line)
	switch {
	case !found || bad != nil || size < 0:
		return noResult, nil, nil
	case raw.LeftOut > 0:
		return noResult, nil, petrel.Errorf(petrel.TooLarge, "The result of the action has %d bytes, the limit is %d.", size, limit)
	case size > len(rest):
		return noResult, nil, nil
	}
	v, err := value.ParseJSON(value.NewBudget(context.Background(), readLimits), rest[:size])
	if err != nil {
		var over *value.LimitError
		if errors.As(err, &over) {
			return noResult, nil, petrel.Errorf(petrel.TooLarge, "The result of the action exceeds the limit of %s %s.", over.Max, over.Limit)
		}
		return noResult, nil, fmt.Errorf("the answer of the action cannot be read: %w", err)
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return noResult, nil, nil
	}
	result, _ = d.GetStr("result")
	status, _ = d.GetStr("status")
	return result, status, nil
}
