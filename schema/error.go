package schema

import (
	"errors"

	"petrel"
	"petrel/expr/value"
)

// Error says that a value does not fit a schema (or, when Meta, that a schema
// is not one).
type Error struct {
	// Message is one line: `1 is not of type 'string'`.
	Message string
	// Keyword is the schema's word that was not satisfied.
	Keyword string
	// Path leads to the value at fault, SchemaPath to the keyword: dict keys
	// and list indexes (int64).
	Path       []value.Value
	SchemaPath []value.Value
	// Instance is the value at fault, Schema the schema it was held against.
	Instance value.Value
	Schema   value.Value
	// Meta marks a fault of the schema itself.
	Meta bool
}

// Error is the message alone, as StackStorm's API answers it.
func (e *Error) Error() string { return e.Message }

// As lets errors.As find a *petrel.Error of kind Invalid in it.
func (e *Error) As(target any) bool {
	t, ok := target.(**petrel.Error)
	if ok {
		*t = &petrel.Error{Kind: petrel.Invalid, Message: e.Message, Field: e.Field()}
	}
	return ok
}

// AsError is the schema error in err's chain, or nil.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
