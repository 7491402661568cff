package bot_test

import (
	"strings"
	"testing"

	"petrel"
	"petrel/bot"
	"petrel/bot/bottest"
)

// chat is a house with a bot and a chat in which ann and bob are linked and
// carl is not.
func chat(t *testing.T, limits bot.Limits, change ...func(*bot.Config)) (*bottest.House, *bottest.Chat, *bot.Bot) {
	h := bottest.NewHouse(t)
	c := bottest.NewChat("fake", limits)
	h.Link("fake", "w", "U-ann", "ann")
	h.Link("fake", "w", "U-bob", "bob")
	b := h.Bot(h.Engine(), append(change, func(cfg *bot.Config) { cfg.Adapters = []bot.Adapter{c} })...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(h.Logs)
		}
	})
	return h, c, b
}

func TestBot_ALineBecomesOneMessageThatBecomesTheReply(t *testing.T) {
	h, c, _ := chat(t, bot.Limits{})
	c.Say(t, "U-ann", "ops", "!talk hello", "e1")
	shown := c.Until(t, "ops", bottest.Replied(1))
	m := shown[0]
	if !strings.Contains(m.Text, "hello") || !strings.Contains(m.Text, "Action test.talk completed.") || m.Message.Severity != bot.SeveritySuccess {
		t.Errorf("reply: %+v", m)
	}
	x := h.Executions()
	if len(x) != 1 || x[0].Status != petrel.StatusSucceeded || x[0].User != "ann" {
		t.Fatalf("%+v", x)
	}
	if !strings.Contains(string(x[0].Context), `"chat_user":"fake:w:U-ann"`) || !strings.Contains(string(x[0].Context), `"source_channel":"ops"`) {
		t.Errorf("context %s", x[0].Context)
	}
}
