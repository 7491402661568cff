package terminal

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"petrel"
	"petrel/bot"
	"petrel/bot/console"
)

func update(post string, revision int, final bool, m bot.Message) console.Update {
	return console.Update{Post: petrel.ID(post), Revision: revision, Final: final, Message: m}
}

func said(text string, choices ...bot.Choice) bot.Message {
	return bot.Message{Severity: bot.SeverityInfo, Blocks: []bot.Block{{Kind: bot.BlockText, Text: text}}, Choices: choices}
}

func TestScreen_RedrawsTheLastMessageOnly(t *testing.T) {
	s := newScreen(false)
	s.columns, s.rows = 80, 24
	steps := []struct {
		u    console.Update
		want string
	}{
		{update("a", 1, false, said("one")), "one\n"},
		{update("a", 1, false, said("one")), ""},
		{update("a", 2, false, said("one\ntwo")), "\x1b[1A\r\x1b[Jone\ntwo\n"},
		{update("a", 3, false, said("1")), "\x1b[2A\r\x1b[J1\n"},
		{update("b", 1, false, said("other")), "other\n"},
		{update("a", 4, false, said("further up")), ""},
		{update("a", 5, true, said("the end of a")), "the end of a\n"},
		{update("b", 2, true, said("the end of b")), "the end of b\n"},
		{update("a", 2, false, said("late")), ""},
		{update("c", 1, true, bot.Message{Silent: true, Blocks: []bot.Block{{Text: "quiet"}}}), ""},
	}
	for i, step := range steps {
		if got := s.draw(step.u); got != step.want {
			t.Errorf("step %d: %q, expected %q", i, got, step.want)
		}
	}
	s.moved()
	if got := s.draw(update("b", 3, true, said("again"))); got != "again\n" {
		t.Errorf("%q", got)
	}
	long := said(strings.Repeat("x\n", 30))
	_ = s.draw(update("d", 1, false, long))
	if got := s.draw(update("d", 2, true, said("end"))); got != "end\n" {
		t.Errorf("a message taller than the screen is drawn over: %q", got)
	}
}

func TestScreen_NumbersTheChoicesOfTheNewestMessage(t *testing.T) {
	s := newScreen(true)
	s.columns, s.rows = 80, 24
	_ = s.draw(update("a", 1, false, said("go?", bot.Choice{ID: "cancel", Label: "Cancel"}, bot.Choice{ID: "say1", Label: "Other"})))
	if post, c, ok := s.choice(2); !ok || post != "a" || c.ID != "say1" {
		t.Errorf("%s %+v %v", post, c, ok)
	}
	for _, n := range []int{0, 3, -1} {
		if _, _, ok := s.choice(n); ok {
			t.Errorf("there is a choice %d", n)
		}
	}
	_ = s.draw(update("a", 2, true, said("gone")))
	if _, _, ok := s.choice(1); ok {
		t.Error("a choice stays open after the message closed")
	}
}

func TestScreen_BreaksLinesBeforeTheEdge(t *testing.T) {
	s := newScreen(false)
	s.columns = 11
	for in, want := range map[string]int{"": 1, "0123456789": 1, "01234567890": 2, "日本語日本": 1, "日本語日本語": 2, "e\u0301e\u0301e\u0301": 1, "\t\t\t": 2} {
		rows := s.wrap(in)
		if len(rows) != want {
			t.Errorf("%q: %q", in, rows)
		}
		for _, r := range rows {
			if !utf8.ValidString(r) {
				t.Errorf("%q: %q", in, rows)
			}
		}
	}
}

func TestCompletion(t *testing.T) {
	all := []bot.Command{{Display: "help"}, {Display: "help <word>"}, {Display: "st2 list {{ limit=10 }} actions"}, {Display: "st2 list [<limit>] packs"},
		{Display: "st2 run {{ action }}"}, {Display: "(a|b) {{ x }}"}}
	for typed, want := range map[string]struct {
		next string
		n    int
	}{
		"":              {"", 5},
		"h":             {"help", 2},
		"!st":           {"!st2 ", 3},
		"st2 l":         {"st2 list ", 2},
		"st2 run core.": {"st2 run core.", 1},
		"nothing":       {"nothing", 0},
	} {
		next, candidates := completion(all, typed)
		if next != want.next || len(candidates) != want.n {
			t.Errorf("%q: %q %q", typed, next, candidates)
		}
	}
}

func ExampleReply_Succeeded() {
	fmt.Println(Reply{Execution: "6b031a29435c8654720eae40", Status: petrel.StatusFailed}.Succeeded())
	// Output: false
}
