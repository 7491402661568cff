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
		return sentencef("Resource with id or reference \"%s\" doesn't exist.", ref)
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
		return nil, nil, sentencef("Resource with name \"%s\" doesn't exist.", name)
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
			if info, err := os.Stat(c.path(path)); err == nil && !info.Mode().IsRegular() {
				return nil, sentencef("\"%s\" is not a file", c.path(path))
			}
			raw, err := os.ReadFile(c.path(path))
			if os.IsNotExist(err) {
				return nil, sentencef("File \"%s\" doesn't exist", c.path(path))
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
	quiet := c.asData()
	id := text(execution, "id")
	look, sinceDot, waited := firstLook, lastLook, time.Duration(0)
	for has(pending, text(execution, "status")) || text(execution, "status") == "delayed" && waited < lastLook { // st2 looks for the first time after so long

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
		waited += look
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
	asData := c.asData()
	t := c.executionTransforms(execution, elapsed && !asData)
	if c.args.Given("show_tasks") && !isWorkflow(execution) {
		return sentencef("--show-tasks option can only be used with workflow actions")
	}
	if c.args.Given("detail") {
		return c.showOne(execution, attributes, changedOrder, t)
	}
	attributes = c.attributes(attributes)
	if c.args.Given("key") {
		attributes = []string{"result." + c.args.Text("key", "")}
	}
	if asData {
		if err := c.showData(output.Pick(execution, attributes)); err != nil {
			return err
		}
	} else {
		if d, ok := execution.(*value.Dict); ok && has(attributes, "all") {
			attributes = nil
			for _, k := range d.Keys() {
				attributes = append(attributes, value.Str(k))
			}
			sort.Strings(attributes)
		}
		text, err := output.Execution(execution, attributes, t, output.ExecutionOptions{
			Key: c.args.Text("key", ""), HasKey: c.args.Given("key"), WithSchema: c.args.Given("with_schema"),
			HintSchema: c.config["general.silence_schema_output"] == "False", Name: c.blue})
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
		row.SetStr("status", c.withElapsed(children[i], text(children[i], "status")))
		row.SetStr("start_timestamp", text(children[i], "start_timestamp"))
		rows[i] = row
	}
	return c.showTable(rows, []string{"id", "status", "task", "action", "start_timestamp"}, c.executionTransforms(nil, false))
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
	c.printf("Tailing execution \"%s\"\n", id)
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
