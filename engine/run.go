package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"petrel"
	"petrel/actions"
	"petrel/engine/hook"
	"petrel/expr/value"
	"petrel/runners"
	"petrel/storage"
)

var pid = os.Getpid()

// errSuperseded is the cause of a run that was claimed again by this node
// under a new incarnation.
const errSuperseded = runners.ErrLost

// run is one attempt in a slot.
type run struct {
	e      *Engine
	t      *tenure
	x      petrel.Execution
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelCauseFunc
	since  time.Time // of the claim, by the monotonic clock

	token    *petrel.Token // stored with the start; nil for none
	straight bool          // it runs since its claim
	ended    bool          // its end is being stored; under the engine's lock
	missing  int           // looks in a row at which the store did not say that we hold it; only the watcher's
}

func newRun(e *Engine, t *tenure, x petrel.Execution) *run {
	r := &run{e: e, t: t, x: x, since: time.Now(), straight: x.Status == petrel.StatusRunning}
	r.log = e.cfg.Log.With("execution", x.ID, "action", x.Action.Ref, "attempt", x.Attempt)
	r.ctx, r.cancel = context.WithCancelCause(t.ctx)
	return r
}

// work takes the attempt from its claim to its stored end.
func (r *run) work() {
	e := r.e
	defer e.output.forget(r)
	if r.straight {
		e.tell(r.ctx, "update", r.x.ID, r.x.Revision, petrel.StatusScheduled, petrel.StatusRunning)
	} else {
		e.tell(r.ctx, "update", r.x.ID, r.x.Revision, petrel.StatusScheduled)
	}
	job, runner, err := r.prepare()
	if err != nil {
		if r.ctx.Err() != nil {
			r.leave()
			return
		}
		r.finish(ending{status: petrel.StatusFailed, reason: endOwn}, failure(err), nil)
		return
	}
	if !r.straight && !r.start() {
		return
	}
	r.log.Debug("The execution runs.", "runner", r.x.Runner.Name)
	outcome := r.run(runner, job)
	if !e.cfg.NoStream {
		e.output.end(r)
	}
	end := decideEnding(outcome.Status, context.Cause(r.ctx))
	result, status := r.result(end, outcome)
	end.status = status
	var merge petrel.JSON
	if outcome.Context != nil && outcome.Context.Len() > 0 {
		if merge, err = e.encode("context", outcome.Context, e.cfg.MaxParamSize); err != nil {
			r.log.Warn("What the runner adds to the context was left out.", "error", err)
		}
	}
	r.finish(end, result, merge)
}

// leave drops a run that was not started: its row says so, and the sweeper or
// the one who canceled it has the last word.
func (r *run) leave() {
	r.log.Info("The execution was left before it started.", "cause", context.Cause(r.ctx))
}

// prepare makes the job and lets the runner prepare it. Nothing the outside
// can see happens here.
func (r *run) prepare() (job *runners.Job, runner runners.Runner, err error) {
	defer r.recovered("prepare", &err)
	runner = r.e.cfg.Runners[r.x.Runner.Name]
	if runner == nil {
		return nil, nil, petrel.Errorf(petrel.Invalid, "The runner \"%s\" is not part of this Petrel.", r.x.Runner.Name)
	}
	for n := 1; ; n++ {
		job, err = r.job()
		if err == nil {
			break
		}
		if kind := petrel.KindOf(err); kind != petrel.Unavailable && kind != petrel.Unknown {
			return nil, nil, err
		}
		// The store is away; that is no fault of the action.
		r.e.metrics.retried.WithLabelValues("prepare").Inc()
		if !sleep(r.ctx, backoff(n)) {
			return nil, nil, err
		}
	}
	return job, runner, runner.Prepare(r.ctx, job)
}

func (r *run) job() (*runners.Job, error) {
	e, x := r.e, &r.x
	given, err := dictOf(x.Parameters)
	if err != nil {
		return nil, petrel.Wrap(petrel.Internal, err, "The stored parameters cannot be read.")
	}
	within, err := dictOf(x.Context)
	if err != nil {
		return nil, petrel.Wrap(petrel.Internal, err, "The stored context cannot be read.")
	}
	if given == nil {
		given = value.NewDict()
	}
	if within == nil {
		within = value.NewDict()
	}
	if err := e.content.refresh(r.ctx); err != nil {
		return nil, err
	}
	p, err := e.content.pack(r.ctx, x.Action.Pack)
	if err != nil {
		return nil, err
	}
	config, err := e.content.resolve(r.ctx, p, x.Action.Pack, x.User)
	if err != nil {
		return nil, err
	}
	ofRunner, ofAction, err := actions.Final(r.ctx, actions.Input{
		Runner: x.Runner, Action: x.Action, Given: given, Context: within, Config: config, KV: e.cfg.KV, User: x.User,
	})
	if err != nil {
		return nil, err
	}
	if config != nil && config.Len() == 0 {
		config = nil
	}
	job := &runners.Job{
		ExecutionID: x.ID, LiveActionID: x.LiveActionID, Attempt: x.Attempt, Action: x.Action, Runner: x.Runner,
		PackDir: p.dir, EntryPoint: entryPoint(p.dir, x.Action.EntryPoint),
		RunnerParameters: ofRunner, ActionParameters: ofAction, Context: within, Config: config, User: x.User,
		Env:    r.environment(),
		Output: func(string, string) {},
		Log:    r.log,
	}
	if spec, err := actions.Merged(x.Runner, x.Action); err == nil {
		job.Secrets = append(actions.SecretValues(spec, ofRunner), actions.SecretValues(spec, ofAction)...)
	}
	if !e.cfg.NoStream {
		job.Output = func(stream, data string) { e.output.take(r, stream, data) }
	}
	if !r.straight && x.User != "" {
		if err := r.makeToken(job); err != nil {
			return nil, err
		}
	}
	return job, nil
}

// environment are the variables every action gets.
// st2: st2common/st2common/util/action_db.py, st2common/st2common/runners/base.py
func (r *run) environment() map[string]string {
	debug := "False"
	if r.e.cfg.Debug {
		debug = "True"
	}
	return map[string]string{
		"ST2_ACTION_PACK_NAME":    r.x.Action.Pack,
		"ST2_ACTION_EXECUTION_ID": string(r.x.ID),
		"ST2_ACTION_API_URL":      r.e.cfg.APIURL,
		"ST2_ACTION_DEBUG":        debug,
	}
}

// makeToken makes the attempt's own credential. Its text is known to this process
// alone; the hash is stored with the start and dies with the run, so that a
// crash leaves nothing that anybody could use.
func (r *run) makeToken(job *runners.Job) error {
	var raw [16]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return err
	}
	text := hex.EncodeToString(raw[:])
	sum := sha256.Sum256([]byte(text))
	meta, err := value.ToJSON(value.DictOf("service", "actions_container", "action_name", r.x.Action.Name,
		"live_action_id", string(r.x.LiveActionID)), value.CompactJSON)
	if err != nil {
		return err
	}
	job.Env["ST2_ACTION_AUTH_TOKEN"] = text
	job.Secrets = append(job.Secrets, text)
	now := r.e.now()
	r.token = &petrel.Token{
		ID: petrel.NewID(now), User: r.x.User, Hash: hex.EncodeToString(sum[:]), ExpiresAt: now.Add(r.e.cfg.TokenTTL),
		Metadata: meta, Service: true, ExecutionID: r.x.ID,
	}
	return nil
}

// start commits "running"; false says that the run must not be started.
func (r *run) start() bool {
	e := r.e
	if hook.Enabled {
		if err := hook.Fire(hook.BeforeExecStart); err != nil {
			r.finish(ending{status: petrel.StatusFailed, reason: endOwn}, failure(err), nil)
			return false
		}
	}
	start := storage.Start{ID: r.x.ID, Owner: r.t.incarnation, Attempt: r.x.Attempt, At: e.now(), Token: r.token}
	unknown := false
	for n := 1; ; n++ {
		if r.ctx.Err() != nil {
			r.leave()
			return false
		}
		ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
		err := e.cfg.Store.Start(ctx, []storage.Start{start})[0]
		cancel()
		switch {
		case err == nil:
			e.tell(r.ctx, "update", r.x.ID, 0, petrel.StatusRunning)
			return true
		case petrel.Is(err, petrel.NotOwner):
			// After an unknown commit this may be our own start.
			if unknown && r.isRunning() {
				e.tell(r.ctx, "update", r.x.ID, 0, petrel.StatusRunning)
				return true
			}
			r.log.Info("The execution was canceled or taken away before it started.")
			return false
		case petrel.Is(err, petrel.Invalid), petrel.Is(err, petrel.TooLarge), petrel.Is(err, petrel.Conflict):
			// Saying it again will not help.
			r.finish(ending{status: petrel.StatusFailed, reason: endOwn}, failuref("The start cannot be stored: %s", petrel.Message(err)), nil)
			return false
		}
		unknown = unknown || !petrel.Is(err, petrel.Unavailable) || ctx.Err() != nil
		e.metrics.retried.WithLabelValues("start").Inc()
		r.log.Warn("The start could not be stored yet.", "error", err)
		if !sleep(r.ctx, backoff(n)) {
			r.leave()
			return false
		}
	}
}

// isRunning asks the store whether this attempt is started and ours.
func (r *run) isRunning() bool {
	for n := 1; r.ctx.Err() == nil; n++ {
		ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
		x, err := r.e.cfg.Store.Execution(ctx, r.x.ID)
		cancel()
		if err == nil {
			return x.Status == petrel.StatusRunning && x.Owner == r.t.incarnation && x.Attempt == r.x.Attempt
		}
		sleep(r.ctx, backoff(n))
	}
	return false
}

// run lets the runner run the job.
func (r *run) run(runner runners.Runner, job *runners.Job) (out runners.Outcome) {
	var err error
	defer func() {
		if err != nil {
			out = runners.Failed(err)
		}
	}()
	defer r.recovered("run", &err)
	if timeout, found := job.RunnerParameters.GetStr("timeout"); found {
		if limit := seconds(timeout); limit > 0 {
			// Runners keep their timeouts; this holds when one does not.
			late := time.AfterFunc(limit+r.e.cfg.KillWait, func() { r.cancel(errOvertime) })
			defer late.Stop()
		}
	}
	if hook.Enabled {
		stop := r.hookAfterStart(job)
		defer stop()
	}
	return runner.Run(r.ctx, job)
}

// hookAfterStart fires its hook when the action has printed something or had
// the time to.
func (r *run) hookAfterStart(job *runners.Job) func() {
	printed, over := make(chan struct{}, 1), make(chan struct{})
	output := job.Output
	job.Output = func(stream, data string) {
		output(stream, data)
		poke(printed)
	}
	fired := make(chan struct{})
	go func() {
		defer close(fired)
		timer := time.NewTimer(200 * time.Millisecond)
		defer timer.Stop()
		select {
		case <-printed:
		case <-timer.C:
		case <-over:
		}
		if err := hook.Fire(hook.AfterExecStart); err != nil {
			r.cancel(errOvertime)
		}
	}()
	return func() {
		close(over)
		<-fired
	}
}

// recovered makes an error of a panic. The person sees an id; the log has the
// stack under it, without the values that were worked on.
func (r *run) recovered(step string, err *error) {
	p := recover()
	if p == nil {
		return
	}
	id := petrel.NewID(r.e.now())
	what := fmt.Sprintf("%T", p)
	if re, is := p.(runtime.Error); is {
		what = re.Error()
	}
	r.e.metrics.panics.Inc()
	r.log.Error("A runner failed by a fault of Petrel.", "fault", id, "step", step, "panic", what, "stack", string(debug.Stack()))
	*err = petrel.Errorf(petrel.Internal, "Internal error %s: the runner \"%s\" failed by a fault of Petrel; the log has the details under this id.", id, r.x.Runner.Name)
}

// result is what is to be stored of an outcome, and its status, which changes
// when the result cannot be stored as it is.
func (r *run) result(end ending, out runners.Outcome) (petrel.JSON, petrel.Status) {
	e := r.e
	switch {
	case end.status == "" || end.keep:
		return nil, end.status
	case end.reason == endShutdown:
		return failuref("The worker was stopped while the action ran; whether it took effect is not known."), end.status
	case end.reason == endNonsense:
		return failuref("The runner \"%s\" ended with the status %q.", r.x.Runner.Name, out.Status), end.status
	case end.reason == endTimeout && out.Result == nil:
		return failuref("The action did not end within its timeout and was killed."), end.status
	}
	result, status := decoded(out.Result), end.status
	if e.cfg.ValidateOutput && status == petrel.StatusSucceeded {
		result, status = actions.ValidateOutput(r.x.Runner, r.x.Action, status, result)
	}
	raw, err := encodeResult(result, e.cfg.MaxResultSize)
	if err != nil {
		return failure(err), petrel.StatusFailed
	}
	return raw, status
}

// finish stores the end of the attempt and tells of it. It repeats until the
// store answers or the ownership is lost: what was done must not be forgotten.
func (r *run) finish(end ending, result, merge petrel.JSON) {
	e := r.e
	if end.status == "" {
		r.dropped(end.reason)
		return
	}
	e.mu.Lock()
	r.ended = true
	e.mu.Unlock()
	f := storage.Finish{
		ID: r.x.ID, Owner: r.t.incarnation, Attempt: r.x.Attempt, Status: end.status, Result: result, At: e.now(), MergeContext: merge,
	}
	unknown, refused := false, 0
	for n := 1; ; n++ {
		ctx, cancel := context.WithTimeout(e.life, storeTimeout)
		err := e.store(ctx, f)
		cancel()
		switch petrel.KindOf(err) {
		case "":
			r.told(f.Status, end.reason)
			return
		case petrel.NotOwner:
			if unknown && r.stored(f.Status) {
				r.told(f.Status, end.reason)
				return
			}
			r.dropped(endLost)
			return
		case petrel.Conflict:
			// The step is not legal: it was to wait for something, and its end was
			// asked for meanwhile.
			if refused++; refused > 2 {
				r.log.Error("The end of the execution cannot be stored; the watcher will mark it.", "error", err)
				return
			}
			f.Status, f.Result, f.MergeContext = petrel.StatusCanceled, nil, nil
			if refused == 2 {
				f.Status, f.Result = petrel.StatusFailed, failuref("The end cannot be stored: %s", petrel.Message(err))
			}
			continue
		case petrel.Invalid, petrel.TooLarge:
			if refused++; refused > 2 {
				r.log.Error("The end of the execution cannot be stored; the watcher will mark it.", "error", err)
				return
			}
			f.Status, f.MergeContext = petrel.StatusFailed, nil
			f.Result = failuref("The result cannot be stored: %s", petrel.Message(err))
			continue
		case petrel.Unavailable:
		default:
			unknown = true
		}
		e.metrics.retried.WithLabelValues("finish").Inc()
		r.log.Warn("The end of the execution could not be stored yet.", "error", err)
		if r.t.ctx.Err() != nil && context.Cause(r.t.ctx) == runners.ErrLost || !sleep(e.life, backoff(n)) {
			r.dropped(endLost)
			return
		}
	}
}

func (e *Engine) store(ctx context.Context, f storage.Finish) error {
	if hook.Enabled {
		if err := hook.Fire(hook.BeforeResultWrite); err != nil {
			return err
		}
	}
	return e.cfg.Store.Finish(ctx, []storage.Finish{f})[0]
}

// stored asks whether an end whose commit was unknown is there.
func (r *run) stored(status petrel.Status) bool {
	ctx, cancel := context.WithTimeout(r.e.life, storeTimeout)
	defer cancel()
	x, err := r.e.cfg.Store.Execution(ctx, r.x.ID)
	return err == nil && x.Attempt == r.x.Attempt && x.Status == status
}

// told tells of a stored end.
func (r *run) told(status petrel.Status, reason string) {
	e := r.e
	e.metrics.ended.WithLabelValues(string(status), reason).Inc()
	e.metrics.ran.WithLabelValues(r.x.Runner.Name).Observe(time.Since(r.since).Seconds())
	r.log.Info("The execution ended.", "status", status, "reason", reason, "took", time.Since(r.since))
	if hook.Enabled {
		if err := hook.Fire(hook.AfterFinishBeforePost); err != nil {
			return
		}
	}
	e.tell(e.life, "update", r.x.ID, 0, status)
	e.posts(e.life, r.x.ID)
}

// dropped notes a result that nobody takes.
func (r *run) dropped(reason string) {
	r.e.metrics.lost.Inc()
	r.e.metrics.ended.WithLabelValues("dropped", reason).Inc()
	r.log.Warn("The result was dropped: the execution belongs to somebody else now or has ended.", "reason", reason)
}
