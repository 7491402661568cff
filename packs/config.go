package packs

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"petrel"
	"petrel/actions"
	"petrel/expr/value"
	"petrel/packs/yamldoc"
)

// config registers a pack's configuration file and answers how many there were.
// A broken one leaves the stored configuration as it is.
// st2: st2common/st2common/bootstrap/configsregistrar.py
func (r *Registrar) config(ctx context.Context, pack petrel.Pack) (int, []Problem, error) {
	file := pack.Ref + ".yaml"
	dir, text, err := first(r.c.Configs, file, r.c.Limits.FileBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil, nil
	}
	problem := func(at yamldoc.Position, reason string) []Problem {
		return []Problem{{Pack: pack.Ref, Dir: dir, File: file, Line: at.Line, Column: at.Column, Reason: reason}}
	}
	if err != nil {
		return 0, problem(yamldoc.Position{}, err.Error()), nil
	}
	doc, err := yamldoc.Load(file, text, yamldoc.Limits{Bytes: r.c.Limits.FileBytes})
	if err != nil {
		var e *yamldoc.Error
		if errors.As(err, &e) {
			return 0, problem(e.Position, e.Text), nil
		}
		return 0, problem(yamldoc.Position{}, err.Error()), nil
	}
	values, ok := doc.Value.(*value.Dict)
	if doc.Value == nil {
		values, ok = value.NewDict(), true
	}
	if !ok {
		return 0, problem(doc.At(), "a map of the configuration's values expected"), nil
	}
	var schema *value.Dict
	if pack.ConfigSchema != nil {
		v, err := value.FromJSON(pack.ConfigSchema)
		if err != nil {
			return 0, nil, err
		}
		schema, _ = v.(*value.Dict)
	}
	if err := actions.CheckConfig(pack.Ref, filepath.Join(dir, file), schema, values); err != nil {
		return 0, problem(yamldoc.Position{}, cutLong(petrelMessage(err))), nil
	}
	encoded, err := value.ToJSON(values, value.CompactJSON)
	if err != nil {
		return 0, problem(doc.At(), "the configuration cannot be written as JSON: "+err.Error()), nil
	}
	var flaws []Problem
	for _, w := range doc.Warnings {
		flaws = append(flaws, Problem{Pack: pack.Ref, Dir: dir, File: file, Line: w.Line, Column: w.Column, Reason: w.Text, Warning: true})
	}
	stored, err := r.c.Store.Config(ctx, pack.Ref)
	switch {
	case err == nil && bytes.Equal(stored.Values, encoded):
		return 1, flaws, nil
	case err != nil && !petrel.Is(err, petrel.NotFound):
		return 0, flaws, err
	}
	if stored.ID == "" {
		stored.ID = petrel.NewID(r.c.Now())
	}
	return 1, flaws, r.c.Store.PutConfig(ctx, petrel.Config{ID: stored.ID, Pack: pack.Ref, Values: encoded})
}
