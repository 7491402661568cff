package postgres_test

import (
	"context"
	"testing"

	"petrel/storage"
	"petrel/storage/postgres"
	"petrel/storage/storagetest"
)

func open(t *testing.T) storage.Store {
	t.Helper()
	return openURL(t, storagetest.PostgresURL(t), postgres.Options{MaxConns: 6})
}

func openURL(t *testing.T, url string, options postgres.Options) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(context.Background(), url, options)
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

// TestNodes runs the competing parts over three nodes on one database.
func TestNodes(t *testing.T) {
	storagetest.RunShared(t, func(t *testing.T) []storage.Store {
		url := storagetest.PostgresURL(t)
		var all []storage.Store
		for range 3 {
			all = append(all, openURL(t, url, postgres.Options{MaxConns: 4}))
		}
		return all
	})
}
