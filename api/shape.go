package api

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"

	"petrel"
	"petrel/actions"
	"petrel/expr/value"
)

// actionShape is an action as StackStorm shows it. Absent members are those
// whose value is null there.
func actionShape(x petrel.Action) object {
	tags := []object{}
	for _, t := range x.Tags {
		tags = append(tags, object{{"name", t.Name}, {"value", t.Value}})
	}
	o := object{{"tags", tags}, {"uid", x.UID}, {"metadata_file", x.MetadataFile}, {"name", x.Name}, {"ref", x.Ref}}
	if x.Description != "" {
		o.add("description", x.Description)
	}
	o.add("enabled", x.Enabled)
	o.add("entry_point", x.EntryPoint)
	o.add("pack", x.Pack)
	o.add("runner_type", x.RunnerType)
	o.add("parameters", orEmpty(x.Parameters))
	o.add("output_schema", orEmpty(x.OutputSchema))
	o.add("notify", notifyShape(x.Notify))
	o.add("id", x.ID)
	return o
}

// runnerShape is a runner type as StackStorm shows it.
func runnerShape(x petrel.RunnerType) object {
	o := object{{"name", x.Name}}
	if x.Description != "" {
		o.add("description", x.Description)
	}
	o.add("uid", x.UID)
	o.add("enabled", x.Enabled)
	if x.Package != "" {
		o.add("runner_package", x.Package)
	}
	if x.Module != "" {
		o.add("runner_module", x.Module)
	}
	if x.QueryModule != "" {
		o.add("query_module", x.QueryModule)
	}
	o.add("runner_parameters", orEmpty(x.Parameters))
	if x.OutputKey != "" {
		o.add("output_key", x.OutputKey)
	}
	o.add("output_schema", orEmpty(x.OutputSchema))
	o.add("id", x.ID)
	return o
}

// notifyShape is the notification settings in StackStorm's order: complete,
// success, failure; in each message, data, routes (channels is an old word for
// routes). What is empty is left out.
func notifyShape(j petrel.JSON) object {
	out := object{}
	d := dictOf(j)
	if d == nil {
		return out
	}
	for _, key := range []string{"on-complete", "on-success", "on-failure"} {
		sub := objectOf(d, key)
		if sub == nil || sub.Len() == 0 {
			continue
		}
		o := object{}
		if text := textOf(sub, "message"); text != "" {
			o.add("message", text)
		}
		if data := objectOf(sub, "data"); data != nil && data.Len() > 0 {
			o.add("data", data)
		}
		for _, word := range []string{"routes", "channels"} {
			if routes, ok := sub.GetStr(word); ok {
				if items, _ := value.IsSequence(routes); len(items) > 0 {
					o.add("routes", routes)
					break
				}
			}
		}
		out.add(key, o)
	}
	return out
}

// aliasShape is an alias as StackStorm shows it.
func aliasShape(x petrel.Alias) object {
	o := object{{"uid", x.UID}, {"metadata_file", x.MetadataFile}, {"name", x.Name}, {"ref", x.Ref}}
	if x.Description != "" {
		o.add("description", x.Description)
	}
	o.add("pack", x.Pack)
	o.add("enabled", x.Enabled)
	o.add("action_ref", x.ActionRef)
	if x.Formats == nil {
		x.Formats = []petrel.AliasFormat{}
	}
	o.add("formats", x.Formats)
	o.add("ack", orEmpty(x.Ack))
	o.add("result", orEmpty(x.Result))
	o.add("extra", orEmpty(x.Extra))
	o.add("immutable_parameters", orEmpty(x.Immutable))
	o.add("id", x.ID)
	return o
}

// packShape is a pack as StackStorm shows it.
func packShape(x petrel.Pack) object {
	list := func(s []string) []string {
		if s == nil {
			return []string{}
		}
		return s
	}
	o := object{{"uid", x.UID}, {"ref", x.Ref}, {"name", x.Name}}
	if x.Description != "" {
		o.add("description", x.Description)
	}
	o.add("keywords", list(x.Keywords))
	if x.Version != "" {
		o.add("version", x.Version)
	}
	if x.StackStormVersion != "" {
		o.add("stackstorm_version", x.StackStormVersion)
	}
	o.add("python_versions", list(x.PythonVersions))
	if x.Author != "" {
		o.add("author", x.Author)
	}
	if x.Email != "" {
		o.add("email", x.Email)
	}
	o.add("contributors", list(x.Contributors))
	o.add("files", list(x.Files))
	if x.Path != "" {
		o.add("path", x.Path)
	}
	o.add("dependencies", list(x.Dependencies))
	o.add("system", orEmpty(x.System))
	o.add("id", x.ID)
	return o
}

// workflowRunners are the runners whose runs have runs below them.
var workflowRunners = map[string]bool{"orquesta": true, "action-chain": true, "mistral-v2": true}

// executionShape is an execution as StackStorm shows it: members that are
// empty, zero or false are left out.
func (a *API) executionShape(x petrel.Execution, masked bool) (object, error) {
	parameters, result, err := a.masking(x, masked)
	if err != nil {
		return nil, err
	}
	o := object{
		{"action", actionShape(x.Action)},
		{"runner", runnerShape(x.Runner)},
		{"liveaction", a.liveactionPart(x, parameters)},
		{"status", x.Status},
		{"start_timestamp", x.StartedAt},
	}
	if !x.EndedAt.IsZero() {
		o.add("end_timestamp", x.EndedAt)
	}
	if !parameters.Empty() {
		o.add("parameters", parameters)
	}
	if x.ResultSize != 0 && x.Status != petrel.StatusCanceling {
		o.add("result_size", x.ResultSize)
	}
	if !x.Context.Empty() {
		o.add("context", x.Context)
	}
	if x.Parent != "" {
		o.add("parent", x.Parent)
	}
	if len(x.Children) > 0 {
		o.add("children", x.Children)
	}
	if len(x.Log) > 0 {
		log := make([]object, len(x.Log))
		for i, e := range x.Log {
			log[i] = object{{"timestamp", e.At}, {"status", e.Status}}
		}
		o.add("log", log)
	}
	if x.Delay != 0 {
		o.add("delay", x.Delay)
	}
	if x.WorkflowExecution != "" {
		o.add("workflow_execution", x.WorkflowExecution)
	}
	if x.TaskExecution != "" {
		o.add("task_execution", x.TaskExecution)
	}
	o.add("web_url", a.cfg.WebURL+"/#/history/"+string(x.ID)+"/general")
	o.add("id", x.ID)
	if !result.Empty() {
		o.add("result", result)
	}
	if took := x.EndedAt.Sub(x.StartedAt); !x.EndedAt.IsZero() && took != 0 {
		o.add("elapsed_seconds", took.Seconds())
	}
	return o, nil
}

// liveactionPart is what an execution shows of its liveaction.
func (a *API) liveactionPart(x petrel.Execution, parameters petrel.JSON) object {
	o := object{
		{"action", x.Action.Ref},
		{"action_is_workflow", workflowRunners[x.Runner.Name]},
		{"parameters", orEmpty(parameters)},
		{"callback", orEmpty(x.Callback)},
		{"runner_info", runnerInfo(x)},
	}
	if notify := notifyShape(x.Notify); len(notify) > 0 {
		o.add("notify", notify)
	}
	o.add("id", x.LiveActionID)
	return o
}

func runnerInfo(x petrel.Execution) object {
	switch x.Status {
	case petrel.StatusRequested, petrel.StatusDelayed, petrel.StatusScheduled:
		return object{} // an owner that has not begun is nobody's business
	}
	if x.RunnerHost == "" {
		return object{}
	}
	return object{{"hostname", x.RunnerHost}, {"pid", x.RunnerPID}}
}

// liveactionShape is the liveaction by itself, as the stream shows it. Its
// result is text that holds JSON, as recorded.
func (a *API) liveactionShape(x petrel.Execution, masked bool) (object, error) {
	parameters, result, err := a.masking(x, masked)
	if err != nil {
		return nil, err
	}
	o := object{{"status", x.Status}, {"start_timestamp", x.StartedAt}}
	if !x.EndedAt.IsZero() {
		o.add("end_timestamp", x.EndedAt)
	}
	o.add("action", x.Action.Ref)
	o.add("action_is_workflow", workflowRunners[x.Runner.Name])
	o.add("parameters", orEmpty(parameters))
	o.add("context", orEmpty(x.Context))
	o.add("callback", orEmpty(x.Callback))
	o.add("runner_info", runnerInfo(x))
	if notify := notifyShape(x.Notify); len(notify) > 0 {
		o.add("notify", notify)
	}
	if x.Delay != 0 {
		o.add("delay", x.Delay)
	}
	if x.WorkflowExecution != "" {
		o.add("workflow_execution", x.WorkflowExecution)
	}
	if x.TaskExecution != "" {
		o.add("task_execution", x.TaskExecution)
	}
	o.add("id", x.LiveActionID)
	o.add("result", string(orEmpty(result)))
	return o, nil
}

// outputShape is a piece of output as the stream shows it.
func outputShape(x petrel.OutputChunk) object {
	return object{
		{"execution_id", x.ExecutionID}, {"action_ref", x.ActionRef}, {"runner_ref", x.RunnerRef},
		{"timestamp", x.At}, {"output_type", x.Type}, {"data", x.Data}, {"id", x.ID},
	}
}

// masking gives an execution's parameters and result with secrets masked.
func (a *API) masking(x petrel.Execution, masked bool) (parameters, result petrel.JSON, err error) {
	parameters, result = x.Parameters, x.Result
	if !masked {
		return parameters, result, nil
	}
	if !parameters.Empty() && (mentionsSecret(x.Action.Parameters) || mentionsSecret(x.Runner.Parameters)) {
		spec, err := a.specs.get(x.Runner, x.Action)
		if err != nil {
			return nil, nil, err
		}
		if given := dictOf(parameters); given != nil {
			if parameters, err = jsonOf(actions.Mask(spec, given)); err != nil {
				return nil, nil, err
			}
		}
	}
	if !result.Empty() && (mentionsSecret(x.Action.OutputSchema) || mentionsSecret(x.Runner.OutputSchema)) {
		v, err := value.FromJSON(result)
		if err != nil {
			return nil, nil, err
		}
		if result, err = jsonOf(actions.MaskResult(x.Runner, x.Action, v)); err != nil {
			return nil, nil, err
		}
	}
	return parameters, result, nil
}

// mentionsSecret says whether a schema can hold a secret at all; most cannot,
// and then nothing needs to be unpacked.
func mentionsSecret(j petrel.JSON) bool { return bytes.Contains(j, []byte(`"secret"`)) }

// specCache keeps merged parameters, because a page of executions is mostly
// runs of a few actions.
type specCache struct {
	mu   sync.Mutex
	kept map[string]*actions.Spec
}

// maxSpecs bounds the cache; it is emptied when it is full.
const maxSpecs = 1000

func newSpecCache() *specCache { return &specCache{kept: map[string]*actions.Spec{}} }

func (s *specCache) get(runner petrel.RunnerType, action petrel.Action) (*actions.Spec, error) {
	key := strings.Join([]string{string(action.Ref), string(runner.Parameters), string(action.Parameters)}, "\x00")
	s.mu.Lock()
	defer s.mu.Unlock()
	if spec, ok := s.kept[key]; ok {
		return spec, nil
	}
	spec, err := actions.Merged(runner, action)
	if err != nil {
		return nil, err
	}
	if len(s.kept) >= maxSpecs {
		clear(s.kept)
	}
	s.kept[key] = spec
	return spec, nil
}

// formatsFrom reads the formats of an alias in a body.
func formatsFrom(j petrel.JSON) ([]petrel.AliasFormat, error) {
	var out []petrel.AliasFormat
	if len(j) == 0 {
		return out, nil
	}
	if err := json.Unmarshal(j, &out); err != nil {
		return nil, petrel.Wrap(petrel.Invalid, err, "formats cannot be read")
	}
	return out, nil
}
