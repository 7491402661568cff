// Package announcement is the runner that tells its parameters to everybody
// who listens to the event stream.
package announcement

import (
	"context"

	"petrel"
	"petrel/expr/value"
	"petrel/runners"
	"petrel/runners/runnertype"
)

// Announcer puts an announcement on the live feed. The route is what clients
// choose announcements by; the payload is JSON that nobody changes any more.
type Announcer interface {
	Announce(ctx context.Context, route string, payload petrel.JSON) error
}

// Runner announces.
type Runner struct {
	typ petrel.RunnerType
	to  Announcer
}

// New makes the runner.
func New(to Announcer) *Runner { return &Runner{runnertype.MustNamed("announcement"), to} }

// Type is the runner's description.
func (r *Runner) Type() petrel.RunnerType { return r.typ }

// Prepare asks for the word that the caller knows the runner to be
// experimental.
func (r *Runner) Prepare(_ context.Context, job *runners.Job) error {
	if err := runners.CheckEnabled(job); err != nil {
		return err
	}
	if !job.Flag("experimental") {
		return petrel.Errorf(petrel.Invalid, "Experimental flag is missing for action %s", job.Action.Ref)
	}
	_, err := job.Text("route")
	return err
}

// Run announces the action's parameters and answers with them: as output, and
// each by its name.
func (r *Runner) Run(ctx context.Context, job *runners.Job) runners.Outcome {
	params := job.ActionParameters
	if params == nil {
		params = value.NewDict()
	}
	payload, err := value.ToJSON(params, value.CompactJSON)
	if err != nil {
		return runners.Failed(err)
	}
	route, err := job.Text("route")
	if err != nil {
		return runners.Failed(err)
	}
	if route == "" {
		route = "general"
	}
	if ctx.Err() != nil {
		return runners.Outcome{Status: runners.Interrupted(context.Cause(ctx)), Result: value.NewDict()}
	}
	if err := r.to.Announce(ctx, route, payload); err != nil {
		return runners.Failed(err)
	}
	result := value.DictOf("output", params.Clone())
	result.Update(params)
	return runners.Outcome{Status: petrel.StatusSucceeded, Result: result}
}
