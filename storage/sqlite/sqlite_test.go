package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"petrel/storage"
	"petrel/storage/sqlite"
	"petrel/storage/storagetest"
)

func open(t *testing.T) storage.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "petrel.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) { storagetest.Run(t, open) }
