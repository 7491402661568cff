package value

import (
	"errors"
	"fmt"
)

// Error is an exception of the languages: Class is the Python class, Msg the
// text as Python words it, because recorded answers show it to users.
type Error struct {
	Class string
	Msg   string
}

// Error is the text alone, as str(exception) is.
func (e *Error) Error() string { return e.Msg }

// Errorf returns an error of a Python class.
func Errorf(class, format string, args ...any) error {
	return &Error{Class: class, Msg: fmt.Sprintf(format, args...)}
}

// TypeErrorf returns a TypeError.
func TypeErrorf(format string, args ...any) error { return Errorf("TypeError", format, args...) }

// ValueErrorf returns a ValueError.
func ValueErrorf(format string, args ...any) error { return Errorf("ValueError", format, args...) }

// IsClass says whether err is an exception of one of the classes.
func IsClass(err error, classes ...string) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range classes {
		if e.Class == c {
			return true
		}
	}
	return false
}

// ErrorClass is the Python class of err, or "Exception" when it has none.
func ErrorClass(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	var l *LimitError
	if errors.As(err, &l) {
		return "LimitError"
	}
	var c interface{ PythonClass() string }
	if errors.As(err, &c) {
		return c.PythonClass()
	}
	return "Exception"
}

// LimitError says that an evaluation went over one of its limits.
type LimitError struct {
	// Limit is the name of the limit: steps, bytes, depth, time or one that a
	// single operation has, such as range.
	Limit string
	// Max is the limit's value.
	Max string
}

// Error names the limit and its value.
func (e *LimitError) Error() string {
	return fmt.Sprintf("expression exceeds the limit of %s %s", e.Max, e.Limit)
}
