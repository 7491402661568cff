package packs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"petrel/expr/value"
	"petrel/packs/yamldoc"
)

// globalOverrides is the file of overrides for all packs.
const globalOverrides = reservedRef + ".yaml"

// overrides turn content on and off without a change to its pack: first what
// _global.yaml says of a kind, then what <pack>.yaml says of the kind, then what it
// says of one item by name. st2: st2common/st2common/content/loader.py (OverrideLoader)
type overrides struct {
	global, pack rules
	// texts are what was read, for the hash.
	texts []string
}

// rules are the overrides of one file by kind.
type rules map[string]rule

type rule struct {
	all *bool           // defaults
	by  map[string]bool // exceptions
}

// enabled gives whether an item is on, and whether that is another answer than the
// item's own.
func (o overrides) enabled(kind, name string, own bool) (on, overridden bool) {
	on = own
	for _, r := range []rule{o.global[kind], o.pack[kind]} {
		if r.all != nil {
			on = *r.all
		}
		if v, ok := r.by[name]; ok {
			on = v
		}
	}
	return on, on != own
}

// overrides reads the files for a pack. A broken file overrides nothing and is a
// problem.
func (r *Registrar) overrides(ref string) (overrides, []Problem) {
	var o overrides
	var problems []Problem
	for _, f := range []struct {
		file string
		into *rules
	}{{globalOverrides, &o.global}, {ref + ".yaml", &o.pack}} {
		dir, text, err := first(r.c.Overrides, f.file, r.c.Limits.FileBytes)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			o.texts = append(o.texts, string(text))
			*f.into, err = parseOverrides(f.file, text, f.file != globalOverrides)
		}
		if err != nil {
			p := Problem{Pack: ref, Dir: dir, File: f.file, Reason: err.Error()}
			var e *yamldoc.Error
			if errors.As(err, &e) {
				p.Line, p.Column, p.Reason = e.Line, e.Column, e.Text
			}
			problems = append(problems, p)
		}
	}
	return o, problems
}

func parseOverrides(file string, text []byte, exceptions bool) (rules, error) {
	doc, err := yamldoc.Load(file, text, yamldoc.Limits{})
	if err != nil || doc.Value == nil {
		return nil, err
	}
	bad := func(format string, args []any, path ...any) error {
		return &yamldoc.Error{File: file, Position: doc.Key(path[:len(path)-1], fmt.Sprint(path[len(path)-1])), Text: fmt.Sprintf(format, args...)}
	}
	whole, ok := doc.Value.(*value.Dict)
	if !ok {
		return nil, &yamldoc.Error{File: file, Position: doc.At(), Text: "a map of kinds of content expected"}
	}
	out := rules{}
	for key, v := range whole.All() {
		kind, _ := key.(string)
		switch kind {
		case "actions", "aliases", "rules", "sensors":
		default:
			return nil, bad("%q is not a kind that can be overridden: actions, aliases, rules, sensors", []any{cut(fmt.Sprint(key))}, fmt.Sprint(key))
		}
		parts, ok := v.(*value.Dict)
		if !ok {
			return nil, bad("defaults or exceptions expected", nil, kind)
		}
		r := rule{by: map[string]bool{}}
		for part, content := range parts.All() {
			switch {
			case part == "defaults":
				on, err := onlyEnabled(content)
				if err != nil {
					return nil, bad("%v", []any{err}, kind, "defaults")
				}
				r.all = &on
			case part == "exceptions" && exceptions:
				names, ok := content.(*value.Dict)
				if !ok {
					return nil, bad("a map of names expected", nil, kind, "exceptions")
				}
				for name, content := range names.All() {
					on, err := onlyEnabled(content)
					if err != nil {
						return nil, bad("%v", []any{err}, kind, "exceptions", fmt.Sprint(name))
					}
					r.by[fmt.Sprint(name)] = on
				}
			default:
				return nil, bad("%q is not known here", []any{cut(fmt.Sprint(part))}, kind, fmt.Sprint(part))
			}
		}
		out[kind] = r
	}
	return out, nil
}

// onlyEnabled reads {enabled: bool}, the only thing that can be overridden.
func onlyEnabled(v value.Value) (bool, error) {
	d, ok := v.(*value.Dict)
	if !ok || d.Len() != 1 {
		return false, errors.New("enabled alone can be overridden")
	}
	raw, ok := d.GetStr("enabled")
	if !ok {
		return false, errors.New("enabled alone can be overridden")
	}
	on, ok := raw.(bool)
	if !ok {
		return false, errors.New("enabled must be true or false")
	}
	return on, nil
}

// apply applies the overrides to a pack's content and counts what they changed,
// by kind.
func (o overrides) apply(c *Content) map[string]int {
	changed := map[string]int{}
	for i := range c.Actions {
		a := &c.Actions[i]
		on, over := o.enabled("actions", a.Name, a.Enabled)
		if a.Enabled = on; over {
			changed["actions"]++
		}
	}
	for i := range c.Aliases {
		a := &c.Aliases[i]
		on, over := o.enabled("aliases", a.Name, a.Enabled)
		if a.Enabled = on; over {
			changed["aliases"]++
		}
	}
	return changed
}

// first reads a file from the first of several folders that has it. It is
// fs.ErrNotExist when none has.
func first(dirs []string, file string, limit int) (dir string, text []byte, err error) {
	for _, dir := range dirs {
		root, err := os.OpenRoot(dir)
		if err != nil {
			continue // a folder that is not there
		}
		text, err := readFile(root, file, limit)
		root.Close()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return dir, text, err
	}
	return "", nil, fs.ErrNotExist
}
