package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"petrel"
)

// unlockFile gives the lock back. It is not left to the closing alone: a child
// that is being started holds a copy of the file for a moment.
func unlockFile(file *os.File) error {
	return errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_UN), file.Close())
}

// lockFile takes the lock that keeps a second process off the database. The
// system drops it with the process, however that ends.
func lockFile(path string) (*os.File, error) {
	name := path + ".lock"
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, petrel.Wrap(petrel.Unavailable, err, "The lock file %s cannot be opened", name)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner, _ := io.ReadAll(io.LimitReader(file, 32)) // only for the text
		_ = file.Close()                                 // it was not written to
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, petrel.Wrap(petrel.Unavailable, err, "The lock file %s cannot be locked", name)
		}
		by := "another Petrel process"
		if pid := strings.TrimSpace(string(owner)); pid != "" {
			by += " (pid " + pid + ")"
		}
		return nil, petrel.Errorf(petrel.Conflict, "The database %s is in use by %s. Stop it first, or give this one another --state folder.", path, by)
	}
	if err := file.Truncate(0); err == nil {
		_, err = fmt.Fprintf(io.NewOffsetWriter(file, 0), "%d\n", os.Getpid())
		if err != nil {
			_ = file.Close()
			return nil, petrel.Wrap(petrel.Unavailable, err, "The lock file %s cannot be written", name)
		}
	}
	return file, nil
}
