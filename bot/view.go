package bot

import (
	"encoding/json"
	"strings"

	"petrel"
	"petrel/actions"
	"petrel/expr/value"
)

// viewOf is an execution as result formats see it: the members of the API's
// shape that people use in templates, secrets masked.
func viewOf(x petrel.Execution, spec *actions.Spec, webURL string) *value.Dict {
	out := value.NewDict()
	out.Set("id", string(x.ID))
	out.Set("action", shape(x.Action))
	runner := value.DictOf("id", string(x.Runner.ID), "name", x.Runner.Name, "runner_module", x.Runner.Module)
	if params := parse(x.Runner.Parameters); params != nil {
		runner.Set("runner_parameters", params)
	}
	out.Set("runner", runner)
	out.Set("status", string(x.Status))
	out.Set("start_timestamp", petrel.FormatTime(x.StartedAt))
	if !x.EndedAt.IsZero() {
		out.Set("end_timestamp", petrel.FormatTime(x.EndedAt))
		out.Set("elapsed_seconds", x.EndedAt.Sub(x.StartedAt).Seconds())
	}
	params, _ := parse(x.Parameters).(*value.Dict)
	if params == nil {
		params = value.NewDict()
	}
	if spec != nil {
		params = actions.Mask(spec, params)
	}
	out.Set("parameters", params)
	context := parse(x.Context)
	if context == nil {
		context = value.NewDict()
	}
	out.Set("context", context)
	if result := parse(x.Result); result != nil {
		out.Set("result", actions.MaskResult(x.Runner, x.Action, result))
	}
	out.Set("liveaction", value.DictOf("id", string(x.LiveActionID), "action", string(x.Action.Ref)))
	if x.Parent != "" {
		out.Set("parent", string(x.Parent))
	}
	children := value.NewList()
	for _, id := range x.Children {
		children.Append(string(id))
	}
	out.Set("children", children)
	if webURL != "" {
		out.Set("web_url", strings.TrimSuffix(webURL, "/")+"/#/history/"+string(x.ID)+"/general")
	}
	return out
}

// shape is a noun as a template value, from its JSON.
func shape(noun any) *value.Dict {
	raw, err := json.Marshal(noun)
	if err != nil {
		return value.NewDict()
	}
	d, _ := parse(raw).(*value.Dict)
	if d == nil {
		d = value.NewDict()
	}
	return d
}

func parse(raw petrel.JSON) value.Value {
	if len(raw) == 0 {
		return nil
	}
	v, err := value.FromJSON(raw)
	if err != nil {
		return nil
	}
	return v
}
