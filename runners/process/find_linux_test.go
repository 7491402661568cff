package process

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"petrel/runners"
)

// TestRun_StrayInTheMomentOfExec leaves a process behind that is just becoming
// another program, out of its group and session: in that moment it shows no
// environment to know it by.
func TestRun_StrayInTheMomentOfExec(t *testing.T) {
	h := host(t, runners.Limits{Grace: 300 * time.Millisecond, DrainWait: 300 * time.Millisecond})
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for n := range 40 {
				// The shell ends at another moment of its child's life each time.
				command := fmt.Sprintf("setsid sleep 1000 >/dev/null 2>&1 </dev/null & i=0; while [ $i -lt %d ]; do i=$((i+1)); done", (worker*40+n)*5)
				if _, err := h.Run(t.Context(), sh(command)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	left := 0
	for n := Sweep(nil, h.Worker(), 0); n > 0; n = Sweep(nil, h.Worker(), 0) {
		left = max(left, n)
		time.Sleep(10 * time.Millisecond)
	}
	if left > 0 {
		t.Errorf("%d of 320 processes were left", left)
	}
}
