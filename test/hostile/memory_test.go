package hostile_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

// resident is the resident memory of a process in bytes: now, and the most there
// was since the last call of forget.
func resident(t testing.TB, pid int) (now, most int64) {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kb int64
		if rest, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			_, _ = fmt.Sscan(rest, &kb)
			now = kb << 10
		}
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			_, _ = fmt.Sscan(rest, &kb)
			most = kb << 10
		}
	}
	return now, most
}

// forget makes the most memory there was the memory there is.
func forget(t testing.TB, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// within fails when a step makes this process larger than a bound.
func within(t testing.TB, what string, bound int64, step func()) {
	t.Helper()
	pid := os.Getpid()
	forget(t, pid)
	before, _ := resident(t, pid)
	step()
	if _, most := resident(t, pid); most-before > bound {
		t.Errorf("%s made the process %d MiB larger, at most %d MiB", what, (most-before)>>20, bound>>20)
	}
}
