package bot

import (
	"context"
	"fmt"
	"strings"
	"time"

	"petrel"
	"petrel/aliases"
	"petrel/expr/value"
)

// Scene is all that a message about a run is made of. Rendering reads nothing
// else, so that the same scene always gives the same message.
type Scene struct {
	Execution petrel.Execution
	View      *value.Dict   // the execution as the API shows it, secrets masked
	Alias     *petrel.Alias // nil when it is gone
	AliasView *value.Dict   // the alias as the API shows it
	To        string        // the service's id of the person who asked
	Now       time.Time
	LastLine  string   // the last line the run printed
	Secrets   []string // values that must not be shown
	Limits    Limits
}

// RenderAck is what is said when the run was accepted.
func RenderAck(ctx context.Context, s Scene) Message {
	m := s.start(SeverityRunning)
	var said aliases.Said
	url := show(s.View, "web_url")
	if s.Alias != nil {
		said = aliases.Acknowledge(ctx, s.Alias, s.View, s.AliasView)
	} else {
		said.Enabled = true
	}
	m.Silent = !said.Enabled
	text := said.Message
	if !said.HasMessage {
		text = fmt.Sprintf("Running %s (execution %s).", s.Execution.Action.Ref, s.Execution.ID)
	}
	if s.Alias != nil && url != "" {
		if ack := aliases.Ack(s.Alias); !ack.AppendURLSet || ack.AppendURL {
			text += fmt.Sprintf(" (details available at %s)", url)
		}
	}
	m.say(text)
	m.setExtra(said.Extra)
	return s.finish(m)
}

// RenderRunning is the acknowledgement with a line that tells how the run goes
// on, and the choice to cancel it.
func RenderRunning(ctx context.Context, s Scene) Message {
	m := RenderAck(ctx, s)
	m.Silent = m.Silent && s.Execution.Status != petrel.StatusPending
	m.Progress = progressLine(s)
	if s.Execution.Status.Cancelable() {
		m.Choices = append(m.Choices, Choice{ID: "cancel", Label: "Cancel", Kind: ChoiceCancel, Value: string(s.Execution.ID), Style: "danger"})
	}
	return s.finish(m)
}

// maxLastLine bounds the run's last line in the progress line, in characters.
const maxLastLine = 100

func progressLine(s Scene) string {
	word := string(s.Execution.Status)
	if s.Execution.Status == petrel.StatusScheduled || s.Execution.Status == petrel.StatusRequested {
		word = "waiting for a worker"
	}
	elapsed := s.Now.Sub(s.Execution.StartedAt).Truncate(time.Second)
	line := fmt.Sprintf("%s, %s", word, elapsed)
	last := strings.TrimSpace(Clean(s.LastLine))
	if r := []rune(last); len(r) > maxLastLine {
		last = string(r[:maxLastLine]) + "…"
	}
	if last != "" {
		line += " · " + last
	}
	return line
}

// RenderFinal is the reply: what became of the run.
func RenderFinal(ctx context.Context, s Scene) Message {
	m, _ := renderFinal(ctx, s)
	return m
}

// RenderFile is the whole text of a reply whose message holds only its head.
func RenderFile(ctx context.Context, s Scene) (name string, content string) {
	_, full := renderFinal(ctx, s)
	return fileName(s.Execution.ID), full
}

func renderFinal(ctx context.Context, s Scene) (Message, string) {
	m := s.start(severityOf(s.Execution.Status))
	said := aliases.Finished(ctx, s.Alias, s.View, s.AliasView)
	if !said.Enabled {
		// The alias says nothing at the end; the acknowledgement stays as it was said.
		m = RenderAck(ctx, s)
		m.Severity = severityOf(s.Execution.Status)
		return m, ""
	}
	if said.HasMessage {
		m.say(said.Message)
	} else {
		head, body := aliases.DefaultParts(s.View)
		m.Blocks = append(m.Blocks, Block{Kind: BlockText, Text: head})
		if body != "" {
			m.Blocks = append(m.Blocks, Block{Kind: BlockCode, Text: body})
		}
	}
	m.setExtra(said.Extra)
	full := s.harmless(m).Text()
	return s.finish(m), full
}

func severityOf(status petrel.Status) Severity {
	switch {
	case status == petrel.StatusSucceeded:
		return SeveritySuccess
	case status.Failure():
		return SeverityFailure
	case status == petrel.StatusCanceled, status == petrel.StatusCanceling:
		return SeverityWarning
	case status.Final():
		return SeverityInfo
	}
	return SeverityRunning
}

func (s Scene) start(severity Severity) Message {
	return Message{Version: messageVersion, To: s.To, Severity: severity,
		Execution: s.Execution.ID, Action: s.Execution.Action.Ref, Status: s.Execution.Status}
}

// say adds text that may be split at {~} and hold fenced code.
func (m *Message) say(text string) {
	pretext, body := SplitPretext(text)
	for _, part := range []string{pretext, body} {
		m.Blocks = append(m.Blocks, fenced(part)...)
	}
}

const fence = "```"

// fenced makes blocks of a text: what stands between two lines of ``` is code.
func fenced(text string) []Block {
	var out []Block
	add := func(kind BlockKind, text string) {
		if strings.TrimSpace(text) != "" {
			out = append(out, Block{Kind: kind, Text: text})
		}
	}
	for {
		before, rest, opened := strings.Cut(text, fence)
		inside, after, closed := strings.Cut(rest, fence)
		if !opened || !closed {
			add(BlockText, text)
			return out
		}
		add(BlockText, before)
		// The rest of the opening line names a language.
		if first, code, lines := strings.Cut(inside, "\n"); lines && !strings.ContainsAny(strings.TrimSpace(first), " \t") {
			inside = code
		}
		add(BlockCode, inside)
		text = after
	}
}

// setExtra keeps an alias's extra; one that could not be rendered is said.
func (m *Message) setExtra(extra value.Value) {
	switch x := extra.(type) {
	case string:
		m.Blocks = append(m.Blocks, Block{Kind: BlockText, Text: x})
	case *value.Dict:
		raw, err := value.ToJSON(x, value.CompactJSON)
		if err != nil {
			return
		}
		m.Extra = raw
		if slack, _ := x.Get("slack"); slack != nil {
			if d, ok := slack.(*value.Dict); ok {
				m.Color, _ = value.AsString(get(d, "color"))
			}
		}
		if color, ok := value.AsString(get(x, "color")); ok {
			m.Color = color
		}
	}
}

// harmless masks secrets and takes out what deceives or calls people.
func (s Scene) harmless(m Message) Message {
	m.mapText(func(text string) string { return Unping(MaskText(Clean(text), s.Secrets)) })
	m.Extra = petrel.JSON(MaskText(string(m.Extra), s.Secrets))
	if len(m.Extra) == 0 {
		m.Extra = nil
	}
	return m
}

// finish makes a message harmless and cuts it to what the service takes.
func (s Scene) finish(m Message) Message {
	m = s.harmless(m)
	size := len(m.Text())
	if cut := fit(&m, s.Limits); cut {
		m.File = &File{Name: fileName(s.Execution.ID), Size: size}
	}
	return m
}

func fileName(id petrel.ID) string { return "execution_" + string(id) + ".txt" }

func get(d *value.Dict, key string) value.Value {
	if d == nil {
		return nil
	}
	v, _ := d.Get(key)
	return v
}

func show(d *value.Dict, key string) string {
	text, _ := value.AsString(get(d, key))
	return text
}

// fit cuts the blocks of a message to the limits, at line ends where it can,
// and says whether anything was cut. Zero limits are the defaults of an adapter.
func fit(m *Message, l Limits) bool {
	if l.Text == 0 {
		l.Text = 4000
	}
	if l.Lines == 0 {
		l.Lines = 60
	}
	bytes, lines := l.Text, l.Lines
	cut := false
	var out []Block
	for _, b := range m.Blocks {
		if bytes <= 0 || lines <= 0 {
			cut = true
			break
		}
		if b.Kind == BlockFields {
			for _, f := range b.Fields {
				bytes -= len(f.Name) + len(f.Value) + 3
				lines--
			}
			if bytes < 0 { // fields are cut as text
				b = Block{Kind: BlockText, Text: Message{Blocks: []Block{b}}.Text()}
				bytes += len(b.Text)
			}
		}
		if b.Kind != BlockFields {
			head, whole := headOf(b.Text, bytes, lines)
			bytes -= len(head)
			lines -= 1 + strings.Count(head, "\n")
			b.Text = head
			cut = cut || !whole
		}
		out = append(out, b)
		if cut {
			break
		}
	}
	m.Blocks = out
	return cut
}

// headOf is the beginning of a text within bounds, cut at a line end when one is near.
func headOf(text string, bytes, lines int) (head string, whole bool) {
	end := len(text)
	if end > bytes {
		end = bytes
		for end > 0 && text[end]&0xc0 == 0x80 {
			end--
		}
		if nl := strings.LastIndexByte(text[:end], '\n'); nl > end*3/4 {
			end = nl
		}
	}
	at := 0
	for n := 0; n < lines && at < end; n++ {
		nl := strings.IndexByte(text[at:end], '\n')
		if nl < 0 {
			at = end
			break
		}
		at += nl + 1
	}
	if at < end {
		end = at
	}
	return text[:end], end == len(text)
}

// Chunks cuts a text in pieces of at most so many UTF-16 code units, never inside
// a character; some services count that way.
func Chunks(text string, units int) []string {
	var out []string
	start, n := 0, 0
	for i, r := range text {
		size := 1
		if r > 0xffff {
			size = 2
		}
		if n > 0 && n+size > units {
			out = append(out, text[start:i])
			start, n = i, 0
		}
		n += size
	}
	if start < len(text) {
		out = append(out, text[start:])
	}
	return out
}
