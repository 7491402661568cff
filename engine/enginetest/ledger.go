// Package enginetest checks the promises of the engine after something went
// wrong: what was accepted, what the actions themselves wrote down, and what
// the store says must tell one story.
package enginetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"petrel"
	"petrel/storage"
)

// Accepted is the file in which a load generator writes each id it was given,
// before it goes on.
type Accepted struct {
	mu   sync.Mutex
	file *os.File
}

// OpenAccepted opens the file, and makes it when there is none.
func OpenAccepted(path string) (*Accepted, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &Accepted{file: f}, nil
}

// Add writes down an id that was accepted.
func (a *Accepted) Add(id petrel.ID) error { return a.line("accepted", string(id)) }

// Maybe writes down the idempotency key of a request whose answer was lost.
func (a *Accepted) Maybe(key string) error { return a.line("maybe", key) }

func (a *Accepted) line(what, name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := fmt.Fprintf(a.file, "%s %s %s\n", what, name, petrel.FormatTime(time.Now())); err != nil {
		return err
	}
	return a.file.Sync()
}

// Close closes the file.
func (a *Accepted) Close() error { return a.file.Close() }

// Entry is a line an action wrote: what one attempt did.
type Entry struct {
	ID      petrel.ID
	Attempt string // the attempt's number, or whatever tells one start from another
	What    string // start or end
}

// ReadLedger reads the lines actions wrote, "ID ATTEMPT start|end"; a last
// line without its end was cut off by a kill and counts if it can be read.
func ReadLedger(r io.Reader) ([]Entry, error) {
	var entries []Entry
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 || !petrel.ID(fields[0]).Valid() || fields[2] != "start" && fields[2] != "end" {
			return nil, fmt.Errorf("ledger: %q is not ID ATTEMPT start|end", lines.Text())
		}
		entries = append(entries, Entry{petrel.ID(fields[0]), fields[1], fields[2]})
	}
	return entries, lines.Err()
}

// ReadAccepted reads what Accepted wrote: ids that were accepted, and the keys
// of requests that may have been.
func ReadAccepted(r io.Reader) (ids []petrel.ID, maybe []string, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 3 && fields[0] == "accepted" && petrel.ID(fields[1]).Valid():
			ids = append(ids, petrel.ID(fields[1]))
		case len(fields) == 3 && fields[0] == "maybe":
			maybe = append(maybe, fields[1])
		default:
			return nil, nil, fmt.Errorf("accepted: %q is not accepted ID TIME or maybe KEY TIME", lines.Text())
		}
	}
	return ids, maybe, lines.Err()
}

// Report is what Check found.
type Report struct {
	Executions int
	Statuses   map[petrel.Status]int
	Requeued   int      // runs that were claimed by a worker that died before it started them
	Broken     []string // promises that were not kept, each with the ids
}

// Err is an error that names the broken promises; nil when all were kept.
func (r Report) Err() error {
	if len(r.Broken) == 0 {
		return nil
	}
	shown := r.Broken[:min(len(r.Broken), 20)]
	return fmt.Errorf("%d promises were broken:\n%s", len(r.Broken), strings.Join(shown, "\n"))
}

// Check compares what was accepted and what the actions wrote with the store.
// It is to be called when all is quiet. A key in maybe may have started one run
// or none.
func Check(ctx context.Context, s storage.Executions, accepted []petrel.ID, maybe []string, ledger []Entry) (Report, error) {
	report := Report{Statuses: map[petrel.Status]int{}}
	broken := func(promise, format string, args ...any) {
		report.Broken = append(report.Broken, promise+": "+fmt.Sprintf(format, args...))
	}
	starts, ends := map[petrel.ID]map[string]int{}, map[petrel.ID]map[string]int{}
	for _, e := range ledger {
		in := starts
		if e.What == "end" {
			in = ends
		}
		if in[e.ID] == nil {
			in[e.ID] = map[string]int{}
		}
		in[e.ID][e.Attempt]++
	}
	all, _, err := s.ExecutionList(ctx, storage.ExecutionFilter{Ascending: true})
	if err != nil {
		return report, err
	}
	byID, byKey := map[petrel.ID]petrel.Execution{}, map[string]int{}
	for _, x := range all {
		byID[x.ID] = x
		if x.IdempotencyKey != "" {
			byKey[x.IdempotencyKey]++
		}
	}
	for _, id := range accepted {
		if _, found := byID[id]; !found {
			broken("P1", "%s was accepted and is not there", id)
		}
	}
	for key, n := range byKey {
		if n > 1 {
			broken("P5", "the key %s started %d executions", key, n)
		}
	}
	for _, key := range maybe {
		n := 0
		for stored, times := range byKey {
			if strings.HasSuffix(stored, key) { // The API puts the user's scope before it.
				n += times
			}
		}
		if n > 1 {
			broken("P5", "the key %s, whose answer was lost, started %d executions", key, n)
		}
	}
	report.Executions = len(all)
	for _, x := range all {
		report.Statuses[x.Status]++
		if !x.Status.Final() {
			broken("P2", "%s is %s", x.ID, x.Status)
		}
		if err := History(x); err != nil {
			broken("P6", "%s", err)
		}
		n, requeued := 0, 0
		for attempt, times := range starts[x.ID] {
			n += times
			if times > 1 {
				broken("P3", "attempt %s of %s started %d times", attempt, x.ID, times)
			}
		}
		for attempt, times := range ends[x.ID] {
			if times > 1 {
				broken("P3", "attempt %s of %s ended %d times", attempt, x.ID, times)
			}
			if starts[x.ID][attempt] == 0 {
				broken("P3", "attempt %s of %s ended and never started", attempt, x.ID)
			}
		}
		if n > 1 {
			broken("P4", "%s started %d times", x.ID, n)
		}
		for i, l := range x.Log {
			if i > 0 && l.Status == petrel.StatusRequested {
				requeued++
			}
		}
		if requeued > 0 {
			report.Requeued++
		}
		if n > 0 && !passed(x, petrel.StatusRunning) {
			broken("P4", "%s started and was never running: %s", x.ID, statuses(x))
		}
	}
	for id := range starts {
		if _, found := byID[id]; !found {
			broken("P1", "%s started and is not there", id)
		}
	}
	return report, nil
}

// History says what is illegal in the steps an execution passed.
func History(x petrel.Execution) error {
	if len(x.Log) == 0 {
		return fmt.Errorf("%s has no history", x.ID)
	}
	for i := 1; i < len(x.Log); i++ {
		if from, to := x.Log[i-1].Status, x.Log[i].Status; !from.CanBecome(to) {
			return fmt.Errorf("%s went from %s to %s: %s", x.ID, from, to, statuses(x))
		}
	}
	if last := x.Log[len(x.Log)-1].Status; last != x.Status {
		return fmt.Errorf("%s is %s and its history ends with %s", x.ID, x.Status, last)
	}
	return nil
}

func passed(x petrel.Execution, s petrel.Status) bool {
	for _, l := range x.Log {
		if l.Status == s {
			return true
		}
	}
	return false
}

func statuses(x petrel.Execution) string {
	var text []string
	for _, l := range x.Log {
		text = append(text, string(l.Status))
	}
	return strings.Join(text, " ")
}
