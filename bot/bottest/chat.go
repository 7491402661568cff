package bottest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/bot"
)

// Shown is a message as people in a channel see it.
type Shown struct {
	ID        string
	Delivery  petrel.ID
	Channel   string
	Thread    string
	To        string // the only person who sees it, empty for everybody
	Message   bot.Message
	Text      string
	Revisions []string // every text it had, the newest last
	File      []byte
}

// Chat is a working fake of a chat service with an adapter to it: it delivers
// events at least once, shows messages and edits, and can refuse, slow down
// or lose the answer to a sending.
type Chat struct {
	name   string
	limits bot.Limits

	mu      sync.Mutex
	host    bot.Host
	shown   []*Shown
	next    int
	changed chan struct{}
	failing []error // for the next sendings, in order
	after   []error // for the next sendings, after the message arrived
	times   []time.Time
	stops   int
}

// NewChat makes a service whose adapter has the name.
func NewChat(name string, limits bot.Limits) *Chat {
	return &Chat{name: name, limits: limits, changed: make(chan struct{})}
}

// Name implements bot.Adapter.
func (c *Chat) Name() string { return c.name }

// Limits implements bot.Limiter.
func (c *Chat) Limits() bot.Limits { return c.limits }

// Start implements bot.Adapter.
func (c *Chat) Start(_ context.Context, host bot.Host) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.host = host
	return nil
}

// Stop implements bot.Adapter.
func (c *Chat) Stop(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stops++
	return nil
}

// Fail makes the next sendings fail before anything arrives.
func (c *Chat) Fail(errs ...error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing = append(c.failing, errs...)
}

// LoseAnswer makes the next sendings arrive and their answers get lost.
func (c *Chat) LoseAnswer(times int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range times {
		c.after = append(c.after, errors.New("the connection broke before the answer came"))
	}
}

// Times are when sendings and edits came.
func (c *Chat) Times() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]time.Time(nil), c.times...)
}

func (c *Chat) arrive(do func() (string, error)) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.times = append(c.times, time.Now())
	close(c.changed)
	c.changed = make(chan struct{})
	if len(c.failing) > 0 {
		err := c.failing[0]
		c.failing = c.failing[1:]
		if err != nil {
			return "", err
		}
	}
	id, err := do()
	if err == nil && len(c.after) > 0 {
		err = c.after[0]
		c.after = c.after[1:]
		id = ""
	}
	return id, err
}

func (c *Chat) post(out bot.Outgoing, to string) (string, error) {
	return c.arrive(func() (string, error) {
		c.next++
		text := out.Message.Text()
		s := &Shown{ID: fmt.Sprintf("m%d", c.next), Delivery: out.Post.ID, Channel: out.Post.Channel, Thread: out.Post.Thread, To: to,
			Message: out.Message, Text: text, Revisions: []string{text}}
		c.shown = append(c.shown, s)
		return s.ID, nil
	})
}

// Send implements bot.Adapter.
func (c *Chat) Send(_ context.Context, out bot.Outgoing) (string, error) { return c.post(out, "") }

// SendPrivate implements bot.Private.
func (c *Chat) SendPrivate(_ context.Context, user string, out bot.Outgoing) (string, error) {
	return c.post(out, user)
}

// Edit implements bot.Adapter.
func (c *Chat) Edit(_ context.Context, id string, out bot.Outgoing) error {
	_, err := c.arrive(func() (string, error) {
		for _, s := range c.shown {
			if s.ID == id {
				s.Message, s.Text = out.Message, out.Message.Text()
				s.Revisions = append(s.Revisions, s.Text)
				return id, nil
			}
		}
		return "", &bot.SendError{Gone: true, Permanent: true, Err: errors.New("there is no such message")}
	})
	return err
}

// SendFile implements bot.Files.
func (c *Chat) SendFile(_ context.Context, id string, _ bot.Outgoing, _ string, content []byte) error {
	_, err := c.arrive(func() (string, error) {
		for _, s := range c.shown {
			if s.ID == id {
				s.File = content
			}
		}
		return id, nil
	})
	return err
}

// Find implements bot.Finder.
func (c *Chat) Find(_ context.Context, out bot.Outgoing) (string, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.shown {
		if s.Delivery == out.Post.ID {
			return s.ID, true, nil
		}
	}
	return "", false, nil
}

// Delete takes a message away, as a person can.
func (c *Chat) Delete(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, s := range c.shown {
		if s.ID == id {
			c.shown = append(c.shown[:i], c.shown[i+1:]...)
			return
		}
	}
}

// Event delivers an event.
func (c *Chat) Event(e bot.Event) (petrel.ID, bool, error) {
	c.mu.Lock()
	host := c.host
	c.mu.Unlock()
	return host.Receive(context.Background(), e)
}

// Say delivers a line in a channel.
func (c *Chat) Say(t testing.TB, person, channel, text, event string) {
	t.Helper()
	_, _, err := c.Event(bot.Event{ID: event, Identity: petrel.ChatIdentity{Workspace: "w", User: person}, Channel: channel, Kind: bot.EventLine, Text: text, At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
}

// Click delivers a click.
func (c *Chat) Click(t testing.TB, person string, on Shown, choice, event string) {
	t.Helper()
	_, _, err := c.Event(bot.Event{ID: event, Identity: petrel.ChatIdentity{Workspace: "w", User: person}, Channel: on.Channel, Kind: bot.EventClick,
		Post: on.Delivery, Choice: choice, At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
}

// Shown lists the messages in a channel.
func (c *Chat) Shown(channel string) []Shown {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Shown
	for _, s := range c.shown {
		if s.Channel == channel {
			copied := *s
			copied.Revisions = append([]string(nil), s.Revisions...)
			out = append(out, copied)
		}
	}
	return out
}

// Changed is closed at the next change of what is shown.
func (c *Chat) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// Until waits until what is shown in a channel is as wanted, and gives it.
func (c *Chat) Until(t testing.TB, channel string, wanted func([]Shown) bool) []Shown {
	t.Helper()
	deadline := time.After(Patience)
	for {
		changed := c.Changed()
		shown := c.Shown(channel)
		if wanted(shown) {
			return shown
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited %v in vain; shown in %s: %+v", Patience, channel, shown)
		}
	}
}

// Replied is a condition: there are n messages and all are final.
func Replied(n int) func([]Shown) bool {
	return func(all []Shown) bool {
		for _, s := range all {
			if s.Message.Execution != "" && !s.Message.Status.Final() {
				return false
			}
		}
		return len(all) == n
	}
}
