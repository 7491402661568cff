package process

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"petrel/runners"
)

func host(t *testing.T, limits runners.Limits) *Host {
	t.Helper()
	return New(Options{Limits: limits, Log: slog.New(slog.DiscardHandler)})
}

var quick = runners.Limits{Grace: 300 * time.Millisecond, DrainWait: 300 * time.Millisecond}

func sh(command string) Spec {
	return Spec{Argv: []string{"/bin/sh", "-c", command}, Env: os.Environ()}
}

func mustRun(t *testing.T, ctx context.Context, h *Host, spec Spec) *Result {
	t.Helper()
	r, err := h.Run(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	noneLeft(t, h)
	return r
}

// noneLeft looks for processes that carry the host's mark.
func noneLeft(t *testing.T, h *Host) {
	t.Helper()
	if n := Sweep(nil, h.Worker(), 0); n > 0 {
		t.Errorf("%d processes were left", n)
	}
}

func timeout(d time.Duration) *time.Duration { return &d }

func TestRun_OutputAndExitCode(t *testing.T) {
	r := mustRun(t, t.Context(), host(t, quick), sh("echo out; echo err >&2; exit 7"))
	if r.Stdout.Text != "out\n" || r.Stderr.Text != "err\n" || r.ExitCode != 7 || r.TimedOut || r.Cause != nil {
		t.Errorf("%+v", r)
	}
	r = mustRun(t, t.Context(), host(t, quick), sh("kill -9 $$"))
	if r.ExitCode != -9 || r.TimedOut {
		t.Errorf("%+v", r)
	}
	spec := sh("cat")
	spec.Stdin = []byte("fed")
	if r = mustRun(t, t.Context(), host(t, quick), spec); r.Stdout.Text != "fed" {
		t.Errorf("%+v", r)
	}
}

func TestRun_StartErrors(t *testing.T) {
	cases := []struct {
		spec Spec
		want string
	}{
		{Spec{Argv: []string{"/no/such/program"}}, "[Errno 2] No such file or directory: '/no/such/program'"},
		{Spec{Argv: []string{"no-such-program-x"}}, "[Errno 2] No such file or directory: 'no-such-program-x'"},
		{Spec{Argv: []string{"/bin/true"}, Dir: "/no/such/dir"}, "[Errno 2] No such file or directory: '/no/such/dir'"},
		{Spec{Argv: []string{"/bin/true"}, Dir: "/etc/passwd"}, "[Errno 20] Not a directory: '/etc/passwd'"},
		{Spec{Argv: []string{"/etc/passwd"}}, "[Errno 13] Permission denied: '/etc/passwd'"},
		{Spec{Argv: []string{"/bin/true", strings.Repeat("x", 200000)}}, "[Errno 7] Argument list too long: argument 1 has 200000 bytes, the limit is 131071"},
		{Spec{Argv: []string{"/bin/true", "a\x00b"}}, "embedded null byte"},
	}
	for _, c := range cases {
		_, err := host(t, quick).Run(t.Context(), c.spec)
		if err == nil || err.Error() != c.want {
			t.Errorf("%.40q: %v, want %s", c.spec.Argv, err, c.want)
		}
	}
}

func TestRun_DeadlineKillsTheTree(t *testing.T) {
	for name, command := range map[string]string{
		"plain":         "echo before; sleep 1000",
		"children":      "echo before; sleep 1000 & sleep 1000 & wait",
		"ignores TERM":  "trap '' TERM; echo before; while :; do sleep 1; done",
		"stopped child": "sleep 1000 & kill -STOP $!; echo before; wait",
		"own session":   "echo before; setsid sleep 1000 >/dev/null 2>&1 & sleep 1000",
	} {
		t.Run(name, func(t *testing.T) {
			spec := sh(command)
			spec.Timeout = timeout(400 * time.Millisecond)
			began := time.Now()
			r := mustRun(t, t.Context(), host(t, quick), spec)
			if !r.TimedOut || r.Stdout.Text != "before\n" {
				t.Errorf("%+v", r)
			}
			if d := time.Since(began); d > 3*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

func TestRun_CancelKillsTheTree(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	spec := sh("echo started; setsid sleep 1000 & sleep 1000")
	spec.Emit = func(stream, data string) { cancel(runners.ErrCanceled) }
	r := mustRun(t, ctx, host(t, quick), spec)
	if r.Cause != runners.ErrCanceled || r.ExitCode != -15 {
		t.Errorf("%+v", r)
	}
}

func TestRun_StraysAreGone(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes that left their group are found on Linux only")
	}
	for name, command := range map[string]string{
		"in the group":            "sleep 1000 & exit 0",
		"own session":             "setsid sleep 1000 >/dev/null 2>&1 < /dev/null &",
		"own session, holds pipe": "setsid sleep 1000 & exit 0",
		"empty environment":       "env -i /usr/bin/setsid /bin/sleep 1000 & exit 0",
		"twice forked":            "(setsid sh -c 'sleep 1000 >/dev/null 2>&1 &' &) ; exit 0",
		"group of its own":        "set -m; sleep 1000 >/dev/null 2>&1 & exit 0",
		"a hundred":               "i=0; while [ $i -lt 100 ]; do setsid sleep 1000 >/dev/null 2>&1 & i=$((i+1)); done",
		"one that forks on":       "setsid sh -c 'trap \"\" TERM; while :; do setsid sleep 1000 & sleep 0.002; done' >/dev/null 2>&1 & sleep 0.1",
	} {
		t.Run(name, func(t *testing.T) {
			h := host(t, quick)
			began := time.Now()
			r := mustRun(t, t.Context(), h, sh("echo done; "+command))
			if r.ExitCode != 0 || r.Stdout.Text != "done\n" || r.Strays == 0 {
				t.Errorf("%+v", r)
			}
			if d := time.Since(began); d > 3*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

func TestRun_LateOutputOfAChildIsKept(t *testing.T) {
	h := host(t, runners.Limits{DrainWait: 5 * time.Second})
	r := mustRun(t, t.Context(), h, sh("(sleep 0.3; echo late) & echo early"))
	// The child closes its pipe a moment before it is gone, so whether it counts
	// as left behind depends on the system; what it wrote is kept in any case.
	if r.Stdout.Text != "early\nlate\n" {
		t.Errorf("%+v", r)
	}
}

func TestRun_NotUTF8(t *testing.T) {
	var live strings.Builder
	spec := sh(`printf 'x\na\377b\n\000\033[1m'`)
	spec.Emit = func(_, data string) { live.WriteString(data) }
	r := mustRun(t, t.Context(), host(t, quick), spec)
	if r.Stdout.Err == nil || r.Stdout.Err.Error() != "'utf-8' codec can't decode byte 0xff in position 1: invalid start byte" {
		t.Errorf("%+v", r.Stdout)
	}
	if want := "x\na\uFFFDb\n\x00\x1b[1m"; live.String() != want || r.Stdout.Text != want {
		t.Errorf("live %q, kept %q", live.String(), r.Stdout.Text)
	}
}

func TestRun_UnfinishedLineIsShown(t *testing.T) {
	shown := make(chan string, 1)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, runners.ErrCanceled)
	defer cancel()
	spec := sh("printf 'Password: '; sleep 1000")
	spec.Emit = func(_, data string) { shown <- data; cancel() }
	mustRun(t, ctx, host(t, quick), spec)
	if got := <-shown; got != "Password: " {
		t.Errorf("%q was shown", got)
	}
}

// residentPeak is the most memory this process has held, in bytes.
func residentPeak(t *testing.T) int64 {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("memory is read from /proc")
	}
	_, rest, _ := strings.Cut(string(raw), "VmHWM:")
	n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return n << 10
}

func TestRun_FloodKeepsMemoryFlat(t *testing.T) {
	const limit = 4 << 20
	h := host(t, runners.Limits{Output: limit, Grace: time.Second})
	size := int64(1 << 30)
	if testing.Short() || raceDetector {
		size = 64 << 20
	}
	runtime.GC()
	before := residentPeak(t)
	began := time.Now()
	r := mustRun(t, t.Context(), h, sh("echo first; head -c "+strconv.FormatInt(size, 10)+" /dev/zero; echo; echo last"))
	rose := residentPeak(t) - before
	t.Logf("%d MB in %v, resident memory rose by %.1f MB at a limit of %d MB", size>>20, time.Since(began).Round(time.Millisecond),
		float64(rose)/(1<<20), limit>>20)
	if r.Stdout.Total != size+12 || !strings.HasPrefix(r.Stdout.Text, "first\n") || !strings.HasSuffix(r.Stdout.Text, "\nlast\n") ||
		!strings.Contains(r.Stdout.Text, mark(r.Stdout.LeftOut)) {
		t.Errorf("total %d, left out %d", r.Stdout.Total, r.Stdout.LeftOut)
	}
	if rose > 3*limit && !raceDetector {
		t.Errorf("resident memory rose by %d bytes", rose)
	}
}

func TestRun_ManyAtOnceLeaveEachOtherAlone(t *testing.T) {
	h := host(t, quick)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 12 {
				want := strconv.Itoa(worker*100 + i)
				r, err := h.Run(context.Background(), sh("echo "+want+"; sleep 0.02"))
				if err != nil || r.ExitCode != 0 || r.Stdout.Text != want+"\n" || r.Strays != 0 {
					t.Errorf("%s: %+v %v", want, r, err)
				}
			}
		})
	}
	all.Wait()
	noneLeft(t, h)
}

func TestRun_Exchange(t *testing.T) {
	spec := sh("read line <&3; echo \"got $line\"; echo answer >&4")
	spec.Exchange, spec.Request = true, []byte("question\n")
	r := mustRun(t, t.Context(), host(t, quick), spec)
	if r.Stdout.Text != "got question\n" || r.Answer.Text != "answer\n" {
		t.Errorf("%+v", r)
	}
	// A request that nobody reads does not hold the run up.
	spec = sh("exit 3")
	spec.Exchange, spec.Request = true, make([]byte, 1<<20)
	if r = mustRun(t, t.Context(), host(t, quick), spec); r.ExitCode != 3 {
		t.Errorf("%+v", r)
	}
}

func TestRun_NoGoroutinesOrHandlesLeft(t *testing.T) {
	h := host(t, quick)
	fds := func() int {
		names, _ := os.ReadDir("/proc/self/fd")
		return len(names)
	}
	mustRun(t, t.Context(), h, sh("true"))
	goroutines, handles := runtime.NumGoroutine(), fds()
	for range 20 {
		mustRun(t, t.Context(), h, sh("setsid sleep 1000 >/dev/null 2>&1 & echo x"))
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(end); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	if n := fds(); n > handles {
		t.Errorf("%d open files, %d before", n, handles)
	}
}

func BenchmarkRun(b *testing.B) {
	h := New(Options{Log: slog.New(slog.DiscardHandler)})
	for b.Loop() {
		if _, err := h.Run(context.Background(), sh("exit 0")); err != nil {
			b.Fatal(err)
		}
	}
}
