package console_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/auth"
	"petrel/bot"
	"petrel/bot/bottest"
	"petrel/bot/console"
)

// server serves a console below /api/v1/chat/ to whoever the header names.
func server(t testing.TB, c http.Handler) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user := r.Header.Get("X-User"); user != "" {
			r = r.WithContext(auth.NewContext(r.Context(), auth.Principal{User: user, Method: auth.MethodToken}))
		}
		c.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func newConsole(t testing.TB, h *bottest.House, change ...func(*console.Config)) *console.Console {
	cfg := console.Config{Store: h.Store, Feed: h.Feed, Log: h.Logs.Logger()}
	for _, f := range change {
		f(&cfg)
	}
	c, err := console.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// person is a client that keeps what its stream tells.
type person struct {
	t    testing.TB
	url  string
	name string

	mu      sync.Mutex
	order   []petrel.ID
	updates map[petrel.ID][]console.Update
	ids     []string
	changed *broadcast
}

type broadcast struct {
	mu sync.Mutex
	c  chan struct{}
}

func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.c
}

func (b *broadcast) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.c)
	b.c = make(chan struct{})
}

func newPerson(t testing.TB, url, name string, changed *broadcast) *person {
	return &person{t: t, url: url, name: name, updates: map[petrel.ID][]console.Update{}, changed: changed}
}

func (p *person) request(ctx context.Context, method, path string, body io.Reader) *http.Response {
	r, err := http.NewRequestWithContext(ctx, method, p.url+"/api/v1/chat/"+path, body)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("X-User", p.name)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer
}

// listen opens the stream and reads on until the test ends.
func (p *person) listen(path string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	answer := p.request(ctx, http.MethodGet, path, nil)
	if answer.StatusCode != http.StatusOK {
		p.t.Fatalf("stream: %s", answer.Status)
	}
	ready := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, 4<<20)
		var event, id string
		for lines.Scan() {
			name, data, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case name == "event":
				event = data
			case name == "id":
				id = data
			case name == "data" && event == "hello":
				close(ready)
			case name == "data" && event == "message":
				var u console.Update
				if err := json.Unmarshal([]byte(data), &u); err != nil {
					p.t.Error(err)
					return
				}
				p.mu.Lock()
				if p.updates[u.Post] == nil {
					p.order = append(p.order, u.Post)
				}
				p.updates[u.Post] = append(p.updates[u.Post], u)
				p.ids = append(p.ids, id)
				p.mu.Unlock()
				p.changed.tell()
			}
		}
	}()
	stop = func() { cancel(); <-done }
	p.t.Cleanup(stop)
	select {
	case <-ready:
	case <-time.After(bottest.Patience):
		p.t.Fatal("the stream does not say hello")
	}
	return stop
}

func (p *person) shown() []bottest.Shown {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []bottest.Shown
	for _, id := range p.order {
		all := p.updates[id]
		u := all[len(all)-1]
		if u.Message.Silent {
			continue
		}
		s := bottest.Shown{ID: string(id), Delivery: id, Channel: u.Channel, Thread: u.Thread, Message: u.Message, Text: u.Text}
		if u.Message.Private {
			s.To = p.name
		}
		for _, before := range all {
			if !before.Message.Silent {
				s.Revisions = append(s.Revisions, before.Text)
			}
		}
		if u.File != "" && u.Final {
			answer := p.request(context.Background(), http.MethodGet, u.File, nil)
			s.File, _ = io.ReadAll(answer.Body)
			answer.Body.Close()
		}
		out = append(out, s)
	}
	return out
}

func (p *person) post(path string, body any) (*http.Response, string) {
	raw, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.raw(path, raw)
}

func (p *person) raw(path string, raw []byte) (*http.Response, string) {
	answer := p.request(context.Background(), http.MethodPost, path, bytes.NewReader(raw))
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer, string(text)
}

func (p *person) say(text, event string) {
	p.t.Helper()
	if answer, body := p.post("messages", map[string]string{"text": text, "event_id": event}); answer.StatusCode != http.StatusAccepted {
		p.t.Fatalf("%s: %s", answer.Status, body)
	}
}

func TestConsole_PassesTheSuite(t *testing.T) {
	bottest.Run(t, func(t *testing.T, h *bottest.House) *bottest.Harness {
		c := newConsole(t, h)
		s := server(t, c)
		changed := &broadcast{c: make(chan struct{})}
		people := map[string]*person{"ann": newPerson(t, s.URL, "ann", changed), "bob": newPerson(t, s.URL, "bob", changed)}
		return &bottest.Harness{
			Adapter:     c,
			NoStrangers: true, // nobody comes here without having logged in
			Ready: func() {
				for _, p := range people {
					p.listen("stream")
				}
			},
			Say: func(person, text, event string) { people[person].say(text, event) },
			Click: func(person string, on bottest.Shown, choice, event string) {
				answer, body := people[person].post("clicks", map[string]string{"post": on.ID, "choice": choice, "event_id": event})
				if answer.StatusCode != http.StatusAccepted {
					t.Fatalf("%s: %s", answer.Status, body)
				}
			},
			Refused: func(person, text string) error {
				raw := []byte(`{"text": "` + strings.ReplaceAll(text, "\x00", `\u0000`) + `"}`)
				answer, body := people[person].raw("messages", raw)
				if answer.StatusCode == http.StatusAccepted {
					return nil
				}
				if answer.StatusCode >= 500 {
					t.Errorf("%s: %s", answer.Status, body)
				}
				return petrel.Errorf(petrel.Invalid, "%s", body)
			},
			Shown:   func(person string) []bottest.Shown { return people[person].shown() },
			Changed: changed.wait,
		}
	})
}

// open is a house with a running bot and console, and ann listening.
func open(t testing.TB, change ...func(*console.Config)) (*bottest.House, *httptest.Server, *person) {
	h := bottest.NewHouse(t)
	c := newConsole(t, h, change...)
	s := server(t, c)
	h.Bot(h.Engine(), func(cfg *bot.Config) { cfg.Adapters = []bot.Adapter{c} })
	ann := newPerson(t, s.URL, "ann", &broadcast{c: make(chan struct{})})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(h.Logs)
		}
	})
	return h, s, ann
}

func (p *person) until(wanted func([]bottest.Shown) bool) []bottest.Shown {
	p.t.Helper()
	deadline := time.After(bottest.Patience)
	for {
		changed := p.changed.wait()
		if all := p.shown(); wanted(all) {
			return all
		}
		select {
		case <-changed:
		case <-deadline:
			p.t.Fatalf("waited in vain; shown: %+v", p.shown())
		}
	}
}

func TestConsole_ReplyToNoopComesWithin50ms(t *testing.T) {
	_, _, ann := open(t)
	ann.listen("stream")
	ann.say("do nothing", "warm")
	ann.until(bottest.Replied(1))
	var times []time.Duration
	const rounds = 30
	for i := range rounds {
		start := time.Now()
		ann.say("do nothing", fmt.Sprint("e", i))
		ann.until(bottest.Replied(i + 2))
		times = append(times, time.Since(start))
	}
	var sum, worst time.Duration
	for _, d := range times {
		sum += d
		worst = max(worst, d)
	}
	mean := sum / rounds
	t.Logf("line to reply: mean %v, worst %v", mean, worst)
	if mean > 50*slack*time.Millisecond {
		t.Errorf("line to reply takes %v in the mean, more than 50 ms", mean)
	}
}

func TestConsole_StreamIsTakenUpWhereItBroke(t *testing.T) {
	_, s, ann := open(t)
	stop := ann.listen("stream")
	ann.say("talk one", "e1")
	ann.until(bottest.Replied(1))
	stop()
	ann.mu.Lock()
	last := ann.ids[len(ann.ids)-1]
	ann.mu.Unlock()
	other := newPerson(t, s.URL, "ann", &broadcast{c: make(chan struct{})})
	other.listen("stream")
	ann.say("talk two", "e2")
	other.until(bottest.Replied(1))
	again := newPerson(t, s.URL, "ann", &broadcast{c: make(chan struct{})})
	again.listen("stream?last_event_id=" + last)
	all := again.until(func(all []bottest.Shown) bool { return len(all) > 0 && strings.Contains(all[len(all)-1].Text, "two") })
	if len(all) > 2 {
		t.Errorf("%d messages were told again", len(all))
	}
	ann.say("talk three", "e3")
	again.until(func(all []bottest.Shown) bool { return strings.Contains(all[len(all)-1].Text, "three") })
}

func TestConsole_RefusesWhatIsNotTheirs(t *testing.T) {
	h, s, ann := open(t, func(c *console.Config) { c.StreamsPerUser = 2 })
	ann.listen("stream")
	ann.say("talk wait", "e1")
	all := ann.until(func(all []bottest.Shown) bool { return len(all) == 1 && len(all[0].Message.Choices) == 1 })
	bob := newPerson(t, s.URL, "bob", &broadcast{c: make(chan struct{})})
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		fault              string
	}{
		"click on somebody's message": {"POST", "clicks", `{"post":"` + all[0].ID + `","choice":"cancel"}`, 404, "cannot be found"},
		"somebody's file":             {"GET", "files/" + all[0].ID, "", 404, "cannot be found"},
		"somebody's channel":          {"GET", "stream?channel=%40ann", "", 403, "somebody else"},
		"line there":                  {"POST", "messages", `{"text":"help","channel":"@ann"}`, 403, "somebody else"},
		"no text":                     {"POST", "messages", `{"text":"  "}`, 400, "text is required"},
		"unknown key":                 {"POST", "messages", `{"text":"help","user":"ann"}`, 400, "user"},
		"two values":                  {"POST", "messages", `{"text":"help"}{}`, 400, "more than one"},
		"no JSON":                     {"POST", "messages", `text=help`, 400, "JSON"},
		"channel with a space":        {"POST", "messages", `{"text":"help","channel":"a b"}`, 400, "channel"},
		"long event id":               {"POST", "messages", `{"text":"help","event_id":"` + strings.Repeat("x", 300) + `"}`, 413, "event_id"},
		"bad post":                    {"POST", "clicks", `{"post":"1","choice":"cancel"}`, 400, "post"},
		"bad resume":                  {"GET", "stream?last_event_id=x", "", 400, "Last-Event-ID"},
		"method":                      {"DELETE", "messages", "", 405, ""},
		"path":                        {"GET", "other", "", 404, ""},
	} {
		answer := bob.request(context.Background(), c.method, c.path, strings.NewReader(c.body))
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != c.status || !strings.Contains(string(body), c.fault) {
			t.Errorf("%s: %s %s", name, answer.Status, body)
		}
	}
	bob.listen("stream")
	bob.listen("stream")
	answer := bob.request(context.Background(), "GET", "stream", nil)
	answer.Body.Close()
	if answer.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a third stream: %s", answer.Status)
	}
	nobody := newPerson(t, s.URL, "", nil)
	answer = nobody.request(context.Background(), "GET", "commands", nil)
	answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody: %s", answer.Status)
	}
	if n := len(h.Executions()); n != 1 {
		t.Errorf("%d runs", n)
	}
	h.Runner.Release()
}

func TestConsole_SlowReaderIsCutOff(t *testing.T) {
	h, _, ann := open(t, func(c *console.Config) { c.WriteTimeout = 200 * time.Millisecond; c.Heartbeat = time.Hour })
	answer := ann.request(context.Background(), "GET", "stream", nil)
	defer answer.Body.Close()
	// Nothing of the stream is read, while long messages fill what lies between.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			ann.say("repeat aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 200 times", fmt.Sprint("e", i))
			if strings.Contains(h.Logs.String(), "A chat stream was cut off") {
				return
			}
			if i > 2000 {
				t.Error("a reader that takes nothing is not cut off")
				return
			}
		}
	}()
	select {
	case <-ended:
	case <-time.After(2 * bottest.Patience):
		t.Error("a reader that takes nothing is not cut off in time")
	}
}

func TestConsole_CommandsAreWhatMayBeSaid(t *testing.T) {
	_, _, ann := open(t)
	answer := ann.request(context.Background(), "GET", "commands", nil)
	defer answer.Body.Close()
	var all []bot.Command
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, c := range all {
		found[c.Display] = true
	}
	for _, wanted := range []string{"help", "talk {{ say }}", "st2 run {{ action }} {{ parameters = }}"} {
		if !found[wanted] {
			t.Errorf("%q is not among %v", wanted, all)
		}
	}
}
