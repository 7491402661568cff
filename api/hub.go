package api

import (
	"context"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"petrel"
	"petrel/queue"
)

// frame is an event as it is sent, with what it can be filtered by.
type frame struct {
	name      string
	data      []byte
	actionRef petrel.Ref // of executions, liveactions and output
	execution petrel.ID  // of executions and output
	ends      petrel.ID  // the id end_execution_id is compared with, in a final status; empty otherwise
	// kind, output and status tell the readers of one execution's output what it is about.
	output *petrel.OutputChunk
	status petrel.Status
}

// interest says which events a reader may get, so that nothing is read from
// the store that nobody listens to.
type interest struct {
	events []string // globs
}

func (i interest) wants(name string) bool {
	for _, glob := range i.events {
		if globMatches(glob, name) {
			return true
		}
	}
	return false
}

// globMatches is Python's fnmatch for names without slashes.
func globMatches(glob, name string) bool {
	ok, err := path.Match(strings.ReplaceAll(glob, "[!", "[^"), name)
	return err == nil && ok
}

// reader is one open stream.
type reader struct {
	interest interest
	frames   chan frame
	behind   atomic.Int64  // bytes in frames
	cut      chan struct{} // closed when the reader was too slow
	over     chan struct{} // closed when the server goes down
	cutOnce  sync.Once
	endOnce  sync.Once
}

func (r *reader) cutOff()      { r.cutOnce.Do(func() { close(r.cut) }) }
func (r *reader) took(f frame) { r.behind.Add(-int64(len(f.data))) }
func (r *reader) end()         { r.endOnce.Do(func() { close(r.over) }) }

// hub reads the feed while somebody listens, makes each event's frames once,
// and gives them to the readers. A reader that does not keep up is cut off.
type hub struct {
	a    *API
	sent map[petrel.ID]int64 // the last piece of output sent; only the reading of the feed touches it

	mu      sync.Mutex
	readers map[*reader]bool
	perUser map[string]int
	stop    context.CancelFunc // ends the reading of the feed; nil while nobody listens
	closed  bool               // the server goes down
}

func newHub(a *API) *hub {
	return &hub{a: a, readers: map[*reader]bool{}, perUser: map[string]int{}}
}

// join adds a reader; leave takes it away again. The feed is heard from before
// join returns, so that nothing that happens afterwards is missed.
func (h *hub) join(ctx context.Context, user string, i interest) (r *reader, leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, nil, petrel.Errorf(petrel.Unavailable, "The server is going down.")
	}
	if h.perUser[user] >= h.a.cfg.StreamsPerUser {
		return nil, nil, petrel.Errorf(petrel.TooMany, "You hold %d streams open, which is the limit. Close one first.", h.perUser[user])
	}
	if h.stop == nil {
		// The reading outlives the request that began it.
		listening, stop := context.WithCancel(context.WithoutCancel(ctx))
		subscription, err := h.a.cfg.Feed.Listen(listening)
		if err != nil {
			stop()
			return nil, nil, err
		}
		h.stop = stop
		h.sent = map[petrel.ID]int64{}
		go h.listen(listening, subscription)
	}
	r = &reader{interest: i, frames: make(chan frame, h.a.cfg.StreamBuffer), cut: make(chan struct{}), over: make(chan struct{})}
	h.readers[r] = true
	h.perUser[user]++
	h.a.metrics.streams.Inc()
	return r, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.readers, r)
		if h.perUser[user]--; h.perUser[user] <= 0 {
			delete(h.perUser, user)
		}
		h.a.metrics.streams.Dec()
		if len(h.readers) == 0 && h.stop != nil {
			h.stop()
			h.stop = nil
		}
	}, nil
}

// listen turns the feed into frames until nobody listens any more. When the
// feed itself breaks off, all readers are cut off: they connect again and read
// what they missed.
func (h *hub) listen(ctx context.Context, s *queue.Subscription) {
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-s.C:
			if !ok {
				if ctx.Err() == nil {
					h.a.cfg.Log.Warn("the feed broke off; open streams are closed", "error", s.Err())
				}
				h.dropAll(ctx)
				return
			}
			for _, f := range h.frames(ctx, event) {
				h.give(f)
			}
		}
	}
}

// dropAll cuts the readers of a feed that ended off.
func (h *hub) dropAll(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return // another reading may have begun; its readers are none of ours
	}
	for r := range h.readers {
		r.cutOff()
	}
	h.stop()
	h.stop = nil
}

// closeAll ends all streams, because the server goes down.
func (h *hub) closeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for r := range h.readers {
		r.end()
	}
}

func (h *hub) wanted(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.readers {
		if r.interest.wants(name) {
			return true
		}
	}
	return false
}

// maxBehind is how many bytes a slow reader may be behind before it is cut off: two
// events of the largest size.
const maxBehind = 64 << 20

func (h *hub) give(f frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.readers {
		if !r.interest.wants(f.name) {
			continue
		}
		if r.behind.Add(int64(len(f.data))) > maxBehind {
			r.cutOff()
			continue
		}
		select {
		case r.frames <- f:
		default:
			r.cutOff()
		}
	}
}

// frames makes the frames of an event, as far as somebody wants them.
func (h *hub) frames(ctx context.Context, e queue.Event) []frame {
	op := e.Op
	if op == "" {
		op = "update"
	}
	switch e.Kind {
	case "execution":
		return h.executionFrames(ctx, e, op)
	case "output":
		return h.outputFrames(ctx, e)
	case "alias":
		name := "st2.actionalias__" + op
		if !h.wanted(name) {
			return nil
		}
		return []frame{{name: name, data: e.Payload}}
	case "announcement":
		name := "st2.announcement__" + oneLine(e.Route)
		if !h.wanted(name) {
			return nil
		}
		data, err := appendJSON(nil, object{{"payload", orEmpty(e.Payload)}, {"trace_context", nil}})
		if err != nil {
			h.unreadable(e, err)
			return nil
		}
		return []frame{{name: name, data: data}}
	}
	return nil
}

func (h *hub) executionFrames(ctx context.Context, e queue.Event, op string) []frame {
	executionName, liveactionName := "st2.execution__"+op, "st2.liveaction__"+op
	asExecution, asLiveaction := h.wanted(executionName), h.wanted(liveactionName)
	if !asExecution && !asLiveaction {
		return nil
	}
	x, err := h.a.cfg.Store.Execution(ctx, e.ID)
	if err != nil {
		h.unreadable(e, err)
		return nil
	}
	if e.Status != "" {
		x = at(x, e.Status)
	}
	masked := !h.a.cfg.ShowSecrets
	var out []frame
	add := func(name string, shape object, err error, f frame) {
		if err == nil {
			f.name = name
			f.data, err = appendJSON(nil, shape)
		}
		if err != nil {
			h.unreadable(e, err)
			return
		}
		if x.Status.Final() {
			f.ends, _ = shapeID(shape)
		}
		f.status = x.Status
		out = append(out, f)
	}
	if asExecution {
		shape, err := h.a.executionShape(x, masked)
		add(executionName, shape, err, frame{actionRef: x.Action.Ref, execution: x.ID})
	}
	if asLiveaction {
		shape, err := h.a.liveactionShape(x, masked)
		add(liveactionName, shape, err, frame{actionRef: x.Action.Ref})
	}
	return out
}

func shapeID(o object) (petrel.ID, bool) {
	v, _ := o.get("id")
	id, ok := v.(petrel.ID)
	return id, ok
}

const outputEvent = "st2.execution.output__create"

func (h *hub) outputFrames(ctx context.Context, e queue.Event) []frame {
	if !h.wanted(outputEvent) {
		return nil
	}
	// An event names the first piece of a batch; what an earlier event's reading
	// brought along already is not sent twice.
	after := max(e.Revision-1, h.sent[e.ID])
	var out []frame
	for {
		chunks, err := h.a.cfg.Store.OutputList(ctx, e.ID, "", after, outputPage)
		if err != nil {
			h.unreadable(e, err)
			return out
		}
		for _, chunk := range chunks {
			after = chunk.Seq
			data, err := appendJSON(nil, outputShape(chunk))
			if err != nil {
				h.unreadable(e, err)
				continue
			}
			out = append(out, frame{name: outputEvent, data: data, actionRef: chunk.ActionRef, execution: chunk.ExecutionID, output: &chunk})
		}
		if len(chunks) < outputPage {
			break
		}
	}
	if len(h.sent) >= maxSent {
		clear(h.sent)
	}
	h.sent[e.ID] = after
	return out
}

// maxSent bounds of how many executions it is remembered which output was sent.
const maxSent = 10_000

func (h *hub) unreadable(e queue.Event, err error) {
	h.a.cfg.Log.Warn("an event could not be shown on the stream", "kind", e.Kind, "id", e.ID, "error", err)
}

// oneLine keeps text from ending the line of an event it stands in.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, text)
}
