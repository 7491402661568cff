// Package process runs one child process of a job to its end: in a session of
// its own, with its output streamed and bounded, a deadline, and nothing of it
// left alive afterwards, not even what left its process group.
package process

import (
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"petrel"
	"petrel/expr/value"
	"petrel/runners"
)

// MarkName is the environment variable by which processes of a job are found
// after they left its process group.
const MarkName = "PETREL_RUN"

// Guard is told which process groups live, so that they can be killed when
// this process is no more.
type Guard interface {
	Add(pid int)
	Remove(pid int)
}

// Options of a Host. The zero value works.
type Options struct {
	Limits runners.Limits
	// Worker marks every process started here; whoever cleans up after this
	// process looks for it. Default: drawn at random.
	Worker string
	Guard  Guard // nil for none
	// SystemUser is who actions run as. Default: stanley where that user
	// exists, else the process's own user.
	SystemUser string
	// LoaderEnv permits parameters to set variables such as LD_PRELOAD that
	// change which code a program runs.
	LoaderEnv bool
	Log       *slog.Logger          // default: slog.Default
	Metrics   prometheus.Registerer // nil for none
}

// Host starts processes. It is safe for concurrent use.
type Host struct {
	limits      runners.Limits
	worker      string
	guard       Guard
	user        string
	processUser string
	loaderEnv   bool
	log         *slog.Logger
	metrics     *metrics
	count       atomic.Int64
}

// New makes a host.
func New(o Options) *Host {
	h := &Host{limits: o.Limits, worker: o.Worker, guard: o.Guard, user: o.SystemUser, loaderEnv: o.LoaderEnv, log: o.Log}
	if h.limits.Output <= 0 {
		h.limits.Output = 10 << 20
	}
	h.limits.Output = max(h.limits.Output, 64)
	if h.limits.Grace <= 0 {
		h.limits.Grace = 5 * time.Second
	}
	if h.limits.DrainWait <= 0 {
		h.limits.DrainWait = 2 * time.Second
	}
	if h.worker == "" {
		h.worker = string(petrel.NewID(time.Now()))
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	h.metrics = newMetrics(o.Metrics)
	h.processUser = processUser()
	if h.user == "" {
		h.user = h.processUser
		if userExists("stanley") {
			h.user = "stanley"
		}
	}
	return h
}

// Limits are the limits with their defaults filled in.
func (h *Host) Limits() runners.Limits { return h.limits }

// Worker is the mark that all processes of this host carry.
func (h *Host) Worker() string { return h.worker }

// SystemUser is who actions run as.
func (h *Host) SystemUser() string { return h.user }

// ProcessUser is who this process runs as.
func (h *Host) ProcessUser() string { return h.processUser }

// Spec says what to run.
type Spec struct {
	Argv  []string
	Dir   string
	Env   []string
	Stdin []byte // default: nothing, the null device
	// Exchange gives the process two more pipes: Request to read on descriptor
	// 3, and descriptor 4 to write its answer to.
	Exchange bool
	Request  []byte
	// Timeout ends the process; nil for none. Zero or less ends it at once.
	Timeout *time.Duration
	// Emit takes the output as it comes; it is called by one goroutine at a time.
	Emit func(stream, data string)
	Log  *slog.Logger // default: the host's
}

// Output is what is kept of a stream.
type Output struct {
	Text    string // valid UTF-8
	Total   int64  // bytes that came
	LeftOut int64  // bytes of them that Text lacks; a mark stands in their place
	Err     *DecodeError
}

// Result is how a process ended.
type Result struct {
	ExitCode int // negative: the signal that ended it
	TimedOut bool
	Cause    error // why it was canceled; nil when it was not
	Stdout   Output
	Stderr   Output
	Answer   Output
	Strays   int // processes that were left over and were killed
}

// Truncation tells of the streams that went over the limit, as keys for the
// execution's context; nil when none did.
func (r *Result) Truncation() *value.Dict {
	cut := value.NewDict()
	for _, s := range []struct {
		name string
		out  Output
	}{{"stdout", r.Stdout}, {"stderr", r.Stderr}} {
		if s.out.LeftOut > 0 {
			cut.SetStr(s.name, value.DictOf("bytes", s.out.Total, "left_out", s.out.LeftOut))
		}
	}
	if cut.Len() == 0 {
		return nil
	}
	return value.DictOf("truncated_output", cut)
}

// StartError is the error of a process that could not be started.
type StartError struct {
	Message string
	Class   string // the class Python would raise
	Err     error
}

// Error is the text that is shown.
func (e *StartError) Error() string { return e.Message }

// Unwrap gives the system's error.
func (e *StartError) Unwrap() error { return e.Err }

// PythonClass is the class of the exception.
func (e *StartError) PythonClass() string { return e.Class }

// maxArgument is the longest single argument Linux takes, its final NUL
// included (MAX_ARG_STRLEN).
const maxArgument = 128 << 10

func (h *Host) command(spec *Spec) (*exec.Cmd, error) {
	for i, a := range spec.Argv {
		if len(a) >= maxArgument {
			return nil, &StartError{Class: "OSError", Message: "[Errno 7] Argument list too long: argument " + strconv.Itoa(i) +
				" has " + strconv.Itoa(len(a)) + " bytes, the limit is " + strconv.Itoa(maxArgument-1)}
		}
		if strings.IndexByte(a, 0) >= 0 {
			return nil, &StartError{Class: "ValueError", Message: "embedded null byte"}
		}
	}
	for _, e := range spec.Env {
		if len(e) >= maxArgument {
			name, _, _ := strings.Cut(e, "=")
			return nil, &StartError{Class: "OSError", Message: "[Errno 7] Argument list too long: environment variable " + name +
				" has " + strconv.Itoa(len(e)) + " bytes, the limit is " + strconv.Itoa(maxArgument-1)}
		}
	}
	if spec.Dir != "" {
		info, err := os.Stat(spec.Dir)
		switch {
		case err == nil && !info.IsDir():
			return nil, &StartError{Class: "NotADirectoryError", Message: "[Errno 20] Not a directory: " + quoted(spec.Dir), Err: err}
		case err != nil:
			return nil, startError(err, spec.Dir)
		}
	}
	cmd := &exec.Cmd{Path: spec.Argv[0], Args: spec.Argv, Dir: spec.Dir}
	if !strings.Contains(cmd.Path, "/") {
		found, err := exec.LookPath(cmd.Path)
		if err != nil {
			return nil, &StartError{Class: "FileNotFoundError", Message: "[Errno 2] No such file or directory: " + quoted(cmd.Path), Err: err}
		}
		cmd.Path = found
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, nil
}

// lockedEmit makes the two readers take turns.
func lockedEmit(emit func(stream, data string)) func(stream string) func(string) {
	if emit == nil {
		return func(string) func(string) { return nil }
	}
	var turn sync.Mutex
	return func(stream string) func(string) {
		return func(data string) {
			turn.Lock()
			defer turn.Unlock()
			emit(stream, data)
		}
	}
}
