package engine

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"petrel"
	"petrel/queue"
	"petrel/runners"
	"petrel/storage"
)

// Bounds of the streaming of output. One chunk is a line as long as lines
// come slowly; what comes faster is put together.
const (
	outputLines    = 64                     // chunks of one run that wait before lines are put together
	outputChunk    = 32 << 10               // bytes of a chunk that was put together
	outputPending  = 1 << 20                // bytes of one run that wait, before its reader waits
	outputPatience = 5 * time.Second        // how long a reader waits, before output is dropped
	outputPartial  = 100 * time.Millisecond // how long an unfinished line waits
	outputPause    = 10 * time.Millisecond  // between two writes, so that they are not one commit each
)

// outputs brings what actions print to the store, many runs in one write.
type outputs struct {
	e    *Engine
	wake chan struct{}

	writing sync.Mutex // one write at a time, so that chunks stay in order

	mu   sync.Mutex
	runs map[*run]*printed
}

// printed is what one run printed and is not stored yet.
type printed struct {
	chunks  []petrel.OutputChunk
	size    int
	seq     int64
	partial map[string]*partial // by stream
	space   chan struct{}       // a note that chunks were taken away
	dropped int
	lost    bool // the store refused: the run belongs to somebody else
}

// partial is a line without its end.
type partial struct {
	text  strings.Builder
	since time.Time
}

func newOutputs(e *Engine) *outputs {
	return &outputs{e: e, wake: make(chan struct{}, 1), runs: map[*run]*printed{}}
}

// take takes what a run printed. When the store does not keep up it waits a
// while, and then drops, counts and marks what it could not keep.
func (o *outputs) take(r *run, stream, data string) {
	if data == "" {
		return
	}
	var patience <-chan time.Time
	for {
		o.mu.Lock()
		p := o.runs[r]
		if p == nil {
			p = &printed{partial: map[string]*partial{}, space: make(chan struct{}, 1), seq: int64(r.x.Attempt-1) << 32}
			o.runs[r] = p
		}
		if p.lost {
			o.mu.Unlock()
			return
		}
		if p.size < outputPending {
			if p.dropped > 0 {
				o.mark(r, p, stream)
			}
			o.put(r, p, stream, data)
			o.mu.Unlock()
			poke(o.wake)
			return
		}
		space := p.space
		o.mu.Unlock()
		if patience == nil {
			timer := time.NewTimer(outputPatience)
			defer timer.Stop()
			patience = timer.C
		}
		select {
		case <-space:
		case <-r.ctx.Done():
			// It is being killed; what it still says is taken while there is room.
			o.drop(r, data)
			return
		case <-patience:
			o.drop(r, data)
			return
		}
	}
}

func (o *outputs) drop(r *run, data string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.runs[r]; p != nil {
		p.dropped += len(data)
	}
	o.e.metrics.outputLost.Add(float64(len(data)))
}

// mark says in the output itself that some of it is missing.
func (o *outputs) mark(r *run, p *printed, stream string) {
	n := p.dropped
	p.dropped = 0
	o.chunk(r, p, stream, "[petrel: "+strconv.Itoa(n)+" bytes of output were not stored, the database did not take them in time]\n")
}

// put cuts data into lines; the caller holds the lock.
func (o *outputs) put(r *run, p *printed, stream, data string) {
	part := p.partial[stream]
	if part == nil {
		part = &partial{}
		p.partial[stream] = part
	}
	for data != "" {
		line, rest, whole := strings.Cut(data, "\n")
		if part.text.Len() == 0 {
			part.since = time.Now()
		}
		const room = outputChunk - 1 // for the end of the line
		for part.text.Len()+len(line) > room {
			cut := max(0, room-part.text.Len())
			for cut > 0 && !utf8.RuneStart(line[cut]) {
				cut--
			}
			if cut == 0 && part.text.Len() == 0 {
				cut = room // No valid text has so long a character.
			}
			part.text.WriteString(line[:cut])
			line = line[cut:]
			o.flushPartial(r, p, stream, part)
		}
		part.text.WriteString(line)
		if whole {
			part.text.WriteByte('\n')
			// When many chunks wait, lines are put together.
			if len(p.chunks) < outputLines {
				o.flushPartial(r, p, stream, part)
			}
		}
		data = rest
	}
}

func (o *outputs) flushPartial(r *run, p *printed, stream string, part *partial) {
	if part.text.Len() == 0 {
		return
	}
	o.chunk(r, p, stream, part.text.String())
	part.text.Reset()
	part.since = time.Now()
}

// chunk adds a chunk; the caller holds the lock.
func (o *outputs) chunk(r *run, p *printed, stream, text string) {
	p.size += len(text)
	p.seq++
	at := o.e.now()
	p.chunks = append(p.chunks, petrel.OutputChunk{
		ID: petrel.NewID(at), ExecutionID: r.x.ID, Attempt: r.x.Attempt, Seq: p.seq, ActionRef: r.x.Action.Ref,
		RunnerRef: r.x.Runner.Name, At: at, Type: stream, Data: text,
	})
}

// flushing writes what waits.
func (o *outputs) flushing() {
	aging := time.NewTicker(outputPartial)
	defer aging.Stop()
	for n := 0; ; {
		select {
		case <-o.e.life.Done():
			return
		case <-o.wake:
		case <-aging.C:
		}
		if err := o.flush(o.e.life, nil); err != nil {
			n++
			o.e.metrics.retried.WithLabelValues("output").Inc()
			if !sleep(o.e.life, backoff(n)) {
				return
			}
			poke(o.wake)
			continue
		}
		n = 0
		if !sleep(o.e.life, outputPause) {
			return
		}
	}
}

// end writes all that is left of a run, so that whoever sees it ended sees its
// whole output.
func (o *outputs) end(r *run) {
	for n := 1; ; n++ {
		if err := o.flush(o.e.life, r); err == nil {
			return
		}
		if r.t.ctx.Err() != nil || !sleep(r.t.ctx, backoff(n)) {
			return
		}
	}
}

// forget drops what is kept of a run.
func (o *outputs) forget(r *run) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.runs[r]; p != nil {
		if left := p.size; left > 0 && !p.lost {
			o.e.metrics.outputLost.Add(float64(left))
		}
		delete(o.runs, r)
	}
}

// flush writes what waits: one write of all runs, or all that one run printed,
// the unfinished line too.
func (o *outputs) flush(ctx context.Context, only *run) error {
	o.writing.Lock()
	defer o.writing.Unlock()
	for {
		byOwner := o.collect(only)
		for t, batch := range byOwner {
			if err := o.write(ctx, t, batch); err != nil {
				return err
			}
		}
		if only == nil || len(byOwner) == 0 {
			return nil
		}
	}
}

// writable is a run and how many of its chunks one write takes.
type writable struct {
	r *run
	p *printed
	n int
}

// collect chooses chunks for one write, by owner.
func (o *outputs) collect(only *run) map[*tenure][]writable {
	o.mu.Lock()
	defer o.mu.Unlock()
	rows, bytes := 0, 0
	waits := false
	chosen := map[*tenure][]writable{}
	now := time.Now()
	for r, p := range o.runs {
		if only != nil && r != only {
			continue
		}
		for stream, part := range p.partial {
			if part.text.Len() > 0 && (only != nil || now.Sub(part.since) >= outputPartial) {
				o.flushPartial(r, p, stream, part)
			}
		}
		if only != nil && p.dropped > 0 {
			o.mark(r, p, "stderr")
		}
		n := 0
		for n < len(p.chunks) && rows < storage.MaxBatchRows && (bytes == 0 || bytes+len(p.chunks[n].Data) <= storage.MaxBatchBytes/2) {
			bytes += len(p.chunks[n].Data)
			rows++
			n++
		}
		if n > 0 {
			chosen[r.t] = append(chosen[r.t], writable{r, p, n})
		}
		waits = waits || n < len(p.chunks)
	}
	if waits {
		poke(o.wake)
	}
	return chosen
}

// write stores the chosen chunks of one owner; what was stored or refused is
// taken away, what could not be stored stays for the next time.
func (o *outputs) write(ctx context.Context, t *tenure, chosen []writable) error {
	var batch []petrel.OutputChunk
	o.mu.Lock()
	for _, w := range chosen {
		batch = append(batch, w.p.chunks[:w.n]...)
	}
	o.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	answers := o.e.cfg.Store.AppendOutput(ctx, t.incarnation, batch)
	var failed error
	var events []queue.Event
	at := 0
	o.mu.Lock()
	for _, w := range chosen {
		done, stored := 0, int64(0)
		for i := range w.n {
			err := answers[at+i]
			if err == nil {
				if stored == 0 {
					stored = batch[at+i].Seq
				}
				done++
				continue
			}
			switch petrel.KindOf(err) {
			case petrel.NotOwner:
				w.p.lost = true
				done++
				continue
			case petrel.Conflict:
				// It is stored; an answer was lost.
				done++
				continue
			case petrel.Invalid, petrel.TooLarge:
				// It can never be stored.
				o.e.metrics.outputLost.Add(float64(len(batch[at+i].Data)))
				w.r.log.Error("A piece of output cannot be stored.", "seq", batch[at+i].Seq, "error", err)
				done++
				continue
			}
			failed = err
			break
		}
		for i := range done {
			w.p.size -= len(batch[at+i].Data)
		}
		w.p.chunks = append(w.p.chunks[:0:0], w.p.chunks[done:]...)
		poke(w.p.space)
		if w.p.lost {
			w.r.cancel(runners.ErrLost)
		}
		if stored > 0 {
			events = append(events, queue.Event{Kind: "output", Op: "create", ID: w.r.x.ID, Revision: stored, At: o.e.now()})
		}
		at += w.n
	}
	o.mu.Unlock()
	if len(events) > 0 {
		o.e.feed(ctx, events...)
	}
	return failed
}
