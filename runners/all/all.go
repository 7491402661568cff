// Package all joins the runners: one constructor for every runner there is,
// and a stand-in for each type that has a description but no runner here.
package all

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"petrel"
	"petrel/python"
	"petrel/runners"
	"petrel/runners/announcement"
	"petrel/runners/httprequest"
	"petrel/runners/local"
	"petrel/runners/noop"
	"petrel/runners/process"
	"petrel/runners/pythonscript"
	"petrel/runners/runnertype"
)

// Options of New. Of all fields the zero value works; without an Announcer
// announcements fail.
type Options struct {
	Announcer announcement.Announcer
	Limits    runners.Limits
	// Worker marks the processes of this worker, Guard is told of them; both
	// come from guard.Start.
	Worker string
	Guard  process.Guard
	// SystemUser is who shell actions run as. Default: stanley where that user
	// exists, else the process's own user.
	SystemUser string
	// LoaderEnv permits env parameters such as LD_PRELOAD.
	LoaderEnv bool
	Python    python.Options
	// Configs is the folder of the packs' configuration files.
	Configs string
	// LogLevel is the level of Python actions that ask for none. Default: DEBUG.
	LogLevel string
	HTTP     httprequest.Options
	Log      *slog.Logger // default: slog.Default
	Metrics  prometheus.Registerer
}

// New makes a runner for every type, by its name.
func New(o Options) map[string]runners.Runner {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Python.Log == nil {
		o.Python.Log = o.Log
	}
	if o.HTTP.Log == nil {
		o.HTTP.Log = o.Log
	}
	if o.Announcer == nil {
		o.Announcer = nobody{}
	}
	host := process.New(process.Options{
		Limits: o.Limits, Worker: o.Worker, Guard: o.Guard, SystemUser: o.SystemUser, LoaderEnv: o.LoaderEnv, Log: o.Log, Metrics: o.Metrics,
	})
	out := map[string]runners.Runner{}
	for _, r := range []runners.Runner{
		announcement.New(o.Announcer),
		httprequest.New(o.HTTP),
		local.NewCommand(host),
		local.NewScript(host),
		noop.New(),
		pythonscript.New(host, python.New(o.Python), pythonscript.Options{Configs: o.Configs, LogLevel: o.LogLevel}),
	} {
		out[r.Type().Name] = r
	}
	for _, t := range runnertype.All() {
		if out[t.Name] == nil {
			out[t.Name] = missing{t}
		}
	}
	return out
}

// Types are the descriptions of all types, also of those without a runner.
func Types() []petrel.RunnerType { return runnertype.All() }

// Missing says whether a runner is only a stand-in for one that is not there.
func Missing(r runners.Runner) bool {
	_, ok := r.(missing)
	return ok
}

// missing stands for a runner that this build does not have, so that packs
// with its actions can be registered.
type missing struct{ typ petrel.RunnerType }

func (m missing) Type() petrel.RunnerType { return m.typ }

func (m missing) Prepare(context.Context, *runners.Job) error {
	return petrel.Errorf(petrel.Invalid, "Runner %q is not part of this build yet", m.typ.Name)
}

func (m missing) Run(ctx context.Context, job *runners.Job) runners.Outcome {
	return runners.Failed(m.Prepare(ctx, job))
}

// nobody is there to hear announcements.
type nobody struct{}

func (nobody) Announce(context.Context, string, petrel.JSON) error {
	return petrel.Errorf(petrel.Unavailable, "There is no event stream to announce on")
}
