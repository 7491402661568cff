package bottest

import (
	"context"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/bot"
)

// Harness joins an adapter with what stands for its service in the suite. Ann
// and bob are people whose users are linked; carl is nobody.
type Harness struct {
	Adapter bot.Adapter
	// Ready is called when the bot runs; nil for nothing to do.
	Ready func()
	// Say makes the service deliver a line that a person says to the bot. The same event id
	// again is the service delivering the same event again.
	Say func(person, text, event string)
	// Click makes the service deliver a click.
	Click func(person string, on Shown, choice, event string)
	// Refused says the text and answers with the error the person sees for a
	// line the service or adapter takes at once for wrong; nil where it is taken.
	Refused func(person, text string) error
	// Shown lists the messages the person sees, oldest first.
	Shown func(person string) []Shown
	// Changed is closed at the next change of what anybody sees.
	Changed func() <-chan struct{}
	// NoStrangers says that nobody can reach the bot without a user.
	NoStrangers bool
}

// Run is the suite: what every adapter must do. Each test has a house of its own.
func Run(t *testing.T, harness func(t *testing.T, h *House) *Harness) {
	for name, test := range map[string]func(*testing.T, *House, *Harness){
		"one message becomes the reply":          oneMessage,
		"a repeated event is handled once":       repeated,
		"events while nobody handles are kept":   kept,
		"words are refused in words":             refusals,
		"a long output is cut and kept whole":    longOutput,
		"output is harmless":                     harmless,
		"a running command can be canceled":      cancelable,
		"only those concerned see private words": private,
		"a stranger is told how to link":         stranger,
		"a silent alias says nothing":            silent,
		"hostile lines are refused":              hostile,
		"stop can be called twice and before":    stops,
	} {
		t.Run(name, func(t *testing.T) {
			house := NewHouse(t)
			h := harness(t, house)
			t.Cleanup(func() {
				if t.Failed() {
					t.Log(house.Logs)
				}
			})
			test(t, house, h)
		})
	}
}

func (h *Harness) start(house *House) *bot.Bot {
	b := house.Bot(house.Engine(), func(c *bot.Config) { c.Adapters = []bot.Adapter{h.Adapter} })
	if h.Ready != nil {
		h.Ready()
	}
	return b
}

// Until waits until what a person sees is as wanted.
func (h *Harness) Until(t *testing.T, person string, wanted func([]Shown) bool) []Shown {
	t.Helper()
	deadline := time.After(Patience)
	for {
		changed := h.Changed()
		shown := h.Shown(person)
		if wanted(shown) {
			return shown
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited %v in vain; %s sees %+v", Patience, person, shown)
		}
	}
}

func oneMessage(t *testing.T, house *House, h *Harness) {
	h.start(house)
	h.Say("ann", "!talk hello", "e1")
	m := h.Until(t, "ann", Replied(1))[0]
	if !strings.Contains(m.Text, "hello") || m.Message.Severity != bot.SeveritySuccess || m.Message.Status != petrel.StatusSucceeded {
		t.Errorf("%+v", m)
	}
	h.Say("ann", "!custom hi", "e2")
	m = h.Until(t, "ann", Replied(2))[1]
	if !strings.Contains(m.Text, "Said") || !strings.Contains(m.Text, "hi") || strings.Contains(m.Text, "On it") || m.Message.Color != "#123456" {
		t.Errorf("%+v", m)
	}
}

func repeated(t *testing.T, house *House, h *Harness) {
	h.start(house)
	for range 4 {
		h.Say("ann", "!do nothing", "same")
	}
	h.Until(t, "ann", Replied(1))
	h.Say("ann", "!do nothing", "same")
	h.Say("ann", "!talk after", "other")
	h.Until(t, "ann", Replied(2))
	if n := len(house.Executions()); n != 2 {
		t.Errorf("%d runs", n)
	}
}

func kept(t *testing.T, house *House, h *Harness) {
	e := house.Engine()
	first := house.Bot(e, func(c *bot.Config) { c.Adapters = []bot.Adapter{h.Adapter} })
	if h.Ready != nil {
		h.Ready()
	}
	h.Say("ann", "!talk wait for it", "e1")
	h.Until(t, "ann", func(all []Shown) bool { return len(all) == 1 })
	house.StopBot(first)
	house.Runner.Release()
	// The run ends while no bot is there. Another bot, whose own adapter is only
	// there to make it work, finds the open message of this one's channel.
	second := house.Bot(e, func(c *bot.Config) { c.Adapters = []bot.Adapter{NewChat(h.Adapter.Name(), bot.Limits{})} })
	posts := waitPosts(t, house, func(p petrel.Post) bool { return p.Final })
	if len(posts) != 1 {
		t.Errorf("%d posts", len(posts))
	}
	house.StopBot(second)
}

func waitPosts(t *testing.T, house *House, wanted func(petrel.Post) bool) []petrel.Post {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	for {
		x := house.Executions()
		if len(x) > 0 {
			posts, err := house.Posts(ctx, x[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			all := len(posts) > 0
			for _, p := range posts {
				all = all && wanted(p)
			}
			if all {
				return posts
			}
		}
		// The store tells nobody of its changes but through queue and feed, which are
		// what this test does without.
		select {
		case <-ctx.Done():
			t.Fatal("waited in vain")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func refusals(t *testing.T, house *House, h *Harness) {
	h.start(house)
	for i, c := range []struct{ line, wanted string }{
		{"!talk", "Did you mean"},
		{"!tlak hello", "talk hello"},
		{"!something else altogether", "No command matches"},
		{"!same thing", "several commands"},
		{"!repeat a b times", "Failed to cast value"},
		{"!talk x tags=1 undeclared=1", "undeclared"},
		{"!use off", "disabled"},
		{"!use gone", "test.gone"},
		{"!st2 run test.talk", "say"},
		{"!st2 run test.none", "test.none"},
	} {
		h.Say("ann", c.line, "e"+c.line)
		m := h.Until(t, "ann", Replied(i+1))[i]
		if !strings.Contains(m.Text, c.wanted) || m.Message.Severity != bot.SeverityWarning && m.Message.Severity != bot.SeverityFailure {
			t.Errorf("%s: %s %q", c.line, m.Message.Severity, m.Text)
		}
	}
	if n := len(house.Executions()); n != 0 {
		t.Errorf("%d runs were started", n)
	}
	h.Say("ann", "!help talk", "help")
	m := h.Until(t, "ann", Replied(11))[10]
	if !strings.Contains(m.Text, "talk {{ say }}") || strings.Contains(m.Text, "do nothing") {
		t.Errorf("help: %q", m.Text)
	}
}

func longOutput(t *testing.T, house *House, h *Harness) {
	h.start(house)
	h.Say("ann", "!repeat line 3000 times", "e1")
	m := h.Until(t, "ann", Replied(1))[0]
	if m.Message.File == nil || len(m.Text) > 20_000 || m.Message.File.Size < 3000*5 {
		t.Errorf("file %+v, %d bytes inline", m.Message.File, len(m.Text))
	}
	if m.File != nil && strings.Count(string(m.File), "line") != 3000 {
		t.Errorf("the file has %d lines of 3000", strings.Count(string(m.File), "line"))
	}
}

func harmless(t *testing.T, house *House, h *Harness) {
	h.start(house)
	h.Say("ann", "!talk \"a @everyone <!channel> <@U1> \x1b[31mred\x1b[0m \u202eevil b\" password=hunter2hunter", "e1")
	m := h.Until(t, "ann", Replied(1))[0]
	for _, bad := range []string{"@everyone", "<!channel>", "<@U1>", "\x1b", "\u202e", "hunter2hunter"} {
		if strings.Contains(m.Text, bad) {
			t.Errorf("%q is in %q", bad, m.Text)
		}
	}
	if !strings.Contains(m.Text, "everyone") || !strings.Contains(m.Text, "evil b") {
		t.Errorf("too much was taken out: %q", m.Text)
	}
	h.Say("ann", "!talk secret-word password=secret-word", "e2")
	m = h.Until(t, "ann", Replied(2))[1]
	if strings.Contains(m.Text, "secret-word") {
		t.Errorf("a secret is shown: %q", m.Text)
	}
}

func cancelable(t *testing.T, house *House, h *Harness) {
	h.start(house)
	h.Say("ann", "!talk wait a while", "e1")
	all := h.Until(t, "ann", func(all []Shown) bool {
		return len(all) == 1 && len(all[0].Message.Choices) == 1 && strings.Contains(all[0].Message.Progress, "running")
	})
	if !strings.Contains(all[0].Message.Progress, "wait a while") {
		t.Errorf("progress %q", all[0].Message.Progress)
	}
	h.Click("ann", all[0], "cancel", "c1")
	m := h.Until(t, "ann", Replied(1))[0]
	if m.Message.Status != petrel.StatusCanceled || len(m.Message.Choices) != 0 {
		t.Errorf("%+v", m)
	}
	h.Click("ann", all[0], "cancel", "c2")
	late := h.Until(t, "ann", Replied(2))[1]
	if !strings.Contains(late.Text, "not open any more") {
		t.Errorf("a late click is answered by %q", late.Text)
	}
}

func private(t *testing.T, house *House, h *Harness) {
	h.start(house)
	h.Say("ann", "!help", "e1")
	h.Until(t, "ann", Replied(1))
	h.Say("bob", "!do nothing", "e2")
	h.Until(t, "bob", func(all []Shown) bool {
		for _, s := range all {
			if s.Message.Private && s.Message.To != "" && s.To == "" && !strings.Contains(s.Message.To, "bob") {
				t.Errorf("bob sees %+v", s)
			}
		}
		return len(all) > 0 && all[len(all)-1].Message.Status.Final()
	})
}

func stranger(t *testing.T, house *House, h *Harness) {
	h.start(house)
	if h.NoStrangers {
		return
	}
	h.Say("carl", "!do nothing", "e1")
	m := h.Until(t, "carl", Replied(1))[0]
	if !strings.Contains(m.Text, "petrel user link "+h.Adapter.Name()+":") {
		t.Errorf("%q", m.Text)
	}
	if n := len(house.Executions()); n != 0 {
		t.Errorf("%d runs were started", n)
	}
	h.Say("carl", "just talking to people", "e2")
}

func silent(t *testing.T, house *House, h *Harness) {
	h.start(house)
	h.Say("ann", "!mute x", "e1")
	h.Say("ann", "!quiet loud at last", "e2")
	m := h.Until(t, "ann", Replied(1))[0]
	if !strings.Contains(m.Text, "loud at last") || len(m.Revisions) != 1 {
		t.Errorf("%+v", m)
	}
	if n := len(house.Executions()); n != 2 {
		t.Errorf("%d runs", n)
	}
}

func hostile(t *testing.T, house *House, h *Harness) {
	h.start(house)
	for name, line := range map[string]string{
		"10 MB": strings.Repeat("x", 10<<20), "invalid UTF-8": "talk \xff\xfe", "NUL": "talk a\x00b",
	} {
		start := time.Now()
		err := h.Refused("ann", line)
		if err == nil {
			t.Errorf("%s is taken", name)
		} else if text := petrel.Message(err); len(text) > 300 {
			t.Errorf("%s: the refusal has %d bytes", name, len(text))
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
	for i, line := range []string{strings.Repeat("talk ", 3000), "{{ 7123*7 }} <% 1 %>", "talk {{ 7123*7 }}", "'" + strings.Repeat(`"`, 1000), strings.Repeat("a=b ", 2000),
		"\u200b\u200b", "!!!", "!"} {
		h.Say("ann", "!"+line, "hostile"+string(rune('a'+i)))
	}
	h.Say("ann", "!talk alive", "alive")
	all := h.Until(t, "ann", func(all []Shown) bool {
		return len(all) > 0 && strings.Contains(all[len(all)-1].Text, "alive") && all[len(all)-1].Message.Status.Final()
	})
	for _, m := range all {
		if strings.Contains(m.Text, "49861") {
			t.Errorf("a template of a line was evaluated: %q", m.Text)
		}
	}
}

func stops(t *testing.T, house *House, h *Harness) {
	for range 2 {
		if err := h.Adapter.Stop(context.Background()); err != nil {
			t.Errorf("stop before start: %v", err)
		}
	}
	again := NewChat("other", bot.Limits{})
	b := house.Bot(house.Engine(), func(c *bot.Config) { c.Adapters = []bot.Adapter{again} })
	house.StopBot(b)
	house.StopBot(b)
}
