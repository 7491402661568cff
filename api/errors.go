package api

import (
	"context"
	"errors"
	"net/http"

	"petrel"
	"petrel/schema"
)

// fault is an answer that is an error, where the kind of a petrel.Error alone
// does not say enough.
type fault struct {
	status    int
	text      string
	conflict  any  // what stands in the way: a petrel.ID or nil
	conflicts bool // conflict is shown
	cause     error
}

// Error is the text for the person.
func (f *fault) Error() string { return f.text }

// Unwrap gives what lies beneath, for the log.
func (f *fault) Unwrap() error { return f.cause }

func faultf(status int, text string) error { return &fault{status: status, text: text} }

// errNoRoute is a path, or a method on it, that is not served.
var errNoRoute = faultf(http.StatusNotFound, "The resource could not be found.")

// statusOf maps the kind of an error to the HTTP status. It is the only place
// that does.
func statusOf(err error) int {
	var f *fault
	if errors.As(err, &f) {
		return f.status
	}
	switch petrel.KindOf(err) {
	case petrel.Invalid:
		return http.StatusBadRequest
	case petrel.Unauthorized:
		return http.StatusUnauthorized
	case petrel.Forbidden:
		return http.StatusForbidden
	case petrel.NotFound:
		return http.StatusNotFound
	case petrel.Conflict, petrel.NotOwner:
		return http.StatusConflict
	case petrel.TooLarge:
		return http.StatusRequestEntityTooLarge
	case petrel.TooMany:
		return http.StatusTooManyRequests
	case petrel.Unavailable, petrel.Unknown:
		return http.StatusServiceUnavailable
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// faultBody is the body of an error and its status.
func faultBody(err error) (int, object) {
	status := statusOf(err)
	var f *fault
	if errors.As(err, &f) {
		if f.conflicts {
			return status, object{{"conflict-id", f.conflict}, {"faultstring", f.text}}
		}
		return status, object{{"faultstring", f.text}}
	}
	if status == http.StatusServiceUnavailable && petrel.KindOf(err) == petrel.Internal {
		return status, object{{"faultstring", "The request took too long and was given up."}}
	}
	body := object{{"faultstring", petrel.Message(err)}}
	var e *petrel.Error
	if status == http.StatusConflict && errors.As(err, &e) {
		var in any
		if e.ID != "" {
			in = e.ID
		}
		body = append(object{{"conflict-id", in}}, body...)
	}
	return status, body
}

// duplicate is the answer for something that is there already, in the words
// clients of StackStorm look for.
func duplicate(err error, what string, showID bool) error {
	if !petrel.Is(err, petrel.Conflict) {
		return err
	}
	f := &fault{
		status:    http.StatusConflict,
		text:      "Tried to save duplicate unique keys (E11000 duplicate key error: " + what + ")",
		conflicts: true, cause: err,
	}
	var e *petrel.Error
	if errors.As(err, &e) && e.ID != "" && showID {
		f.conflict = e.ID
	}
	return f
}

// missing replaces a NotFound by the text StackStorm has for it.
func missing(err error, format string, args ...any) error {
	if petrel.Is(err, petrel.NotFound) {
		return petrel.Errorf(petrel.NotFound, format, args...)
	}
	return err
}

// whole gives a schema error its long text, which StackStorm shows for
// commands of a chat.
func whole(err error) error {
	if e := schema.AsError(err); e != nil {
		return petrel.Wrap(petrel.Invalid, err, "%s", e.Text())
	}
	return err
}
