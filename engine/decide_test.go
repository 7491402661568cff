package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/runners"
)

func TestLaneOf(t *testing.T) {
	for _, c := range []struct {
		name   string
		asked  petrel.Lane
		parent petrel.ID
		want   petrel.Lane
	}{
		{"a person", "", "", petrel.LaneInteractive},
		{"a task", "", "p", petrel.LaneWorkflow},
		{"a rule says so", petrel.LaneBackground, "", petrel.LaneBackground},
		{"a task that says so", petrel.LaneBackground, "p", petrel.LaneBackground},
	} {
		if got := laneOf(c.asked, c.parent); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestPlanTakes(t *testing.T) {
	ids := func(n int) []petrel.ID { return make([]petrel.ID, n) }
	for _, c := range []struct {
		name string
		load load
		ids  []petrel.ID
		pull bool
		want string
	}{
		{"a message on an idle worker", load{slots: 10, reserved: 2}, ids(1), false, "1 ids, 3 lanes, 1: named by a message"},
		{"as many as fit", load{slots: 10, reserved: 2}, ids(8), false, "8 ids, 3 lanes, 8: named by a message"},
		{"more than fit: the oldest first", load{slots: 10, reserved: 2}, ids(9), false, "0 ids, 3 lanes, 8: oldest of all lanes; 0 ids, 1 lanes, 2: reserved for the interactive lane"},
		{"a look on an idle worker", load{slots: 10, reserved: 2}, nil, true, "0 ids, 3 lanes, 8: oldest of all lanes; 0 ids, 1 lanes, 2: reserved for the interactive lane"},
		{"a look with names looks at all", load{slots: 10, reserved: 2}, ids(1), true, "0 ids, 3 lanes, 8: oldest of all lanes; 0 ids, 1 lanes, 2: reserved for the interactive lane"},
		{"a flood fills its part", load{slots: 10, reserved: 2, others: 8}, ids(1), false, "0 ids, 1 lanes, 2: reserved for the interactive lane"},
		{"interactive runs use any slot", load{slots: 10, reserved: 2, interactive: 9}, ids(1), false, "1 ids, 3 lanes, 1: named by a message"},
		{"nothing reserved", load{slots: 10}, nil, true, "0 ids, 3 lanes, 10: oldest of all lanes"},
		{"full", load{slots: 10, reserved: 2, interactive: 2, others: 8}, ids(1), true, ""},
		{"over full, after a stray", load{slots: 10, reserved: 2, interactive: 3, others: 8}, nil, true, ""},
	} {
		var got []string
		for _, take := range planTakes(c.load, c.ids, c.pull) {
			got = append(got, fmt.Sprintf("%d ids, %d lanes, %d: %s", len(take.ids), len(take.lanes), take.limit, take.reason))
		}
		if text := strings.Join(got, "; "); text != c.want {
			t.Errorf("%s: got %q, want %q", c.name, text, c.want)
		}
	}
}

func TestDecideStatus(t *testing.T) {
	const id = "0123456789abcdef01234567"
	for _, c := range []struct {
		runner string
		now    petrel.Status
		want   petrel.Status
		result bool
		step   statusStep
		to     petrel.Status
		reason string // a part of it
	}{
		{"noop", petrel.StatusSucceeded, petrel.StatusRunning, false, stepRefuse, "", "Execution is already in completed state."},
		{"noop", petrel.StatusAbandoned, petrel.StatusCanceled, false, stepRefuse, "", "Execution is already in completed state."},
		{"noop", petrel.StatusRunning, "nonsense", false, stepRefuse, "", "'nonsense' is not one of ['requested', 'scheduled',"},
		{"noop", petrel.StatusRunning, "", false, stepRefuse, "", "'' is not one of"},
		{"noop", petrel.StatusRunning, petrel.StatusCanceling, false, stepCancel, "", "can be canceled"},
		{"noop", petrel.StatusDelayed, petrel.StatusCanceled, false, stepCancel, "", "can be canceled"},
		{"noop", petrel.StatusCanceling, petrel.StatusCanceled, false, stepTell, petrel.StatusCanceling, "already"},
		{"inquirer", petrel.StatusPending, petrel.StatusCanceled, false, stepRefuse, "", "State = pending."},
		{"noop", petrel.StatusRunning, petrel.StatusPausing, false, stepRefuse, "",
			`Failed updating execution. Unable to pause liveaction "` + id + `" because it is not supported by the "noop" runner.`},
		{"orquesta", petrel.StatusRequested, petrel.StatusPaused, false, stepRefuse, "", "because it is not in a running state."},
		{"orquesta", petrel.StatusRunning, petrel.StatusPaused, false, stepSet, petrel.StatusPausing, "it can be paused"},
		{"action-chain", petrel.StatusPausing, petrel.StatusPausing, false, stepKeep, petrel.StatusPausing, "already"},
		{"orquesta", petrel.StatusPaused, petrel.StatusResuming, false, stepSet, petrel.StatusResuming, "it can be resumed"},
		{"orquesta", petrel.StatusRunning, petrel.StatusResuming, false, stepKeep, petrel.StatusRunning, "already"},
		{"orquesta", petrel.StatusPausing, petrel.StatusResuming, false, stepRefuse, "", `because it is in "pausing" state and not in "paused" state.`},
		{"local-shell-cmd", petrel.StatusPaused, petrel.StatusResuming, false, stepRefuse, "", "Unable to resume"},
		{"local-shell-cmd", petrel.StatusRunning, petrel.StatusSucceeded, true, stepSet, petrel.StatusSucceeded, "legal"},
		{"local-shell-cmd", petrel.StatusRunning, petrel.StatusFailed, false, stepSet, petrel.StatusFailed, "legal"},
		{"local-shell-cmd", petrel.StatusRunning, petrel.StatusRunning, false, stepKeep, petrel.StatusRunning, "already"},
		{"local-shell-cmd", petrel.StatusRunning, petrel.StatusRunning, true, stepRefuse, "", "already, a result"},
		{"local-shell-cmd", petrel.StatusRunning, petrel.StatusRequested, false, stepRefuse, "", `from "running" to "requested"`},
		{"local-shell-cmd", petrel.StatusRequested, petrel.StatusScheduled, false, stepRefuse, "", `from "requested" to "scheduled"`},
		{"local-shell-cmd", petrel.StatusRequested, petrel.StatusRunning, false, stepRefuse, "", `from "requested" to "running"`},
		{"local-shell-cmd", petrel.StatusDelayed, petrel.StatusRunning, false, stepRefuse, "", `from "delayed" to "running"`},
		{"local-shell-cmd", petrel.StatusScheduled, petrel.StatusRunning, false, stepRefuse, "", `from "scheduled" to "running"`},
		{"orquesta", petrel.StatusPaused, petrel.StatusRunning, false, stepRefuse, "", `from "paused" to "running"`},
		{"local-shell-cmd", petrel.StatusRunning, petrel.StatusPending, false, stepRefuse, "", `from "running" to "pending"`},
		{"local-shell-cmd", petrel.StatusRequested, petrel.StatusSucceeded, false, stepRefuse, "", `from "requested" to "succeeded"`},
		{"local-shell-cmd", petrel.StatusRequested, petrel.StatusFailed, true, stepSet, petrel.StatusFailed, "legal"},
	} {
		x := petrel.Execution{LiveActionID: id, Status: c.now, Runner: petrel.RunnerType{Name: c.runner}}
		d := decideStatus(x, c.want, c.result)
		if d.step != c.step || d.to != c.to || !strings.Contains(d.reason, c.reason) {
			t.Errorf("%s, %s → %s: got %s %q %q; want %s %q …%q…", c.runner, c.now, c.want, d.step, d.to, d.reason, c.step, c.to, c.reason)
		}
		if d.step == stepSet && !c.now.CanBecome(d.to) {
			t.Errorf("%s, %s → %s: the step to %s is not legal", c.runner, c.now, c.want, d.to)
		}
	}
}

func TestDecideEnding(t *testing.T) {
	for _, c := range []struct {
		answer petrel.Status
		cause  error
		status petrel.Status
		reason string
	}{
		{petrel.StatusSucceeded, nil, petrel.StatusSucceeded, endOwn},
		{petrel.StatusFailed, nil, petrel.StatusFailed, endOwn},
		{petrel.StatusTimeout, nil, petrel.StatusTimeout, endOwn},
		{petrel.StatusAbandoned, nil, petrel.StatusAbandoned, endOwn},
		{petrel.StatusCanceled, nil, petrel.StatusCanceled, endOwn},
		{petrel.StatusPending, nil, petrel.StatusPending, endOwn},
		{petrel.StatusPaused, nil, petrel.StatusPaused, endOwn},
		{petrel.StatusRunning, nil, petrel.StatusFailed, endNonsense},
		{"", nil, petrel.StatusFailed, endNonsense},
		{petrel.StatusCanceled, runners.ErrCanceled, petrel.StatusCanceled, endCanceled},
		{petrel.StatusAbandoned, runners.ErrCanceled, petrel.StatusCanceled, endCanceled},
		{petrel.StatusSucceeded, runners.ErrCanceled, petrel.StatusSucceeded, endOwn},
		{petrel.StatusFailed, runners.ErrCanceled, petrel.StatusFailed, endOwn},
		{petrel.StatusAbandoned, runners.ErrShutdown, petrel.StatusAbandoned, endShutdown},
		{petrel.StatusCanceled, runners.ErrShutdown, petrel.StatusAbandoned, endShutdown},
		{petrel.StatusPending, runners.ErrShutdown, petrel.StatusAbandoned, endShutdown},
		{petrel.StatusSucceeded, runners.ErrShutdown, petrel.StatusSucceeded, endOwn},
		{petrel.StatusAbandoned, runners.ErrLost, "", endLost},
		{petrel.StatusSucceeded, runners.ErrLost, "", endLost},
		{petrel.StatusCanceled, errOvertime, petrel.StatusTimeout, endTimeout},
		{petrel.StatusFailed, errOvertime, petrel.StatusTimeout, endTimeout},
		{petrel.StatusSucceeded, errOvertime, petrel.StatusSucceeded, endOwn},
	} {
		got := decideEnding(c.answer, c.cause)
		if got.status != c.status || got.reason != c.reason {
			t.Errorf("answer %q, cause %v: got %q (%s), want %q (%s)", c.answer, c.cause, got.status, got.reason, c.status, c.reason)
		}
	}
}

func TestDecideStray(t *testing.T) {
	for _, c := range []struct {
		status   petrel.Status
		straight bool
		looks    int
		want     strayStep
	}{
		{petrel.StatusScheduled, false, 1, strayWait},
		{petrel.StatusScheduled, false, 2, strayRun},
		{petrel.StatusRunning, true, 2, strayRun},
		{petrel.StatusRunning, false, 1, strayWait},
		{petrel.StatusRunning, false, 2, strayAbandon},
		{petrel.StatusCanceling, false, 2, strayCancel},
		{petrel.StatusPending, true, 9, strayWait},
		{petrel.StatusPaused, false, 9, strayWait},
	} {
		if got := decideStray(c.status, c.straight, c.looks); got != c.want {
			t.Errorf("%s, straight %v, seen %d times: got %s, want %s", c.status, c.straight, c.looks, got, c.want)
		}
	}
}

func TestSweepGate(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	g := newSweepGate(15*time.Second, 10*time.Second)
	if g.open(at(0)) {
		t.Error("it is open before the store was reached")
	}
	g.reached(at(0))
	if g.open(at(14)) || !g.open(at(15)) {
		t.Error("a new sweeper must wait exactly one lease")
	}
	g.reached(at(20))
	if !g.open(at(20)) {
		t.Error("a sweeper that reached the store all the time must not wait again")
	}
	g.missed()
	if g.open(at(100)) {
		t.Error("it is open while the store is away")
	}
	g.reached(at(100))
	if g.open(at(114)) || !g.open(at(115)) {
		t.Error("after an absence it must wait exactly one lease")
	}
	// By the clock of the leases it looked every ten seconds, then not for an hour.
	g.looked(at(1000))
	g.looked(at(1010))
	if !g.open(at(116)) {
		t.Error("looks that are not late must not close it")
	}
	g.looked(at(4610))
	if g.open(at(117)) {
		t.Error("after an hour without a look it is open")
	}
	g.reached(at(117))
	g.looked(at(4615))
	if g.open(at(131)) || !g.open(at(132)) {
		t.Error("after a late look it must wait exactly one lease")
	}
	g.looked(at(1015)) // the clock was set back
	if !g.open(at(133)) {
		t.Error("a clock that was set back must not close it")
	}
}

func TestBackoff(t *testing.T) {
	for n := 1; n < 40; n++ {
		if d := backoff(n); d < 5*time.Millisecond || d > 2560*time.Millisecond {
			t.Errorf("repetition %d waits %v", n, d)
		}
	}
}
