package replay

import (
	"context"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"

	"petrel/expr/value"
)

// listener reads a stream of server-sent events.
type listener struct {
	status int
	header http.Header
	opened chan struct{} // closed at the first byte
	closed chan struct{} // closed when nothing more comes
	close  func()

	mu     sync.Mutex
	ended  bool // the server closed it
	frames []streamFrame
}

type streamFrame struct {
	event string
	data  value.Value
}

func (p *Player) listen(ctx context.Context, c *Context, spec *value.Dict) (*listener, error) {
	ctx, cancel := context.WithCancel(ctx)
	request := value.DictOf("method", "GET", "path", Text(spec, "path"))
	if h := Object(spec, "headers"); h != nil {
		request.SetStr("headers", h)
	}
	response, err := p.send(ctx, c, request)
	if err != nil {
		cancel()
		return nil, err
	}
	l := &listener{
		status: response.StatusCode, header: response.Header, close: cancel,
		opened: make(chan struct{}), closed: make(chan struct{}),
	}
	go func() {
		defer close(l.closed)
		defer response.Body.Close()
		text, opened := "", false
		chunk := make([]byte, 64<<10)
		for {
			n, err := response.Body.Read(chunk)
			if n > 0 && !opened {
				opened = true
				close(l.opened)
			}
			text += string(chunk[:n])
			for {
				text = strings.TrimLeft(text, "\n")
				frame, rest, whole := strings.Cut(text, "\n\n")
				if !whole {
					break
				}
				text = rest
				l.add(frame)
			}
			if err != nil {
				l.mu.Lock()
				l.ended = ctx.Err() == nil && err.Error() == "EOF"
				l.mu.Unlock()
				if !opened {
					close(l.opened)
				}
				return
			}
		}
	}()
	return l, nil
}

func (l *listener) add(text string) {
	f := streamFrame{}
	data := ""
	for _, line := range strings.Split(text, "\n") {
		name, v, ok := strings.Cut(line, ": ")
		switch {
		case !ok:
		case name == "event":
			f.event = v
		case name == "data":
			data = v
		}
	}
	f.data = data
	if v, err := value.FromJSON([]byte(data)); err == nil {
		f.data = v
	}
	l.mu.Lock()
	l.frames = append(l.frames, f)
	l.mu.Unlock()
}

func (l *listener) all() []streamFrame {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]streamFrame(nil), l.frames...)
}

// collect opens a step's stream, makes its request and collects the events.
func (p *Player) collect(ctx context.Context, c *Context, step *value.Dict) (value.Value, error) {
	spec := Object(step, "stream")
	l, err := p.listen(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	defer l.close()
	select {
	case <-l.opened:
	case <-time.After(3 * time.Second):
	}
	pause(ctx, 0.3)
	if step.Has("request") {
		if _, err := p.Request(ctx, c, step); err != nil {
			return nil, err
		}
	}
	end := time.After(time.Duration(Number(spec, "timeout", 30) * float64(time.Second)))
	until := Object(spec, "until")
wait:
	for until == nil || !arrived(c, l.all(), until) {
		select {
		case <-l.closed:
			break wait
		case <-end:
			break wait
		case <-time.After(50 * time.Millisecond):
		}
	}
	pause(ctx, Number(spec, "settle", 0.5))
	n := &Normal{Context: c, Replace: p.Replace, SysUser: p.SysUser, KeepActions: Bool(spec, "data")}
	events := value.NewList()
	for _, f := range l.all() {
		if !mine(c, f, List(spec, "mine")) {
			continue
		}
		shown := value.DictOf("event", n.Text(f.event))
		d, isObject := f.data.(*value.Dict)
		switch {
		case Bool(spec, "data"):
			shown.SetStr("data", n.Value(f.data, ""))
		case isObject:
			shown.SetStr("keys", sortedKeys(d))
			if status, ok := d.GetStr("status"); ok {
				shown.SetStr("status", status)
			}
		default:
			shown.SetStr("data", f.data)
		}
		events.Append(shown)
	}
	headers := value.NewDict()
	for _, name := range []string{"content-type", "cache-control", "x-accel-buffering"} {
		if l.header.Values(name) != nil {
			headers.SetStr(name, l.header.Get(name))
		}
	}
	l.mu.Lock()
	ended := l.ended
	l.mu.Unlock()
	return value.DictOf("status", int64(l.status), "headers", headers, "ended", ended, "events", events), nil
}

// arrived says whether the event that is waited for is there.
func arrived(c *Context, frames []streamFrame, until *value.Dict) bool {
	for _, f := range frames {
		if f.event != c.FillText(Text(until, "event")) {
			continue
		}
		all := true
		for path, want := range until.All() {
			if path == "event" {
				continue
			}
			got, ok := At(f.data, value.Str(path))
			all = all && ok && value.Equal(got, c.Fill(want))
		}
		if all {
			return true
		}
	}
	return false
}

// mine says whether an event is about what this play made.
func mine(c *Context, f streamFrame, words []value.Value) bool {
	if len(words) == 0 {
		return true
	}
	text, err := value.ToJSON(f.data, value.PythonJSON)
	if err != nil {
		return false
	}
	for _, w := range words {
		if strings.Contains(string(text), c.FillText(value.Str(w))) {
			return true
		}
	}
	return false
}

func sortedKeys(d *value.Dict) *value.List {
	var keys []string
	for k := range d.All() {
		keys = append(keys, value.Str(k))
	}
	sort.Strings(keys)
	out := value.NewList()
	for _, k := range keys {
		out.Append(k)
	}
	return out
}
