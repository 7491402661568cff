package packs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path"
	"strings"

	"petrel"
	"petrel/actions"
	"petrel/aliases"
	"petrel/storage"
)

// putRunners stores the runners' descriptions when they are not there already;
// storing raises the generation of their kind, which makes every cache load anew.
func (r *Registrar) putRunners(ctx context.Context) error {
	stored, _, err := r.c.Store.RunnerTypeList(ctx, storage.ContentFilter{})
	if err != nil {
		return err
	}
	same := len(stored) == len(r.c.Runners)
	byName := make(map[string]petrel.RunnerType, len(stored))
	for _, t := range stored {
		byName[t.Name] = t
	}
	for _, t := range r.c.Runners {
		old, found := byName[t.Name]
		t.ID, t.Enabled = old.ID, old.Enabled
		same = same && found && sameJSON(old, t)
	}
	if same {
		return nil
	}
	put := make([]petrel.RunnerType, len(r.c.Runners))
	for i, t := range r.c.Runners {
		if t.ID == "" {
			t.ID = petrel.NewID(r.c.Now())
		}
		put[i] = t
	}
	return r.c.Store.PutRunnerTypes(ctx, put)
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// checkRunners drops the actions whose runner does not exist or that break a
// runner's rules, and says why.
func (r *Registrar) checkRunners(c *Content) []Problem {
	var problems []Problem
	kept := c.Actions[:0:0]
	for _, a := range c.Actions {
		runner, ok := r.runners[a.RunnerType]
		if !ok {
			// Old packs write names with underscores.
			if runner, ok = r.runners[strings.ReplaceAll(a.RunnerType, "_", "-")]; ok {
				a.RunnerType = runner.Name
			}
		}
		reason, field := "", []any{"runner_type"}
		if !ok {
			reason = "runner_type: there is no runner " + cut(a.RunnerType)
		} else if err := actions.Check(a, runner); err != nil {
			reason, field = cutLong(petrelMessage(err)), []any{"parameters"}
			var e *petrel.Error
			if errors.As(err, &e) && e.Field != "" {
				field = append(field, e.Field)
			}
		}
		if reason != "" {
			at := c.at(a.MetadataFile, field...)
			problems = append(problems, Problem{Pack: c.Pack.Ref, Dir: c.Pack.Path, File: a.MetadataFile, Line: at.Line, Column: at.Column, Reason: reason})
			continue
		}
		kept = append(kept, a)
	}
	c.Actions = kept
	return problems
}

// petrelMessage is the text of an error of our own packages.
func petrelMessage(err error) string {
	if petrel.KindOf(err) == petrel.Internal {
		return err.Error()
	}
	return petrel.Message(err)
}

// checkAliases tells of formats that can never match. Such an alias is registered
// all the same: the index of aliases leaves it out and says so.
func checkAliases(c Content) []Problem {
	var problems []Problem
	for _, a := range c.Aliases {
		if err := aliases.Check(a); err != nil {
			at := c.at(a.MetadataFile, "formats")
			problems = append(problems, Problem{Pack: c.Pack.Ref, Dir: c.Pack.Path, File: a.MetadataFile, Line: at.Line, Column: at.Column, Reason: cutLong(petrelMessage(err)), Warning: true})
		}
	}
	return problems
}

// put stores a pack when it changed. One transaction reads what the store has and
// writes the pack whole, so that what the API adds meanwhile is not lost.
func (r *Registrar) put(ctx context.Context, c Content, force bool, want map[string]bool) (changed bool, err error) {
	whole := want["actions"] && want["aliases"]
	err = r.c.Store.InTx(ctx, func(ctx context.Context, tx storage.Admin) error {
		changed = false
		old, err := tx.Pack(ctx, c.Pack.Ref)
		if err != nil && !petrel.Is(err, petrel.NotFound) {
			return err
		}
		if err == nil && old.Hash == c.Pack.Hash && whole && !force {
			return nil
		}
		filter := storage.ContentFilter{Packs: []string{c.Pack.Ref}}
		oldActions, _, err := tx.ActionList(ctx, filter)
		if err != nil {
			return err
		}
		oldAliases, _, err := tx.AliasList(ctx, filter)
		if err != nil {
			return err
		}
		k := newKeeper(old, c)
		now := r.c.Now()
		put := storage.PackContent{Pack: c.Pack}
		if put.Pack.ID = old.ID; put.Pack.ID == "" {
			put.Pack.ID = petrel.NewID(now)
		}
		if !whole {
			// The next whole registration must not take this one for its own.
			put.Pack.Hash = ""
		}
		fresh := map[petrel.Ref]bool{}
		if want["actions"] {
			for _, a := range c.Actions {
				a.ID, fresh[a.Ref] = petrel.NewID(now), true
				put.Actions = append(put.Actions, a)
			}
		}
		ids := map[petrel.Ref]petrel.ID{}
		for _, a := range oldActions {
			ids[a.Ref] = a.ID
			if !want["actions"] || !fresh[a.Ref] && k.keeps(a.MetadataFile) {
				put.Actions = append(put.Actions, a)
			}
		}
		for i := range put.Actions {
			if id := ids[put.Actions[i].Ref]; id != "" {
				put.Actions[i].ID = id
			}
		}
		fresh, ids = map[petrel.Ref]bool{}, map[petrel.Ref]petrel.ID{}
		if want["aliases"] {
			for _, a := range c.Aliases {
				a.ID, fresh[a.Ref] = petrel.NewID(now), true
				put.Aliases = append(put.Aliases, a)
			}
		}
		for _, a := range oldAliases {
			ids[a.Ref] = a.ID
			if !want["aliases"] || !fresh[a.Ref] && k.keeps(a.MetadataFile) {
				put.Aliases = append(put.Aliases, a)
			}
		}
		for i := range put.Aliases {
			if id := ids[put.Aliases[i].Ref]; id != "" {
				put.Aliases[i].ID = id
			}
		}
		changed = true
		return tx.PutPackContent(ctx, put)
	})
	return changed, err
}

// keeper decides what becomes of stored content that the pack's folder does not
// have under that name (any more).
type keeper struct {
	was, is, gave map[string]bool
}

func newKeeper(old petrel.Pack, c Content) keeper {
	k := keeper{was: map[string]bool{}, is: map[string]bool{}, gave: map[string]bool{}}
	for _, f := range old.Files {
		k.was[f] = true
	}
	for _, f := range c.Pack.Files {
		k.is[f] = true
	}
	for _, a := range c.Actions {
		k.gave[a.MetadataFile] = true
	}
	for _, a := range c.Aliases {
		k.gave[a.MetadataFile] = true
	}
	return k
}

// keeps says whether content that came from a file stays. Content made by the API
// has no file of the pack and stays. A file that went, or that now names something
// else, takes its content along. A file that is there and broken leaves what was
// read of it when it was good.
func (k keeper) keeps(file string) bool {
	if file == "" {
		return true
	}
	file = path.Clean(file)
	if !k.was[file] && !k.is[file] {
		return true
	}
	return k.is[file] && !k.gave[file]
}
