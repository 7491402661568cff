package bot_test

import (
	"testing"
	"time"

	"petrel"
	"petrel/bot"
	"petrel/bot/bottest"
)

// The fake service of the tests passes the suite it is made for.
func TestChat_PassesTheSuite(t *testing.T) {
	bottest.Run(t, func(t *testing.T, h *bottest.House) *bottest.Harness {
		c := bottest.NewChat("fake", bot.Limits{})
		for _, user := range []string{"ann", "bob"} {
			h.Link("fake", "w", "U-"+user, user)
		}
		return &bottest.Harness{
			Adapter: c,
			Say:     func(person, text, event string) { c.Say(t, "U-"+person, "ops", text, event) },
			Click: func(person string, on bottest.Shown, choice, event string) {
				c.Click(t, "U-"+person, on, choice, event)
			},
			Refused: func(person, text string) error {
				_, _, err := c.Event(bot.Event{ID: "bad", Identity: petrel.ChatIdentity{Workspace: "w", User: "U-" + person}, Channel: "ops", Kind: bot.EventLine, Text: text, At: time.Now()})
				return err
			},
			Shown: func(person string) []bottest.Shown {
				var out []bottest.Shown
				for _, s := range c.Shown("ops") {
					if s.To == "" || s.To == "U-"+person {
						out = append(out, s)
					}
				}
				return out
			},
			Changed: c.Changed,
		}
	})
}
