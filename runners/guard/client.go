package guard

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"petrel/runners/process"
)

// Options of Start. The zero value works.
type Options struct {
	// Worker is the mark the worker's processes carry (process.Options.Worker).
	Worker string
	Env    []string     // the guard's environment. Default: this process's
	Log    *slog.Logger // default: slog.Default
}

// Guard is the worker's side. It is safe for concurrent use.
type Guard struct {
	exe  string
	args []string
	o    Options

	mu     sync.Mutex
	groups map[int]uint64
	pipe   io.WriteCloser
	cmd    *exec.Cmd
	closed bool
	done   chan struct{}
}

// Start runs the guard program, which must call Main on its standard input. A
// guard that dies is started again.
func Start(exe string, args []string, o Options) (*Guard, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	g := &Guard{exe: exe, args: args, o: o, groups: map[int]uint64{}, done: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.launch(); err != nil {
		return nil, err
	}
	go g.keep()
	return g, nil
}

// launch starts a guard process and tells it all it must know; g.mu is held.
func (g *Guard) launch() error {
	cmd := exec.Command(g.exe, g.args...)
	cmd.Env = g.o.Env
	// Its own session: what kills the worker's group must not reach it. It
	// keeps no standard output or error of the worker open after the worker.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("starting the guard: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the guard: %w", err)
	}
	g.cmd, g.pipe = cmd, pipe
	if g.o.Worker != "" {
		g.say("%s %s %d\n", lineMark, g.o.Worker, process.Ticks())
	}
	for group, started := range g.groups {
		g.say("%s %d %d\n", lineAdd, group, started)
	}
	return nil
}

// keep starts the guard again when it dies before the worker.
func (g *Guard) keep() {
	defer close(g.done)
	pause := 50 * time.Millisecond
	for {
		g.mu.Lock()
		cmd := g.cmd
		g.mu.Unlock()
		err := cmd.Wait()
		g.mu.Lock()
		if g.closed {
			g.mu.Unlock()
			return
		}
		g.o.Log.Error("the guard process ended and is started again", "error", err)
		for {
			// Nobody waits for the lock long: starting takes a moment, and a
			// worker without a guard should not start much.
			if err = g.launch(); err == nil {
				break
			}
			g.o.Log.Error("the guard process cannot be started", "error", err)
			g.mu.Unlock()
			time.Sleep(pause)
			pause = min(pause*2, 5*time.Second)
			g.mu.Lock()
			if g.closed {
				g.mu.Unlock()
				return
			}
		}
		g.mu.Unlock()
		time.Sleep(pause)
		pause = min(pause*2, 5*time.Second)
	}
}

// say writes a line; g.mu is held. A guard that died cannot be told; keep
// tells its successor everything.
func (g *Guard) say(format string, args ...any) {
	if _, err := fmt.Fprintf(g.pipe, format, args...); err != nil && !errors.Is(err, os.ErrClosed) && !g.closed {
		g.o.Log.Warn("the guard process does not listen", "error", err)
	}
}

// Add says that a process group lives; pid is its leader.
func (g *Guard) Add(pid int) {
	started := process.StartTime(pid)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.groups[pid] = started
	g.say("%s %d %d\n", lineAdd, pid, started)
}

// Remove says that a process group is no more.
func (g *Guard) Remove(pid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.groups, pid)
	g.say("%s %d\n", lineDel, pid)
}

// Worker is the mark the guard looks for.
func (g *Guard) Worker() string { return g.o.Worker }

// Close ends the guard: the worker ends in order and its processes are gone.
// It may be called twice.
func (g *Guard) Close() error {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		g.say("%s\n", lineEnd)
		_ = g.pipe.Close()
	}
	g.mu.Unlock()
	select {
	case <-g.done:
		return nil
	case <-time.After(5 * time.Second):
		return errors.New("the guard process did not end within 5 s")
	}
}
