package bot

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"petrel"
	"petrel/aliases"
)

// EventKind is what happened in a chat.
type EventKind string

// The kinds of events.
const (
	EventLine  EventKind = "line"  // somebody said something
	EventClick EventKind = "click" // somebody took a choice
)

// Event is something that happened in a chat, as an adapter understood it.
type Event struct {
	// ID is the service's id of the event; the same id again is the same event.
	ID       string
	Identity petrel.ChatIdentity
	Channel  string
	Thread   string
	Message  string // the service's id of the message, empty when it has none
	Kind     EventKind
	Text     string    // of a line
	Post     petrel.ID // of a click
	Choice   string    // of a click
	// Direct says that the bot is spoken to without being named: a direct message, a
	// console.
	Direct bool
	At     time.Time
}

// payload is what a stored event keeps beside its columns.
type payload struct {
	Direct  bool      `json:"direct,omitempty"`
	Message string    `json:"message,omitempty"`
	Post    petrel.ID `json:"post,omitempty"`
}

// Limits of an event's parts, in bytes.
const (
	maxEventID = 200
	maxName    = 200
)

// check says what is wrong with an event.
func (e Event) check() error {
	for _, part := range []struct {
		field, text string
		most        int
		required    bool
	}{
		{"event_id", e.ID, maxEventID, true},
		{"identity", e.Identity.User, maxName, true},
		{"channel", e.Channel, maxName, true},
		{"thread", e.Thread, maxName, false},
		{"choice", e.Choice, maxName, e.Kind == EventClick},
		{"text", e.Text, aliases.MaxLine, false},
	} {
		fault := func(kind petrel.Kind, format string, args ...any) error {
			err := petrel.Errorf(kind, format, args...).(*petrel.Error)
			err.Field = part.field
			return err
		}
		switch {
		case len(part.text) > part.most:
			return fault(petrel.TooLarge, "%s has %d bytes, more than the limit of %d", part.field, len(part.text), part.most)
		case !utf8.ValidString(part.text):
			return fault(petrel.Invalid, "%s is not valid UTF-8", part.field)
		case strings.IndexByte(part.text, 0) >= 0:
			return fault(petrel.Invalid, "%s holds a NUL character", part.field)
		case part.required && part.text == "":
			return fault(petrel.Invalid, "%s is required", part.field)
		}
	}
	if e.Kind != EventLine && e.Kind != EventClick {
		return petrel.Errorf(petrel.Invalid, "an event cannot be of kind %q", string(e.Kind))
	}
	if e.Kind == EventClick && !e.Post.Valid() {
		return &petrel.Error{Kind: petrel.Invalid, Field: "post", Message: "post is not an id of 24 hexadecimal digits"}
	}
	return nil
}

// stored makes the row of an event.
func (e Event) stored(now time.Time) petrel.ChatEvent {
	raw, _ := json.Marshal(payload{Direct: e.Direct, Message: e.Message, Post: e.Post})
	row := petrel.ChatEvent{
		ID: petrel.NewID(now), Key: e.Identity.Adapter + ":" + e.Identity.Workspace + ":" + e.ID,
		Adapter: e.Identity.Adapter, Identity: e.Identity, Channel: e.Channel, Thread: e.Thread,
		Kind: string(e.Kind), Text: e.Text, Payload: raw, At: petrel.Micros(e.At), State: petrel.ChatEventNew,
	}
	if e.Kind == EventClick {
		row.Text = e.Choice
	}
	if e.At.IsZero() {
		row.At = petrel.Micros(now)
	}
	return row
}

// eventOf reads a stored event.
func eventOf(row petrel.ChatEvent) Event {
	var p payload
	_ = json.Unmarshal(row.Payload, &p) // a payload that cannot be read is an event with nothing beside its columns
	e := Event{ID: row.Key, Identity: row.Identity, Channel: row.Channel, Thread: row.Thread, Message: p.Message,
		Kind: EventKind(row.Kind), Post: p.Post, Direct: p.Direct, At: row.At}
	if e.Kind == EventClick {
		e.Choice = row.Text
	} else {
		e.Text = row.Text
	}
	return e
}

// Addressed takes the prefix off a line and says whether the bot is spoken to.
// A line said directly to the bot needs no prefix and may have it.
func Addressed(text, prefix string, direct bool) (command string, addressed bool) {
	text = strings.TrimSpace(text)
	if prefix != "" && strings.HasPrefix(text, prefix) {
		rest := strings.TrimSpace(text[len(prefix):])
		// "!!!" and a lone prefix are said to nobody.
		if rest != "" && !strings.HasPrefix(rest, prefix) {
			return rest, true
		}
		return "", false
	}
	return text, direct && text != ""
}
