package packs_test

import (
	"os"
	"path/filepath"
	"testing"

	"petrel/packs"
	"petrel/packs/content"
)

// unpacked gives a folder with the built-in packs.
func unpacked(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "packs-builtin")
	if err := content.Unpack(dir, content.Options{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBuiltInPacksLoadWithoutProblems(t *testing.T) {
	dir := unpacked(t)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(content.Refs()) {
		t.Errorf("%d packs, want %v", len(entries), content.Refs())
	}
	for _, e := range entries {
		c, problems, err := packs.Load(filepath.Join(dir, e.Name()), packs.Limits{})
		if err != nil {
			t.Error(err)
		}
		for _, p := range problems {
			t.Error(p)
		}
		t.Logf("%s: %d actions, %d aliases", c.Pack.Ref, len(c.Actions), len(c.Aliases))
	}
}
