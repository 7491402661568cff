package api

import (
	"context"
	"net/http"
	"strconv"

	"petrel"
	"petrel/aliases"
	"petrel/auth"
	"petrel/queue"
	"petrel/schema/metadata"
	"petrel/storage"
)

var aliasRules = listRules{
	defaultLimit: 100,
	sortable:     []string{"id", "name", "pack"},
	fields: fieldRules{
		known: []string{"id", "ref", "name", "pack", "uid", "description", "enabled", "action_ref", "formats", "ack", "result",
			"extra", "immutable_parameters", "metadata_file"},
		nested: []string{"formats", "ack", "result", "extra", "immutable_parameters"},
		keep:   []string{"id", "ref"},
	},
}

// aliasList serves GET actionalias.
func (a *API) aliasList(c *call) error {
	p, err := c.page(aliasRules)
	if err != nil {
		return err
	}
	f := storage.ContentFilter{IDs: p.ids, Packs: c.one("pack"), Names: c.one("name")}
	if len(p.sort) == 0 {
		f.Limit, f.Offset = p.limit, p.offset
	}
	items, total, err := a.cfg.Store.AliasList(c.ctx(), f)
	if err != nil {
		return err
	}
	if len(p.sort) > 0 {
		sortItems(items, p.sort, func(x petrel.Alias, name string) string {
			return map[string]string{"id": string(x.ID), "name": x.Name, "pack": x.Pack}[name]
		})
		items = cut(items, p)
	}
	shapes := make([]object, len(items))
	for i, x := range items {
		shapes[i] = aliasShape(x)
	}
	return c.answerList(shapes, total, p)
}

// alias finds the alias of the path.
func (c *call) alias() (petrel.Alias, error) {
	ref := c.path["ref"]
	unknown := petrel.Errorf(petrel.NotFound, "Resource with a reference or id \"%s\" not found", cutText(ref))
	if !petrel.IsRef(ref) && !petrel.ID(ref).Valid() {
		return petrel.Alias{}, unknown
	}
	x, err := c.a.cfg.Store.Alias(c.ctx(), ref)
	if petrel.Is(err, petrel.NotFound) {
		return x, unknown
	}
	return x, err
}

// aliasGet serves GET actionalias/{ref_or_id}.
func (a *API) aliasGet(c *call) error {
	x, err := c.alias()
	if err != nil {
		return err
	}
	if _, err := c.may("action_alias_view", x.UID); err != nil {
		return err
	}
	return c.json(http.StatusOK, aliasShape(x))
}

// aliasBody reads an alias in a body.
func (c *call) aliasBody() (petrel.Alias, error) {
	v, err := c.decode(true)
	if err != nil {
		return petrel.Alias{}, err
	}
	body, err := cleaned(v, metadata.Schema(metadata.Alias))
	if err != nil {
		return petrel.Alias{}, err
	}
	x := petrel.Alias{
		Pack: textOf(body, "pack"), Name: textOf(body, "name"), Description: textOf(body, "description"),
		Enabled: boolOf(body, "enabled", true), ActionRef: petrel.Ref(textOf(body, "action_ref")),
		MetadataFile: textOf(body, "metadata_file"),
	}
	for _, name := range []struct{ field, text string }{{"name", x.Name}, {"pack", x.Pack}} {
		if err := checkName(name.field, name.text); err != nil {
			return x, err
		}
	}
	formats, err := fieldJSON(body, "formats")
	if err != nil {
		return x, err
	}
	if x.Formats, err = formatsFrom(formats); err != nil {
		return x, err
	}
	for _, f := range []struct {
		name string
		to   *petrel.JSON
	}{{"ack", &x.Ack}, {"result", &x.Result}, {"extra", &x.Extra}, {"immutable_parameters", &x.Immutable}} {
		if *f.to, err = fieldJSON(body, f.name); err != nil {
			return x, err
		}
	}
	x.Ref = petrel.MakeRef(x.Pack, x.Name)
	x.UID = "action_alias:" + x.Pack + ":" + x.Name
	// A format nobody can match is taken, as StackStorm does; its alias stays out
	// of the index, and the client is told why.
	if err := aliases.Check(x); err != nil {
		c.w.Header().Set("Warning", "299 petrel "+strconv.Quote(oneLine(cutText(petrel.Message(err)))))
	}
	return x, nil
}

// aliasCreate serves POST actionalias.
func (a *API) aliasCreate(c *call) error {
	x, err := c.aliasBody()
	if err != nil {
		return err
	}
	d, err := c.may("action_alias_create", x.UID)
	if err != nil {
		return err
	}
	x.ID = petrel.NewID(a.cfg.Now())
	err = c.changeAlias(x, "create", "action_alias_create", d, func(ctx context.Context, tx storage.Admin) error {
		return duplicate(tx.CreateAlias(ctx, x), "uid \""+x.UID+"\"", false)
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, aliasShape(x))
}

// aliasUpdate serves PUT actionalias/{id}.
func (a *API) aliasUpdate(c *call) error {
	x, err := c.aliasBody()
	if err != nil {
		return err
	}
	old, err := c.alias()
	if err != nil {
		return err
	}
	d, err := c.may("action_alias_modify", old.UID)
	if err != nil {
		return err
	}
	if ref := c.path["ref"]; petrel.IsRef(ref) {
		// st2: the text of the URL becomes the id of the row, which a reference is not.
		return petrel.Errorf(petrel.Invalid, "ValidationError (ActionAliasDB:%s) (Invalid ObjectID: ['id'])", cutText(ref))
	}
	x.ID = old.ID
	err = c.changeAlias(x, "update", "action_alias_modify", d, func(ctx context.Context, tx storage.Admin) error {
		return duplicate(tx.UpdateAlias(ctx, x), "uid \""+x.UID+"\"", false)
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, aliasShape(x))
}

// aliasDelete serves DELETE actionalias/{ref_or_id}.
func (a *API) aliasDelete(c *call) error {
	x, err := c.alias()
	if err != nil {
		return err
	}
	d, err := c.may("action_alias_delete", x.UID)
	if err != nil {
		return err
	}
	err = c.changeAlias(x, "delete", "action_alias_delete", d, func(ctx context.Context, tx storage.Admin) error {
		return tx.DeleteAlias(ctx, x.ID)
	})
	if err != nil {
		return err
	}
	return c.noContent()
}

// changeAlias stores a change with its audit entry and tells it on the feed.
func (c *call) changeAlias(x petrel.Alias, op, permission string, d auth.Decision, store func(context.Context, storage.Admin) error) error {
	entry := c.entry(permission, x.UID, d, object{{"action_ref", x.ActionRef}})
	err := c.a.cfg.Store.InTx(c.ctx(), func(ctx context.Context, tx storage.Admin) error {
		if err := store(ctx, tx); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, entry)
	})
	if err != nil {
		return err
	}
	// The event carries the alias, because after a deletion nobody can read it.
	text, err := appendJSON(nil, aliasShape(x))
	if err != nil {
		return err
	}
	event := queue.Event{Kind: "alias", Op: op, ID: x.ID, Payload: text, At: c.a.cfg.Now()}
	if err := c.a.cfg.Feed.Tell(c.ctx(), event); err != nil {
		c.a.cfg.Log.Warn("a change of an alias could not be told", "alias", x.Ref, "error", err)
	}
	return nil
}

// aliasMatch serves POST actionalias/match.
func (a *API) aliasMatch(c *call) error {
	body, err := c.body(false, a.bodies["alias_match"])
	if err != nil {
		return err
	}
	index, err := a.aliases.get(c.ctx())
	if err != nil {
		return err
	}
	m, err := index.Match(textOf(body, "command"))
	if err != nil {
		return invalid(err)
	}
	return c.json(http.StatusOK, object{
		{"actionalias", aliasShape(*m.Alias)}, {"display", m.Display()}, {"representation", m.Representation},
	})
}

// aliasHelp serves GET actionalias/help.
func (a *API) aliasHelp(c *call) error {
	limit, err := c.integer("limit", 100)
	if err != nil {
		return err
	}
	offset, err := c.integer("offset", 0)
	if err != nil {
		return err
	}
	if limit < 0 || offset < 0 || offset >= 1<<31 {
		return petrel.Errorf(petrel.Invalid, "limit and offset must not be negative, offset must be below 2147483648")
	}
	all, _, err := a.cfg.Store.AliasList(c.ctx(), storage.ContentFilter{})
	if err != nil {
		return err
	}
	list, err := aliases.Help(all, c.text("filter"), c.text("pack"), int(min(limit, 1<<31-1)), int(offset))
	if err != nil {
		return err
	}
	lines := []object{}
	for _, h := range list.HelpStrings {
		lines = append(lines, object{{"pack", h.Pack}, {"display", h.Display}, {"description", h.Description}})
	}
	return c.json(http.StatusOK, object{{"available", list.Available}, {"helpstrings", lines}})
}

// invalid makes an error of a line a 400 with its text.
func invalid(err error) error {
	if err == nil || petrel.KindOf(err) != petrel.Internal {
		return err
	}
	return petrel.Wrap(petrel.Invalid, err, "%s", err.Error())
}
