package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"petrel"
	"petrel/api/client"
	"petrel/cmd/petrel/cli/argparse"
	"petrel/cmd/petrel/cli/output"
	"petrel/expr/value"
)

func executionCommands() []*command {
	ids := func(name string, arity argparse.Arity) []argparse.Positional {
		return []argparse.Positional{{Name: name, Arity: arity, Help: "ID of the action execution."}}
	}
	list := argparse.Spec{Description: "Get the list of the 50 most recent action executions.", Options: options2(std(true), []argparse.Option{
		lastOption("action executions"),
		{Names: []string{"-s", "--sort"}, Metavar: "SORT_ORDER", Arity: argparse.One, Help: "Sort action executions by start timestamp, asc|ascending (earliest first) or desc|descending (latest first)"},
		{Names: []string{"--action"}, Arity: argparse.One, Help: "Action reference to filter the list."},
		{Names: []string{"--status"}, Arity: argparse.One, Help: "Only return executions with the provided status."},
		{Names: []string{"--user"}, Arity: argparse.One, Help: "Only return executions created by the provided user."},
		{Names: []string{"--trigger_instance"}, Arity: argparse.One, Help: "Trigger instance id to filter the list."},
		{Names: []string{"-tg", "--timestamp-gt"}, Arity: argparse.One, Help: `Only return executions with timestamp greater than the one provided. Use time in the format "2000-01-01T12:00:00.000Z".`},
		{Names: []string{"-tl", "--timestamp-lt"}, Arity: argparse.One, Help: `Only return executions with timestamp lower than the one provided. Use time in the format "2000-01-01T12:00:00.000Z".`},
		{Names: []string{"-l", "--showall"}, Help: "Show all child executions."},
		attrOption, widthOption,
	})}
	get := argparse.Spec{Description: "Get individual execution.", GroupUsage: runGroupUsage, Positionals: ids("id", argparse.OneOrMore),
		Options: options2(std(true), []argparse.Option{{Names: []string{"-x", "--exclude-result"}, Help: "Don't retrieve and display the result field"}}, runOptions())}
	rerun := runSpec()
	rerun.Description = "Re-run a particular action."
	rerun.Positionals = []argparse.Positional{{Name: "id", Arity: argparse.Optional, Help: "ID of the action execution to re-run."},
		{Name: "parameters", Arity: argparse.ZeroOrMore, Help: "List of keyword args, positional args, and optional args for the action."}}
	rerun.Options = options2(std(false), []argparse.Option{helpForAction,
		{Names: []string{"--tasks"}, Arity: argparse.OneOrMore, Help: "Name of the workflow tasks to re-run."},
		{Names: []string{"--no-reset"}, Arity: argparse.OneOrMore, Help: "Name of the with-items tasks to not reset."},
		{Names: []string{"-a", "--async"}, Help: "Do not wait for action to finish."},
		{Names: []string{"-e", "--inherit-env"}, Help: `Pass all the environment variables which are accessible to the CLI as "env" parameter to the action.`}}, runOptions())
	tail := argparse.Spec{Description: "Tail output of a particular execution.", Positionals: ids("id", argparse.Optional), Options: options2(std(true), []argparse.Option{
		{Names: []string{"--type"}, Arity: argparse.One, Help: "Type of output to tail for. If not provided, defaults to all."},
		{Names: []string{"--include-metadata"}, Help: "Include metadata (timestamp, output type) with the output."}})}
	control := func(verb string) argparse.Spec {
		return argparse.Spec{Description: strings.ToUpper(verb[:1]) + verb[1:] + " workflow executions.", GroupUsage: runGroupUsage, Positionals: ids("ids", argparse.OneOrMore), Options: options2(std(true), runOptions())}
	}
	return []*command{
		{words: []string{"execution", "list"}, spec: list, run: listExecutions},
		{words: []string{"execution", "get"}, spec: get, run: getExecutions},
		{words: []string{"execution", "re-run"}, spec: rerun, run: rerunExecution},
		{words: []string{"execution", "cancel"}, spec: argparse.Spec{Description: "Cancel action executions.", Options: std(true), Positionals: ids("ids", argparse.OneOrMore)}, run: cancelExecutions},
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
	if order == "desc" || order == "descending" { // the newest stand at the bottom, beside the prompt
		for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
			items[i], items[j] = items[j], items[i]
		}
	}
	asData := c.args.Given("json") || c.args.Given("yaml")
	rows := make([]value.Value, len(items))
	for i, item := range items {
		rows[i] = item
		d, ok := item.(*value.Dict)
		if !ok || asData {
			continue
		}
		row := d.Clone()
		t := c.executionTransforms(item, true, has(attributes, "start_timestamp"))
		for _, name := range []string{"status", "start_timestamp", "end_timestamp", "parameters"} {
			if v, found := row.GetStr(name); found {
				row.SetStr(name, t[name](v))
			}
		}
		if isWorkflow(item) {
			row.SetStr("id", "+ "+text(item, "id"))
		}
		rows[i] = row
	}
	if err := c.showList(rows, attributes, output.Transforms{"parameters": maskParameters}, true); err != nil {
		return err
	}
	if !asData && last > 0 {
		c.truncated(answer, len(items), last)
	}
	return nil
}

// truncated tells, when the server has more, how to see it.
func (c *call) truncated(answer *client.Answer, shown, limit int) {
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

func getExecutions(c *call) error {
	for _, id := range c.args.List("id") {
		var q client.Query
		if c.args.Given("exclude_result") {
			q.Add("exclude_attributes", "result")
		}
		execution, err := c.execution(id, q)
		if err != nil {
			if client.NotFound(err) {
				c.printf("Action Execution %q is not found.\n\n", id)
				return sentencef("Resource %s not found.", id)
			}
			return err
		}
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
		return sentencef("Action execution with id %q cannot be found.", id)
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
	if tasks := c.args.List("tasks"); len(tasks) > 0 {
		body.SetStr("tasks", texts(tasks))
		reset := value.NewList()
		for _, t := range tasks {
			if !has(c.args.List("no_reset"), t) {
				reset.Items = append(reset.Items, t)
			}
		}
		body.SetStr("reset", reset)
	}
	if c.args.Given("delay") {
		body.SetStr("delay", int64(c.args.Int("delay", 0)))
	}
	return c.post("/executions/"+id+"/re_run", body, c.args.Given("async"))
}

func cancelExecutions(c *call) error {
	for _, id := range c.args.List("ids") {
		answer, err := c.api.Call(c.ctx, http.MethodDelete, "/executions/"+id, nil, nil)
		switch e, isAnswer := err.(*client.Error); {
		case isAnswer:
			c.printf("%s\n", firstOf(e.Fault, e.Error()))
		case err != nil:
			c.printf("Cannot cancel action execution with id %s: %v\n", id, err)
		case text(answer.Body, "faultstring") != "":
			c.printf("%s\n", text(answer.Body, "faultstring"))
		default:
			c.printf("action execution with id %s canceled.\n", id)
		}
	}
	return nil
}

func (c *call) control(status string) error {
	for _, id := range c.args.List("ids") {
		answer, err := c.api.Call(c.ctx, http.MethodPut, "/executions/"+id, nil, value.DictOf("status", status))
		if client.NotFound(err) {
			c.printf("Action Execution %q is not found.\n\n", id)
			return sentencef("Resource %s not found.", id)
		}
		if err != nil {
			return err
		}
		if err := c.showExecution(answer.Body, runAttributes, true); err != nil {
			return err
		}
	}
	return nil
}

func tailQuery() client.Query {
	return client.Query{{"events", "st2.execution__update,st2.execution.output__create"}}
}

func tailExecution(c *call) error {
	execution, err := c.execution(c.args.Text("id", "last"), nil)
	if client.NotFound(err) {
		c.printf("Action Execution %q is not found.\n\n", c.args.Text("id", "last"))
		return sentencef("Resource %s not found.", c.args.Text("id", "last"))
	}
	if err != nil {
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
