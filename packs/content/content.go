// Package content holds the packs that come inside the binary, and unpacks them
// into a folder: scripts need files to run from. The packs core, linux, chatops,
// packs and default carry StackStorm's refs, parameters and result shapes; st2
// gives the chat its commands.
package content

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed all:core all:linux all:chatops all:packs all:default all:st2 all:shared
var files embed.FS

// shared is the folder of modules that several packs get a copy of.
const shared = "shared"

// sharedBy are the packs whose actions find the shared modules in actions/lib.
var sharedBy = []string{"chatops", "packs", "st2"}

// Refs are the packs that come with Petrel, sorted.
func Refs() []string { return []string{"chatops", "core", "default", "linux", "packs", "st2"} }

// Options say what to unpack. The zero value is everything.
type Options struct {
	// Only are the refs of the packs to unpack; empty is all.
	Only []string
}

// Unpack writes the packs into a folder, one folder each, and takes away what an
// earlier release left there: the folder belongs to Petrel and edits in it do not
// last. Files that are right already are not touched. Files that start with #!
// can be executed. It must not run while actions of these packs do.
func Unpack(dir string, o Options) error {
	refs := o.Only
	if len(refs) == 0 {
		refs = Refs()
	}
	for _, ref := range refs {
		if !slices.Contains(Refs(), ref) {
			return fmt.Errorf("content: there is no built-in pack %s", ref)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("content: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("content: %w", err)
	}
	for _, e := range entries {
		if !slices.Contains(refs, e.Name()) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("content: %w", err)
			}
		}
	}
	for _, ref := range refs {
		want, err := list(ref)
		if err != nil {
			return fmt.Errorf("content: %s: %w", ref, err)
		}
		if err := write(filepath.Join(dir, ref), want); err != nil {
			return fmt.Errorf("content: %s: %w", ref, err)
		}
	}
	return nil
}

// list gives a pack's files: path in the pack → content.
func list(ref string) (map[string][]byte, error) {
	want := map[string][]byte{}
	add := func(from, to string) error {
		return fs.WalkDir(files, from, func(name string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if e.IsDir() {
				if e.Name() == "__pycache__" {
					return fs.SkipDir
				}
				return nil
			}
			text, err := files.ReadFile(name)
			if err != nil {
				return err
			}
			want[path.Join(to, strings.TrimPrefix(name, from+"/"))] = text
			return nil
		})
	}
	if err := add(ref, ""); err != nil {
		return nil, err
	}
	if slices.Contains(sharedBy, ref) {
		return want, add(shared, "actions/lib")
	}
	return want, nil
}

// write makes a folder hold exactly the files, and what Python compiled of them.
func write(dir string, want map[string][]byte) error {
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if e.IsDir() {
			if e.Name() == "__pycache__" {
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		if _, ok := want[filepath.ToSlash(rel)]; !ok || !e.Type().IsRegular() {
			return os.Remove(name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for name, text := range want {
		file := filepath.Join(dir, filepath.FromSlash(name))
		mode := fs.FileMode(0o644)
		if bytes.HasPrefix(text, []byte("#!")) {
			mode = 0o755
		}
		if right(file, text, mode) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := replace(file, text, mode); err != nil {
			return err
		}
	}
	return nil
}

func right(file string, text []byte, mode fs.FileMode) bool {
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != mode || info.Size() != int64(len(text)) {
		return false
	}
	have, err := os.ReadFile(file)
	return err == nil && bytes.Equal(have, text)
}

// replace writes a file beside its place and moves it there, so that a crash leaves
// the old one or the new one.
func replace(file string, text []byte, mode fs.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(file), ".unpack-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(text); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Chmod(mode); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}
