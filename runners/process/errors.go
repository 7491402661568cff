package process

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"syscall"

	"os"

	"petrel/expr/value"
)

// errnoClasses are the exceptions Python raises for an errno, as far as
// starting a process can meet them.
var errnoClasses = map[syscall.Errno]struct{ class, text string }{
	syscall.ENOENT:  {"FileNotFoundError", "No such file or directory"},
	syscall.ENOTDIR: {"NotADirectoryError", "Not a directory"},
	syscall.EACCES:  {"PermissionError", "Permission denied"},
	syscall.EPERM:   {"PermissionError", "Operation not permitted"},
	syscall.ENOEXEC: {"OSError", "Exec format error"},
	syscall.E2BIG:   {"OSError", "Argument list too long"},
	syscall.EAGAIN:  {"BlockingIOError", "Resource temporarily unavailable"},
	syscall.ENOMEM:  {"OSError", "Cannot allocate memory"},
	syscall.EMFILE:  {"OSError", "Too many open files"},
	syscall.ENFILE:  {"OSError", "Too many open files in system"},
	syscall.ENOSPC:  {"OSError", "No space left on device"},
	syscall.EROFS:   {"OSError", "Read-only file system"},
}

// startError words an error of the system as Python would.
func startError(err error, path string) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return &StartError{Class: "OSError", Message: err.Error(), Err: err}
	}
	known, ok := errnoClasses[errno]
	if !ok {
		known.class, known.text = "OSError", errno.Error()
	}
	return &StartError{Class: known.class, Message: fmt.Sprintf("[Errno %d] %s: %s", int(errno), known.text, quoted(path)), Err: err}
}

func quoted(text string) string { return value.Quote(text) }

// processUser is the name of the user this process runs as; its number when
// the name is not known.
func processUser() string {
	uid := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return uid
}

func userExists(name string) bool {
	_, err := user.Lookup(name)
	return err == nil
}
