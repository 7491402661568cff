package replay

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"time"

	"petrel/expr/value"
)

// Player plays scenarios against one server.
type Player struct {
	Bases   map[string]string // prefix of a path → what it stands for
	Echo    string            // URL of the loopback server
	Replace []Replacement
	SysUser string
	Client  *http.Client
	// MaxWait bounds how long is waited for a document to say something,
	// whatever the scenario says; 0 is no bound.
	MaxWait time.Duration
}

// Answer is what a server answered.
type Answer struct {
	Status int
	Header http.Header
	Body   value.Value // a document, a text, or nil for none
}

// Play plays a scenario to its end and answers the first step that differs,
// and how; no differences when all agree. After a difference it goes on, so
// that the scenario clears up after itself.
func (p *Player) Play(ctx context.Context, s Scenario) (int, []string) {
	c := NewContext(p.Bases, p.Echo)
	first, found := -1, []string(nil)
	for i, step := range s.Steps {
		if found != nil {
			rest := value.NewDict()
			for k, v := range step.All() {
				if k != "wait" && k != "capture" && k != "pause" {
					rest.Set(k, v)
				}
			}
			step = rest
		}
		diffs := p.step(ctx, c, step, found != nil)
		if diffs != nil && found == nil {
			first, found = i, diffs
		}
	}
	return first, found
}

func (p *Player) step(ctx context.Context, c *Context, step *value.Dict, clearing bool) []string {
	expect := Object(step, "expect")
	if step.Has("stream") {
		got, err := p.collect(ctx, c, step)
		if err != nil {
			return []string{err.Error()}
		}
		return c.Compare(expect, got, "$")
	}
	got, err := p.Request(ctx, c, step)
	if err != nil {
		return []string{err.Error()}
	}
	if clearing {
		return nil
	}
	status := int(Number(expect, "status", 0))
	var diffs []string
	if got.Status != status {
		diffs = append(diffs, fmt.Sprintf("status: want %d, got %d %s", status, got.Status, short(got.Body)))
	}
	if Bool(step, "accident") {
		// It comes of how the original is written; of these only the status counts, and not even that for a fault.
		if status < 500 {
			return diffs
		}
		return nil
	}
	headers := Object(expect, "headers")
	for k, v := range headers.All() {
		name := value.Str(k)
		if got.Header.Values(name) == nil {
			diffs = append(diffs, fmt.Sprintf("header %s is missing", name))
			continue
		}
		diffs = append(diffs, c.Compare(v, got.Header.Get(name), name)...)
	}
	for _, name := range []string{"X-Total-Count", "X-Limit"} {
		if !headers.Has(name) && got.Header.Values(name) != nil {
			diffs = append(diffs, fmt.Sprintf("header %s is unexpected", name))
		}
	}
	if got.Status == status {
		body, _ := expect.GetStr("body")
		diffs = append(diffs, c.Compare(body, got.Body, "$")...)
	}
	return diffs
}

// Request waits and pauses as a step says, makes its request and captures
// variables from the answer.
func (p *Player) Request(ctx context.Context, c *Context, step *value.Dict) (Answer, error) {
	request := Object(step, "request")
	if wait := Object(step, "wait"); wait != nil {
		if err := p.wait(ctx, c, wait, Object(request, "headers")); err != nil {
			return Answer{}, err
		}
	}
	pause(ctx, Number(step, "pause", 0))
	got, err := p.call(ctx, c, request)
	if err != nil {
		return got, err
	}
	if capture := Object(step, "capture"); capture != nil {
		for name, path := range capture.All() {
			var v value.Value
			found := false
			if text := value.Str(path); strings.HasPrefix(text, "#") {
				if v = got.Header.Get(text[1:]); v != "" {
					found = true
				}
			} else {
				v, found = At(got.Body, text)
			}
			if !found {
				return got, fmt.Errorf("cannot capture %s = %s from %d %s", name, path, got.Status, short(got.Body))
			}
			c.Vars[value.Str(name)] = v
		}
	}
	return got, nil
}

func pause(ctx context.Context, seconds float64) {
	if seconds <= 0 {
		return
	}
	select {
	case <-time.After(time.Duration(seconds * float64(time.Second))):
	case <-ctx.Done():
	}
}

// wait polls until a document says what the scenario waits for.
func (p *Player) wait(ctx context.Context, c *Context, wait, headers *value.Dict) error {
	patience := time.Duration(Number(wait, "timeout", 60) * float64(time.Second))
	if p.MaxWait > 0 {
		patience = min(patience, p.MaxWait)
	}
	end := time.Now().Add(patience)
	request := value.DictOf("method", "GET", "path", Text(wait, "path"))
	if headers != nil {
		request.SetStr("headers", headers)
	}
	for {
		got, err := p.call(ctx, c, request)
		if err != nil {
			return err
		}
		if reached(got.Body, Object(wait, "until")) {
			break
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("%s never became %s; last: %s", c.FillText(Text(wait, "path")), short(Object(wait, "until")), short(got.Body))
		}
		pause(ctx, 0.05)
	}
	pause(ctx, Number(wait, "settle", 0.3))
	return nil
}

func reached(doc value.Value, until *value.Dict) bool {
	for path, want := range until.All() {
		got, ok := At(doc, value.Str(path))
		if !ok {
			return false
		}
		if want == "$exists" {
			continue
		}
		if l, isList := want.(*value.List); isList {
			ok = false
			for _, item := range l.Items {
				ok = ok || value.Equal(item, got)
			}
		} else {
			ok = value.Equal(want, got)
		}
		if !ok {
			return false
		}
	}
	return true
}

// url is where a path of a scenario is.
func (c *Context) url(path string) string {
	for prefix, base := range c.Bases {
		if path == prefix || strings.HasPrefix(path, prefix+"/") || strings.HasPrefix(path, prefix+"?") {
			return base + path[len(prefix):]
		}
	}
	return path
}

// send makes a request of a scenario without reading the answer's body.
func (p *Player) send(ctx context.Context, c *Context, request *value.Dict) (*http.Response, error) {
	var body io.Reader
	headers := http.Header{}
	if given := Object(request, "headers"); given != nil {
		for k, v := range given.All() {
			headers.Set(value.Str(k), c.FillText(value.Str(v)))
		}
	}
	if user := Text(request, "basic"); user != "" {
		headers.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.FillText(user))))
	}
	if v, ok := request.GetStr("body"); ok {
		text, err := value.ToJSON(c.Fill(v), value.PythonJSON)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
		if headers.Get("Content-Type") == "" {
			headers.Set("Content-Type", "application/json")
		}
	} else if request.Has("raw") {
		body = strings.NewReader(c.FillText(Text(request, "raw")))
	}
	r, err := http.NewRequestWithContext(ctx, Text(request, "method"), c.url(c.FillText(Text(request, "path"))), body)
	if err != nil {
		return nil, err
	}
	r.Header = headers
	r.Header["User-Agent"] = nil
	r.Header["Accept-Encoding"] = []string{"identity"}
	client := p.Client
	if client == nil {
		client = http.DefaultClient
	}
	return client.Do(r)
}

func (p *Player) call(ctx context.Context, c *Context, request *value.Dict) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	response, err := p.send(ctx, c, request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, err
	}
	return Answer{response.StatusCode, response.Header, decode(response.Header.Get("Content-Type"), text)}, nil
}

// decode reads a body: a document where it is JSON, else a text.
func decode(contentType string, text []byte) value.Value {
	if len(text) == 0 {
		return nil
	}
	if strings.Contains(contentType, "json") {
		if v, err := value.FromJSON(text); err == nil {
			return v
		}
	}
	return strings.ToValidUTF8(string(text), "\uFFFD")
}

// Tally counts agreement by area.
type Tally struct{ Good, Total map[string]int }

// Add counts a scenario.
func (t *Tally) Add(area string, good bool) {
	if t.Total == nil {
		t.Good, t.Total = map[string]int{}, map[string]int{}
	}
	t.Total[area]++
	if good {
		t.Good[area]++
	}
}

// Sum is how many agree, and how many there are.
func (t *Tally) Sum() (good, total int) {
	for area, n := range t.Total {
		good += t.Good[area]
		total += n
	}
	return good, total
}

// String is a table of areas.
func (t *Tally) String() string {
	areas := make([]string, 0, len(t.Total))
	for area := range t.Total {
		areas = append(areas, area)
	}
	sort.Strings(areas)
	var b strings.Builder
	for _, area := range areas {
		fmt.Fprintf(&b, "%-24s %d / %d\n", area, t.Good[area], t.Total[area])
	}
	return b.String()
}
