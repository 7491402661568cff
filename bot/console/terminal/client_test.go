package terminal_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/auth"
	"petrel/bot"
	"petrel/bot/bottest"
	"petrel/bot/console"
	"petrel/bot/console/terminal"
)

// open is a house with a console, and ann's client to it. Its connections can be cut.
func open(t *testing.T) (*bottest.House, *terminal.Client, *httptest.Server) {
	h := bottest.NewHouse(t)
	c, err := console.New(console.Config{Store: h.Store, Feed: h.Feed, Log: h.Logs.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := auth.Principal{User: r.Header.Get("X-User"), Method: auth.MethodToken}
		c.ServeHTTP(w, r.WithContext(auth.NewContext(r.Context(), who)))
	}))
	t.Cleanup(s.Close)
	h.Bot(h.Engine(), func(cfg *bot.Config) { cfg.Adapters = []bot.Adapter{c} })
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(h.Logs)
		}
	})
	return h, &terminal.Client{URL: s.URL + "/api/v1", Header: http.Header{"X-User": {"ann"}}}, s
}

func TestSay_GivesTheFinalReply(t *testing.T) {
	_, c, _ := open(t)
	for line, want := range map[string]struct {
		text      string
		succeeded bool
		status    petrel.Status
	}{
		"do nothing":           {"Action test.noop completed.", true, petrel.StatusSucceeded},
		"!talk hello":          {"hello", true, petrel.StatusSucceeded},
		"talk fail now":        {"status : failed", false, petrel.StatusFailed},
		"mute x":               {"", true, petrel.StatusSucceeded},
		"help":                 {"You can say", true, ""},
		"no such command":      {"No command matches", false, ""},
		"see AB-1 and CD-2":    {"AB-1", true, petrel.StatusSucceeded},
		"repeat x two times":   {"Failed to cast", false, ""},
		"st2 run test.noop":    {"Action test.noop completed.", true, petrel.StatusSucceeded},
		"talk '{{ 7 * 777 }}'": {"{{ 7 * 777 }}", true, petrel.StatusSucceeded},
	} {
		reply, err := c.Say(context.Background(), line, bottest.Patience)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if !strings.Contains(reply.Text, want.text) || reply.Succeeded() != want.succeeded || reply.Status != want.status {
			t.Errorf("%s: %+v", line, reply)
		}
	}
}

func TestSay_EndsWaiting(t *testing.T) {
	h, c, _ := open(t)
	reply, err := c.Say(context.Background(), "talk wait", 300*time.Millisecond)
	if err != terminal.ErrWaited || reply.Execution == "" || reply.Status.Final() {
		t.Errorf("%+v %v", reply, err)
	}
	h.Runner.Release()
	_, err = c.Say(context.Background(), strings.Repeat("x", 20<<10), bottest.Patience)
	if petrel.KindOf(err) != petrel.TooLarge {
		t.Errorf("a long line: %v", err)
	}
	stranger := &terminal.Client{URL: c.URL}
	if _, err := stranger.Say(context.Background(), "help", bottest.Patience); petrel.KindOf(err) != petrel.Unauthorized {
		t.Errorf("nobody: %v", err)
	}
	away := &terminal.Client{URL: "http://127.0.0.1:1/api/v1"}
	if _, err := away.Say(context.Background(), "help", 0); petrel.KindOf(err) != petrel.Unavailable {
		t.Errorf("no server: %v", err)
	}
}

func TestSay_GoesOnWhenTheStreamBreaks(t *testing.T) {
	h, c, s := open(t)
	done := make(chan terminal.Reply, 1)
	go func() {
		reply, err := c.Say(context.Background(), "talk wait", bottest.Patience)
		if err != nil {
			t.Error(err)
		}
		done <- reply
	}()
	<-h.Runner.Started
	s.CloseClientConnections()
	h.Runner.Release()
	if reply := <-done; reply.Status != petrel.StatusSucceeded {
		t.Errorf("%+v", reply)
	}
}

func TestRun_AnswersPipedLines(t *testing.T) {
	_, c, _ := open(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	term, err := terminal.New(terminal.Config{Client: c, In: r, Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(w, "talk one\n\n!talk two\ntlak three\ntalk a\x00b\n")
		w.Close()
	}()
	if err := term.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	one, two, three := strings.Index(text, "stdout : one"), strings.Index(text, "stdout : two"), strings.Index(text, "talk three")
	if one < 0 || two < one || three < two || strings.Contains(text, "\x1b") || !strings.Contains(text, "NUL") {
		t.Errorf("%q", text)
	}
}
