package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrLocked says that another process serves the state folder.
var ErrLocked = errors.New("the state folder is in use")

// folderLock is held by the one process that serves a state folder. The
// system lets go of it when the process ends, however it ends.
type folderLock struct{ file *os.File }

// lockFolder takes the folder or says who has it.
func lockFolder(state string) (*folderLock, error) {
	path := filepath.Join(state, "lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		held := make([]byte, 32)
		n, _ := file.ReadAt(held, 0)
		_ = file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s is served by process %s", ErrLocked, state, strings.TrimSpace(string(held[:n])))
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	if err := file.Truncate(0); err == nil {
		_, _ = file.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	return &folderLock{file}, nil
}

func (l *folderLock) release() error { return l.file.Close() }
