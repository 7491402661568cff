// Package local runs shell commands and scripts on this machine
// (local-shell-cmd, local-shell-script).
package local

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"time"

	"petrel"
	"petrel/expr/value"
	"petrel/runners"
	"petrel/runners/process"
	"petrel/runners/runnertype"
	"petrel/runners/shell"
	"petrel/runners/worktree"
)

// Runner runs commands or scripts.
type Runner struct {
	typ    petrel.RunnerType
	host   *process.Host
	script bool
}

// NewCommand makes the runner local-shell-cmd.
func NewCommand(host *process.Host) *Runner {
	return &Runner{typ: runnertype.MustNamed("local-shell-cmd"), host: host}
}

// NewScript makes the runner local-shell-script.
func NewScript(host *process.Host) *Runner {
	return &Runner{typ: runnertype.MustNamed("local-shell-script"), host: host, script: true}
}

// Type is the runner's description.
func (r *Runner) Type() petrel.RunnerType { return r.typ }

// plan is what is to be run, read from a job.
type plan struct {
	command   func(entryPoint string) string // the line for /bin/sh
	env       []string
	cwd       string
	password  string
	timeout   *time.Duration
	timeoutAs string // the timeout as it is shown
	version   string // content_version
	debug     bool
}

// Prepare checks the job's parameters.
func (r *Runner) Prepare(_ context.Context, job *runners.Job) error {
	if err := runners.CheckEnabled(job); err != nil {
		return err
	}
	_, err := r.plan(job)
	return err
}

func (r *Runner) plan(job *runners.Job) (*plan, error) {
	p := &plan{debug: job.Flag("debug")}
	var err error
	if p.cwd, err = job.Text("cwd"); err != nil {
		return nil, err
	}
	if p.password, err = job.Text("sudo_password"); err != nil {
		return nil, err
	}
	if p.timeout, p.timeoutAs, err = job.Timeout(60 * time.Second); err != nil {
		return nil, err
	}
	vars, err := job.Variables("env")
	if err != nil {
		return nil, err
	}
	if p.env, err = r.host.Environment(vars, job.Env); err != nil {
		return nil, err
	}
	id := shell.Identity{User: r.host.SystemUser(), ProcessUser: r.host.ProcessUser(), Sudo: job.Flag("sudo"), Password: p.password != ""}
	if !r.script {
		if job.EntryPoint != "" {
			return nil, petrel.Errorf(petrel.Invalid, "entry_point is only valid for local-shell-script runner")
		}
		command, err := job.Text("cmd")
		if err != nil {
			return nil, err
		}
		if job.Parameter("cmd") == nil {
			return nil, petrel.Errorf(petrel.Invalid, "parameter cmd is missing: there is nothing to run")
		}
		if strings.IndexByte(command, 0) >= 0 {
			return nil, petrel.Errorf(petrel.Invalid, "parameter cmd holds a null byte")
		}
		line := id.Wrap(command)
		p.command = func(string) string { return line }
		return p, nil
	}
	if job.EntryPoint == "" {
		return nil, petrel.Errorf(petrel.Invalid, "Missing entry_point action metadata attribute")
	}
	if p.version, err = job.Text("content_version"); err != nil {
		return nil, err
	}
	operator := shell.DefaultOperator
	if job.Parameter("kwarg_op") != nil {
		if operator, err = job.Text("kwarg_op"); err != nil {
			return nil, err
		}
	}
	schemas, err := job.Schemas()
	if err != nil {
		return nil, err
	}
	args, err := shell.NewArguments(schemas, job.ActionParameters, operator)
	if err != nil {
		return nil, err
	}
	line, err := args.Line()
	if err != nil {
		return nil, err
	}
	if strings.IndexByte(line, 0) >= 0 {
		return nil, petrel.Errorf(petrel.Invalid, "an argument of the script holds a null byte")
	}
	p.command = func(entryPoint string) string { return shell.ScriptCommand(entryPoint, line, id) }
	return p, nil
}

// Run runs the command to its end.
func (r *Runner) Run(ctx context.Context, job *runners.Job) runners.Outcome {
	p, err := r.plan(job)
	if err != nil {
		return runners.Failed(err)
	}
	log := job.Log
	if log == nil {
		log = slog.Default()
	}
	entryPoint := job.EntryPoint
	if p.version != "" {
		tree, err := worktree.Add(ctx, job.Action.Pack, job.PackDir, p.version)
		if err != nil {
			return runners.Failed(err)
		}
		if !p.debug {
			defer tree.Remove(context.WithoutCancel(ctx))
		}
		if entryPoint, err = tree.EntryPoint(entryPoint); err != nil {
			return runners.Failed(err)
		}
	}
	if r.script {
		makeExecutable(entryPoint, log)
	}
	spec := process.Spec{
		Argv:    []string{"/bin/sh", "-c", p.command(entryPoint)},
		Dir:     p.cwd,
		Env:     p.env,
		Timeout: p.timeout,
		Emit:    job.Output,
		Log:     log,
	}
	if p.password != "" {
		spec.Stdin = []byte(p.password + "\n\n")
	}
	done, err := r.host.Run(ctx, spec)
	if err != nil {
		return runners.Failed(err)
	}
	return outcome(done, p)
}

// makeExecutable permits a script's execution where it can; the shell says it
// when it could not.
func makeExecutable(path string, log *slog.Logger) {
	info, err := os.Stat(path)
	if err != nil || info.Mode()&0o111 == 0o111 {
		return
	}
	if err := os.Chmod(path, info.Mode()|0o111); err != nil {
		log.Debug("a script could not be made executable", "path", path, "error", err)
	}
}

var (
	wrongPassword = regexp.MustCompile(`sudo: \d+ incorrect password attempts?`)
	passwordUser  = regexp.MustCompile(`\[sudo\] password for (.+?):`)
)

// outcome puts the result together in StackStorm's shape.
// st2: contrib/runners/local_runner/local_runner/base.py
func outcome(done *process.Result, p *plan) runners.Outcome {
	out := runners.Outcome{Context: done.Truncation()}
	code, problem := done.ExitCode, ""
	switch {
	case done.Cause != nil:
		problem = done.Cause.Error()
	case done.Stdout.Err != nil:
		return runners.Failed(done.Stdout.Err)
	case done.Stderr.Err != nil:
		return runners.Failed(done.Stderr.Err)
	case done.TimedOut || code == -9:
		// A process that was killed from outside counts as timed out there.
		code = -9
		problem = fmt.Sprintf("Action failed to complete in %s seconds", p.timeoutAs)
	}
	if p.password != "" && wrongPassword.MatchString(done.Stderr.Text) {
		user := "unknown"
		if m := passwordUser.FindStringSubmatch(done.Stderr.Text); m != nil {
			user = m[1]
		}
		code = -1
		problem = fmt.Sprintf("Invalid sudo password provided or sudo is not configured for this user (%s)", user)
	}
	result := value.DictOf(
		"failed", code != 0,
		"succeeded", code == 0,
		"return_code", int64(code),
		"stdout", decoded(done.Stdout.Text),
		"stderr", decoded(done.Stderr.Text),
	)
	if problem != "" {
		result.SetStr("error", problem)
	}
	out.Result = result
	switch {
	case done.Cause != nil:
		out.Status = runners.Interrupted(done.Cause)
	case code == 0:
		out.Status = petrel.StatusSucceeded
	case code == -9:
		out.Status = petrel.StatusTimeout
	case code == -15:
		out.Status = petrel.StatusAbandoned
	default:
		out.Status = petrel.StatusFailed
	}
	return out
}

// decodeLimits bound what the JSON reading of an output may cost; what is over
// them stays text.
var decodeLimits = value.Limits{Steps: 2_000_000, Bytes: 64 << 20, Depth: 200, Time: 2 * time.Second}

// decoded is an output as a result shows it: without the last line end, and as
// the value it is JSON for.
func decoded(text string) value.Value {
	text = strings.TrimSuffix(text, "\n")
	text = strings.TrimSuffix(text, "\r")
	if text == "" {
		return text
	}
	v, err := value.ParseJSON(value.NewBudget(context.Background(), decodeLimits), text)
	if err != nil {
		return text
	}
	return v
}
