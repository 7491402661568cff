package api

import (
	"net/http"
	"slices"

	"petrel"
	"petrel/actions"
	"petrel/expr/value"
	"petrel/storage"
)

var actionRules = listRules{
	fields: fieldRules{
		known: []string{"id", "ref", "name", "pack", "uid", "description", "enabled", "entry_point", "metadata_file",
			"parameters", "output_schema", "notify", "tags", "runner_type"},
		nested:    []string{"parameters", "output_schema", "notify", "tags", "runner_type"},
		keep:      []string{"id", "ref"},
		excluding: []string{"parameters", "notify"},
	},
}

// actionList serves GET actions.
func (a *API) actionList(c *call) error {
	p, err := c.page(actionRules)
	if err != nil {
		return err
	}
	items, total, err := c.actions(p, storage.ContentFilter{Packs: c.one("pack"), Names: c.one("name"), IDs: p.ids}, c.text("tags"))
	if err != nil {
		return err
	}
	shapes := make([]object, len(items))
	for i, x := range items {
		shapes[i] = actionShape(x)
	}
	return c.answerList(shapes, total, p)
}

// actions reads a page of actions, of those that carry a tag if one is named.
func (c *call) actions(p listPage, f storage.ContentFilter, tag string) ([]petrel.Action, int, error) {
	if tag == "" {
		f.Limit, f.Offset = p.limit, p.offset
		return c.a.cfg.Store.ActionList(c.ctx(), f)
	}
	all, _, err := c.a.cfg.Store.ActionList(c.ctx(), f)
	if err != nil {
		return nil, 0, err
	}
	all = slices.DeleteFunc(all, func(x petrel.Action) bool {
		return !slices.ContainsFunc(x.Tags, func(t petrel.Tag) bool { return t.Name == tag })
	})
	return cut(all, p), len(all), nil
}

// action finds an action by the reference or id of the path.
func (c *call) action() (petrel.Action, error) {
	ref := c.path["ref"]
	unknown := petrel.Errorf(petrel.NotFound, "Resource with a reference or id \"%s\" not found", cutText(ref))
	if !petrel.IsRef(ref) && !petrel.ID(ref).Valid() {
		return petrel.Action{}, unknown
	}
	x, err := c.a.cfg.Store.Action(c.ctx(), ref)
	if petrel.Is(err, petrel.NotFound) {
		return x, unknown
	}
	return x, err
}

// actionGet serves GET actions/{ref_or_id}.
func (a *API) actionGet(c *call) error {
	x, err := c.action()
	if err != nil {
		return err
	}
	if _, err := c.may("action_view", x.UID); err != nil {
		return err
	}
	return c.json(http.StatusOK, actionShape(x))
}

// merged is the parameters of an action with those of its runner below them.
func (c *call) merged(x petrel.Action) (object, error) {
	runner, err := c.a.cfg.Store.RunnerType(c.ctx(), x.RunnerType)
	if err != nil {
		return nil, err
	}
	spec, err := c.a.specs.get(runner, x)
	if err != nil {
		return nil, err
	}
	return mergedShape(spec), nil
}

func mergedShape(spec *actions.Spec) object {
	out := object{}
	for _, p := range spec.Parameters {
		out.add(p.Name, p.Schema)
	}
	return out
}

// lookupFailed is the answer for an action that a view cannot find.
// st2: st2api/st2api/controllers/v1/action_views.py
func lookupFailed(ref string) error {
	shown := cutText(ref)
	switch {
	case petrel.IsRef(ref):
		return petrel.Errorf(petrel.NotFound, "Database lookup for ref=\"%s\" resulted in exception. Unable to find the ActionDB instance. {'ref': %s}",
			shown, value.Quote(shown))
	case petrel.ID(ref).Valid():
		return petrel.Errorf(petrel.NotFound, "Database lookup for id=\"%s\" resulted in exception. Unable to find the ActionDB instance. {'id': %s}",
			shown, value.Quote(shown))
	}
	return petrel.Errorf(petrel.NotFound, "Database lookup for id=\"%s\" resulted in exception. %s", shown, petrel.Message(badID(ref)))
}

// actionParameters serves GET actions/views/parameters/{ref_or_id}.
func (a *API) actionParameters(c *call) error {
	x, err := c.action()
	if petrel.Is(err, petrel.NotFound) {
		return lookupFailed(c.path["ref"])
	}
	if err != nil {
		return err
	}
	if _, err := c.may("action_view", x.UID); err != nil {
		return err
	}
	merged, err := c.merged(x)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, object{{"parameters", merged}})
}

// actionOverview serves GET actions/views/overview/{ref_or_id}: an action with
// the parameters of its runner among its own.
func (a *API) actionOverview(c *call) error {
	x, err := c.action()
	if err != nil {
		return err
	}
	if _, err := c.may("action_view", x.UID); err != nil {
		return err
	}
	shape := actionShape(x)
	merged, err := c.merged(x)
	if err != nil {
		return err
	}
	shape.set("parameters", merged)
	return c.json(http.StatusOK, shape)
}

// actionOverviewList serves GET actions/views/overview.
func (a *API) actionOverviewList(c *call) error {
	rules := actionRules
	rules.fields.excluding = nil
	p, err := c.page(rules)
	if err != nil {
		return err
	}
	items, total, err := c.actions(p, storage.ContentFilter{IDs: p.ids, Names: c.one("name")}, "")
	if err != nil {
		return err
	}
	shapes := make([]object, len(items))
	for i, x := range items {
		shapes[i] = actionShape(x)
		merged, err := c.merged(x)
		if err != nil {
			return err
		}
		shapes[i].set("parameters", merged)
	}
	return c.answerList(shapes, total, p)
}

// actionEntryPoint serves GET actions/views/entry_point/{ref_or_id}: the text
// of the file that is run.
func (a *API) actionEntryPoint(c *call) error {
	x, err := c.action()
	if err != nil {
		return err
	}
	if _, err := c.may("action_view", x.UID); err != nil {
		return err
	}
	none := petrel.Errorf(petrel.NotFound, "Action ref_or_id=%s has no entry_point to output", cutText(c.path["ref"]))
	if x.EntryPoint == "" {
		return none
	}
	pack, err := a.cfg.Store.Pack(c.ctx(), x.Pack)
	if err != nil {
		return missing(err, "Action ref_or_id=%s has no entry_point to output", cutText(c.path["ref"]))
	}
	file, err := readPackFile(pack, "actions/"+x.EntryPoint)
	if err != nil {
		return missing(err, "Action ref_or_id=%s has no entry_point to output", cutText(c.path["ref"]))
	}
	return c.raw(http.StatusOK, sourceType(x.EntryPoint), file.text)
}
