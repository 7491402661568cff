package bot

import (
	"encoding/json"
	"fmt"
	"strings"

	"petrel"
)

// Severity is how a message is to be taken; adapters show it as a colour or a mark.
type Severity string

// The severities.
const (
	SeverityInfo    Severity = "info"
	SeverityRunning Severity = "running"
	SeveritySuccess Severity = "success"
	SeverityWarning Severity = "warning"
	SeverityFailure Severity = "failure"
)

// messageVersion is the version of the stored form of a message.
const messageVersion = 1

// Message is what is said, in no chat service's words. Its JSON is what posts
// store.
type Message struct {
	Version  int         `json:"v"`
	To       string      `json:"to,omitempty"`      // the service's id of the person it answers
	Private  bool        `json:"private,omitempty"` // for that person only, where the service can
	Severity Severity    `json:"severity"`
	Color    string      `json:"color,omitempty"` // the alias author's own; goes before the severity's
	Blocks   []Block     `json:"blocks,omitempty"`
	Progress string      `json:"progress,omitempty"` // the line that changes while a run goes on
	Choices  []Choice    `json:"choices,omitempty"`
	File     *File       `json:"file,omitempty"`
	Extra    petrel.JSON `json:"extra,omitempty"` // the alias's extra, for the adapter it names
	// Silent messages are not sent: their alias switched this answer off. They
	// keep the place of the answer, which may become loud.
	Silent    bool          `json:"silent,omitempty"`
	Execution petrel.ID     `json:"execution,omitempty"`
	Action    petrel.Ref    `json:"action,omitempty"`
	Status    petrel.Status `json:"status,omitempty"` // of the execution, when the message was rendered
}

// BlockKind is a sort of block.
type BlockKind string

// The kinds of blocks.
const (
	BlockText   BlockKind = "text"   // prose
	BlockCode   BlockKind = "code"   // shown as it is, in a fixed-width face
	BlockFields BlockKind = "fields" // names and values
)

// Block is a part of a message.
type Block struct {
	Kind   BlockKind `json:"kind"`
	Text   string    `json:"text,omitempty"`
	Fields []Field   `json:"fields,omitempty"`
}

// Field is a name and a value.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ChoiceKind is what taking a choice does.
type ChoiceKind string

// The kinds of choices.
const (
	ChoiceCancel ChoiceKind = "cancel" // cancels the message's execution
	ChoiceSay    ChoiceKind = "say"    // says the value as a line
)

// Choice is a button. A click names the post and the choice's id; what it does
// is read from the stored message, never from the click.
type Choice struct {
	ID    string     `json:"id"`
	Label string     `json:"label"`
	Kind  ChoiceKind `json:"kind"`
	Value string     `json:"value,omitempty"`
	Style string     `json:"style,omitempty"` // danger, primary or empty
}

// File tells of text that is too long for the message. The text itself is made
// of the stored execution when it is asked for.
type File struct {
	Name string `json:"name"`
	Size int    `json:"size"` // bytes
}

// Encode is the stored form.
func (m Message) Encode() petrel.JSON {
	m.Version = messageVersion
	raw, err := json.Marshal(m)
	if err != nil { // only Extra can be at fault, when it is no JSON
		m.Extra = nil
		raw, _ = json.Marshal(m)
	}
	return raw
}

// DecodeMessage reads the stored form. A message of a later version is read as
// far as it is known.
func DecodeMessage(raw petrel.JSON) (Message, error) {
	var m Message
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, petrel.Wrap(petrel.Internal, err, "a stored message cannot be read")
	}
	return m, nil
}

// Text is the message as plain text, without the choices.
func (m Message) Text() string {
	var parts []string
	for _, b := range m.Blocks {
		switch b.Kind {
		case BlockFields:
			var lines []string
			for _, f := range b.Fields {
				lines = append(lines, f.Name+": "+f.Value)
			}
			parts = append(parts, strings.Join(lines, "\n"))
		default:
			parts = append(parts, strings.Trim(b.Text, "\n"))
		}
	}
	if m.Progress != "" {
		parts = append(parts, m.Progress)
	}
	if m.File != nil {
		parts = append(parts, fmt.Sprintf("(%s more in %s)", HumanSize(m.File.Size), m.File.Name))
	}
	return strings.Join(parts, "\n")
}

// Choice finds a choice by id.
func (m Message) Choice(id string) (Choice, bool) {
	for _, c := range m.Choices {
		if c.ID == id {
			return c, true
		}
	}
	return Choice{}, false
}

// mapText changes every text of the message that can come from data.
func (m *Message) mapText(change func(string) string) {
	blocks := make([]Block, len(m.Blocks))
	for i, b := range m.Blocks {
		b.Text = change(b.Text)
		fields := make([]Field, len(b.Fields))
		for k, f := range b.Fields {
			fields[k] = Field{change(f.Name), change(f.Value)}
		}
		if len(fields) == 0 {
			fields = nil
		}
		b.Fields = fields
		blocks[i] = b
	}
	if len(blocks) == 0 {
		blocks = nil
	}
	m.Blocks = blocks
	m.Progress = change(m.Progress)
}

// HumanSize writes a number of bytes for people.
func HumanSize(n int) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// SplitPretext cuts a message at {~}: what stands before it is said plainly,
// what follows is set apart. Only the first two parts count.
// st2: hubot-stackstorm, src/lib/utils.js, splitMessage
func SplitPretext(message string) (pretext, text string) {
	parts := strings.Split(message, "{~}")
	if len(parts) == 1 {
		return "", message
	}
	return parts[0], parts[1]
}
