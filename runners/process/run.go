package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// partialWait is how long a line without its end is held back.
const partialWait = 150 * time.Millisecond

// strayGrace is the time a left-over process has between TERM and KILL.
const strayGrace = 300 * time.Millisecond

// killWait bounds the wait for processes after KILL: one in an
// uninterruptible wait must not hold a worker's slot for ever.
const killWait = 10 * time.Second

// Run starts the process and returns when nothing of it lives any more. When
// ctx is canceled or the deadline passes, its processes get TERM and after the
// grace time KILL. The error is a *StartError: nothing was started.
func (h *Host) Run(ctx context.Context, spec Spec) (*Result, error) {
	log := spec.Log
	if log == nil {
		log = h.log
	}
	cmd, err := h.command(&spec)
	if err != nil {
		return nil, err
	}
	mark := h.worker + "/" + strconv.FormatInt(h.count.Add(1), 10)
	// The mark stands first so that it is found early in the environment.
	cmd.Env = append([]string{MarkName + "=" + mark}, spec.Env...)

	p, err := openPipes(cmd, &spec)
	if err != nil {
		return nil, err
	}
	err = cmd.Start()
	p.closeTheirs()
	if err != nil {
		p.closeOurs()
		return nil, startError(err, startPath(cmd, err))
	}
	r := &run{host: h, log: log, pid: cmd.Process.Pid, mark: mark, pipes: p.inodes(), result: &Result{}}
	r.started = startTime(r.pid)
	if h.guard != nil {
		h.guard.Add(r.pid)
		defer h.guard.Remove(r.pid)
	}

	emit := lockedEmit(spec.Emit)
	stdout, stderr := newCapture(h.limits.Output, emit("stdout")), newCapture(h.limits.Output, emit("stderr"))
	read := make(chan struct{}, 3)
	readers := 2
	go func() { drain(p.stdout, stdout, true); read <- struct{}{} }()
	go func() { drain(p.stderr, stderr, true); read <- struct{}{} }()
	go feed(p.stdin, spec.Stdin)
	var answer *capture
	if spec.Exchange {
		answer = newCapture(h.limits.Output, nil)
		readers++
		go feed(p.request, spec.Request)
		go func() { drain(p.answer, answer, false); read <- struct{}{} }()
	}
	exited := make(chan struct{})
	// An exit code other than zero is no error here, and what else Wait could
	// say the process's state says as well.
	go func() { _ = cmd.Wait(); close(exited) }()

	r.watch(ctx, spec.Timeout, exited)
	r.settle(ctx, read, readers, p)
	p.closeOurs()
	stdout.close()
	stderr.close()
	if answer != nil {
		answer.close()
		r.result.Answer = answer.output()
	}
	r.result.Stdout, r.result.Stderr = stdout.output(), stderr.output()
	h.metrics.leftOut.Add(float64(r.result.Stdout.LeftOut + r.result.Stderr.LeftOut))
	select {
	case <-exited:
		r.result.ExitCode = exitCode(cmd.ProcessState)
	default:
		// An uninterruptible process was given up; KILL will end it some day.
		r.result.ExitCode = -int(syscall.SIGKILL)
	}
	return r.result, nil
}

// startPath is the path an error of starting is about.
func startPath(cmd *exec.Cmd, err error) string {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) && pathErr.Op == "chdir" {
		return cmd.Dir
	}
	return cmd.Path
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return -int(status.Signal())
	}
	return state.ExitCode()
}

// run is one process while it lives.
type run struct {
	host    *Host
	log     *slog.Logger
	pid     int
	mark    string
	started uint64 // in the kernel's ticks, to leave older processes alone
	pipes   []string
	result  *Result
}

// watch waits for the process to end and ends it at its deadline or when it is
// canceled.
func (r *run) watch(ctx context.Context, timeout *time.Duration, exited <-chan struct{}) {
	var deadline <-chan time.Time
	if timeout != nil {
		timer := time.NewTimer(max(*timeout, 0))
		defer timer.Stop()
		deadline = timer.C
	}
	select {
	case <-exited:
		return
	case <-deadline:
		r.result.TimedOut = true
		r.host.metrics.timeouts.Inc()
		r.log.Info("an action reached its deadline", "pid", r.pid, "timeout", timeout.String())
	case <-ctx.Done():
		r.result.Cause = context.Cause(ctx)
		r.log.Info("an action is canceled", "pid", r.pid, "cause", r.result.Cause)
	}
	r.end(r.host.limits.Grace)
	select {
	case <-exited:
	case <-time.After(time.Second):
		// end has said so in the log.
	}
}

// settle waits for the pipes to end after the process did, as long as
// something may still come, ends what was left over, and returns when all
// readers did.
func (r *run) settle(ctx context.Context, read <-chan struct{}, readers int, p *pipes) {
	canceled := ctx.Done()
	if r.result.Cause != nil || r.result.TimedOut {
		canceled = nil // its processes are gone already
	}
	wait := func(d time.Duration, canceled <-chan struct{}) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		for readers > 0 {
			select {
			case <-read:
				readers--
			case <-canceled:
				// Too late to cancel what has ended: only the wait is cut short.
				return
			case <-timer.C:
				return
			}
		}
	}
	wait(r.host.limits.DrainWait, canceled)
	if left := r.find(); len(left) > 0 {
		r.result.Strays = len(left)
		r.host.metrics.strays.Add(float64(len(left)))
		r.log.Warn("an action left processes behind", "pid", r.pid, "processes", len(left))
		r.end(strayGrace)
	}
	wait(100*time.Millisecond, nil)
	if readers > 0 {
		p.closeOurs() // reads that still wait return with an error
	}
	for ; readers > 0; readers-- {
		<-read
	}
}

// end sends TERM, waits for the grace time, and sends KILL until nothing is
// left.
func (r *run) end(grace time.Duration) {
	if r.signal(syscall.SIGTERM, grace) {
		return
	}
	if r.signal(syscall.SIGKILL, killWait) {
		return
	}
	left := r.find()
	r.host.metrics.survivors.Add(float64(len(left)))
	r.log.Error("processes of an action could not be killed", "pid", r.pid, "processes", fmt.Sprint(left))
}

// signal sends a signal to all processes and waits until none is left. KILL is
// sent again and again, because a process that forks quickly is always one
// ahead of a single look; TERM is sent once to each.
func (r *run) signal(sig syscall.Signal, wait time.Duration) bool {
	var (
		until = time.Now().Add(wait)
		pause = 2 * time.Millisecond
		told  = map[proc]bool{}
		empty = 0
	)
	for {
		left := r.find()
		if len(left) == 0 {
			// One look can miss a process that forks or becomes another program
			// in that moment, so only two in a row are believed.
			if empty++; empty == 2 {
				return true
			}
			time.Sleep(time.Millisecond)
			continue
		}
		empty = 0
		denied := false
		if sig == syscall.SIGKILL && inGroup(left, r.pid) {
			// One call reaches all members at once, so none can fork meanwhile.
			_ = syscall.Kill(-r.pid, sig)
		}
		for _, one := range left {
			if sig == syscall.SIGTERM && told[one] {
				continue
			}
			told[one] = true
			if err := one.signal(sig); errors.Is(err, syscall.EPERM) {
				denied = true
			}
			if sig == syscall.SIGTERM {
				// A stopped process takes TERM only once it goes on.
				_ = one.signal(syscall.SIGCONT)
			}
		}
		if denied {
			r.signalAsRoot(sig)
		}
		if !time.Now().Before(until) {
			return false
		}
		time.Sleep(min(pause, time.Until(until)))
		pause = min(pause*2, 50*time.Millisecond)
	}
}

// signalAsRoot reaches processes that run under sudo, in StackStorm's way.
func (r *run) signalAsRoot(sig syscall.Signal) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	name := strings.TrimPrefix(signalName(sig), "SIG")
	cmd := exec.CommandContext(ctx, "sudo", "-n", "pkill", "-"+name, "-s", strconv.Itoa(r.pid))
	if err := cmd.Run(); err != nil {
		r.log.Warn("processes under sudo could not be signaled", "pid", r.pid, "signal", name, "error", err)
	}
}

func signalName(sig syscall.Signal) string {
	if sig == syscall.SIGKILL {
		return "SIGKILL"
	}
	return "SIGTERM"
}

// drain reads a pipe to its end. What is beyond the capture's limit is read
// and dropped, so that the writer never waits.
func drain(from *os.File, to *capture, live bool) {
	buf := make([]byte, 64<<10)
	timed := false
	for {
		if live && to.waiting() != timed {
			timed = !timed
			var at time.Time
			if timed {
				at = time.Now().Add(partialWait)
			}
			_ = from.SetReadDeadline(at)
		}
		n, err := from.Read(buf)
		to.write(buf[:n])
		switch {
		case err == nil:
		case timed && errors.Is(err, os.ErrDeadlineExceeded):
			// The line does not end; what is there of it is shown. An unfinished
			// character stays, and its rest is waited for once more.
			to.flush(false)
			timed = false
			if to.waiting() {
				timed = true
				_ = from.SetReadDeadline(time.Now().Add(10 * partialWait))
			} else {
				_ = from.SetReadDeadline(time.Time{})
			}
		default:
			return
		}
	}
}

// feed writes what a process reads and closes the pipe. A process that does
// not read it all gets as far as it likes.
func feed(to *os.File, data []byte) {
	if to == nil {
		return
	}
	_, _ = to.Write(data)
	_ = to.Close()
}
