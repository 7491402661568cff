package api

import (
	"fmt"
	"net/http"
	"time"

	"petrel"
	"petrel/auth"
	"petrel/engine"
	"petrel/expr/value"
)

// maxIdempotencyKey bounds the header Idempotency-Key, in bytes.
const maxIdempotencyKey = 255

// maxDelay bounds the delay of a run.
const maxDelay = 366 * 24 * time.Hour

// executionCreate serves POST executions: one run of an action.
func (a *API) executionCreate(c *call) error {
	v, err := c.decode(true)
	if err != nil {
		return err
	}
	dropNull(v, "user")
	body, err := checked(v, a.bodies["execution_create"])
	if err != nil {
		return err
	}
	masked, err := c.masked("execution:new")
	if err != nil {
		return err
	}
	order, err := c.order(body)
	if err != nil {
		return err
	}
	header, err := contextHeader(c.r.Header.Get("st2-context"))
	if err != nil {
		return err
	}
	if header != nil {
		// StackStorm lets the header name the user; that is the same wish as the
		// field user, with the same right.
		if named := textOf(header, "user"); named != "" {
			order.user = named
		}
		order.context.Update(header)
	}
	if order.key, err = c.idempotencyKey(); err != nil {
		return err
	}
	x, again, err := c.execute(order)
	if err != nil {
		return err
	}
	if again {
		c.w.Header().Set("Idempotency-Replayed", "true")
	} else {
		x = asRequested(x)
	}
	shape, err := a.executionShape(x, masked)
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, shape)
}

// order is a wish to run an action.
type order struct {
	action     petrel.Ref
	parameters *value.Dict
	context    *value.Dict
	user       string // who it runs as; empty for the caller
	notify     petrel.JSON
	callback   petrel.JSON
	delay      time.Duration
	key        string
	literal    bool // templates in the parameters stay text
}

// order reads the body of POST executions.
func (c *call) order(body *value.Dict) (order, error) {
	o := order{
		action:     petrel.Ref(textOf(body, "action")),
		parameters: objectOf(body, "parameters"),
		context:    value.NewDict(),
		user:       textOf(body, "user"),
	}
	if given := objectOf(body, "context"); given != nil {
		o.context.Update(given)
	}
	var err error
	if notify := objectOf(body, "notify"); notify != nil && notify.Len() > 0 {
		if o.notify, err = normalNotify(notify); err != nil {
			return o, err
		}
	}
	if callback := objectOf(body, "callback"); callback != nil && callback.Len() > 0 {
		if o.callback, err = jsonOf(callback); err != nil {
			return o, err
		}
	}
	o.delay, err = delayOf(body)
	return o, err
}

// delayOf is the member delay, in milliseconds.
func delayOf(body *value.Dict) (time.Duration, error) {
	v, ok := body.GetStr("delay")
	if !ok || v == nil {
		return 0, nil
	}
	ms, ok := value.AsInt(v)
	if !ok || ms < 0 || ms > int64(maxDelay/time.Millisecond) {
		return 0, petrel.Errorf(petrel.Invalid, "delay is %s, it must be 0 to %d milliseconds", cutText(value.Repr(v)), int64(maxDelay/time.Millisecond))
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// normalNotify is notification settings as they are stored.
func normalNotify(d *value.Dict) (petrel.JSON, error) {
	text, err := jsonOf(d)
	if err != nil {
		return nil, err
	}
	out, err := appendJSON(nil, notifyShape(text))
	return petrel.JSON(out), err
}

// execute asks for the run of an order if the caller may.
func (c *call) execute(o order) (petrel.Execution, bool, error) {
	a := c.a
	action, err := a.cfg.Store.Action(c.ctx(), string(o.action))
	if petrel.Is(err, petrel.NotFound) || err == nil && !petrel.IsRef(string(o.action)) {
		return petrel.Execution{}, false, petrel.Errorf(petrel.Invalid, "Action \"%s\" cannot be found.", cutText(string(o.action)))
	}
	if err != nil {
		return petrel.Execution{}, false, err
	}
	d, err := c.may("action_execute", action.UID)
	if err != nil {
		return petrel.Execution{}, false, err
	}
	user, err := c.actAs(o.user)
	if err != nil {
		return petrel.Execution{}, false, err
	}
	audit := c.entry("action_execute", action.UID, d, c.maskedArguments(action, o.parameters, user))
	return a.cfg.Engine.Request(c.ctx(), engine.Request{
		Action: action.Ref, Parameters: o.parameters, Context: o.context, User: user,
		Notify: o.notify, Callback: o.callback, Delay: o.delay, Lane: petrel.LaneInteractive,
		IdempotencyKey: o.key, Literal: o.literal, Audit: []petrel.AuditEntry{audit},
	})
}

// actAs is the user a run belongs to: the caller, or another one if the caller
// is an administrator (which everybody is while RBAC is off).
func (c *call) actAs(user string) (string, error) {
	if user == "" || user == c.who.User {
		return c.who.User, nil
	}
	if len(user) > 255 {
		return "", petrel.Errorf(petrel.Invalid, "user has %d bytes, at most 255 are taken", len(user))
	}
	if !c.admin() {
		d := auth.Decision{Reason: "only administrators may run as another user"}
		if err := c.a.cfg.Store.AppendAudit(c.ctx(), c.entry("impersonate", "user:"+user, d, nil)); err != nil {
			return "", err
		}
		return "", petrel.Errorf(petrel.Forbidden, "\"user\" attribute can only be provided by admins")
	}
	return user, nil
}

// maskedArguments is what the audit keeps of an order.
func (c *call) maskedArguments(action petrel.Action, parameters *value.Dict, user string) object {
	args := object{}
	if user != c.who.User {
		args.add("user", user)
	}
	if parameters == nil || parameters.Len() == 0 {
		return args
	}
	runner, err := c.a.cfg.Store.RunnerType(c.ctx(), action.RunnerType)
	if err != nil {
		return args // without the runner nobody knows which parameters are secret
	}
	text, err := jsonOf(parameters)
	if err != nil {
		return args
	}
	shown, _, err := c.a.masking(petrel.Execution{Action: action, Runner: runner, Parameters: text}, true)
	if err != nil {
		return args
	}
	args.add("parameters", shown)
	return args
}

// asRequested is a new run as it was when it was requested, whatever a worker
// has made of it since: what clients of StackStorm are answered.
func asRequested(x petrel.Execution) petrel.Execution {
	return at(x, petrel.StatusRequested)
}

// idempotencyKey is the header Idempotency-Key within the scope of its user.
func (c *call) idempotencyKey() (string, error) {
	key := c.r.Header.Get("Idempotency-Key")
	if key == "" {
		return "", nil
	}
	if len(key) > maxIdempotencyKey {
		return "", petrel.Errorf(petrel.Invalid, "Idempotency-Key has %d bytes, at most %d are taken", len(key), maxIdempotencyKey)
	}
	for i := 0; i < len(key); i++ {
		if key[i] < ' ' || key[i] > '~' {
			return "", petrel.Errorf(petrel.Invalid, "Idempotency-Key holds a character that is not printable ASCII")
		}
	}
	return "api:" + c.who.User + ":" + key, nil
}

// contextHeader reads the header st2-context; nil when it is absent.
func contextHeader(text string) (*value.Dict, error) {
	if text == "" {
		return nil, nil
	}
	var v value.Value = text
	if err := checkDepth([]byte(text)); err == nil {
		if parsed, err := value.FromJSON([]byte(text)); err == nil {
			v = parsed
		}
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return nil, petrel.Errorf(petrel.Invalid, "Unable to convert st2-context from the headers into JSON (was <class '%s'>).", value.TypeName(v))
	}
	return d, nil
}

// dropNull takes a member out that is null and means the same as absent.
func dropNull(v value.Value, key string) {
	if d := asDict(v); d != nil {
		if item, ok := d.GetStr(key); ok && item == nil {
			d.Delete(key)
		}
	}
}

// executionRerun serves POST executions/{id}/re_run.
func (a *API) executionRerun(c *call) error {
	v, err := c.decode(true)
	if err != nil {
		return err
	}
	body, err := checked(v, a.bodies["rerun"])
	if err != nil {
		return err
	}
	masked, err := c.masked("execution:" + c.path["id"])
	if err != nil {
		return err
	}
	parameters, tasks, reset := objectOf(body, "parameters"), textsOf(body, "tasks"), textsOf(body, "reset")
	hasParameters := parameters != nil && parameters.Len() > 0
	if (len(tasks) > 0 || len(reset) > 0) && hasParameters {
		return petrel.Errorf(petrel.Invalid, "Parameters override is not supported when re-running task(s) for a workflow.")
	}
	for _, name := range reset {
		if !contains(tasks, name) {
			return petrel.Errorf(petrel.Invalid, "List of tasks to reset does not match the tasks to rerun.")
		}
	}
	delay, err := delayOf(body)
	if err != nil {
		return err
	}
	old, _, err := c.execution("execution_view", false)
	if err != nil {
		return err
	}
	if len(tasks) > 0 && old.Runner.Name != "orquesta" {
		return petrel.Errorf(petrel.Invalid, "Task option is only supported for Orquesta workflows.")
	}
	d, err := c.may("action_execute", old.Action.UID)
	if err != nil {
		return err
	}
	user, err := c.actAs(textOf(body, "user"))
	if err != nil {
		return err
	}
	args := c.maskedArguments(old.Action, parameters, user)
	args.add("re-run", old.ID)
	x, err := a.cfg.Engine.Rerun(c.ctx(), old.ID, engine.Rerun{
		Parameters: parameters, Tasks: tasks, Reset: reset, User: user, Delay: delay,
		Lane: petrel.LaneInteractive, Audit: []petrel.AuditEntry{c.entry("action_execute", old.Action.UID, d, args)},
	})
	if err != nil {
		return err
	}
	shape, err := a.executionShape(asRequested(x), masked)
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, shape)
}

func contains(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

// execution finds the execution of the path and asks whether the caller may do
// something with it. Rights on an execution are those on its action.
func (c *call) execution(permission string, lastToo bool) (petrel.Execution, auth.Decision, error) {
	id := c.path["id"]
	if id == "last" && lastToo {
		newest, _, err := c.a.cfg.Store.ExecutionList(c.ctx(), newestOne)
		if err != nil {
			return petrel.Execution{}, auth.Decision{}, err
		}
		if len(newest) == 0 {
			return petrel.Execution{}, auth.Decision{}, petrel.Errorf(petrel.Invalid, "No executions found in the database")
		}
		id = string(newest[0].ID)
	}
	unknown := fmt.Sprintf("Unable to identify resource with id \"%s\".", cutText(id))
	if !petrel.ID(id).Valid() {
		return petrel.Execution{}, auth.Decision{}, petrel.Errorf(petrel.NotFound, "%s", unknown)
	}
	x, err := c.a.cfg.Store.Execution(c.ctx(), petrel.ID(id))
	if err != nil {
		return x, auth.Decision{}, missing(err, "%s", unknown)
	}
	d, err := c.may(permission, x.Action.UID)
	return x, d, err
}
