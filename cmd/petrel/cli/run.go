package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strings"
	"time"

	"petrel"
	"petrel/actions"
	"petrel/api/client"
	"petrel/cmd/petrel/cli/output"
	"petrel/expr/value"
)

// The attributes that are shown of a run and of a workflow's run.
// st2: st2client/st2client/commands/action.py
var (
	runAttributes      = []string{"id", "action.ref", "context.user", "parameters", "status", "start_timestamp", "end_timestamp", "result"}
	workflowAttributes = []string{"id", "action.ref", "parameters", "status", "start_timestamp", "end_timestamp", "log", "result"}
	getAttributes      = []string{"id", "action.ref", "context.user", "parameters", "status", "start_timestamp", "end_timestamp", "log", "result"}
)

// workflowRunners are the runners whose executions have tasks.
var workflowRunners = []string{"action-chain", "mistral-v2", "orquesta"}

func isWorkflow(execution value.Value) bool {
	d, ok := execution.(*value.Dict)
	if !ok {
		return false
	}
	action, _ := d.GetStr("action")
	return has(workflowRunners, text(action, "runner_type"))
}

// pending are the statuses `run` waits in.
var pending = []string{"requested", "scheduled", "running", "canceling"}

func runAction(c *call) error     { return c.start(c.args.Given("async")) }
func executeAction(c *call) error { return c.start(true) }

// start is run and action execute.
func (c *call) start(async bool) error {
	ref := c.args.Text("ref-or-id", "")
	if c.args.Given("help") {
		return c.actionHelp(ref)
	}
	if ref == "" {
		return c.usageError("Missing action reference or id")
	}
	action, runner, err := c.actionAndRunner(ref)
	if err != nil {
		return err
	}
	if action == nil {
		return sentencef("Resource with id or reference %q doesn't exist.", ref)
	}
	parameters, err := c.parameters(action, runner, c.args.List("parameters"))
	if err != nil {
		return err
	}
	body := value.DictOf("action", text(action, "ref"), "parameters", parameters, "user", nil)
	if c.args.Given("user") {
		body.SetStr("user", c.args.Text("user", ""))
	}
	if c.args.Given("delay") {
		body.SetStr("delay", int64(c.args.Int("delay", 0)))
	}
	switch {
	case c.args.Given("trace_id"):
		body.SetStr("context", value.DictOf("trace_context", value.DictOf("id_", c.args.Text("trace_id", ""))))
	case c.args.Given("trace_tag"):
		body.SetStr("context", value.DictOf("trace_context", value.DictOf("trace_tag", c.args.Text("trace_tag", ""))))
	}
	return c.post("/executions", body, async)
}

// actionAndRunner asks for an action and its runner; no action is no error.
func (c *call) actionAndRunner(ref string) (action, runner value.Value, err error) {
	answer, err := c.api.Call(c.ctx, http.MethodGet, "/actions/"+url.PathEscape(ref), nil, nil)
	if client.NotFound(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	action = answer.Body
	name := text(action, "runner_type")
	answer, err = c.api.Call(c.ctx, http.MethodGet, "/runnertypes/", client.Query{{"name", name}}, nil)
	if err != nil {
		return nil, nil, err
	}
	found := list(answer.Body)
	if len(found) == 0 {
		return nil, nil, sentencef("Resource with name %q doesn't exist.", name)
	}
	return action, found[0], nil
}

// spec is the parameters in effect, as the server describes them.
func spec(action, runner value.Value) (*actions.Spec, error) {
	schema := func(v value.Value, name string) petrel.JSON {
		d, ok := v.(*value.Dict)
		if !ok {
			return nil
		}
		inner, _ := d.GetStr(name)
		raw, err := value.ToJSON(inner, value.CompactJSON)
		if err != nil || inner == nil {
			return nil
		}
		return raw
	}
	return actions.Merged(
		petrel.RunnerType{Name: text(runner, "name"), Parameters: schema(runner, "runner_parameters")},
		petrel.Action{Ref: petrel.Ref(text(action, "ref")), Parameters: schema(action, "parameters")})
}

// parameters makes the request's parameters of words.
func (c *call) parameters(action, runner value.Value, words []string) (*value.Dict, error) {
	s, err := spec(action, runner)
	if err != nil {
		return nil, err
	}
	params, err := actions.ParseArguments(words, s, actions.ArgumentOptions{
		AutoDict: c.args.Given("auto_dict"),
		ReadFile: func(path string) ([]byte, error) {
			raw, err := os.ReadFile(c.path(path))
			if os.IsNotExist(err) {
				return nil, sentencef("File %q doesn't exist", c.path(path))
			}
			return raw, err
		},
	})
	if err != nil {
		return nil, err
	}
	if c.args.Given("inherit_env") {
		params.SetStr("env", inherited(os.Environ()))
	}
	return params, nil
}

// notInherited are variables that belong to the caller's session.
// st2: st2client/st2client/commands/action.py
var notInherited = []string{"pwd", "mail", "username", "user", "path", "home", "ps1", "shell", "pythonpath", "ssh_tty",
	"ssh_connection", "lang", "ls_colors", "logname", "oldpwd", "term", "xdg_session_id"}

func inherited(environ []string) *value.Dict {
	env := value.NewDict()
	for _, line := range environ {
		name, v, _ := strings.Cut(line, "=")
		if !has(notInherited, strings.ToLower(name)) {
			env.SetStr(name, v)
		}
	}
	return env
}

// post requests an execution and shows it to its end, or says how to look.
func (c *call) post(path string, body value.Value, async bool) error {
	if c.args.Given("tail") && !async {
		return c.postAndTail(path, body)
	}
	answer, err := c.api.Call(c.ctx, http.MethodPost, path, nil, body)
	if err != nil {
		return err
	}
	execution := answer.Body
	id := text(execution, "id")
	if async {
		c.printf("To get the results, execute:\n %s execution get %s\n\nTo view output in real-time, execute:\n %s execution tail %s\n", c.Name, id, c.Name, id)
		return nil
	}
	if execution, err = c.wait(execution); err != nil {
		return err
	}
	return c.showRun(execution)
}

// The times between two looks at a running execution: quick at first, so that
// a short action is not waited for, then every two seconds as st2 does. A dot is printed
// for the first look and for each two seconds.
const (
	firstLook = 25 * time.Millisecond
	lastLook  = 2 * time.Second
)

func (c *call) wait(execution value.Value) (value.Value, error) {
	quiet := c.args.Given("json") || c.args.Given("yaml")
	id := text(execution, "id")
	look, sinceDot := firstLook, lastLook
	for has(pending, text(execution, "status")) || text(execution, "status") == "delayed" && c.args.Given("delay") {
		if sinceDot >= lastLook && !quiet {
			c.printf(".")
			sinceDot = 0
		}
		select {
		case <-c.ctx.Done():
			return nil, c.ctx.Err()
		case <-time.After(look):
		}
		sinceDot += look
		look = min(look*3/2, lastLook)
		var err error
		if execution, err = c.execution(id, nil); err != nil {
			return nil, err
		}
	}
	c.printf("\n")
	return execution, nil
}

// execution asks for one execution.
func (c *call) execution(id string, q client.Query) (value.Value, error) {
	answer, err := c.api.Call(c.ctx, http.MethodGet, "/executions/"+url.PathEscape(id), q, nil)
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

// showRun prints an execution that was started here. Its failure is the
// command's exit code.
func (c *call) showRun(execution value.Value) error {
	attributes := runAttributes
	if isWorkflow(execution) && !c.args.Given("raw") {
		attributes = workflowAttributes
	}
	if err := c.showExecution(execution, attributes, false); err != nil {
		return err
	}
	if text(execution, "status") == "failed" {
		return &exit{1, ""}
	}
	return nil
}

// showExecution prints an execution in the form the flags ask for.
func (c *call) showExecution(execution value.Value, attributes []string, elapsed bool) error {
	asData := c.args.Given("json") || c.args.Given("yaml")
	t := c.executionTransforms(execution, !asData, elapsed && !asData)
	attributes = c.attributes(attributes)
	if has(attributes, "all") {
		if asData {
			return c.showData(output.Pick(execution, nil, t))
		}
		attributes = nil
		if d, ok := execution.(*value.Dict); ok {
			for _, k := range d.Keys() {
				attributes = append(attributes, value.Str(k))
			}
			sort.Strings(attributes)
		}
	}
	switch {
	case asData:
		if err := c.showData(output.Pick(execution, attributes, t)); err != nil {
			return err
		}
	case c.args.Given("detail"):
		c.printf("%s\n", output.Properties(execution, attributes, runAttributes, t))
	default:
		text, err := output.Execution(execution, attributes, t, output.ExecutionOptions{
			Key: c.args.Text("key", ""), HasKey: c.args.Given("key"), WithSchema: c.args.Given("with_schema")})
		if err != nil {
			return err
		}
		c.printf("%s\n", text)
	}
	if isWorkflow(execution) && !c.args.Given("raw") && !c.args.Given("attr") && !c.args.Given("key") {
		return c.showTasks(execution)
	}
	return nil
}

// showTasks prints the table of a workflow's tasks.
func (c *call) showTasks(execution value.Value) error {
	depth := c.args.Int("depth", -1)
	answer, err := c.api.Call(c.ctx, http.MethodGet, "/executions/"+text(execution, "id")+"/children/", client.Query{{"depth", fmt.Sprint(depth)}}, nil)
	if err != nil {
		return err
	}
	children := list(answer.Body)
	if len(children) == 0 {
		return nil
	}
	rows := make([]value.Value, len(children))
	for i, row := range taskRows(children, text(execution, "id")) {
		t := c.executionTransforms(children[i], !c.args.Given("json") && !c.args.Given("yaml"), true)
		row.SetStr("status", t["status"](text(children[i], "status")))
		row.SetStr("start_timestamp", t["start_timestamp"](text(children[i], "start_timestamp")))
		rows[i] = row
	}
	columns := []string{"id", "status", "task", "action", "start_timestamp"}
	if c.args.Given("json") || c.args.Given("yaml") {
		return c.showData(value.NewList(rows...))
	}
	c.printf("%s\n", output.List(rows, columns, c.widths(), c.width(), nil))
	return nil
}

// taskRows names tasks and indents their ids by their depth below the root.
func taskRows(children []value.Value, root string) []*value.Dict {
	depths := map[string]int{root: -1}
	rows := make([]*value.Dict, len(children))
	for i, child := range children {
		d, _ := child.(*value.Dict)
		if d == nil {
			d = value.NewDict()
		}
		depth := depths[text(d, "parent")] + 1
		depths[text(d, "id")] = depth
		id := strings.Repeat("   ", depth) + text(d, "id")
		if isWorkflow(d) {
			id = strings.Repeat("   ", depth) + "+ " + text(d, "id")
		}
		execContext, _ := d.GetStr("context")
		task := ""
		if inner, ok := execContext.(*value.Dict); ok {
			orquesta, _ := inner.GetStr("orquesta")
			chain, _ := inner.GetStr("chain")
			task = firstOf(text(orquesta, "task_name"), text(chain, "name"))
		}
		action, _ := d.GetStr("action")
		rows[i] = value.DictOf("id", id, "task", task, "action", text(action, "ref"))
	}
	return rows
}

// actionHelp is `run pack.action -h`: the action's parameters.
func (c *call) actionHelp(ref string) error {
	action, runner, err := c.actionAndRunner(ref)
	if err != nil {
		return err
	}
	if action == nil {
		c.printf("Action %q is not found. Use \"%s action list\" to see the list of available actions.\n", ref, c.Name)
		return nil
	}
	s, err := spec(action, runner)
	if err != nil {
		return err
	}
	c.printf("\n%s\n\n", text(action, "description"))
	var required, optional []actions.Parameter
	for _, p := range s.Parameters {
		switch {
		case p.Immutable:
		case p.Required && !p.HasDefault:
			required = append(required, p)
		default:
			optional = append(optional, p)
		}
	}
	for _, group := range []struct {
		title string
		all   []actions.Parameter
	}{{"Required Parameters:", required}, {"Optional Parameters:", optional}} {
		if len(group.all) == 0 {
			continue
		}
		sort.SliceStable(group.all, func(i, j int) bool {
			a, b := group.all[i], group.all[j]
			if a.Position != b.Position {
				return uint(a.Position) < uint(b.Position) // -1, no position, sorts last
			}
			return a.Name < b.Name
		})
		c.printf("%s\n", group.title)
		for _, p := range group.all {
			c.describeParameter(p)
		}
		c.printf("\n")
	}
	return nil
}

func (c *call) describeParameter(p actions.Parameter) {
	c.printf("    %s\n", p.Name)
	if about := text(p.Schema, "description"); about != "" {
		for _, line := range strings.Split(strings.TrimSpace(about), "\n") {
			c.printf("        %s\n", line)
		}
	}
	if p.Type != "" {
		c.printf("        Type: %s\n", p.Type)
	}
	if enum, found := p.Schema.GetStr("enum"); found {
		words := make([]string, 0, 8)
		for _, e := range list(enum) {
			words = append(words, value.Str(e))
		}
		c.printf("        Enum: %s\n", strings.Join(words, ", "))
	}
	if p.HasDefault {
		c.printf("        Default: %s\n", value.Str(p.Default))
	}
}

// executionTransforms are how an execution's attributes are shown: times in
// the user's zone, how long it took, secrets hidden.
func (c *call) executionTransforms(execution value.Value, human, elapsed bool) output.Transforms {
	t := output.Transforms{
		"parameters": maskParameters,
		"status": func(v value.Value) value.Value {
			if !elapsed {
				return v
			}
			return c.withElapsed(execution, value.Str(v))
		},
	}
	for _, name := range []string{"start_timestamp", "end_timestamp"} {
		t[name] = func(v value.Value) value.Value {
			at, err := petrel.ParseTime(value.Str(v))
			if err != nil || !human {
				return v
			}
			return at.In(c.zone()).Format("Mon, 02 Jan 2006 15:04:05 MST")
		}
	}
	return t
}

// zone is the time zone times are shown in.
func (p *Program) zone() *time.Location {
	zone, err := time.LoadLocation(p.config["cli.timezone"])
	if err != nil {
		return time.UTC
	}
	return zone
}

// withElapsed adds to a running or finished status how long it took so far.
func (c *call) withElapsed(execution value.Value, status string) string {
	started, err := petrel.ParseTime(text(execution, "start_timestamp"))
	if err != nil {
		return status
	}
	ended, err := petrel.ParseTime(text(execution, "end_timestamp"))
	if err != nil {
		if status != string(petrel.StatusRunning) {
			return status
		}
		ended = c.Now()
	}
	return fmt.Sprintf("%s (%ds elapsed)", status, int(ended.Sub(started).Seconds()))
}

// maskParameters hides what old servers do not.
func maskParameters(v value.Value) value.Value {
	d, ok := v.(*value.Dict)
	if !ok {
		return v
	}
	out := value.NewDict()
	for k, item := range d.All() {
		if name := value.Str(k); name == "password" || name == "private_key" {
			item = actions.Masked
		}
		out.Set(k, item)
	}
	return out
}

// postAndTail opens the stream first, so that no output is missed, then
// requests the execution.
func (c *call) postAndTail(path string, body value.Value) error {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	opened := make(chan struct{})
	ended := make(chan error, 1)
	events := make(chan client.Event, 1024)
	go func() {
		ended <- c.api.Stream(ctx, tailQuery(), func() { close(opened) }, func(e client.Event) bool {
			select {
			case events <- e:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	select {
	case <-opened:
	case err := <-ended:
		return err
	}
	answer, err := c.api.Call(c.ctx, http.MethodPost, path, nil, body)
	if err != nil {
		return err
	}
	id := text(answer.Body, "id")
	c.printf("Tailing execution %q\n", id)
	if err := c.follow(id, events, ended, "", false); err != nil {
		return err
	}
	c.printf("\n")
	execution, err := c.execution(id, nil)
	if err != nil {
		return err
	}
	return c.showRun(execution)
}
