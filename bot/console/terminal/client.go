// Package terminal is the console's client for a terminal: it says lines over
// HTTP, shows what comes back on the chat's stream, and redraws a message that
// changes. It works on dumb terminals and with piped input too.
package terminal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"petrel"
	"petrel/bot"
	"petrel/bot/console"
)

// Client speaks with a server's chat. The zero of every field but URL means
// the default it names.
type Client struct {
	URL     string       // of the API, such as http://127.0.0.1:9101/api/v1
	HTTP    *http.Client // default: one of its own; it must have no timeout, because a stream has no end
	Header  http.Header  // credentials, such as X-Auth-Token
	Channel string       // default: one's own direct channel
}

// requestTimeout bounds what is no stream.
const requestTimeout = 30 * time.Second

func (c *Client) http() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return http.DefaultClient
}

func (c *Client) do(ctx context.Context, method, path string, body any, header http.Header) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+"/chat/"+path, reader)
	if err != nil {
		return nil, err
	}
	for _, h := range []http.Header{c.Header, header} {
		for k, v := range h {
			r.Header[k] = v
		}
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http().Do(r)
	if err != nil {
		return nil, petrel.Wrap(petrel.Unavailable, err, "The server at %s cannot be reached", c.URL)
	}
	if answer.StatusCode >= 300 {
		defer answer.Body.Close()
		return nil, refused(answer)
	}
	return answer, nil
}

// kinds are what HTTP's statuses mean.
var kinds = map[int]petrel.Kind{
	http.StatusBadRequest: petrel.Invalid, http.StatusUnauthorized: petrel.Unauthorized, http.StatusForbidden: petrel.Forbidden,
	http.StatusNotFound: petrel.NotFound, http.StatusConflict: petrel.Conflict, http.StatusRequestEntityTooLarge: petrel.TooLarge,
	http.StatusTooManyRequests: petrel.TooMany, http.StatusServiceUnavailable: petrel.Unavailable, http.StatusBadGateway: petrel.Unavailable,
	http.StatusGatewayTimeout: petrel.Unavailable,
}

func refused(answer *http.Response) error {
	var body struct {
		Fault string `json:"faultstring"`
	}
	raw, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	_ = json.Unmarshal(raw, &body)
	if body.Fault == "" {
		body.Fault = "The server answered " + answer.Status + "."
	}
	kind, known := kinds[answer.StatusCode]
	if !known {
		kind = petrel.Internal
	}
	return petrel.Errorf(kind, "%s", bot.Clean(body.Fault))
}

func (c *Client) call(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answer, err := c.do(ctx, method, path, body, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(io.LimitReader(answer.Body, 16<<20)).Decode(into); err != nil {
		return petrel.Wrap(petrel.Internal, err, "The server's answer cannot be read")
	}
	return nil
}

// Message says a line and answers with the id of the stored event. The
// request carries an id of its own, so that it can be sent again when the
// answer was lost: the line is said once.
func (c *Client) Message(ctx context.Context, text string) (petrel.ID, error) {
	return c.tell(ctx, "messages", map[string]string{"text": text, "channel": c.Channel})
}

// Click takes a choice of a message.
func (c *Client) Click(ctx context.Context, post petrel.ID, choice string) (petrel.ID, error) {
	return c.tell(ctx, "clicks", map[string]string{"post": string(post), "choice": choice})
}

func (c *Client) tell(ctx context.Context, path string, body map[string]string) (petrel.ID, error) {
	body["event_id"] = string(petrel.NewID(time.Now()))
	var out struct {
		Event petrel.ID `json:"event"`
	}
	var err error
	for try := 0; try < 4; try++ {
		if err = c.call(ctx, http.MethodPost, path, body, &out); !petrel.Is(err, petrel.Unavailable) {
			break
		}
		if !pause(ctx, time.Duration(try+1)*300*time.Millisecond) {
			break
		}
	}
	return out.Event, err
}

// Commands lists what can be said.
func (c *Client) Commands(ctx context.Context) ([]bot.Command, error) {
	var out []bot.Command
	err := c.call(ctx, http.MethodGet, "commands", nil, &out)
	return out, err
}

// stream is the chat's stream, taken up again whenever it breaks.
type stream struct {
	c    *Client
	last string // id of the last event
	wait time.Duration
}

// item is one thing that came from a stream.
type item struct {
	update *console.Update
	hello  bool
	broken error // the stream broke and is being taken up again
}

// follow gives what the stream tells to take until the context ends or the server
// refuses the stream for good. take is called in one goroutine.
func (s *stream) follow(ctx context.Context, take func(item)) error {
	for {
		err := s.once(ctx, take)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch petrel.KindOf(err) {
		case petrel.Unauthorized, petrel.Forbidden, petrel.NotFound, petrel.Invalid:
			return err
		}
		take(item{broken: err})
		s.wait = min(5*time.Second, max(100*time.Millisecond, 2*s.wait))
		if !pause(ctx, s.wait) {
			return ctx.Err()
		}
	}
}

var errEnded = errors.New("the stream ended")

// silence is how long a stream may say nothing before it is taken for dead;
// the server sends a sign of life more often.
const silence = 60 * time.Second

func (s *stream) once(ctx context.Context, take func(item)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	header := http.Header{"Accept": {"text/event-stream"}}
	if s.last != "" {
		header.Set("Last-Event-Id", s.last)
	}
	path := "stream"
	if s.c.Channel != "" {
		path += "?channel=" + url.QueryEscape(s.c.Channel)
	}
	answer, err := s.c.do(ctx, http.MethodGet, path, nil, header)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	watch := time.AfterFunc(silence, cancel)
	defer watch.Stop()
	lines := bufio.NewReaderSize(answer.Body, 64<<10)
	var id, event string
	var data strings.Builder
	for {
		line, err := readLine(lines)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return errEnded
			}
			return err
		}
		watch.Reset(silence)
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if data.Len() > 0 {
				if id != "" {
					s.last = id
				}
				s.wait = 0
				s.give(event, data.String(), take)
			}
			id, event = "", ""
			data.Reset()
		case name == "id":
			id = value
		case name == "event":
			event = value
		case name == "data":
			data.WriteString(value)
		}
	}
}

// maxEvent bounds one line of a stream.
const maxEvent = 4 << 20

func readLine(r *bufio.Reader) (string, error) {
	var out []byte
	for {
		part, err := r.ReadSlice('\n')
		out = append(out, part...)
		if len(out) > maxEvent {
			return "", fmt.Errorf("the stream has a line of more than %d bytes", maxEvent)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		return strings.TrimRight(string(out), "\r\n"), err
	}
}

func (s *stream) give(event, data string, take func(item)) {
	switch event {
	case "hello":
		take(item{hello: true})
	case "message":
		var u console.Update
		if err := json.Unmarshal([]byte(data), &u); err == nil {
			take(item{update: &u})
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Reply is the final answer to a line.
type Reply struct {
	Text      string
	Severity  bot.Severity
	Execution petrel.ID // empty when nothing was run
	Action    petrel.Ref
	Status    petrel.Status
	Choices   []bot.Choice
}

// Succeeded says whether what was asked for was done: a run that succeeded, or
// an answer that is no refusal.
func (r Reply) Succeeded() bool {
	if r.Execution != "" {
		return r.Status == petrel.StatusSucceeded
	}
	return r.Severity != bot.SeverityWarning && r.Severity != bot.SeverityFailure
}

// ErrWaited says that the final reply did not come in time; the run goes on.
var ErrWaited = petrel.Errorf(petrel.Unavailable, "No final reply came in time; the command goes on.")

// Say says one line and waits for its final reply, at most so long (0: without
// end). When the time is over the newest state comes with ErrWaited.
func (c *Client) Say(ctx context.Context, line string, wait time.Duration) (Reply, error) {
	return c.say(ctx, func(ctx context.Context) (petrel.ID, error) { return c.Message(ctx, line) }, wait, nil)
}

// say sends something and waits for the answers to it; progress, when it is
// given, sees every change.
func (c *Client) say(ctx context.Context, send func(context.Context) (petrel.ID, error), wait time.Duration, progress func(console.Update)) (Reply, error) {
	var cancel context.CancelFunc
	if wait > 0 {
		ctx, cancel = context.WithTimeout(ctx, wait)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	defer cancel()
	items := make(chan item, 64)
	ended := make(chan error, 1)
	s := &stream{c: c}
	go func() {
		ended <- s.follow(ctx, func(i item) {
			select {
			case items <- i:
			case <-ctx.Done():
			}
		})
	}()
	var event petrel.ID
	var newest map[petrel.ID]console.Update
	var order []petrel.ID
	var early []console.Update
	// The answer to the line is on its way before the id of the line is here.
	sent := make(chan error, 1)
	var stored petrel.ID
	sending := false
	take := func(u console.Update) bool {
		if u.Event != event {
			return false
		}
		if newest == nil {
			newest = map[petrel.ID]console.Update{}
		}
		before, known := newest[u.Post]
		if known && before.Revision >= u.Revision {
			return false
		}
		if !known {
			order = append(order, u.Post)
		}
		newest[u.Post] = u
		if progress != nil {
			progress(u)
		}
		for _, n := range newest {
			if !n.Final {
				return false
			}
		}
		return true
	}
	for {
		select {
		case <-ctx.Done():
			if wait > 0 && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return replyOf(newest, order), ErrWaited
			}
			return replyOf(newest, order), ctx.Err()
		case err := <-ended:
			if ctx.Err() != nil {
				continue
			}
			return Reply{}, err
		case err := <-sent:
			if err != nil {
				return Reply{}, err
			}
			event = stored
			done := false
			for _, u := range early {
				done = take(u) || done
			}
			early = nil
			if done {
				return replyOf(newest, order), nil
			}
		case i := <-items:
			switch {
			case i.hello && !sending:
				sending = true
				go func() {
					id, err := send(ctx)
					stored = id
					sent <- err
				}()
			case i.broken != nil && !sending:
				// Without a stream nothing was said yet.
				if wait == 0 {
					return Reply{}, petrel.Wrap(petrel.Unavailable, i.broken, "The server at %s cannot be reached", c.URL)
				}
			case i.update != nil && event == "":
				early = append(early, *i.update)
			case i.update != nil:
				if take(*i.update) {
					return replyOf(newest, order), nil
				}
			}
		}
	}
}

// replyOf joins the answers to one line; the worst outcome counts.
func replyOf(newest map[petrel.ID]console.Update, order []petrel.ID) Reply {
	var out Reply
	var texts []string
	for i, id := range order {
		m := newest[id].Message
		if !m.Silent && newest[id].Text != "" {
			texts = append(texts, newest[id].Text)
		}
		if i == 0 || worse(m, out) {
			out.Severity, out.Execution, out.Action, out.Status = m.Severity, m.Execution, m.Action, m.Status
		}
		out.Choices = append(out.Choices, m.Choices...)
	}
	out.Text = strings.Join(texts, "\n")
	return out
}

func worse(m bot.Message, than Reply) bool {
	return than.Status == petrel.StatusSucceeded && m.Status != petrel.StatusSucceeded
}
