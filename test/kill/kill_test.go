package kill_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/engine/hook"
)

// windows are what the kills of a loop are aimed at, in turns. Between some
// steps there is so little time that a random kill hits it once in hundreds; there
// the hook of that step waits a little each time it is passed, which makes the
// window wider, and the kill comes at a random moment as ever. Every other kill
// finds the program as it is, some of these before it is up.
var windows = []struct {
	hook  hook.Point
	early bool
}{
	{},
	{hook: hook.AfterClaim},
	{hook: hook.BeforeResultWrite},
	{hook: hook.AfterFinishBeforePost},
	{early: true},
	{hook: hook.BeforeExecStart},
	{hook: hook.BeforeResultWrite},
	{hook: hook.AfterFinishBeforePost},
}

// fewest is how many kills of a loop must find runs in each phase.
const fewest = 3

func kills(t *testing.T) int {
	switch text := os.Getenv("PETREL_SOAK"); text {
	case "":
		return 20
	case "1":
		return 200
	default:
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("PETREL_SOAK=%s is not a number of kills", text)
		}
		return n
	}
}

// TestKill_AtRandom kills the program at random moments under load.
func TestKill_AtRandom(t *testing.T) {
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			seed := seedOf(t)
			h := newHouse(t, database, "hooks", seed)
			h.env = []string{"PETREL_ACTIONS_SLOTS=8"}
			h.start("")
			h.up()
			l, s, p := startLoad(h, true), startScreen(h), newPast()
			early, slowest, recovered := 0, time.Duration(0), time.Duration(0)
			var last sight
			for n := range kills(t) {
				// The first process has been up with an idle house; it is killed with
				// work in hand like the others.
				window := windows[n%len(windows)]
				if n > 0 {
					arm := ""
					if window.hook != "" {
						arm = fmt.Sprintf("%s=pause:%dms@1+", window.hook, 40+h.random.IntN(100))
					}
					h.start(arm)
				}
				alive := true
				if window.early {
					early++
					alive = h.lives(time.Duration(h.random.IntN(600)) * time.Millisecond)
				} else {
					if n > 0 {
						slowest = max(slowest, h.up())
						recovered = max(recovered, h.takenOver(last))
					}
					alive = h.lives(time.Duration(50+h.random.IntN(700)) * time.Millisecond)
				}
				if !alive {
					t.Fatalf("the program ended by itself: %v", h.cmd.ProcessState)
				}
				h.kill()
				last = h.look()
				p.add(h, last)
				if t.Failed() {
					t.Fatalf("broken at kill %d", n+1)
				}
			}
			h.start("")
			slowest = max(slowest, h.up())
			recovered = max(recovered, h.takenOver(last))
			l.stop()
			report := h.check(l, s, p)
			executions, lines := l.size()
			fmt.Printf("kill loop on %s: seed %d; %d kills (%d while it started) found runs %s; %d executions and %d lines accepted, %d answers lost (%d for good); of %d runs %d succeeded, %d abandoned, %d ran after their first worker had died; ready within %d ms, recovered within %d ms\n",
				database, seed, p.kills, early, p.where(), executions, lines, l.lost, len(l.maybe), report.Executions, report.Statuses[petrel.StatusSucceeded],
				report.Statuses[petrel.StatusAbandoned], report.Requeued, slowest.Milliseconds(), recovered.Milliseconds())
			for _, phase := range phases {
				if p.fell[phase] < fewest {
					t.Errorf("only %d kills found runs %s, want at least %d", p.fell[phase], phase, fewest)
				}
			}
		})
	}
}

// lives lets the program live for a while, the random moment of a kill; false
// says that it ended by itself.
func (h *house) lives(d time.Duration) bool {
	select {
	case <-h.gone:
		return false
	case <-time.After(d):
		return true
	}
}

// where says how many kills found runs in each phase, and how many runs.
func (p *past) where() string {
	var text []string
	for _, phase := range phases {
		text = append(text, fmt.Sprintf("%s %d (%d)", phase, p.fell[phase], len(p.told[phase])))
	}
	return strings.Join(text, ", ")
}

// TestKill_AtHooks makes the program kill itself at each named point, under
// load, and checks that it did.
func TestKill_AtHooks(t *testing.T) {
	for _, database := range databases {
		for _, point := range hook.Points {
			t.Run(database+"/"+string(point), func(t *testing.T) {
				seed := seedOf(t)
				h := newHouse(t, database, "hooks", seed)
				h.env = []string{"PETREL_ACTIONS_SLOTS=8"}
				h.start(fmt.Sprintf("%s=crash@%d", point, 20+h.random.IntN(20)))
				h.up()
				// Every run leaves its traces, so that it is known where the crash left it.
				l, s, p := startLoad(h, false), startScreen(h), newPast()
				h.died()
				if raw, err := os.ReadFile(h.fired); err != nil || !strings.HasPrefix(string(raw), string(point)+" crash ") || strings.Count(string(raw), "\n") != 1 {
					t.Fatalf("the hook did not say that it fired once: %q (%v)", raw, err)
				}
				last := h.look()
				p.add(h, last)
				h.start("")
				ready := h.up()
				recovered := h.takenOver(last)
				l.stop()
				report := h.check(l, s, p)
				executions, lines := l.size()
				fmt.Printf("kill at %s on %s: seed %d; found runs %s; %d executions and %d lines accepted; %d succeeded, %d abandoned; ready within %d ms, recovered within %d ms\n",
					point, database, seed, p.where(), executions, lines, report.Statuses[petrel.StatusSucceeded],
					report.Statuses[petrel.StatusAbandoned], ready.Milliseconds(), recovered.Milliseconds())
				found := len(phaseOf[point]) == 0
				for _, phase := range phaseOf[point] {
					found = found || p.fell[phase] > 0
				}
				if !found {
					t.Errorf("no run was found %v", phaseOf[point])
				}
			})
		}
	}
}

// phaseOf is where a crash at a point leaves at least one run, in one of these
// phases. A run that is stored and that nobody was told of may be taken by a worker
// that looks by itself; what became of one that ended without a chat line leaves no trace.
var phaseOf = map[hook.Point][]string{
	hook.AfterClaim:        {claimed},
	hook.BeforeExecStart:   {claimed},
	hook.AfterExecStart:    {started, endedNotStored},
	hook.BeforeResultWrite: {endedNotStored},
}
