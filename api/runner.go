package api

import (
	"context"
	"net/http"

	"petrel"
	"petrel/storage"
)

var runnerRules = listRules{
	defaultLimit: 100,
	sortable:     []string{"id", "name"},
	fields:       fieldRules{keep: []string{"id"}},
}

// runnerList serves GET runnertypes.
func (a *API) runnerList(c *call) error {
	p, err := c.page(runnerRules)
	if err != nil {
		return err
	}
	f := storage.ContentFilter{IDs: p.ids}
	if f.Names, err = c.any("name"); err != nil {
		return err
	}
	if len(p.sort) == 0 {
		f.Limit, f.Offset = p.limit, p.offset
	}
	items, total, err := a.cfg.Store.RunnerTypeList(c.ctx(), f)
	if err != nil {
		return err
	}
	if len(p.sort) > 0 {
		sortItems(items, p.sort, func(x petrel.RunnerType, name string) string {
			return map[string]string{"id": string(x.ID), "name": x.Name}[name]
		})
		items = cut(items, p)
	}
	shapes := make([]object, len(items))
	for i, x := range items {
		shapes[i] = runnerShape(x)
	}
	return c.answerList(shapes, total, p)
}

func (c *call) runner() (petrel.RunnerType, error) {
	name := c.path["name"]
	x, err := c.a.cfg.Store.RunnerType(c.ctx(), name)
	return x, missing(err, "Resource with a name or id \"%s\" not found", cutText(name))
}

// runnerGet serves GET runnertypes/{name_or_id}.
func (a *API) runnerGet(c *call) error {
	x, err := c.runner()
	if err != nil {
		return err
	}
	if _, err := c.may("runner_type_view", x.UID); err != nil {
		return err
	}
	return c.json(http.StatusOK, runnerShape(x))
}

// runnerUpdate serves PUT runnertypes/{name_or_id}: whether it may be used is
// all that can be changed.
func (a *API) runnerUpdate(c *call) error {
	body, err := c.body(true, a.bodies["runner"])
	if err != nil {
		return err
	}
	x, err := c.runner()
	if err != nil {
		return err
	}
	d, err := c.may("runner_type_modify", x.UID)
	if err != nil {
		return err
	}
	// st2: the whole object is sent back, and one without an id is no answer to a
	// GET; recorded as a 500.
	for _, name := range []string{"id", "enabled"} {
		if !body.Has(name) {
			return petrel.Errorf(petrel.Invalid, "'%s' is a required property", name)
		}
	}
	enabled := boolOf(body, "enabled", x.Enabled)
	x.Enabled = enabled
	entry := c.entry("runner_type_modify", x.UID, d, object{{"enabled", enabled}})
	err = a.cfg.Store.InTx(c.ctx(), func(ctx context.Context, tx storage.Admin) error {
		if err := tx.SetRunnerEnabled(ctx, x.Name, enabled); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, entry)
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, runnerShape(x))
}
