package api

import (
	"fmt"
	"net/http"
	"slices"

	"petrel"
	"petrel/actions"
	"petrel/expr/value"
	"petrel/storage"
)

var packRules = listRules{
	defaultLimit: 100,
	sortable:     []string{"id", "name", "ref"},
	fields:       fieldRules{keep: []string{"id"}},
}

// packList serves GET packs.
func (a *API) packList(c *call) error {
	p, err := c.page(packRules)
	if err != nil {
		return err
	}
	f := storage.ContentFilter{IDs: p.ids, Names: c.one("name")}
	for _, ref := range c.one("ref") {
		f.Refs = []petrel.Ref{petrel.Ref(ref)}
	}
	if len(p.sort) == 0 {
		f.Limit, f.Offset = p.limit, p.offset
	}
	items, total, err := a.cfg.Store.PackList(c.ctx(), f)
	if err != nil {
		return err
	}
	if len(p.sort) > 0 {
		sortItems(items, p.sort, func(x petrel.Pack, name string) string {
			return map[string]string{"id": string(x.ID), "name": x.Name, "ref": x.Ref}[name]
		})
		items = cut(items, p)
	}
	shapes := make([]object, len(items))
	for i, x := range items {
		shapes[i] = packShape(x)
	}
	return c.answerList(shapes, total, p)
}

// pack finds the pack of the path.
func (c *call) pack() (petrel.Pack, error) {
	ref := c.path["ref"]
	p, err := c.a.cfg.Store.Pack(c.ctx(), ref)
	return p, missing(err, "Resource with a ref or id \"%s\" not found", cutText(ref))
}

// packGet serves GET packs/{ref_or_id}.
func (a *API) packGet(c *call) error {
	p, err := c.pack()
	if err != nil {
		return err
	}
	if _, err := c.may("pack_view", p.UID); err != nil {
		return err
	}
	return c.json(http.StatusOK, packShape(p))
}

// packInstall serves POST packs/install: it starts packs.install.
func (a *API) packInstall(c *call) error {
	body, err := c.body(true, a.bodies["packs_install"])
	if err != nil {
		return err
	}
	parameters := value.NewDict()
	packs, _ := body.GetStr("packs")
	parameters.SetStr("packs", packs)
	for _, name := range []string{"force", "skip_dependencies"} {
		if boolOf(body, name, false) {
			parameters.SetStr(name, true)
		}
	}
	return c.startPackAction("packs.install", parameters)
}

// packUninstall serves POST packs/uninstall: it starts packs.uninstall.
func (a *API) packUninstall(c *call) error {
	body, err := c.body(true, a.bodies["packs_uninstall"])
	if err != nil {
		return err
	}
	packs, ok := body.GetStr("packs")
	if !ok {
		return petrel.Errorf(petrel.Invalid, "'packs' is a required property")
	}
	return c.startPackAction("packs.uninstall", value.DictOf("packs", packs))
}

func (c *call) startPackAction(ref petrel.Ref, parameters *value.Dict) error {
	x, _, err := c.execute(order{action: ref, parameters: parameters, context: value.NewDict()})
	if err != nil {
		return err
	}
	return c.json(http.StatusAccepted, object{{"execution_id", x.ID}})
}

// registeredKinds are the kinds of content in the order in which StackStorm
// counts them.
var registeredKinds = []string{
	"runners", "rule_types", "policy_types", "triggers", "sensors", "actions", "rules", "aliases", "policies", "configs",
}

// packRegister serves POST packs/register: packs are read from their folders
// again.
func (a *API) packRegister(c *call) error {
	body, err := c.body(true, a.bodies["packs_register"])
	if err != nil {
		return err
	}
	if a.cfg.Packs == nil {
		return petrel.Errorf(petrel.Unavailable, "This node does not register packs.")
	}
	packs, types := textsOf(body, "packs"), textsOf(body, "types")
	d, err := c.may("pack_register", "")
	if err != nil {
		return err
	}
	counts, err := a.cfg.Packs.RegisterPacks(c.ctx(), packs, types, boolOf(body, "fail_on_failure", true))
	entry := c.entry("pack_register", "pack", d, object{{"packs", append([]string{}, packs...)}, {"failed", err != nil}})
	if auditErr := a.cfg.Store.AppendAudit(c.ctx(), entry); auditErr != nil && err == nil {
		err = auditErr
	}
	if err != nil {
		return err
	}
	out := object{}
	for _, kind := range registeredKinds {
		if n, ok := counts[kind]; ok {
			out.add(kind, n)
		}
	}
	return c.json(http.StatusOK, out)
}

var configRules = listRules{
	defaultLimit: 100,
	sortable:     []string{"id"},
	fields:       fieldRules{keep: []string{"id"}},
}

// configShape is a pack's configuration, secrets masked by its schema.
func (c *call) configShape(x petrel.Config, masked bool) (object, error) {
	var values any = orEmpty(x.Values)
	if masked {
		p, err := c.a.cfg.Store.Pack(c.ctx(), x.Pack)
		if err != nil && !petrel.Is(err, petrel.NotFound) {
			return nil, err
		}
		given := dictOf(x.Values)
		if schema := dictOf(p.ConfigSchema); schema != nil && given != nil {
			values = actions.MaskConfig(schema, given)
		}
	}
	return object{{"pack", x.Pack}, {"values", values}, {"id", x.ID}}, nil
}

// configList serves GET configs.
func (a *API) configList(c *call) error {
	p, err := c.page(configRules)
	if err != nil {
		return err
	}
	masked, err := c.masked("config:list")
	if err != nil {
		return err
	}
	f := storage.ContentFilter{IDs: p.ids, Packs: c.one("name"), Limit: p.limit, Offset: p.offset}
	items, total, err := a.cfg.Store.ConfigList(c.ctx(), f)
	if err != nil {
		return err
	}
	shapes := make([]object, len(items))
	for i, x := range items {
		if shapes[i], err = c.configShape(x, masked); err != nil {
			return err
		}
	}
	return c.answerList(shapes, total, p)
}

// configGet serves GET configs/{pack_ref}.
func (a *API) configGet(c *call) error {
	pack := c.path["pack"]
	masked, err := c.masked("config:" + pack)
	if err != nil {
		return err
	}
	if _, err := c.may("pack_view", "pack:"+pack); err != nil {
		return err
	}
	x, err := a.cfg.Store.Config(c.ctx(), pack)
	if err != nil {
		return missing(err, "Unable to identify resource with pack_ref \"%s\".", cutText(pack))
	}
	shape, err := c.configShape(x, masked)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, shape)
}

// configSchemaShape is the schema of a pack's configuration. It has no row of
// its own; the pack's id stands for its own.
func configSchemaShape(p petrel.Pack) object {
	return object{{"pack", p.Ref}, {"attributes", orEmpty(p.ConfigSchema)}, {"id", p.ID}}
}

// configSchemaList serves GET config_schemas.
func (a *API) configSchemaList(c *call) error {
	p, err := c.page(configRules)
	if err != nil {
		return err
	}
	packs, _, err := a.cfg.Store.PackList(c.ctx(), storage.ContentFilter{IDs: p.ids, Names: c.one("name")})
	if err != nil {
		return err
	}
	packs = slices.DeleteFunc(packs, func(x petrel.Pack) bool { return len(x.ConfigSchema) == 0 })
	var shapes []object
	for _, x := range cut(packs, p) {
		shapes = append(shapes, configSchemaShape(x))
	}
	return c.answerList(shapes, len(packs), p)
}

// configSchemaGet serves GET config_schemas/{pack_ref}.
func (a *API) configSchemaGet(c *call) error {
	ref := c.path["pack"]
	p, err := a.cfg.Store.Pack(c.ctx(), ref)
	if err != nil {
		return missing(err, "Resource with a ref or id \"%s\" not found", cutText(ref))
	}
	if _, err := c.may("pack_view", p.UID); err != nil {
		return err
	}
	if len(p.ConfigSchema) == 0 {
		return petrel.Errorf(petrel.NotFound, "%s", fmt.Sprintf("Unable to identify resource with pack_ref \"%s\".", cutText(ref)))
	}
	return c.json(http.StatusOK, configSchemaShape(p))
}
