package content

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestUnpack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "packs")
	if err := Unpack(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	for file, mode := range map[string]os.FileMode{
		"core/pack.yaml": 0o644, "core/actions/send_mail/send_mail": 0o755, "linux/actions/checks/check_loadavg.py": 0o755,
		"st2/actions/lib/petrel_api.py": 0o644, "packs/actions/lib/petrel_api.py": 0o644, "chatops/actions/lib/petrel_api.py": 0o644,
	} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", file, info, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, shared)); err == nil {
		t.Error("the shared modules stand beside the packs")
	}

	// What is right is not written again; what is not is put right.
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	kept := filepath.Join(dir, "core", "pack.yaml")
	if err := os.Chtimes(kept, old, old); err != nil {
		t.Fatal(err)
	}
	edited, deleted, linked := filepath.Join(dir, "core/actions/local.yaml"), filepath.Join(dir, "core/actions/echo.yaml"), filepath.Join(dir, "core/actions/noop.yaml")
	outside := filepath.Join(t.TempDir(), "outside")
	for _, step := range []error{
		os.WriteFile(outside, []byte("mine"), 0o644),
		os.WriteFile(edited, []byte("name: [\n"), 0o644),
		os.Remove(deleted), os.Remove(linked), os.Symlink(outside, linked),
		os.WriteFile(filepath.Join(dir, "core/actions/stray.yaml"), []byte("x"), 0o644),
		os.MkdirAll(filepath.Join(dir, "core/actions/__pycache__"), 0o755),
		os.WriteFile(filepath.Join(dir, "core/actions/__pycache__/pause.pyc"), []byte("x"), 0o644),
		os.MkdirAll(filepath.Join(dir, "gone/actions"), 0o755),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	if err := Unpack(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(kept); err != nil || !info.ModTime().Equal(old) {
		t.Errorf("a file that was right was written again: %v %v", info.ModTime(), err)
	}
	for _, file := range []string{edited, deleted, linked} {
		want, err := files.ReadFile("core/actions/" + filepath.Base(file))
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(file)
		have, _ := os.ReadFile(file)
		if err != nil || !info.Mode().IsRegular() || string(have) != string(want) {
			t.Errorf("%s was not put right: %v", file, err)
		}
	}
	if text, _ := os.ReadFile(outside); string(text) != "mine" {
		t.Error("a file outside was written by a link")
	}
	for file, want := range map[string]bool{"core/actions/stray.yaml": false, "gone": false, "core/actions/__pycache__/pause.pyc": true} {
		if _, err := os.Stat(filepath.Join(dir, file)); (err == nil) != want {
			t.Errorf("%s: %v", file, err)
		}
	}

	if err := Unpack(dir, Options{Only: []string{"core", "linux"}}); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("%v", entries)
	}
	if err := Unpack(dir, Options{Only: []string{"nope"}}); err == nil || !strings.Contains(err.Error(), "there is no built-in pack nope") {
		t.Errorf("%v", err)
	}
}

func TestRefs_AreWhatIsEmbedded(t *testing.T) {
	entries, err := files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != shared {
			names = append(names, e.Name())
		}
	}
	if strings.Join(names, " ") != strings.Join(Refs(), " ") {
		t.Errorf("embedded %v, Refs %v", names, Refs())
	}
}
