package engine

import (
	"fmt"
	"math/rand/v2"
	"time"

	"petrel"
	"petrel/runners"
)

// This file holds what the engine decides. Each decision is a pure function
// and gives its reason by name, so that logs, metrics and tests speak of the
// same things.

// laneOf is the lane of a new run.
func laneOf(asked petrel.Lane, parent petrel.ID) petrel.Lane {
	switch {
	case asked != "":
		return asked
	case parent != "":
		return petrel.LaneWorkflow
	}
	return petrel.LaneInteractive
}

// lanes is the order in which lanes are served.
var lanes = []petrel.Lane{petrel.LaneInteractive, petrel.LaneWorkflow, petrel.LaneBackground}

// load is what the slots of a worker hold.
type load struct {
	slots       int // runs at once
	reserved    int // slots only the interactive lane may use
	interactive int // running in the interactive lane
	others      int // running in the other lanes
}

// free is how many runs of the interactive lane still fit.
func (l load) free() int { return max(0, l.slots-l.interactive-l.others) }

// freeOthers is how many runs of any lane still fit.
func (l load) freeOthers() int { return max(0, min(l.free(), l.slots-l.reserved-l.others)) }

// take is one call of Claim.
type take struct {
	ids    []petrel.ID
	lanes  []petrel.Lane
	limit  int
	reason string
}

// Reasons of a take.
const (
	takeNamed    = "named by a message"
	takeOldest   = "oldest of all lanes"
	takeReserved = "reserved for the interactive lane"
)

// planTakes says what to claim: the runs a message named while they all fit,
// else the oldest ones, and into the reserved slots only interactive ones.
func planTakes(l load, ids []petrel.ID, pull bool) []take {
	free, others := l.free(), l.freeOthers()
	if !pull && len(ids) > 0 && len(ids) <= others {
		return []take{{ids: ids, lanes: lanes, limit: len(ids), reason: takeNamed}}
	}
	var takes []take
	if others > 0 {
		takes = append(takes, take{lanes: lanes, limit: others, reason: takeOldest})
	}
	if free > others {
		takes = append(takes, take{lanes: lanes[:1], limit: free - others, reason: takeReserved})
	}
	return takes
}

// workflowRunners are the runners whose runs can be paused.
// st2: st2common/st2common/constants/action.py
var workflowRunners = map[string]bool{"action-chain": true, "orquesta": true}

// statusStep is what is to be done with a request to set a status.
type statusStep string

const (
	stepRefuse statusStep = "refuse"
	stepKeep   statusStep = "keep"   // it is so already
	stepTell   statusStep = "tell"   // it is asked already; its owner is told again
	stepCancel statusStep = "cancel" // as Cancel
	stepSet    statusStep = "set"
)

// statusDecision is the answer to a request to set a status.
type statusDecision struct {
	step   statusStep
	to     petrel.Status
	by     string // the context key that keeps who asked; empty for none
	reason string // for a refusal, the text for who asked
}

// decideStatus decides what becomes of a request to set an execution's status.
// st2: st2api/st2api/controllers/v1/actionexecutions.py (put)
func decideStatus(x petrel.Execution, want petrel.Status, hasResult bool) statusDecision {
	refuse := func(format string, args ...any) statusDecision {
		return statusDecision{step: stepRefuse, reason: fmt.Sprintf(format, args...)}
	}
	now, runner := x.Status, x.Runner.Name
	switch {
	case now.Final():
		return refuse("Execution is already in completed state.")
	case !want.Valid():
		return refuse("'%s' is not one of %s", want, pythonList(petrel.Statuses))
	}
	switch want {
	case petrel.StatusCanceling, petrel.StatusCanceled:
		switch {
		case now == petrel.StatusCanceling:
			return statusDecision{step: stepTell, to: now, reason: "it is canceling already"}
		case now.Cancelable():
			return statusDecision{step: stepCancel, reason: "it can be canceled"}
		}
		return refuse("Failed updating execution. Action cannot be canceled. State = %s.", now)
	case petrel.StatusPausing, petrel.StatusPaused:
		switch {
		case !workflowRunners[runner]:
			return refuse("Failed updating execution. Unable to pause liveaction \"%s\" because it is not supported by the \"%s\" runner.", x.LiveActionID, runner)
		case now == petrel.StatusPausing || now == petrel.StatusPaused:
			return statusDecision{step: stepKeep, to: now, reason: "it is pausing or paused already"}
		case now != petrel.StatusRunning:
			return refuse("Failed updating execution. Unable to pause liveaction \"%s\" because it is not in a running state.", x.LiveActionID)
		}
		return statusDecision{step: stepSet, to: petrel.StatusPausing, by: "paused_by", reason: "it can be paused"}
	case petrel.StatusResuming:
		switch {
		case !workflowRunners[runner]:
			return refuse("Failed updating execution. Unable to resume liveaction \"%s\" because it is not supported by the \"%s\" runner.", x.LiveActionID, runner)
		case now == petrel.StatusRunning || now == petrel.StatusResuming:
			return statusDecision{step: stepKeep, to: now, reason: "it is running or resuming already"}
		case now != petrel.StatusPaused:
			return refuse("Failed updating execution. Unable to resume liveaction \"%s\" because it is in \"%s\" state and not in \"paused\" state.", x.LiveActionID, now)
		}
		return statusDecision{step: stepSet, to: petrel.StatusResuming, by: "resumed_by", reason: "it can be resumed"}
	case petrel.StatusRequested, petrel.StatusScheduled, petrel.StatusDelayed:
		// Back to a waiting state would start it a second time.
		return refuse("Failed updating execution. It cannot be set from \"%s\" to \"%s\".", now, want)
	case petrel.StatusRunning, petrel.StatusPending:
		// Only who works on a run can say so: set from outside it would have no
		// owner whose death anybody notices, and never end.
		if now != want {
			return refuse("Failed updating execution. It cannot be set from \"%s\" to \"%s\".", now, want)
		}
	}
	switch {
	case now == want && hasResult:
		return refuse("Failed updating execution. It is in \"%s\" state already, a result can only be given together with another state.", now)
	case now == want:
		return statusDecision{step: stepKeep, to: now, reason: "it is so already"}
	case !now.CanBecome(want):
		return refuse("Failed updating execution. It cannot be set from \"%s\" to \"%s\".", now, want)
	}
	return statusDecision{step: stepSet, to: want, reason: "the step is legal"}
}

func pythonList(all []petrel.Status) string {
	text := "["
	for i, s := range all {
		if i > 0 {
			text += ", "
		}
		text += "'" + string(s) + "'"
	}
	return text + "]"
}

// ending is what is to be stored of an attempt that ended.
type ending struct {
	status petrel.Status // empty: nothing may be stored
	keep   bool          // the result that is stored already stays
	reason string
}

// Reasons of an ending.
const (
	endOwn      = "the runner's answer"
	endCanceled = "canceled"
	endShutdown = "the worker went down"
	endLost     = "the ownership was lost"
	endTimeout  = "over the worker's time limit"
	endNonsense = "the runner answered with a status that does not end a run"
)

// errOvertime is the cause with which the worker ends a run whose runner did
// not keep its own timeout.
const errOvertime runners.Cause = "the execution ran over its timeout"

// decideEnding decides how an attempt ended from what the runner answered and
// why its context was canceled, nil when it was not.
func decideEnding(answer petrel.Status, cause error) ending {
	real := answer == petrel.StatusSucceeded || answer == petrel.StatusFailed || answer == petrel.StatusTimeout
	switch {
	case cause == runners.ErrLost:
		return ending{reason: endLost}
	case real:
		// It ended by itself before anybody could end it.
		if cause == errOvertime && answer == petrel.StatusFailed {
			return ending{status: petrel.StatusTimeout, reason: endTimeout}
		}
		return ending{status: answer, reason: endOwn}
	case cause == runners.ErrCanceled:
		return ending{status: petrel.StatusCanceled, keep: true, reason: endCanceled}
	case cause == errOvertime:
		return ending{status: petrel.StatusTimeout, reason: endTimeout}
	case cause != nil:
		return ending{status: petrel.StatusAbandoned, reason: endShutdown}
	case answer == petrel.StatusPending || answer == petrel.StatusPaused:
		return ending{status: answer, reason: endOwn}
	case answer.Final():
		return ending{status: answer, reason: endOwn}
	}
	return ending{status: petrel.StatusFailed, reason: endNonsense}
}

// strayStep is what to do with a run the store says we hold and we know nothing of.
type strayStep string

const (
	strayWait    strayStep = "wait"    // it may be under way; look again
	strayRun     strayStep = "run"     // it was claimed by a call whose answer was lost, and never started
	strayAbandon strayStep = "abandon" // it was started and nobody works on it: the outcome is unknown
	strayCancel  strayStep = "cancel"  // as strayAbandon, and its end was asked for
)

// strayLooks is how often in a row a run must look like a stray: the first
// time its claim's answer or its end may be on the way.
const strayLooks = 2

// decideStray decides about a held run that no slot works on, seen for the n-th time in a row.
func decideStray(status petrel.Status, straight bool, n int) strayStep {
	switch {
	case n < strayLooks:
		return strayWait
	case status == petrel.StatusScheduled, straight && status == petrel.StatusRunning:
		return strayRun
	case status == petrel.StatusCanceling:
		return strayCancel
	case status == petrel.StatusRunning:
		return strayAbandon
	}
	// A run that is pending, pausing or paused has no slot and is nobody's stray.
	return strayWait
}

// sweepGate says when a sweeper may mark others dead. Leases run out for
// everybody while the store is away, so a sweeper that could not reach it
// gives the others a whole lease to renew before it looks. The same holds for
// one that did not look for long by the clock of the leases: the process or the
// machine was stopped, or the clock was set, and nobody had the time to renew.
type sweepGate struct {
	lease time.Duration
	gap   time.Duration // between two looks; more is an absence
	away  bool
	from  time.Time
	seen  time.Time // the database's time at the last look
}

func newSweepGate(lease, gap time.Duration) sweepGate {
	return sweepGate{lease: lease, gap: gap, away: true}
}

// looked notes the database's time at a look.
func (g *sweepGate) looked(at time.Time) {
	if !g.seen.IsZero() && at.Sub(g.seen) > g.gap {
		g.missed()
	}
	g.seen = at
}

// missed notes that the store could not be reached.
func (g *sweepGate) missed() { g.away = true }

// reached notes that the store answered at that time.
func (g *sweepGate) reached(now time.Time) {
	if g.away {
		g.away, g.from = false, now.Add(g.lease)
	}
}

// open says whether somebody may be marked dead at that time.
func (g *sweepGate) open(now time.Time) bool { return !g.away && !now.Before(g.from) }

// backoff is how long to wait before the n-th repetition, from 1: doubling
// from 20 ms to 2 s with full jitter, so that a store that comes back is not
// met by everybody at once.
func backoff(n int) time.Duration {
	ceiling := 20 * time.Millisecond << min(n-1, 7)
	return ceiling/4 + time.Duration(rand.Int64N(int64(ceiling)*3/4+1))
}
