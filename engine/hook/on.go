//go:build hooks

package hook

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"petrel"
)

// Enabled says whether the hooks are part of this build.
const Enabled = true

// EnvHooks names the hooks to arm, comma separated: POINT=ACTION@N fires when
// the point is reached for the N-th time (1 when it is left out), POINT=ACTION@N+
// from then on each time. ACTION is crash (SIGKILL to this process), fail (the point answers
// with an error) or pause:DURATION.
const EnvHooks = "PETREL_HOOK"

// EnvFile names a file to which each hook that fires appends a line
// "POINT ACTION PID" before it acts.
const EnvFile = "PETREL_HOOK_FILE"

type armed struct {
	action string
	wait   time.Duration
	at     int
	always bool
	seen   int
	fired  int
}

var state struct {
	sync.Mutex
	once  sync.Once
	hooks map[Point]*armed
	file  string
	err   error
}

// Arm replaces what is armed; spec is in the form of EnvHooks.
func Arm(spec, file string) error {
	state.once.Do(func() {})
	return arm(spec, file)
}

// Fired is how often a point fired since it was armed.
func Fired(p Point) int {
	state.Lock()
	defer state.Unlock()
	if h := state.hooks[p]; h != nil {
		return h.fired
	}
	return 0
}

func arm(spec, file string) error {
	hooks := map[Point]*armed{}
	for _, part := range strings.Split(spec, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, rest, found := strings.Cut(part, "=")
		if !found || !known(Point(name)) {
			return fmt.Errorf("%s: %q is not POINT=ACTION@N with a known point", EnvHooks, part)
		}
		h := &armed{at: 1}
		action, count, counted := strings.Cut(rest, "@")
		if counted {
			count, h.always = strings.CutSuffix(count, "+")
			n, err := strconv.Atoi(count)
			if err != nil || n < 1 {
				return fmt.Errorf("%s: %q has no count from 1", EnvHooks, part)
			}
			h.at = n
		}
		action, wait, _ := strings.Cut(action, ":")
		switch action {
		case "crash", "fail":
		case "pause":
			d, err := time.ParseDuration(wait)
			if err != nil {
				return fmt.Errorf("%s: %q has no duration", EnvHooks, part)
			}
			h.wait = d
		default:
			return fmt.Errorf("%s: %q has no known action", EnvHooks, part)
		}
		h.action = action
		hooks[Point(name)] = h
	}
	state.Lock()
	defer state.Unlock()
	state.hooks, state.file = hooks, file
	return nil
}

func known(p Point) bool {
	for _, k := range Points {
		if k == p {
			return true
		}
	}
	return false
}

// Fire does what is armed for the point. A spec in the environment that cannot
// be read ends the process: a test whose hook is not armed proves nothing.
func Fire(p Point) error {
	state.once.Do(func() { state.err = arm(os.Getenv(EnvHooks), os.Getenv(EnvFile)) })
	if state.err != nil {
		fmt.Fprintln(os.Stderr, state.err)
		os.Exit(2)
	}
	state.Lock()
	h := state.hooks[p]
	if h == nil {
		state.Unlock()
		return nil
	}
	h.seen++
	due := h.seen == h.at || h.always && h.seen > h.at
	if due {
		h.fired++
	}
	file := state.file
	state.Unlock()
	if !due {
		return nil
	}
	if file != "" {
		note(file, fmt.Sprintf("%s %s %d\n", p, h.action, os.Getpid()))
	}
	switch h.action {
	case "crash":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "pause":
		time.Sleep(h.wait)
		return nil
	}
	return petrel.Errorf(petrel.Unavailable, "The hook %s was made to fail.", p)
}

func note(file, line string) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	f.WriteString(line)
	f.Close()
}
