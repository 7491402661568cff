package rows

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"petrel"
)

// The largest texts columns take, in bytes. Names are part of indexes, whose
// rows are bounded in PostgreSQL (about 2,700 bytes).
const (
	MaxName = 512
	MaxText = 64 << 10
)

// Check collects the first fault of a row's texts.
type Check struct{ err error }

// Err is the first fault found.
func (c *Check) Err() error { return c.err }

// Name checks a text that is part of an index.
func (c *Check) Name(field, text string) { c.text(field, text, MaxName) }

// Need checks a name that must not be empty.
func (c *Check) Need(field, text string) {
	if c.err == nil && text == "" {
		c.fail(field, "%s is empty", field)
		return
	}
	c.Name(field, text)
}

// Text checks a text that stands in a column without an index.
func (c *Check) Text(field, text string) { c.text(field, text, MaxText) }

// ID checks an id that must be there.
func (c *Check) ID(field string, id petrel.ID) {
	if c.err == nil && !id.Valid() {
		c.fail(field, "%s '%.40s' is not an id of 24 hexadecimal digits", field, Shown(string(id)))
	}
}

// OptionalID checks an id that may be empty.
func (c *Check) OptionalID(field string, id petrel.ID) {
	if id != "" {
		c.ID(field, id)
	}
}

// Value checks the size of a user's value.
func (c *Check) Value(field string, value []byte, limit int) {
	if c.err == nil && len(value) > limit {
		c.err = &petrel.Error{Kind: petrel.TooLarge, Field: field, Message: fmt.Sprintf("%s has %d bytes; the limit is %d", field, len(value), limit)}
	}
}

// That fails with a text when a condition does not hold.
func (c *Check) That(holds bool, field, format string, args ...any) {
	if c.err == nil && !holds {
		c.fail(field, format, args...)
	}
}

func (c *Check) text(field, text string, limit int) {
	if c.err != nil {
		return
	}
	switch {
	case len(text) > limit:
		c.fail(field, "%s has %d bytes; the limit is %d", field, len(text), limit)
	case strings.IndexByte(text, 0) >= 0:
		c.fail(field, "%s '%.40s' holds a NUL character", field, Shown(text))
	case !utf8.ValidString(text):
		c.fail(field, "%s '%.40s' is not valid UTF-8", field, Shown(text))
	}
}

func (c *Check) fail(field, format string, args ...any) {
	c.err = Invalid(field, format, args...)
}

// Invalid is the error for a value that cannot be stored.
func Invalid(field, format string, args ...any) error {
	err := petrel.Errorf(petrel.Invalid, format, args...).(*petrel.Error)
	err.Field = field
	return err
}

// Shown makes any text fit for a message.
func Shown(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", `\0`), "\uFFFD")
}

// ShortText cuts a text of ours, such as the outcome of an event or an error
// of a chat service, into what a column holds: it is better stored in part than refused.
func ShortText(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\uFFFD"), "\uFFFD")
	if len(text) <= MaxText {
		return text
	}
	cut := MaxText
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}
