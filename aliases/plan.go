package aliases

import (
	"context"
	"strings"

	"petrel"
	"petrel/actions"
	"petrel/expr/value"
)

// Catalog is where actions and runner types are looked up; storage.Store is one.
type Catalog interface {
	Action(ctx context.Context, refOrID string) (petrel.Action, error)
	RunnerType(ctx context.Context, nameOrID string) (petrel.RunnerType, error)
}

// Command is a line that was understood: an alias, one of its representations,
// and what was extracted.
type Command struct {
	Alias          *petrel.Alias
	Representation string
	Line           string
	Parameters     []*value.Dict // one for each run
}

// Run is a run to be requested.
type Run struct {
	Action     petrel.Action
	Runner     petrel.RunnerType
	Spec       *actions.Spec
	Parameters *value.Dict // cast to the action's types
}

// Resolve finds the action a command means and the text of its parameters. For
// most aliases that is the alias's own action, and rest is empty; an alias
// that runs what its line names (see Runs) gives that, and what stands behind it in
// the line, pairs included.
func Resolve(c Command) (action petrel.Ref, rest string, err error) {
	if !Runs(c.Alias) {
		return c.Alias.ActionRef, "", nil
	}
	line := strings.TrimFunc(c.Line, pySpace)
	name, from := "", 0
	if len(c.Parameters) > 0 {
		v, _ := c.Parameters[0].Get("action")
		text, _ := v.(string)
		name = firstWord(text)
	}
	if f, err := CompileFormat(c.Representation); err == nil {
		for _, p := range f.filter.prefixes {
			if p = strings.TrimRightFunc(p, pySpace); strings.HasPrefix(line, p) {
				from = max(from, len(p))
			}
		}
	}
	if from > 0 && name == "" {
		// The format has one space where the line has several; the captured text is the rest of them.
		name = firstWord(line[from:])
	}
	if name == "" {
		return "", "", &petrel.Error{Kind: petrel.Invalid, Field: "action",
			Message: "No action was named. Say which, such as core.local, and then its parameters."}
	}
	for at := from; at <= len(line); {
		i := strings.Index(line[at:], name)
		if i < 0 {
			break
		}
		end := at + i + len(name)
		if tail := strings.TrimLeft(line[end:], `"'`); tail == "" || strings.TrimLeftFunc(tail, pySpace) != tail {
			return petrel.Ref(name), strings.TrimFunc(tail, pySpace), nil
		}
		at = end
	}
	return petrel.Ref(name), "", nil
}

func firstWord(text string) string {
	if words := strings.FieldsFunc(text, pySpace); len(words) > 0 {
		return strings.Trim(words[0], `"'`)
	}
	return ""
}

// PlanInput is what Plan works with besides the command.
type PlanInput struct {
	// Context is the context the runs will have (action_alias_ref, api_user, user,
	// source_channel); immutable parameters are rendered with it.
	Context *value.Dict
	// KV and User answer st2kv in immutable parameters.
	KV   actions.KV
	User string
}

// Plan makes the runs of a command: looks the action up, adds immutable
// parameters and casts the values. Errors are for the person who wrote the line.
func Plan(ctx context.Context, catalog Catalog, c Command, in PlanInput) ([]Run, error) {
	ref, rest, err := Resolve(c)
	if err != nil {
		return nil, err
	}
	action, err := catalog.Action(ctx, string(ref))
	if err != nil {
		if petrel.Is(err, petrel.NotFound) {
			return nil, &petrel.Error{Kind: petrel.NotFound, Field: "action", Message: "Action with ref \"" + shorten(string(ref)) + "\" not found "}
		}
		return nil, err
	}
	runner, err := catalog.RunnerType(ctx, action.RunnerType)
	if err != nil {
		return nil, err
	}
	spec, err := actions.Merged(runner, action)
	if err != nil {
		return nil, err
	}
	all := c.Parameters
	own := Runs(c.Alias)
	if own {
		params, err := actions.ParseLine(rest, spec)
		if err != nil {
			return nil, err
		}
		all = []*value.Dict{params}
	}
	vars := value.NewDict()
	vars.Set("st2kv", actions.Datastore(ctx, in.KV, in.User))
	if in.Context != nil {
		for k, v := range in.Context.All() {
			vars.Set(k, v)
		}
	}
	if err := InjectImmutable(ctx, c.Alias, all, vars); err != nil {
		return nil, err
	}
	out := make([]Run, 0, len(all))
	for _, params := range all {
		if !own {
			if err := Cast(params, spec); err != nil {
				return nil, err
			}
		}
		out = append(out, Run{Action: action, Runner: runner, Spec: spec, Parameters: params})
	}
	return out, nil
}
