package engine

import (
	"context"
	"errors"
	"math"
	"time"

	"petrel"
	"petrel/actions"
	"petrel/engine/hook"
	"petrel/expr/value"
	"petrel/queue"
	"petrel/storage"
)

// Request asks for a run of an action.
type Request struct {
	Action     petrel.Ref
	Parameters *value.Dict // as given; may hold templates; nil for none
	Context    *value.Dict // beside user and pack, which the engine sets; nil for none
	Literal    bool        // templates in Parameters stay text: they are the words of a chat line
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
	x, refusal, err := e.build(ctx, r)
	if err != nil {
		e.metrics.refused.WithLabelValues(string(petrel.KindOf(err))).Inc()
		return petrel.Execution{}, false, err
	}
	n := storage.NewExecution{
		Execution: x, Due: r.Delay, Event: r.Event, EventOwner: r.EventOwner, Audit: r.Audit,
	}
	if r.Posts != nil {
		n.Posts = r.Posts(x)
	}
	answer := e.cfg.Store.Request(ctx, []storage.NewExecution{n})[0]
	if answer.Err != nil {
		e.metrics.refused.WithLabelValues(string(petrel.KindOf(answer.Err))).Inc()
		return petrel.Execution{}, false, answer.Err
	}
	if answer.Existing {
		earlier, err := e.cfg.Store.Execution(ctx, answer.ID)
		if err == nil && refusal != nil && earlier.Status == petrel.StatusFailed {
			err = refusal
		}
		return earlier, true, err
	}
	e.metrics.requested.WithLabelValues(string(x.Lane)).Inc()
	if hook.Enabled {
		if err := hook.Fire(hook.AfterCommitBeforePublish); err != nil {
			// Nobody is told: an idle worker finds the row.
			return x, false, refusal
		}
	}
	e.announce(ctx, x, len(n.Posts) > 0)
	if x.Status == petrel.StatusDelayed {
		// Who asked sees it as requested; it is delayed from now on.
		x.Status, x.Log = petrel.StatusRequested, x.Log[:1]
	}
	return x, false, refusal
}

// announce tells of a new run: the feed each step it has taken, the workers
// that it waits.
func (e *Engine) announce(ctx context.Context, x petrel.Execution, posts bool) {
	steps := make([]petrel.Status, len(x.Log))
	for i, l := range x.Log {
		steps[i] = l.Status
	}
	e.tell(ctx, "create", x.ID, x.Revision, steps...)
	switch x.Status {
	case petrel.StatusRequested:
		e.nudge(ctx, queue.TopicExecutions, x.ID)
	case petrel.StatusDelayed:
		poke(e.soon)
	}
	if posts {
		e.posts(ctx, x.ID)
	}
}

// poke leaves a note in a channel that holds one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// build makes the run that is to be stored. The second error is what the
// person who asked is told although a (failed) run is stored.
// st2: st2common/st2common/services/action.py (create_request),
// st2api/st2api/controllers/v1/actionexecutions.py
func (e *Engine) build(ctx context.Context, r Request) (petrel.Execution, error, error) {
	var x petrel.Execution
	if err := e.content.refresh(ctx); err != nil {
		return x, nil, err
	}
	action, runner, err := e.runnable(ctx, r.Action)
	if err != nil {
		return x, nil, err
	}
	user, depth := r.User, r.Depth
	if r.Parent != "" {
		parent, err := e.cfg.Store.Execution(ctx, r.Parent)
		if err != nil {
			return x, nil, err
		}
		user, depth = parent.User, max(depth, parent.Depth+1)
	}
	if user == "" {
		user = e.cfg.SystemUser
	}
	if depth > e.cfg.MaxDepth {
		return x, nil, petrel.Errorf(petrel.Invalid,
			"The action %q was not started: the chain of causes that leads to it is %d long, over the limit of %d. Does a rule start itself?",
			r.Action, depth, e.cfg.MaxDepth)
	}
	if r.Delay < 0 || r.Delay > maxDelay {
		return x, nil, fieldError("delay", "delay is %d ms, it must be between 0 and %d ms", r.Delay.Milliseconds(), maxDelay.Milliseconds())
	}
	within := value.NewDict()
	if r.Context != nil {
		within = r.Context.Clone()
	}
	within.SetStr("user", user)
	within.SetStr("pack", action.Pack)
	given := r.Parameters
	if given == nil {
		given = value.NewDict()
	}

	at := e.now()
	x = petrel.Execution{
		ID:             petrel.NewID(at),
		LiveActionID:   petrel.NewID(at),
		Action:         action,
		Runner:         runner,
		Status:         petrel.StatusRequested,
		StartedAt:      at,
		Log:            []petrel.LogEntry{{At: at, Status: petrel.StatusRequested}},
		User:           user,
		Parent:         r.Parent,
		Delay:          int(r.Delay / time.Millisecond),
		Notify:         notifyOf(r.Notify, action.Notify),
		Callback:       r.Callback,
		Lane:           laneOf(r.Lane, r.Parent),
		Depth:          depth,
		IdempotencyKey: r.IdempotencyKey,
	}
	if r.Delay > 0 {
		x.Status = petrel.StatusDelayed
		x.Log = append(x.Log, petrel.LogEntry{At: at, Status: x.Status})
	}

	of, err := e.content.pack(ctx, action.Pack)
	if err != nil {
		return x, nil, err
	}
	config, err := e.content.resolve(ctx, of, action.Pack, user)
	if err != nil {
		// The worker says what is wrong with it; here it is as if there were none.
		config = nil
	}
	in := actions.Input{
		Runner: runner, Action: action, Given: given, Context: within, Config: config, KV: e.cfg.KV, User: user,
	}
	var live *value.Dict
	if r.Literal {
		live, err = actions.Plain(in)
	} else {
		live, err = actions.Live(ctx, in)
	}
	var refusal error
	var bad *actions.Error
	switch {
	case errors.As(err, &bad) && bad.Stage == actions.StageRender:
		refusal = fieldError(bad.Parameter, "%s", bad.Message)
		live = given
		// It took the time of the rendering; an end at the very beginning has no elapsed_seconds.
		x.Status, x.EndedAt = petrel.StatusFailed, laterThan(at, petrel.Micros(e.now()))
		x.Log = []petrel.LogEntry{{At: at, Status: petrel.StatusRequested}, {At: x.EndedAt, Status: petrel.StatusFailed}}
		x.Result = failure(bad)
	case bad != nil:
		// The schema error beneath is kept: the API shows its long form for chat lines.
		return x, nil, &petrel.Error{Kind: petrel.Invalid, Field: bad.Parameter, Message: bad.Message, Err: bad}
	case err != nil:
		return x, nil, err
	}
	if x.Parameters, err = e.encode("parameters", live, e.cfg.MaxParamSize); err != nil {
		return x, nil, err
	}
	if x.Context, err = e.encode("context", within, e.cfg.MaxParamSize); err != nil {
		return x, nil, err
	}
	return x, refusal, nil
}

// laterThan is the second time, or a microsecond after the first.
func laterThan(first, second time.Time) time.Time {
	if second.After(first) {
		return second
	}
	return first.Add(time.Microsecond)
}

// runnable finds an action that may be run, and its runner.
func (e *Engine) runnable(ctx context.Context, ref petrel.Ref) (petrel.Action, petrel.RunnerType, error) {
	var none petrel.RunnerType
	unknown := fieldError("action", "Action \"%s\" cannot be found.", ref)
	if !petrel.IsRef(string(ref)) {
		return petrel.Action{}, none, unknown
	}
	action, err := e.content.action(ctx, ref)
	switch {
	case petrel.Is(err, petrel.NotFound):
		return action, none, unknown
	case err != nil:
		return action, none, err
	case !action.Enabled:
		return action, none, fieldError("action", "Unable to execute. Action \"%s\" is disabled.", ref)
	}
	runner, err := e.content.runner(ctx, action.RunnerType)
	switch {
	case petrel.Is(err, petrel.NotFound):
		return action, none, fieldError("action", "RunnerType %s is not found.", action.RunnerType)
	case err != nil:
		return action, none, err
	}
	// A runner that is switched off refuses in its Prepare, as in StackStorm.
	return action, runner, nil
}

func notifyOf(asked, action petrel.JSON) petrel.JSON {
	if !asked.Empty() {
		return asked
	}
	if !action.Empty() {
		return action
	}
	return nil
}

func fieldError(field, format string, args ...any) error {
	err := petrel.Errorf(petrel.Invalid, format, args...)
	err.(*petrel.Error).Field = field
	return err
}

// encode writes an object as JSON, nil for an empty one, and holds it to a limit.
func (e *Engine) encode(what string, d *value.Dict, limit int) (petrel.JSON, error) {
	if d == nil || d.Len() == 0 {
		return nil, nil
	}
	raw, err := value.ToJSON(d, value.CompactJSON)
	if err != nil {
		return nil, fieldError(what, "The %s cannot be written as JSON: %s", what, err)
	}
	if len(raw) > limit {
		return nil, &petrel.Error{Kind: petrel.TooLarge, Field: what,
			Message: tooLarge("The "+what, len(raw), limit)}
	}
	return raw, nil
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

// Rerun requests a new run of an execution's action with its parameters. As
// with Request, an execution may be returned together with an Invalid error.
// st2: st2api/st2api/controllers/v1/actionexecutions.py (ActionExecutionReRunController)
func (e *Engine) Rerun(ctx context.Context, id petrel.ID, r Rerun) (petrel.Execution, error) {
	var none petrel.Execution
	if len(r.Tasks)+len(r.Reset) > 0 && r.Parameters != nil && r.Parameters.Len() > 0 {
		return none, fieldError("parameters", "Parameters override is not supported when re-running task(s) for a workflow.")
	}
	for _, name := range r.Reset {
		if !contains(r.Tasks, name) {
			return none, fieldError("reset", "List of tasks to reset does not match the tasks to rerun.")
		}
	}
	earlier, err := e.cfg.Store.Execution(ctx, id)
	if err != nil {
		return none, err
	}
	if len(r.Tasks) > 0 && earlier.Runner.Name != "orquesta" {
		return none, fieldError("tasks", "Task option is only supported for Orquesta workflows.")
	}
	parameters, err := dictOf(earlier.Parameters)
	if err != nil {
		return none, petrel.Wrap(petrel.Internal, err, "The parameters of the execution %s cannot be read.", id)
	}
	if parameters == nil {
		parameters = value.NewDict()
	}
	if r.Parameters != nil {
		parameters.Update(r.Parameters)
	}
	within := value.NewDict()
	if r.Context != nil {
		within = r.Context.Clone()
	}
	again := value.DictOf("ref", string(id))
	if len(r.Tasks) > 0 {
		again.SetStr("tasks", listOf(r.Tasks))
	}
	if len(r.Reset) > 0 {
		again.SetStr("reset", listOf(r.Reset))
	}
	within.SetStr("re-run", again)
	within.SetStr("trace_context", value.DictOf("id_", string(traceOf(earlier))))
	x, _, err := e.Request(ctx, Request{
		Action: earlier.Action.Ref, Parameters: parameters, Context: within, User: r.User, Delay: r.Delay, Lane: r.Lane,
		Posts: r.Posts, Event: r.Event, EventOwner: r.EventOwner, Audit: r.Audit,
	})
	return x, err
}

// traceOf is the trace an execution belongs to: the one its context names,
// else the one it began, which carries its id.
func traceOf(x petrel.Execution) petrel.ID {
	if within, err := dictOf(x.Context); err == nil && within != nil {
		if trace, found := within.GetStr("trace_context"); found {
			if d, is := trace.(*value.Dict); is {
				if id, found := d.GetStr("id_"); found {
					if text, is := value.AsString(id); is && petrel.ID(text).Valid() {
						return petrel.ID(text)
					}
				}
			}
		}
	}
	return x.ID
}

func listOf(texts []string) *value.List {
	l := value.NewList()
	for _, t := range texts {
		l.Append(t)
	}
	return l
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// seconds is a number of seconds as a duration; 0 for what is not a positive number.
func seconds(v value.Value) time.Duration {
	var s float64
	switch x := v.(type) {
	case int64:
		s = float64(x)
	case float64:
		s = x
	}
	if !(s > 0) || s > math.MaxInt64/float64(time.Second)/2 {
		return 0
	}
	return time.Duration(s * float64(time.Second))
}
