package packs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"petrel"
	"petrel/expr/value"
	"petrel/packs/yamldoc"
)

// Root is one folder of the search path; each folder in it that has a pack.yaml is
// a pack.
type Root struct {
	Dir string
	// BuiltIn marks the folder of the packs that come with Petrel.
	BuiltIn bool
}

// Search looks packs up by ref along a search path. The first root that holds a
// pack of a ref wins, except for the system packs (petrel.SystemPacks): those
// always come from a built-in root when there is one, because StackStorm's own
// copies of them need its server's libraries, and because a folder that users
// write to must not replace core. It is safe for concurrent use.
type Search struct {
	roots  []Root
	limits Limits

	mu      sync.Mutex
	found   map[string]string // ref → folder
	scanned time.Time
}

// NewSearch makes a search over roots in their order. Roots that do not exist are
// looked for again each time.
func NewSearch(roots []Root, limits Limits) (*Search, error) {
	for i, r := range roots {
		if r.Dir == "" {
			return nil, errors.New("packs: a root without a folder")
		}
		abs, err := filepath.Abs(r.Dir)
		if err != nil {
			return nil, fmt.Errorf("packs: root %s: %w", r.Dir, err)
		}
		roots[i].Dir = abs
	}
	return &Search{roots: roots, limits: limits.WithDefaults()}, nil
}

// Roots are the folders of the search path in order.
func (s *Search) Roots() []Root { return append([]Root{}, s.roots...) }

// Paths are the folders of the search path as one text, for messages.
func (s *Search) Paths() string {
	dirs := make([]string, len(s.roots))
	for i, r := range s.roots {
		dirs[i] = r.Dir
	}
	return strings.Join(dirs, ":")
}

// candidate is a folder that may be a pack.
type candidate struct {
	ref, dir string
	builtIn  bool
}

// Scan finds the packs along the search path: ref → folder. Problems tell of packs
// that another one of the same ref hides.
func (s *Search) Scan() (map[string]string, []Problem) {
	var all []candidate
	var problems []Problem
	for _, root := range s.roots {
		entries, err := os.ReadDir(root.Dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			problems = append(problems, Problem{Dir: root.Dir, Reason: plain(err).Error()})
			continue
		}
		for _, e := range entries {
			dir := filepath.Join(root.Dir, e.Name())
			if e.Name() == "__pycache__" || strings.HasPrefix(e.Name(), ".") {
				continue
			}
			if info, err := os.Stat(filepath.Join(dir, manifestFile)); err != nil || !info.Mode().IsRegular() {
				continue // not a pack
			}
			if len(all) >= s.limits.Packs {
				problems = append(problems, Problem{Dir: root.Dir, Reason: fmt.Sprintf("there are more than %d packs; %s and those behind it are left out", s.limits.Packs, e.Name())})
				break
			}
			all = append(all, candidate{ref: quickRef(dir), dir: dir, builtIn: root.BuiltIn})
		}
	}
	// Stable: what stands first in the search path stays first.
	sort.SliceStable(all, func(i, j int) bool { return rank(all[i]) < rank(all[j]) })
	found := make(map[string]string, len(all))
	for _, c := range all {
		first, taken := found[c.ref]
		if !taken {
			found[c.ref] = c.dir
			continue
		}
		if c.builtIn {
			continue // overridden on purpose
		}
		reason := fmt.Sprintf("the pack %s is taken from %s; this folder is not used", c.ref, first)
		if petrel.IsSystemPack(c.ref) {
			reason = fmt.Sprintf("the pack %s comes with Petrel and cannot be replaced; this folder is not used", c.ref)
		}
		problems = append(problems, Problem{Pack: c.ref, Dir: c.dir, Reason: reason, Warning: true})
	}
	s.mu.Lock()
	s.found, s.scanned = found, time.Now()
	s.mu.Unlock()
	return found, problems
}

// builtIn says whether a folder stands in a built-in root.
func (s *Search) builtIn(dir string) bool {
	for _, r := range s.roots {
		if r.BuiltIn && filepath.Dir(dir) == r.Dir {
			return true
		}
	}
	return false
}

// rank puts system packs of Petrel before all others.
func rank(c candidate) int {
	if c.builtIn && petrel.IsSystemPack(c.ref) {
		return 0
	}
	return 1
}

// quickRef is a pack's ref without checking the pack; the folder's name when the
// manifest cannot be read, so that the problem is told under a name.
func quickRef(dir string) string {
	base := filepath.Base(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return base
	}
	defer root.Close()
	raw, err := readFile(root, manifestFile, Limits{}.WithDefaults().FileBytes)
	if err != nil {
		return base
	}
	doc, err := yamldoc.Load(manifestFile, raw, yamldoc.Limits{})
	if err != nil {
		return base
	}
	dict, ok := doc.Value.(*value.Dict)
	if !ok {
		return base
	}
	ref, _, reason := resolveRef(doc, dict, base)
	if reason != "" {
		return base
	}
	return ref
}

// rescanAfter is how soon a look-up that finds nothing may look at the folders again.
const rescanAfter = time.Second

// PackDir is the folder of a pack on this machine.
func (s *Search) PackDir(ref string) (string, bool) {
	s.mu.Lock()
	dir, ok := s.found[ref]
	stale := time.Since(s.scanned) > rescanAfter
	s.mu.Unlock()
	if ok || !stale {
		return dir, ok
	}
	found, _ := s.Scan()
	dir, ok = found[ref]
	return dir, ok
}

// EntryPoint is the absolute path of an action's entry point, empty when the
// action has none. An entry point that is not there, or that leads out of the
// pack's folder by its path or by a symbolic link, is an error.
// st2: st2common/st2common/content/utils.py (get_entry_point_abs_path)
func (s *Search) EntryPoint(a petrel.Action) (string, error) {
	if a.EntryPoint == "" {
		return "", nil
	}
	dir, ok := s.PackDir(a.Pack)
	if !ok {
		return "", petrel.Errorf(petrel.Invalid, `The folder of the pack "%s" is not on this machine. Searched in: %s`, a.Pack, s.Paths())
	}
	rel, err := entryPath(dir, a.EntryPoint)
	if err != nil {
		return "", err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", petrel.Wrap(petrel.Invalid, err, `The folder of the pack "%s" cannot be opened`, a.Pack)
	}
	defer root.Close()
	info, err := root.Stat(rel)
	if err != nil {
		return "", petrel.Errorf(petrel.Invalid, `The entry point "%s" of the action %s: %s`, cut(a.EntryPoint), a.Ref, plain(err))
	}
	if !info.Mode().IsRegular() {
		return "", petrel.Errorf(petrel.Invalid, `The entry point "%s" of the action %s is not a regular file`, cut(a.EntryPoint), a.Ref)
	}
	return filepath.Join(dir, filepath.FromSlash(rel)), nil
}
