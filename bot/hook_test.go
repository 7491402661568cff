//go:build hooks

package bot_test

import (
	"testing"

	"petrel/bot"
	"petrel/bot/bottest"
	"petrel/engine/hook"
)

// A fault between learning the end of a run and posting it costs delay only.
func TestBot_PostsAfterAFaultBetweenEndAndPost(t *testing.T) {
	if err := hook.Arm(string(hook.AfterFinishBeforePost)+"=fail@1", ""); err != nil {
		t.Fatal(err)
	}
	defer hook.Arm("", "") //nolint:errcheck // an empty list is valid
	_, c, _ := chat(t, bot.Limits{})
	c.Say(t, "U-ann", "ops", "!talk hello", "e1")
	c.Until(t, "ops", bottest.Replied(1))
	if n := hook.Fired(hook.AfterFinishBeforePost); n != 1 {
		t.Errorf("the hook fired %d times", n)
	}
}
