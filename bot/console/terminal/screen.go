package terminal

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"petrel"
	"petrel/bot"
	"petrel/bot/console"
)

// screen lays messages out. It holds no terminal; what it gives is written by
// whoever has one.
type screen struct {
	colors  bool
	columns int // 0: lines are not broken
	rows    int

	last     petrel.ID // the message at the end of the screen, which can be redrawn
	lastRows int
	shown    map[petrel.ID]int // revisions on the screen
	open     console.Update    // the newest message with choices
}

func newScreen(colors bool) *screen { return &screen{colors: colors, shown: map[petrel.ID]int{}} }

// moved says that something else was written below the last message.
func (s *screen) moved() { s.last, s.lastRows = "", 0 }

// draw is what to write to show a message: over the last one where that is the
// same message and still whole on the screen, else below. A message further up is
// shown again only when it is final, so that progress does not fill the screen.
func (s *screen) draw(u console.Update) string {
	if s.shown[u.Post] >= u.Revision {
		return ""
	}
	text := s.layout(u)
	var out strings.Builder
	switch {
	case u.Post == s.last && s.lastRows > 0 && s.lastRows < s.rows:
		fmt.Fprintf(&out, "\x1b[%dA\r\x1b[J", s.lastRows)
	case s.shown[u.Post] > 0 && !u.Final:
		s.remember(u)
		return ""
	}
	s.remember(u)
	if text == "" {
		if out.Len() > 0 {
			s.moved()
		}
		return out.String()
	}
	out.WriteString(text)
	s.last, s.lastRows = u.Post, strings.Count(text, "\n")
	return out.String()
}

// maxRemembered bounds what the screen knows of messages further up.
const maxRemembered = 1000

func (s *screen) remember(u console.Update) {
	if len(s.shown) > maxRemembered {
		clear(s.shown)
	}
	s.shown[u.Post] = u.Revision
	if len(u.Message.Choices) > 0 {
		s.open = u
	} else if s.open.Post == u.Post {
		s.open = console.Update{}
	}
}

// choice is the open choice of a number, from 1.
func (s *screen) choice(n int) (post petrel.ID, c bot.Choice, ok bool) {
	all := s.open.Message.Choices
	if n < 1 || n > len(all) {
		return "", bot.Choice{}, false
	}
	return s.open.Post, all[n-1], true
}

// ANSI colours.
const (
	green, red, yellow, cyan, dim, plain = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[36m", "\x1b[2m", "\x1b[0m"
)

func (s *screen) color(code, text string) string {
	if !s.colors || code == "" || text == "" {
		return text
	}
	return code + text + plain
}

var severityColor = map[bot.Severity]string{bot.SeveritySuccess: green, bot.SeverityFailure: red, bot.SeverityWarning: yellow, bot.SeverityRunning: cyan}

// layout is a message as text that ends each line, with no line longer than the
// screen is wide; empty for one that is silent.
func (s *screen) layout(u console.Update) string {
	m := u.Message
	if m.Silent {
		return ""
	}
	var out strings.Builder
	add := func(text, color string) {
		for _, line := range strings.Split(strings.Trim(bot.Clean(text), "\n"), "\n") {
			for _, row := range s.wrap(line) {
				out.WriteString(s.color(color, row) + "\n")
			}
		}
	}
	indent := ""
	if u.Thread != "" {
		indent = "  "
	}
	for i, b := range m.Blocks {
		switch {
		case b.Kind == bot.BlockFields:
			for _, f := range b.Fields {
				add(indent+f.Name+": "+f.Value, "")
			}
		case i == 0:
			add(indent+b.Text, severityColor[m.Severity])
		default:
			add(b.Text, "")
		}
	}
	if m.Progress != "" {
		add(indent+m.Progress, dim)
	}
	if m.File != nil {
		add(fmt.Sprintf("… %s in all: petrel execution get %s", bot.HumanSize(m.File.Size), m.Execution), dim)
	}
	for i, c := range m.Choices {
		add(fmt.Sprintf("[%d] %s", i+1, c.Label), cyan)
	}
	return out.String()
}

// wrap breaks a line so that no row reaches the last column, where terminals
// differ in what they do.
func (s *screen) wrap(line string) []string {
	line = strings.ReplaceAll(line, "\t", "    ")
	if s.columns <= 1 {
		return []string{line}
	}
	var rows []string
	used, start := 0, 0
	for i, r := range line {
		w := runeWidth(r)
		if used+w > s.columns-1 && i > start {
			rows = append(rows, line[start:i])
			used, start = 0, i
		}
		used += w
	}
	return append(rows, line[start:])
}

// runeWidth is how many columns a character takes.
func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r >= 0x1f300 && r <= 0x1faff:
		return 2
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
