package packs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"
)

// errTooLarge says that a file is over its limit.
type errTooLarge struct {
	size  int64
	limit int
}

func (e errTooLarge) Error() string {
	return fmt.Sprintf("the file has %d bytes, over the limit of %d", e.size, e.limit)
}

// readFile reads a regular file below the root. The root refuses every path that
// leaves it, symbolic links included; pipes and devices are refused before they
// are opened, because opening one may wait for ever.
func readFile(root *os.Root, name string, limit int) ([]byte, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, plain(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if info.Size() > int64(limit) {
		return nil, errTooLarge{info.Size(), limit}
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, plain(err)
	}
	if len(text) > limit {
		return nil, errTooLarge{int64(len(text)), limit}
	}
	return text, nil
}

// plain takes the path out of an error of the file system, which names the file
// already, and says of an escaping link what it is.
func plain(err error) error {
	var p *fs.PathError
	if !errors.As(err, &p) {
		return err
	}
	if strings.Contains(p.Err.Error(), "escapes") {
		return errors.New("the path leads out of the pack's folder")
	}
	return p.Err
}

// listing is what a walk over a pack's folder found.
type listing struct {
	// files are all files in the order the folders give them, those of a folder
	// before those of its subfolders, which is the order StackStorm shows.
	files []string
	// byFolder are the names of the files right below a top-level folder, sorted.
	byFolder map[string][]string
	folders  map[string]bool
}

// walk lists a pack's folder. Folders behind symbolic links are not entered.
// st2: st2common/st2common/util/file_system.py (get_file_list)
func walk(root *os.Root, limits Limits) (listing, error) {
	out := listing{byFolder: map[string][]string{}, folders: map[string]bool{}}
	seen := 0
	var visit func(dir string, depth int) error
	visit = func(dir string, depth int) error {
		if depth > limits.Depth {
			return fmt.Errorf("folders are nested deeper than %d levels", limits.Depth)
		}
		f, err := root.Open(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", dir, plain(err))
		}
		entries, err := f.ReadDir(limits.Files + 1)
		f.Close()
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: %w", dir, plain(err))
		}
		if seen += len(entries); seen > limits.Files {
			return fmt.Errorf("the pack has more than %d files", limits.Files)
		}
		var below []string
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			if e.IsDir() {
				if e.Name() != ".git" && e.Name() != "__pycache__" {
					below = append(below, name)
				}
				continue
			}
			if strings.HasSuffix(e.Name(), ".pyc") || name == ".git" {
				continue
			}
			out.files = append(out.files, name)
			if depth == 1 {
				out.byFolder[dir] = append(out.byFolder[dir], e.Name())
			}
		}
		for _, name := range below {
			if depth == 0 {
				out.folders[name] = true
			}
			if err := visit(name, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := visit(".", 0); err != nil {
		return out, err
	}
	for _, names := range out.byFolder {
		sort.Strings(names)
	}
	return out, nil
}

// metadata are the metadata files of a folder: *.yaml and *.yml at its top level.
func (l listing) metadata(folder string, skip []string) []string {
	var out []string
	for _, name := range l.byFolder[folder] {
		ext := path.Ext(name)
		if ext != ".yaml" && ext != ".yml" || strings.HasPrefix(name, ".") {
			continue
		}
		base := strings.TrimSuffix(name, ext)
		skipped := false
		for _, s := range skip {
			skipped = skipped || s == base
		}
		if !skipped {
			out = append(out, path.Join(folder, name))
		}
	}
	return out
}
