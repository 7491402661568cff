package packs_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"petrel/packs"
	"petrel/packs/content"
	"petrel/runners/runnertype"
	"petrel/storage/sqlite"
)

// bigPack writes a pack of n actions of the size real packs have.
func bigPack(b *testing.B, dir string, n int) string {
	b.Helper()
	files := map[string]string{"pack.yaml": goodManifest}
	for i := range n {
		text := fmt.Sprintf("---\nname: action_%d\ndescription: Does number %d of many things\nrunner_type: python-script\nenabled: true\nentry_point: run.py\nparameters:\n", i, i)
		for p := range 8 {
			text += fmt.Sprintf("  parameter_%d:\n    type: string\n    description: The parameter number %d\n    required: %v\n", p, p, p == 0)
		}
		files[fmt.Sprintf("actions/action_%d.yaml", i)] = text
	}
	files["actions/run.py"] = "pass\n"
	for name, text := range files {
		write(b, filepath.Join(dir, name), text)
	}
	return dir
}

func BenchmarkLoad1000Actions(b *testing.B) {
	dir := bigPack(b, filepath.Join(b.TempDir(), "demo"), 1000)
	for b.Loop() {
		c, problems, err := packs.Load(dir, packs.Limits{})
		if err != nil || len(problems) > 0 || len(c.Actions) != 1000 {
			b.Fatal(err, problems)
		}
	}
}

// BenchmarkStart is what a start costs when nothing changed: unpack the built-in
// packs, read them, and find that the store has them.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	store, err := sqlite.Open(b.Context(), filepath.Join(dir, "petrel.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	start := func() packs.Result {
		builtIn := filepath.Join(dir, "packs-builtin")
		if err := content.Unpack(builtIn, content.Options{}); err != nil {
			b.Fatal(err)
		}
		search, err := packs.NewSearch([]packs.Root{{Dir: builtIn, BuiltIn: true}}, packs.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		r, err := packs.New(packs.Config{Store: store, Search: search, Runners: runnertype.All()})
		if err != nil {
			b.Fatal(err)
		}
		result, err := r.Register(b.Context(), packs.Request{})
		if err != nil {
			b.Fatal(err)
		}
		return result
	}
	first := time.Now()
	start()
	b.Logf("the first start took %v", time.Since(first))
	for b.Loop() {
		if changed := start().Changed; len(changed) > 0 {
			b.Fatal(changed)
		}
	}
}
