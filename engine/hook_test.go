//go:build hooks

package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/engine/hook"
)

// At each point the engine is made to fail and to wait; every run still ends
// once. Crashes are tried on a process of its own, in test/kill.
func TestHooks(t *testing.T) {
	for _, point := range hook.Points {
		for _, action := range []string{"fail", "pause:300ms"} {
			t.Run(string(point)+" "+action, func(t *testing.T) {
				over(t, func(t *testing.T, s *setup) {
					file := filepath.Join(t.TempDir(), "fired")
					if err := hook.Arm(string(point)+"="+action, file); err != nil {
						t.Fatal(err)
					}
					defer hook.Arm("", "")
					e := s.start()
					x := s.until(s.run(e, "do", "print").ID)
					deadline := time.Now().Add(patience)
					for hook.Fired(point) == 0 && time.Now().Before(deadline) {
						time.Sleep(time.Millisecond) // A point behind the end may come a moment later.
					}
					if hook.Fired(point) != 1 {
						t.Fatalf("the hook fired %d times, want once", hook.Fired(point))
					}
					want := petrel.StatusSucceeded
					if point == hook.BeforeExecStart && action == "fail" {
						want = petrel.StatusFailed
					}
					if x.Status != want {
						t.Errorf("it ended as %s with %s, want %s", x.Status, x.Result, want)
					}
					ledger := s.runner.entries(x.ID)
					if ledger != "start end" && !(want == petrel.StatusFailed && ledger == "") {
						t.Errorf("the runner's ledger is %q", ledger)
					}
					name, _, _ := strings.Cut(action, ":")
					if raw, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(raw), string(point)+" "+name+" ") {
						t.Errorf("the file of fired hooks is %q (%v)", raw, err)
					}
				})
			})
		}
	}
}

func TestHooks_ABadSpecIsRefused(t *testing.T) {
	for _, spec := range []string{"nowhere=crash", "after-claim", "after-claim=explode", "after-claim=crash@0", "after-claim=pause", "after-claim=crash@x"} {
		if err := hook.Arm(spec, ""); err == nil {
			t.Errorf("%q was taken", spec)
		}
	}
}
