package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"petrel"
	"petrel/api/client"
	"petrel/cmd/petrel/cli/argparse"
	"petrel/expr/value"
)

func executionCommands() []*command {
	ids := func(name string, arity argparse.Arity, help string) []argparse.Positional {
		return []argparse.Positional{{Name: name, Arity: arity, Help: help}}
	}
	list := argparse.Spec{Description: "Get the list of the 50 most recent action executions.", Options: options2(std(true), []argparse.Option{
		lastOption("action executions"),
		{Names: []string{"-s", "--sort"}, Metavar: "SORT_ORDER", Arity: argparse.One, Help: "Sort action executions by start timestamp, asc|ascending (earliest first) or desc|descending (latest first)"},
		{Names: []string{"--action"}, Arity: argparse.One, Below: true, Help: "Action reference to filter the list."},
		{Names: []string{"--status"}, Arity: argparse.One, Below: true, Help: "Only return executions with the provided status. Possible values are 'succeeded', 'running', 'scheduled', 'paused', 'failed', 'canceling' or 'canceled'."},
		{Names: []string{"--user"}, Arity: argparse.One, Below: true, Help: "Only return executions created by the provided user."},
		{Names: []string{"--trigger_instance"}, Arity: argparse.One, Below: true, Help: "Trigger instance id to filter the list."},
		{Names: []string{"-tg", "--timestamp-gt"}, Arity: argparse.One, Help: `Only return executions with timestamp greater than the one provided. Use time in the format "2000-01-01T12:00:00.000Z".`},
		{Names: []string{"-tl", "--timestamp-lt"}, Arity: argparse.One, Help: `Only return executions with timestamp lower than the one provided. Use time in the format "2000-01-01T12:00:00.000Z".`},
		{Names: []string{"-l", "--showall"}},
		attrOption, widthOption,
	})}
	get := argparse.Spec{Description: "Get individual action execution.", GroupUsage: runGroupUsage, Positionals: ids("id", argparse.OneOrMore, "ID of the action execution."),
		Options: options2(std(true), []argparse.Option{{Names: []string{"-x", "--exclude-result"}, Help: "Don't retrieve and display the result field"}}, runOptions())}
	rerun := runSpec()
	rerun.Description = "Re-run a particular action."
	rerun.Positionals = []argparse.Positional{{Name: "id", Arity: argparse.Optional, Help: "ID of action execution to re-run "},
		{Name: "parameters", Arity: argparse.ZeroOrMore, Help: "List of keyword args, positional args, and optional args for the action."}}
	rerun.Options = options2(std(false), []argparse.Option{
		{Names: []string{"--tasks"}, Arity: argparse.ZeroOrMore, Help: "Name of the workflow tasks to re-run."},
		{Names: []string{"--no-reset"}, Arity: argparse.ZeroOrMore, Help: "Name of the with-items tasks to not reset. This only applies to Orquesta workflows. By default, all iterations for with-items tasks is rerun. If no reset, only failed  iterations are rerun."},
		{Names: []string{"-a", "--async"}, Help: "Do not wait for action to finish."},
		{Names: []string{"-e", "--inherit-env"}, Help: `Pass all the environment variables which are accessible to the CLI as "env" parameter to the action. Note: Only works with python, local and remote runners.`}, helpForAction}, runOptions())
	tail := argparse.Spec{Description: "Tail output of a particular execution.", Positionals: ids("id", argparse.Optional, "ID of action execution to tail."), Options: options2(std(true), []argparse.Option{
		{Names: []string{"--type"}, Metavar: "OUTPUT_TYPE", Arity: argparse.One, Help: "Type of output to tail for. If not provided, defaults to all."},
		{Names: []string{"--include-metadata"}, Help: "Include metadata (timestamp, output type) with the output."}})}
	control := func(verb string) argparse.Spec {
		return argparse.Spec{Description: strings.ToUpper(verb[:1]) + verb[1:] + " action executions (workflow executions only).", GroupUsage: runGroupUsage,
			Positionals: ids("ids", argparse.OneOrMore, "ID of action execution to "+verb+"."), Options: options2(std(true), runOptions())}
	}
	return []*command{
		{words: []string{"execution", "list"}, spec: list, run: listExecutions},
		{words: []string{"execution", "get"}, spec: get, run: getExecutions},
		{words: []string{"execution", "re-run"}, spec: rerun, run: rerunExecution},
		{words: []string{"execution", "cancel"}, spec: argparse.Spec{Description: "Cancel action executions.", Options: std(true), Positionals: ids("ids", argparse.OneOrMore, "IDs of the action executions to cancel.")}, run: cancelExecutions},
		{words: []string{"execution", "pause"}, spec: control("pause"), run: func(c *call) error { return c.control("pausing") }},
		{words: []string{"execution", "resume"}, spec: control("resume"), run: func(c *call) error { return c.control("resuming") }},
		{words: []string{"execution", "tail"}, spec: tail, run: tailExecution},
	}
}

var executionColumns = []string{"id", "action.ref", "context.user", "status", "start_timestamp", "end_timestamp"}

func listExecutions(c *call) error {
	attributes := c.attributes(executionColumns)
	order := c.args.Text("sort", "descending")
	var q client.Query
	last := c.args.Int("last", 50)
	q.Add("limit", fmt.Sprint(last))
	q.Add("action", c.args.Text("action", ""))
	q.Add("status", c.args.Text("status", ""))
	q.Add("user", c.args.Text("user", ""))
	q.Add("trigger_instance", c.args.Text("trigger_instance", ""))
	if !c.args.Given("showall") {
		q.Add("parent", "null")
	}
	q.Add("timestamp_gt", c.args.Text("timestamp_gt", ""))
	q.Add("timestamp_lt", c.args.Text("timestamp_lt", ""))
	switch order {
	case "asc", "ascending":
		q.Add("sort_asc", "True")
	case "desc", "descending":
		q.Add("sort_desc", "True")
	}
	if !has(attributes, "all") {
		q.Add("include_attributes", strings.Join(attributes, ","))
	}
	answer, err := c.api.Call(c.ctx, http.MethodGet, "/executions/", q, nil)
	if err != nil {
		return err
	}
	items := list(answer.Body)
	slices.Reverse(items) // the newest stand at the bottom, beside the prompt
	t := c.executionTransforms(nil, false)
	for i, item := range markWorkflows(items) {
		row, ok := item.(*value.Dict)
		if ok && !c.asData() && text(row, "status") != "" {
			row = row.Clone()
			row.SetStr("status", c.withElapsed(item, text(row, "status")))
			item = row
		}
		items[i] = item
	}
	if err := c.showTable(items, attributes, t); err != nil {
		return err
	}
	if !c.asData() && last > 0 {
		c.truncated(answer, last)
	}
	return nil
}

// markWorkflows puts a sign before the ids of executions with children; when there
// are any, the other ids stand below theirs.
func markWorkflows(items []value.Value) []value.Value {
	isParent := func(item value.Value) bool { return len(list(object(item, "children"))) > 0 }
	if !slices.ContainsFunc(items, isParent) {
		return items
	}
	marked := make([]value.Value, len(items))
	for i, item := range items {
		marked[i] = item
		d, ok := item.(*value.Dict)
		if !ok {
			continue
		}
		row, prefix := d.Clone(), "  "
		if isParent(item) {
			prefix = "+ "
		}
		row.SetStr("id", prefix+text(d, "id"))
		marked[i] = row
	}
	return marked
}

// truncated tells, when the server has more, how to see it.
func (c *call) truncated(answer *client.Answer, limit int) {
	var total int
	if _, err := fmt.Sscan(answer.Header.Get("X-Total-Count"), &total); err != nil || total <= limit {
		return
	}
	note := fmt.Sprintf("Note: Only first %d action executions are displayed. Use -n/--last flag for more results.", limit)
	if limit == 1 {
		note = "Note: Only one action execution is displayed. Use -n/--last flag for more results."
	}
	width := c.tableWidth
	if width < len(note)+4 {
		width = len(note) + 4
	}
	rule := "+" + strings.Repeat("-", width-2) + "+"
	fmt.Fprintf(c.Err, "%s\n| %-*s |\n%s\n", rule, width-4, note, rule)
}

// neededAttributes are asked for beside those that are shown.
var neededAttributes = []string{"action.ref", "action.runner_type", "start_timestamp", "end_timestamp", "log"}

func getExecutions(c *call) error {
	var q client.Query
	switch attributes := c.attributes(getAttributes); {
	case c.args.Given("exclude_result"):
		q.Add("exclude_attributes", "result")
	case !has(attributes, "all"):
		q.Add("include_attributes", strings.Join(append(slices.Clone(neededAttributes), attributes...), ","))
	}
	executions, err := c.several("Action Execution", "/executions", c.args.List("id"), q)
	if err != nil {
		return err
	}
	for _, execution := range executions {
		attributes := getAttributes
		if isWorkflow(execution) && !c.args.Given("raw") {
			attributes = workflowAttributes
		}
		if err := c.showExecution(execution, attributes, true); err != nil {
			return err
		}
	}
	return nil
}

func rerunExecution(c *call) error {
	id := c.args.Text("id", "")
	if id == "" {
		return c.usageError("the following arguments are required: id")
	}
	existing, err := c.execution(id, nil)
	if client.NotFound(err) {
		return sentencef("Action execution with id \"%s\" cannot be found.", id)
	}
	if err != nil {
		return err
	}
	d, _ := existing.(*value.Dict)
	inner, _ := d.GetStr("action")
	action, runner, err := c.actionAndRunner(text(inner, "ref"))
	if err != nil {
		return err
	}
	if c.args.Given("help") {
		return c.actionHelp(text(inner, "ref"))
	}
	body := value.NewDict()
	params := value.NewDict()
	if words := c.args.List("parameters"); len(words) > 0 || c.args.Given("inherit_env") {
		if params, err = c.parameters(action, runner, words); err != nil {
			return err
		}
	}
	body.SetStr("parameters", params)
	tasks, reset := c.args.List("tasks"), value.NewList()
	for _, t := range c.args.List("no_reset") {
		if !has(tasks, t) {
			return sentencef("List of tasks to reset does not match the tasks to rerun.")
		}
	}
	for _, t := range tasks {
		if !has(c.args.List("no_reset"), t) {
			reset.Items = append(reset.Items, t)
		}
	}
	body.SetStr("tasks", texts(tasks))
	body.SetStr("reset", reset)
	body.SetStr("delay", int64(c.args.Int("delay", 0)))
	return c.post("/executions/"+id+"/re_run", body, c.args.Given("async"))
}

func cancelExecutions(c *call) error {
	var told []string
	for _, id := range c.args.List("ids") {
		answer, err := c.api.Call(c.ctx, http.MethodDelete, "/executions/"+url.PathEscape(id), nil, nil)
		if err != nil && !client.NotFound(err) {
			return err
		}
		told = append(told, firstOf(text(answer.Body, "faultstring"), fmt.Sprintf("action execution with id %s canceled.", id)))
	}
	for _, line := range told {
		c.printf("%s\n", line)
	}
	return nil
}

func (c *call) control(status string) error {
	var changed []value.Value
	for _, id := range c.args.List("ids") {
		answer, err := c.api.Call(c.ctx, http.MethodPut, "/executions/"+url.PathEscape(id), nil, value.DictOf("status", status))
		if err != nil {
			return err
		}
		changed = append(changed, answer.Body)
	}
	for _, execution := range changed {
		if err := c.showExecution(execution, runAttributes, true); err != nil {
			return err
		}
	}
	return nil
}

func tailQuery() client.Query {
	return client.Query{{"events", "st2.execution__update,st2.execution.output__create"}}
}

// toTail finds the execution to follow; nil, after a word, when there is none yet.
func (c *call) toTail(id string) (value.Value, error) {
	if id != "last" {
		execution, err := c.execution(id, nil)
		if client.NotFound(err) {
			return nil, sentencef("Execution with id %s not found.", id)
		}
		return execution, err
	}
	answer, err := c.api.Call(c.ctx, http.MethodGet, "/executions/", client.Query{{"limit", "1"}}, nil)
	if err != nil {
		return nil, err
	}
	if found := list(answer.Body); len(found) > 0 {
		return found[0], nil
	}
	c.printf("No executions found in db.\n")
	return nil, nil
}

func tailExecution(c *call) error {
	execution, err := c.toTail(c.args.Text("id", "last"))
	if execution == nil || err != nil {
		return err
	}
	id := text(execution, "id")
	kind := c.args.Text("type", "")
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	events := make(chan client.Event, 1024)
	ended := make(chan error, 1)
	if !petrel.Status(text(execution, "status")).Final() {
		opened := make(chan struct{})
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
		// What happened before the stream was open is read from the server.
		if execution, err = c.execution(id, nil); err != nil {
			return err
		}
	}
	status := petrel.Status(text(execution, "status"))
	if status.Final() {
		if err := c.printOutput(id, kind); err != nil {
			return err
		}
		c.printf("\nExecution %s has completed (status=%s).\n", id, status)
		return nil
	}
	if status == petrel.StatusRunning {
		c.printf("Execution %s has started.\n\n", id)
		if err := c.printOutput(id, kind); err != nil {
			return err
		}
	}
	return c.follow(id, events, ended, kind, c.args.Given("include_metadata"))
}

// printOutput prints what an execution has written so far.
func (c *call) printOutput(id, kind string) error {
	var q client.Query
	q.Add("output_type", kind)
	answer, err := c.api.Call(c.ctx, http.MethodGet, "/executions/"+id+"/output", q, nil)
	if err != nil {
		return err
	}
	c.printf("%s", answer.Raw)
	return nil
}

// follow prints the events of an execution and of its tasks until it ends.
func (c *call) follow(id string, events <-chan client.Event, ended <-chan error, kind string, metadata bool) error {
	children := map[string]string{} // execution id → task
	started := map[string]bool{}
	for {
		var e client.Event
		select {
		case e = <-events:
		case err := <-ended:
			if err == nil {
				err = fmt.Errorf("the server closed the stream before execution %s ended", id)
			}
			return err
		}
		d, ok := e.Data.(*value.Dict)
		if !ok {
			continue
		}
		if e.Name == "st2.execution.output__create" {
			from := text(d, "execution_id")
			_, isChild := children[from]
			if from != id && !isChild || kind != "" && kind != "all" && text(d, "output_type") != kind {
				continue
			}
			if metadata {
				c.printf("[%s][%s] ", text(d, "timestamp"), text(d, "output_type"))
			}
			c.printf("%s", text(d, "data"))
			continue
		}
		one := text(d, "id")
		task, isChild := children[one]
		if parent := text(d, "parent"); parent == id && !isChild {
			task, isChild = text(taskRows([]value.Value{d}, id)[0], "task"), true
			children[one] = task
		}
		if one != id && !isChild {
			continue
		}
		status := petrel.Status(text(d, "status"))
		switch {
		case status == petrel.StatusRunning && !started[one]:
			started[one] = true
			if isChild {
				c.printf("Child execution (task=%s) %s has started.\n\n", task, one)
			} else {
				c.printf("Execution %s has started.\n\n", one)
			}
		case status.Final() && isChild:
			c.printf("\nChild execution (task=%s) %s has finished (status=%s).\n", task, one, status)
		case status.Final():
			c.printf("\nExecution %s has completed (status=%s).\n", one, status)
			return nil
		}
	}
}
