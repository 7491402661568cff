package sqlite

import (
	"os"
	"path/filepath"
	"testing"
)

// TestClose_LeavesOneFile: a store that was closed is its file alone; the
// write-ahead log is folded into it, so that a copy of the file is the whole store.
func TestClose_LeavesOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "petrel.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, rest := range []string{path + "-wal", path + "-shm"} {
		if _, err := os.Stat(rest); !os.IsNotExist(err) {
			t.Errorf("%s is still there (%v)", rest, err)
		}
	}
}
