package engine

import (
	"context"
	"time"

	"petrel"
	"petrel/expr/value"
)

// Request asks for a run of an action.
type Request struct {
	Action     petrel.Ref
	Parameters *value.Dict // as given; may hold templates; nil for none
	Context    *value.Dict // beside user and pack, which the engine sets; nil for none
	User       string      // default: the system user; a parent's user wins
	Notify     petrel.JSON // nil: the action's
	Callback   petrel.JSON
	Delay      time.Duration // wait before the run may be claimed
	Lane       petrel.Lane   // default: workflow for a task, else interactive
	// IdempotencyKey makes a repeated request answer with the first one's
	// execution; scope and key, empty for none.
	IdempotencyKey string
	Parent         petrel.ID // the execution of the workflow this is a task of
	Depth          int       // of the chain of causes; a parent's counts too
	// Event is the chat event the run answers and EventOwner the incarnation
	// that handles it; the event is done in the transaction that stores the run.
	Event      petrel.ID
	EventOwner string
	// Posts makes the messages that are stored with the run, such as its
	// acknowledgement; it sees the run as it will be stored.
	Posts func(petrel.Execution) []petrel.Post
	Audit []petrel.AuditEntry // about the decision that allowed the run
}

// Request stores a run and wakes a worker; true says that the idempotency key
// was seen before and the execution is the earlier one. Parameters that cannot
// be rendered leave a failed execution behind, which is returned together with
// an Invalid error; every other error leaves nothing behind.
func (e *Engine) Request(ctx context.Context, r Request) (petrel.Execution, bool, error) {
	return petrel.Execution{}, false, petrel.Errorf(petrel.Unavailable, "The engine is not running.")
}

// Rerun asks for a run with the parameters of an earlier one.
type Rerun struct {
	Parameters *value.Dict   // laid over the earlier ones; nil for none
	Tasks      []string      // of a workflow: run these again
	Reset      []string      // of Tasks: those whose items all run again
	User       string        // default: the system user
	Context    *value.Dict   // beside what the engine sets; nil for none
	Delay      time.Duration // wait before the run may be claimed
	Lane       petrel.Lane
	Posts      func(petrel.Execution) []petrel.Post
	Event      petrel.ID
	EventOwner string
	Audit      []petrel.AuditEntry
}

// Rerun requests a new run of an execution's action with its parameters.
func (e *Engine) Rerun(ctx context.Context, id petrel.ID, r Rerun) (petrel.Execution, error) {
	return petrel.Execution{}, petrel.Errorf(petrel.Unavailable, "The engine is not running.")
}

// Cancel ends an execution: one that has not started at once, a running one
// by killing its processes. One that is canceled already is returned as it is;
// one that cannot be canceled is a Conflict error and returned too.
// With force, one that is canceling already has its owner told again.
func (e *Engine) Cancel(ctx context.Context, id petrel.ID, by string, force bool, audit ...petrel.AuditEntry) (petrel.Execution, error) {
	return petrel.Execution{}, petrel.Errorf(petrel.Unavailable, "The engine is not running.")
}

// SetStatus sets a status from outside, as PUT /executions/{id} does: cancel,
// pause, resume, or a result delivered by somebody else. A nil result keeps
// what is there. Refusals are Invalid errors with StackStorm's texts.
func (e *Engine) SetStatus(ctx context.Context, id petrel.ID, status petrel.Status, result petrel.JSON, by string, audit ...petrel.AuditEntry) (petrel.Execution, error) {
	return petrel.Execution{}, petrel.Errorf(petrel.Unavailable, "The engine is not running.")
}
