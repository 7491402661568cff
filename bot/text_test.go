package bot

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"petrel"
	"petrel/expr/value"
)

// testdata/chattext.jsonl holds what StackStorm's bot makes of these texts.
func TestSplitPretextAndChunks_AsRecorded(t *testing.T) {
	file, err := os.Open("testdata/chattext.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var c struct {
			ID, Covers, Message, Text string
			Length                    int
			Expect                    json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if c.Covers == "chat-pretext" {
			var want struct{ Pretext, Text string }
			_ = json.Unmarshal(c.Expect, &want)
			if pretext, text := SplitPretext(c.Message); pretext != want.Pretext || text != want.Text {
				t.Errorf("%s: %q %q", c.ID, pretext, text)
			}
			continue
		}
		var want []string
		_ = json.Unmarshal(c.Expect, &want)
		if got := Chunks(c.Text, c.Length); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s: %q", c.ID, got)
		}
	}
}

func TestAddressed(t *testing.T) {
	for _, c := range []struct {
		text    string
		direct  bool
		command string
		ours    bool
	}{
		{"!help", false, "help", true},
		{"  ! help me ", false, "help me", true},
		{"help", false, "help", false},
		{"help", true, "help", true},
		{"!help", true, "help", true},
		{"!", false, "", false},
		{"!!!", false, "", false},
		{"!!!", true, "", false},
		{"", true, "", false},
		{" \n ", true, "", false},
	} {
		if command, ours := Addressed(c.text, "!", c.direct); ours != c.ours || ours && command != c.command {
			t.Errorf("%q direct=%v: %q %v", c.text, c.direct, command, ours)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\n":                             "plain\ttext\n",
		"\x1b[31mred\x1b[0m":                        "red",
		"\x1b]8;;http://evil\x07link\x1b]8;;\x1b\\": "link",
		"\x1b]0;title":                              "",
		"a\x1b]0;title\nb":                          "a\nb",
		"a\r\nb\rc":                                 "a\nb\nc",
		"nul\x00bel\x07":                            "nulbel",
		"\u202eevil\u202c \u2066x\u2069":            "evil x",
		"bad \xff\xfe utf":                          "bad \ufffd utf",
		"\u009b31mc1":                               "c1",
		"日本 👨\u200d👩":                               "日本 👨\u200d👩",
		"\x1b":                                      "",
		"\x1b(Bx":                                   "x",
		"\ufeffbom":                                 "bom",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, expected %q", in, got, want)
		}
	}
}

func TestUnping(t *testing.T) {
	for in, pings := range map[string]bool{
		"@everyone": true, "x @HERE y": true, "<!channel>": true, "<@U123>": true, "<@&1>": true, "<#C1>": true, "@channel": true,
		"ann@here.example": false, "a@b.c": false, "<b>": false, "@ann": false, "5 < 6": false,
	} {
		got := Unping(in)
		if (got != in) != pings {
			t.Errorf("Unping(%q) = %q", in, got)
		}
		if strings.ReplaceAll(got, apart, "") != in || Unping(got) != got {
			t.Errorf("Unping(%q) changed more than it may: %q", in, got)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[31mred\x1b]8;;x\x07 @everyone <!here> \u202e")
	f.Fuzz(func(t *testing.T, s string) {
		got := Unping(Clean(s))
		if !utf8.ValidString(got) || Clean(got) != got {
			t.Errorf("%q became %q", s, got)
		}
		for _, r := range got {
			if hidden(r) {
				t.Errorf("%q keeps %q", s, r)
			}
		}
		m := Message{Blocks: fenced(s)}
		fit(&m, Limits{Text: 50, Lines: 3})
		if n := len(m.Text()); n > 60 {
			t.Errorf("%d bytes are left of %q", n, s)
		}
		_, _ = Addressed(s, "!", true)
		_ = NormalizeLine(s)
		_ = quote(s)
		if strings.Join(Chunks(s, 7), "") != s && utf8.ValidString(s) {
			t.Errorf("Chunks lose something of %q", s)
		}
	})
}

func TestFenced(t *testing.T) {
	got := fenced("two found\n```\na  b\nc  d\n```\nthat is all")
	want := []Block{{Kind: BlockText, Text: "two found\n"}, {Kind: BlockCode, Text: "a  b\nc  d\n"}, {Kind: BlockText, Text: "\nthat is all"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if got := fenced("only ``` one"); len(got) != 1 || got[0].Text != "only ``` one" {
		t.Errorf("%+v", got)
	}
	if got := fenced("```json\n{}\n```"); len(got) != 1 || got[0].Text != "{}\n" {
		t.Errorf("%+v", got)
	}
}

func scene(t *testing.T, status petrel.Status, result string) Scene {
	x := petrel.Execution{ID: "6b031a29435c8654720eae40", Action: petrel.Action{Ref: "core.local"}, Runner: petrel.RunnerType{Name: "local-shell-cmd"}, Status: status,
		StartedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Result: petrel.JSON(result)}
	if status.Final() {
		x.EndedAt = x.StartedAt.Add(1500 * time.Millisecond)
	}
	return Scene{Execution: x, View: viewOf(x, nil, "https://petrel.example/"), To: "U1", Now: x.StartedAt.Add(12*time.Second + 300*time.Millisecond)}
}

func TestRender_FollowsTheRun(t *testing.T) {
	ctx := context.Background()
	s := scene(t, petrel.StatusRunning, "")
	ack := RenderAck(ctx, s)
	if ack.Text() != "Running core.local (execution 6b031a29435c8654720eae40)." || len(ack.Choices) != 0 || ack.Severity != SeverityRunning {
		t.Errorf("%+v", ack)
	}
	s.Alias = &petrel.Alias{Name: "a"}
	if text := RenderAck(ctx, s).Text(); !strings.HasSuffix(text, "(details available at https://petrel.example/#/history/6b031a29435c8654720eae40/general)") {
		t.Errorf("%q", text)
	}
	s.Alias.Ack = petrel.JSON(`{"format": "On it", "append_url": false}`)
	if text := RenderAck(ctx, s).Text(); text != "On it" {
		t.Errorf("%q", text)
	}
	s.LastLine, s.Secrets = "\x1b[1mstep 3\x1b[0m of hunter2hunter @here", []string{"hunter2hunter"}
	running := RenderRunning(ctx, s)
	if running.Progress != "running, 12s · step 3 of ******** @"+apart+"here" || len(running.Choices) != 1 {
		t.Errorf("%+v", running)
	}
	if again := RenderRunning(ctx, s); !reflect.DeepEqual(running, again) {
		t.Errorf("the same scene gave %+v and %+v", running, again)
	}
	for status, severity := range map[petrel.Status]Severity{petrel.StatusSucceeded: SeveritySuccess, petrel.StatusFailed: SeverityFailure,
		petrel.StatusTimeout: SeverityFailure, petrel.StatusAbandoned: SeverityFailure, petrel.StatusCanceled: SeverityWarning} {
		m := RenderFinal(ctx, scene(t, status, `{"stdout":"out hunter2hunter","return_code":0}`))
		if m.Severity != severity || m.Progress != "" || len(m.Choices) != 0 || !strings.Contains(m.Text(), "stdout : out") || !strings.Contains(m.Text(), "Took 2s") {
			t.Errorf("%s: %+v", status, m)
		}
		back, err := DecodeMessage(m.Encode())
		if err != nil || !reflect.DeepEqual(back, m) {
			t.Errorf("stored and read back: %+v, %v", back, err)
		}
	}
}

func TestRender_CutsAndKeepsTheWhole(t *testing.T) {
	ctx := context.Background()
	for _, size := range []int{100, 3_000, 12_000, 100_000, 10_000_000} {
		s := scene(t, petrel.StatusSucceeded, "")
		out := strings.Repeat("日本 line\n", size/12)
		raw, err := value.ToJSON(value.DictOf("stdout", out), value.CompactJSON)
		if err != nil {
			t.Fatal(err)
		}
		s.Execution.Result = raw
		s.View = viewOf(s.Execution, nil, "")
		s.Limits = Limits{Text: 2000, Lines: 40}
		m := RenderFinal(ctx, s)
		text := m.Text()
		if len(text) > 2200 || !utf8.ValidString(text) || strings.Count(text, "\n") > 45 {
			t.Errorf("%d: %d bytes, %d lines", size, len(text), strings.Count(text, "\n"))
		}
		_, whole := RenderFile(ctx, s)
		if (m.File != nil) != (size > 1000) || strings.Count(whole, "日本 line") != size/12 {
			t.Errorf("%d: file %+v, %d lines", size, m.File, strings.Count(whole, "日本 line"))
		}
	}
}

func TestRenderHelp_FindsWords(t *testing.T) {
	var all []Command
	for i := range 200 {
		all = append(all, Command{fmt.Sprintf("do %d", i), "p", "Does it."})
	}
	if text := renderHelp(all, "", "!", "U1").Text(); !strings.Contains(text, "140 more commands") {
		t.Errorf("%q", text)
	}
	if text := renderHelp(all, "do 17", "!", "U1").Text(); !strings.Contains(text, "do 170") || strings.Contains(text, "do 18") {
		t.Errorf("%q", text)
	}
	if m := renderHelp(all, "@everyone", "!", "U1"); m.Severity != SeverityWarning || strings.Contains(m.Text(), "@everyone") {
		t.Errorf("%+v", m)
	}
}
