package petrel

import (
	"errors"
	"fmt"
)

// Kind says what sort of thing went wrong; one place maps it to an HTTP
// status (api) and one to words in a chat (bot).
type Kind string

// The kinds of errors. A caller that acts on an error asks for its kind with
// KindOf; everything else is passed on.
const (
	Invalid      Kind = "invalid"       // the input is wrong; saying it again will not help
	Unauthorized Kind = "unauthorized"  // who is calling is not known
	Forbidden    Kind = "forbidden"     // who is calling may not do this
	NotFound     Kind = "not_found"     // there is no such thing
	Conflict     Kind = "conflict"      // there is one already, or it is in another state
	TooLarge     Kind = "too_large"     // a size is over its limit
	TooMany      Kind = "too_many"      // a rate is over its limit; try again later
	Unavailable  Kind = "unavailable"   // a part is away; try again later
	NotOwner     Kind = "not_owner"     // the writer has lost what it writes to (the fence)
	Unknown      Kind = "unknown_state" // a commit was sent and no answer came
	Internal     Kind = "internal"      // a fault of Petrel
)

// Error is an error with a kind and a text for the person who caused it. The
// wrapped error is for the operator's log only and never shown.
type Error struct {
	Kind    Kind
	Message string // a sentence for the person asking
	Field   string // the input field at fault, if there is one
	ID      ID     // the object that stands in the way, for Conflict
	Err     error  // what lies beneath, for the log
}

// Error is the text for the person, and what lies beneath behind a colon.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap gives what lies beneath.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of a kind. Its arguments are shown to the person who
// asked, so what must not be shown belongs into Wrap's cause instead.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes an error of a kind with a text for the person and a cause for the
// log.
func Wrap(kind Kind, cause error, format string, args ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), Err: cause}
}

// KindOf is the kind of the first *Error in the chain, Internal when there is
// none, and empty for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Is says whether an error is of a kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

// Message is the text to show the person who asked: the message of the first
// *Error in the chain, or a fixed sentence for anything else, because the
// text of an unforeseen error may hold what must not be shown.
func Message(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Message
	}
	return "Internal Server Error"
}
