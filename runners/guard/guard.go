// Package guard is a small process beside each worker that kills the worker's
// process groups when the worker is gone, however it went. The worker tells it
// over a pipe which groups live; the end of the pipe is the end of the worker.
package guard

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"petrel/runners/process"
)

// The lines a worker writes. "end" says that it ended in order, after it saw
// to its processes itself.
const (
	lineMark = "mark"
	lineAdd  = "add"
	lineDel  = "del"
	lineEnd  = "end"
)

// sweepFor is how long a guard goes on looking for processes that fork faster
// than they are killed.
const sweepFor = 10 * time.Second

// Main is the guard process: it reads what the worker says until the pipe
// ends, kills what is left, and gives the exit code. It survives the signals
// that end a worker.
func Main(pipe io.Reader) int {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	var (
		groups = map[int]uint64{} // group → start time of its leader
		mark   string
		since  = process.Ticks()
		lines  = bufio.NewScanner(pipe)
	)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		f := strings.Fields(rest)
		switch {
		case word == lineEnd:
			return 0
		case word == lineMark && len(f) == 2:
			mark = f[0]
			since, _ = strconv.ParseUint(f[1], 10, 64)
		case word == lineAdd && len(f) == 2:
			if group, err := strconv.Atoi(f[0]); err == nil && group > 1 {
				groups[group], _ = strconv.ParseUint(f[1], 10, 64)
			}
		case word == lineDel && len(f) == 1:
			if group, err := strconv.Atoi(f[0]); err == nil {
				delete(groups, group)
			}
		}
	}
	kill(groups, mark, since)
	return 0
}

// kill kills the groups and whatever carries the worker's mark, again and
// again until nothing is seen twice in a row: one look may miss a process that
// was forked while it looked.
func kill(groups map[int]uint64, mark string, since uint64) {
	quiet := 0
	for end := time.Now().Add(sweepFor); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if process.Sweep(groups, mark, since) > 0 {
			quiet = 0
		} else if quiet++; quiet == 2 {
			return
		}
	}
	fmt.Fprintln(os.Stderr, "petrel guard: processes of a dead worker could not be killed")
}
