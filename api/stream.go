package api

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"time"

	"petrel"
)

// defaultEvents are sent when none are named.
// st2: st2stream/st2stream/controllers/v1/stream.py
var defaultEvents = []string{
	"st2.announcement__*",
	"st2.execution__create", "st2.execution__update", "st2.execution__delete",
	"st2.liveaction__create", "st2.liveaction__update", "st2.liveaction__delete",
}

// sse writes server-sent events.
type sse struct {
	c       *call
	control *http.ResponseController
}

// openStream answers with the headers of a stream. The bounds on the time of
// an ordinary request do not hold for it; each write has its own.
func (c *call) openStream() *sse {
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=UTF-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	s := &sse{c, http.NewResponseController(c.w)}
	_ = s.control.SetReadDeadline(time.Time{})
	c.begin(http.StatusOK)
	return s
}

// send writes text and pushes it out; false says that the reader is gone or
// too slow.
func (s *sse) send(parts ...[]byte) bool {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.c.a.cfg.StreamWrite))
	var err error
	for _, part := range parts {
		if _, err = s.c.w.Write(part); err != nil {
			break
		}
	}
	if err == nil {
		err = s.control.Flush()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.cutOff()
	}
	return err == nil
}

// event sends an event. The data is the same for all readers and is not copied:
// it may be large, and many may not take it at once.
func (s *sse) event(name string, data []byte) bool {
	return s.send([]byte("event: "+name+"\ndata: "), data, []byte("\n\n"))
}

// cutOff ends a stream in the middle, so that the reader sees that it broke.
func (s *sse) cutOff() {
	s.c.a.metrics.cut.Inc()
	s.c.a.cfg.Log.Info("a stream was cut off because its reader was too slow", "user", s.c.who.User, "request_id", s.c.requestID)
	panic(http.ErrAbortHandler)
}

// streamAll serves GET stream: what happens from now on.
func (a *API) streamAll(c *call) error {
	events, err := c.any("events")
	if err != nil {
		return err
	}
	if events == nil {
		events = defaultEvents
	}
	refs, err := c.any("action_refs")
	if err != nil {
		return err
	}
	ids, err := c.any("execution_ids")
	if err != nil {
		return err
	}
	endEvent, endID := c.text("end_event"), petrel.ID(c.text("end_execution_id"))
	if endEvent != "" && endID != "" && !slices.Contains(events, endEvent) {
		// The end is noticed even when it is not sent.
		events = append(slices.Clone(events), endEvent)
	}
	r, leave, err := a.stream.join(c.ctx(), c.who.User, interest{events})
	if err != nil {
		return err
	}
	defer leave()
	asked := interest{defaultEvents}
	if given, _ := c.any("events"); given != nil {
		asked = interest{given}
	}
	s := c.openStream()
	if !s.send([]byte("\n")) {
		return nil
	}
	beat := time.NewTicker(a.cfg.Heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-c.ctx().Done():
			return nil
		case <-r.over:
			return nil
		case <-r.cut:
			s.cutOff()
		case <-beat.C:
			if !s.send([]byte("\n")) {
				return nil
			}
		case f := <-r.frames:
			r.took(f)
			last := endEvent != "" && f.name == endEvent && endID != "" && f.ends == endID
			pass := asked.wants(f.name) &&
				(len(refs) == 0 || slices.Contains(refs, string(f.actionRef))) &&
				(len(ids) == 0 || slices.Contains(ids, string(f.execution)))
			if pass {
				if !s.event(f.name, f.data) {
					return nil
				}
				beat.Reset(a.cfg.Heartbeat)
			}
			if last {
				return nil
			}
		}
	}
}

// endOfOutput is sent behind the last output. Its data is not JSON, as
// recorded.
const endOfOutput = "event: EOF\ndata: ''\n\n"

// outputOver says whether an execution in this status prints no more on this
// stream.
func outputOver(s petrel.Status) bool {
	return s.Final() || s == petrel.StatusPausing || s == petrel.StatusResuming
}

// streamOutput serves GET executions/{id}/output of the stream service: what
// was printed, what is printed, and EOF.
func (a *API) streamOutput(c *call) error {
	kind := c.text("output_type")
	if kind == "all" {
		kind = ""
	}
	x, _, err := c.execution("execution_view", true)
	if err != nil {
		return err
	}
	// The reader listens before it looks, so that nothing falls in between; the
	// events only say that there is more to read, which keeps the order.
	r, leave, err := a.stream.join(c.ctx(), c.who.User, interest{[]string{outputEvent, "st2.execution__update"}})
	if err != nil {
		return err
	}
	defer leave()
	if x, err = a.cfg.Store.Execution(c.ctx(), x.ID); err != nil {
		return err
	}
	s := c.openStream()
	var after int64
	over := outputOver(x.Status)
	beat := time.NewTicker(a.cfg.Heartbeat)
	defer beat.Stop()
	for {
		ok, err := a.sendOutput(c.ctx(), s, x.ID, kind, &after)
		if err != nil {
			a.cfg.Log.Error("output could not be read for a stream", "execution", x.ID, "error", err)
			panic(http.ErrAbortHandler)
		}
		if !ok {
			return nil
		}
		if over {
			s.send([]byte(endOfOutput))
			return nil
		}
		if !s.send(nil) {
			return nil
		}
	wait:
		for {
			select {
			case <-c.ctx().Done():
				return nil
			case <-r.over:
				return nil
			case <-r.cut:
				s.cutOff()
			case <-beat.C:
				if !s.send([]byte("\n")) {
					return nil
				}
			case f := <-r.frames:
				r.took(f)
				if f.execution != x.ID {
					continue
				}
				over = f.output == nil && outputOver(f.status)
				if over || f.output != nil {
					break wait
				}
			}
		}
	}
}

// sendOutput sends the stored output behind a sequence number.
func (a *API) sendOutput(ctx context.Context, s *sse, id petrel.ID, kind string, after *int64) (bool, error) {
	for {
		chunks, err := a.cfg.Store.OutputList(ctx, id, kind, *after, outputPage)
		if err != nil {
			return false, err
		}
		for _, chunk := range chunks {
			data, err := appendJSON(nil, outputShape(chunk))
			if err != nil {
				return false, err
			}
			if !s.event(outputEvent, data) {
				return false, nil
			}
			*after = chunk.Seq
		}
		if len(chunks) < outputPage {
			return true, nil
		}
	}
}
