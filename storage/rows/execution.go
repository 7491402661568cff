package rows

import (
	"slices"
	"strings"

	"petrel"
)

// MaxUserValue bounds one value of a run (parameters, context, result, body of
// a post) in a column.
const MaxUserValue = 64 << 20

// CheckExecution says what a store cannot hold of a new run.
func CheckExecution(x petrel.Execution) error {
	var c Check
	c.ID("id", x.ID)
	c.OptionalID("liveaction.id", x.LiveActionID)
	c.Need("action.ref", string(x.Action.Ref))
	c.Name("runner.name", x.Runner.Name)
	c.Name("user", x.User)
	c.OptionalID("parent", x.Parent)
	c.Name("idempotency_key", x.IdempotencyKey)
	c.Name("workflow_execution", string(x.WorkflowExecution))
	c.Name("task_execution", string(x.TaskExecution))
	c.That(x.Status == petrel.StatusRequested || x.Status == petrel.StatusDelayed || x.Status.Final(), "status",
		"a new execution cannot be '%s'", Shown(string(x.Status)))
	c.That(slices.Contains(Lanes, x.Lane), "lane", "lane '%s' is none of %s", Shown(string(x.Lane)), strings.Join(laneNames(), ", "))
	for field, value := range map[string]petrel.JSON{"parameters": x.Parameters, "context": x.Context, "result": x.Result, "notify": x.Notify, "callback": x.Callback} {
		c.Value(field, value, MaxUserValue)
	}
	return c.Err()
}

// Lanes lists the lanes in the order in which they go.
var Lanes = []petrel.Lane{petrel.LaneInteractive, petrel.LaneWorkflow, petrel.LaneBackground}

func laneNames() []string {
	names := make([]string, len(Lanes))
	for i, l := range Lanes {
		names[i] = string(l)
	}
	return names
}

// FirstLog is the status log of a new run.
func FirstLog(x petrel.Execution) string {
	if len(x.Log) == 0 {
		return LogText(x.Status, x.StartedAt)
	}
	var text strings.Builder
	for _, e := range x.Log {
		text.WriteString(LogText(e.Status, e.At))
	}
	return text.String()
}

// CheckChunk says what a store cannot hold of a piece of output.
func CheckChunk(o petrel.OutputChunk) error {
	var c Check
	c.ID("id", o.ID)
	c.ID("execution_id", o.ExecutionID)
	c.Name("action_ref", string(o.ActionRef))
	c.Name("runner_ref", o.RunnerRef)
	c.Name("type", o.Type)
	c.That(len(o.Data) <= MaxUserValue, "data", "a piece of output has %d bytes; the limit is %d", len(o.Data), MaxUserValue)
	return c.Err()
}

// CheckPost says what a store cannot hold of a message.
func CheckPost(p petrel.Post) error {
	var c Check
	c.ID("post.id", p.ID)
	c.Name("post.key", p.Key)
	c.Need("post.adapter", p.Adapter)
	c.Name("post.workspace", p.Workspace)
	c.Name("post.channel", p.Channel)
	c.Text("post.thread", p.Thread)
	c.OptionalID("post.execution_id", p.ExecutionID)
	c.OptionalID("post.event_id", p.EventID)
	c.Text("post.external_id", p.ExternalID)
	c.Value("post.body", p.Body, MaxUserValue)
	switch p.State {
	case "", petrel.PostPending, petrel.PostSent, petrel.PostMaybeSent, petrel.PostFailed:
	default:
		c.That(false, "post.state", "a new post cannot be '%s'", Shown(string(p.State)))
	}
	return c.Err()
}

// CheckEvent says what a store cannot hold of a chat event.
func CheckEvent(e petrel.ChatEvent) error {
	var c Check
	c.ID("id", e.ID)
	c.Name("key", e.Key)
	c.Need("adapter", e.Adapter)
	c.Name("identity.workspace", e.Identity.Workspace)
	c.Name("identity.user", e.Identity.User)
	c.Name("channel", e.Channel)
	c.Text("thread", e.Thread)
	c.Name("kind", e.Kind)
	c.Name("owner", e.Owner)
	c.Value("payload", e.Payload, MaxUserValue)
	c.That(len(e.Text) <= MaxUserValue, "text", "text has %d bytes; the limit is %d", len(e.Text), MaxUserValue)
	return c.Err()
}
