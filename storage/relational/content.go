package relational

import (
	"context"

	"petrel"
	"petrel/storage"
	"petrel/storage/rows"
)

// Generations gives each kind's counter.
func (a Admin) Generations(ctx context.Context) (map[storage.Kind]int64, error) {
	var all map[storage.Kind]int64
	err := a.Read(ctx, func(ctx context.Context, q Query) error {
		all = make(map[storage.Kind]int64)
		return each(ctx, q, func(scan func(...any) error) error {
			var kind string
			var value int64
			if err := scan(&kind, &value); err != nil {
				return err
			}
			all[storage.Kind(kind)] = value
			return nil
		}, `select kind, value from generation`)
	})
	return all, err
}

// raise raises the generation of kinds. Callers name them in the order of the
// constants, so that two transactions lock the rows in one order.
func raise(ctx context.Context, q Query, kinds ...storage.Kind) error {
	for _, kind := range kinds {
		_, err := q.Exec(ctx, `insert into generation (kind, value) values ($1, 1)
			on conflict (kind) do update set value = generation.value + 1`, string(kind))
		if err != nil {
			return err
		}
	}
	return nil
}

// change is a write of content that raises generations.
func (a Admin) change(ctx context.Context, do func(ctx context.Context, q Query) error, kinds ...storage.Kind) error {
	return a.Write(ctx, Rest, func(ctx context.Context, q Query) error {
		if err := raise(ctx, q, kinds...); err != nil {
			return err
		}
		return do(ctx, q)
	})
}

// PutPackContent registers a pack whole.
func (a Admin) PutPackContent(ctx context.Context, c storage.PackContent) error {
	for _, action := range c.Actions {
		if action.Pack != c.Pack.Ref {
			return rows.Invalid("pack", "action %s is of pack '%s', not of '%s'", action.Ref, action.Pack, c.Pack.Ref)
		}
	}
	for _, alias := range c.Aliases {
		if alias.Pack != c.Pack.Ref {
			return rows.Invalid("pack", "alias %s is of pack '%s', not of '%s'", alias.Ref, alias.Pack, c.Pack.Ref)
		}
	}
	return a.change(ctx, func(ctx context.Context, q Query) error {
		if err := putPack(ctx, q, c.Pack); err != nil {
			return err
		}
		if err := replace(ctx, q, "action", c.Pack.Ref, c.Actions, putAction, func(a petrel.Action) petrel.Ref { return a.Ref }); err != nil {
			return err
		}
		return replace(ctx, q, "action_alias", c.Pack.Ref, c.Aliases, putAlias, func(a petrel.Alias) petrel.Ref { return a.Ref })
	}, storage.KindPack, storage.KindAction, storage.KindAlias)
}

// replace makes a table hold exactly the given content of a pack.
func replace[T any](ctx context.Context, q Query, table, pack string, all []T, put func(context.Context, Query, T) error, ref func(T) petrel.Ref) error {
	stays := make(map[string]bool, len(all))
	for _, one := range all {
		stays[string(ref(one))] = true
	}
	stored, err := texts[string](ctx, q, `select ref from `+table+` where pack = $1 order by ref`, pack)
	if err != nil {
		return err
	}
	for _, old := range stored {
		if stays[old] {
			continue
		}
		if _, err := q.Exec(ctx, `delete from `+table+` where ref = $1`, old); err != nil {
			return err
		}
	}
	for _, one := range all {
		if err := put(ctx, q, one); err != nil {
			return err
		}
	}
	return nil
}

// PutPack makes or changes a pack by ref; the id of one that exists stays.
func (a Admin) PutPack(ctx context.Context, p petrel.Pack) error {
	return a.change(ctx, func(ctx context.Context, q Query) error { return putPack(ctx, q, p) }, storage.KindPack)
}

func putPack(ctx context.Context, q Query, p petrel.Pack) error {
	var c rows.Check
	c.ID("id", p.ID)
	c.Need("ref", p.Ref)
	c.Name("name", p.Name)
	c.Text("hash", p.Hash)
	if c.Err() != nil {
		return c.Err()
	}
	body, err := rows.Marshal("pack", p)
	if err != nil {
		return err
	}
	_, err = q.Exec(ctx, `insert into pack (id, ref, name, hash, config_schema, body) values ($1, $2, $3, $4, $5, $6)
		on conflict (ref) do update set name = excluded.name, hash = excluded.hash, config_schema = excluded.config_schema, body = excluded.body`,
		string(p.ID), p.Ref, p.Name, p.Hash, packed(p.ConfigSchema), rows.Pack(body))
	return err
}

const packColumns = `id, hash, config_schema, body`

func scanPack(scan func(...any) error) (petrel.Pack, error) {
	var p petrel.Pack
	var id, hash string
	var schema, body []byte
	if err := scan(&id, &hash, &schema, &body); err != nil {
		return p, err
	}
	if err := rows.Unmarshal(body, &p); err != nil {
		return p, err
	}
	var err error
	p.ID, p.Hash = petrel.ID(id), hash
	p.ConfigSchema, err = rows.Unpack(schema)
	return p, err
}

// Pack is a pack by ref or id.
func (a Admin) Pack(ctx context.Context, refOrID string) (petrel.Pack, error) {
	return get(ctx, a, scanPack, `select `+packColumns+` from pack where ref = $1 or id = $1`, "pack", refOrID)
}

// PackList lists packs by ref.
func (a Admin) PackList(ctx context.Context, f storage.ContentFilter) ([]petrel.Pack, int, error) {
	return list(ctx, a, scanPack, packColumns, "pack", contentTable{pack: "ref", name: "name", ref: "ref", order: "ref"}, f)
}

// DeletePack removes a pack and all it carries.
func (a Admin) DeletePack(ctx context.Context, ref string) error {
	return a.change(ctx, func(ctx context.Context, q Query) error {
		n, err := q.Exec(ctx, `delete from pack where ref = $1`, Searchable(ref))
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("Pack '%s' cannot be found.", rows.Shown(ref))
		}
		for _, table := range []string{"action", "action_alias", "config"} {
			if _, err := q.Exec(ctx, `delete from `+table+` where pack = $1`, ref); err != nil {
				return err
			}
		}
		return nil
	}, storage.KindPack, storage.KindAction, storage.KindAlias, storage.KindConfig)
}

// PutRunnerTypes stores runner types; ids and Enabled of those that exist stay.
func (a Admin) PutRunnerTypes(ctx context.Context, all []petrel.RunnerType) error {
	return a.change(ctx, func(ctx context.Context, q Query) error {
		for _, r := range all {
			var c rows.Check
			c.ID("id", r.ID)
			c.Need("name", r.Name)
			if c.Err() != nil {
				return c.Err()
			}
			body, err := rows.Marshal("runner_type", r)
			if err != nil {
				return err
			}
			_, err = q.Exec(ctx, `insert into runner_type (id, name, enabled, body) values ($1, $2, $3, $4)
				on conflict (name) do update set body = excluded.body`, string(r.ID), r.Name, r.Enabled, rows.Pack(body))
			if err != nil {
				return err
			}
		}
		return nil
	}, storage.KindRunner)
}

// SetRunnerEnabled switches a runner type on or off.
func (a Admin) SetRunnerEnabled(ctx context.Context, name string, enabled bool) error {
	return a.change(ctx, func(ctx context.Context, q Query) error {
		n, err := q.Exec(ctx, `update runner_type set enabled = $2 where name = $1`, Searchable(name), enabled)
		if err == nil && n == 0 {
			return notFound("Runner type '%s' cannot be found.", rows.Shown(name))
		}
		return err
	}, storage.KindRunner)
}

func scanRunnerType(scan func(...any) error) (petrel.RunnerType, error) {
	var r petrel.RunnerType
	var id string
	var enabled bool
	var body []byte
	if err := scan(&id, &enabled, &body); err != nil {
		return r, err
	}
	err := rows.Unmarshal(body, &r)
	r.ID, r.Enabled = petrel.ID(id), enabled
	return r, err
}

// RunnerType is a runner type by name or id.
func (a Admin) RunnerType(ctx context.Context, nameOrID string) (petrel.RunnerType, error) {
	return get(ctx, a, scanRunnerType, `select id, enabled, body from runner_type where name = $1 or id = $1`, "runner type", nameOrID)
}

// RunnerTypeList lists runner types by name.
func (a Admin) RunnerTypeList(ctx context.Context, f storage.ContentFilter) ([]petrel.RunnerType, int, error) {
	return list(ctx, a, scanRunnerType, `id, enabled, body`, "runner_type", contentTable{name: "name", order: "name", enabled: true}, f)
}

func putAction(ctx context.Context, q Query, a petrel.Action) error {
	body, err := actionBody(a)
	if err != nil {
		return err
	}
	_, err = q.Exec(ctx, `insert into action (id, ref, pack, name, enabled, body) values ($1, $2, $3, $4, $5, $6)
		on conflict (ref) do update set enabled = excluded.enabled, body = excluded.body`,
		string(a.ID), string(a.Ref), a.Pack, a.Name, a.Enabled, body)
	return err
}

func actionBody(a petrel.Action) ([]byte, error) {
	var c rows.Check
	checkContent(&c, a.ID, a.Ref, a.Pack, a.Name)
	if c.Err() != nil {
		return nil, c.Err()
	}
	body, err := rows.Marshal("action", a)
	return rows.Pack(body), err
}

func checkContent(c *rows.Check, id petrel.ID, ref petrel.Ref, pack, name string) {
	c.ID("id", id)
	c.Need("pack", pack)
	c.Need("name", name)
	c.Name("ref", string(ref))
	c.That(ref == petrel.MakeRef(pack, name), "ref", "ref '%s' is not pack '%s' and name '%s'", ref, pack, name)
}

// CreateAction stores a new action.
func (a Admin) CreateAction(ctx context.Context, action petrel.Action) error {
	body, err := actionBody(action)
	if err != nil {
		return err
	}
	return a.change(ctx, func(ctx context.Context, q Query) error {
		return create(ctx, q, "action", action.ID, action.Ref, `insert into action (id, ref, pack, name, enabled, body) values ($1, $2, $3, $4, $5, $6) on conflict do nothing`,
			string(action.ID), string(action.Ref), action.Pack, action.Name, action.Enabled, body)
	}, storage.KindAction)
}

// UpdateAction changes an action by its id.
func (a Admin) UpdateAction(ctx context.Context, action petrel.Action) error {
	body, err := actionBody(action)
	if err != nil {
		return err
	}
	return a.change(ctx, func(ctx context.Context, q Query) error {
		return update(ctx, q, "action", action.ID, action.Ref, `update action set ref = $2, pack = $3, name = $4, enabled = $5, body = $6 where id = $1`,
			string(action.ID), string(action.Ref), action.Pack, action.Name, action.Enabled, body)
	}, storage.KindAction)
}

// DeleteAction removes an action.
func (a Admin) DeleteAction(ctx context.Context, id petrel.ID) error {
	return a.change(ctx, func(ctx context.Context, q Query) error { return remove(ctx, q, "action", "id", string(id)) }, storage.KindAction)
}

func scanAction(scan func(...any) error) (petrel.Action, error) {
	var a petrel.Action
	var id string
	var enabled bool
	var body []byte
	if err := scan(&id, &enabled, &body); err != nil {
		return a, err
	}
	err := rows.Unmarshal(body, &a)
	a.ID, a.Enabled = petrel.ID(id), enabled
	return a, err
}

// Action is an action by ref or id.
func (a Admin) Action(ctx context.Context, refOrID string) (petrel.Action, error) {
	return get(ctx, a, scanAction, `select id, enabled, body from action where ref = $1 or id = $1`, "action", refOrID)
}

// ActionList lists actions by pack and name.
func (a Admin) ActionList(ctx context.Context, f storage.ContentFilter) ([]petrel.Action, int, error) {
	return list(ctx, a, scanAction, `id, enabled, body`, "action", byPack, f)
}

func putAlias(ctx context.Context, q Query, a petrel.Alias) error {
	body, err := aliasBody(a)
	if err != nil {
		return err
	}
	_, err = q.Exec(ctx, `insert into action_alias (id, ref, pack, name, enabled, body) values ($1, $2, $3, $4, $5, $6)
		on conflict (ref) do update set enabled = excluded.enabled, body = excluded.body`,
		string(a.ID), string(a.Ref), a.Pack, a.Name, a.Enabled, body)
	return err
}

func aliasBody(a petrel.Alias) ([]byte, error) {
	var c rows.Check
	checkContent(&c, a.ID, a.Ref, a.Pack, a.Name)
	if c.Err() != nil {
		return nil, c.Err()
	}
	body, err := rows.Marshal("alias", a)
	return rows.Pack(body), err
}

// CreateAlias stores a new alias.
func (a Admin) CreateAlias(ctx context.Context, alias petrel.Alias) error {
	body, err := aliasBody(alias)
	if err != nil {
		return err
	}
	return a.change(ctx, func(ctx context.Context, q Query) error {
		return create(ctx, q, "action_alias", alias.ID, alias.Ref, `insert into action_alias (id, ref, pack, name, enabled, body) values ($1, $2, $3, $4, $5, $6) on conflict do nothing`,
			string(alias.ID), string(alias.Ref), alias.Pack, alias.Name, alias.Enabled, body)
	}, storage.KindAlias)
}

// UpdateAlias changes an alias by its id.
func (a Admin) UpdateAlias(ctx context.Context, alias petrel.Alias) error {
	body, err := aliasBody(alias)
	if err != nil {
		return err
	}
	return a.change(ctx, func(ctx context.Context, q Query) error {
		return update(ctx, q, "action_alias", alias.ID, alias.Ref, `update action_alias set ref = $2, pack = $3, name = $4, enabled = $5, body = $6 where id = $1`,
			string(alias.ID), string(alias.Ref), alias.Pack, alias.Name, alias.Enabled, body)
	}, storage.KindAlias)
}

// DeleteAlias removes an alias.
func (a Admin) DeleteAlias(ctx context.Context, id petrel.ID) error {
	return a.change(ctx, func(ctx context.Context, q Query) error { return remove(ctx, q, "action_alias", "id", string(id)) }, storage.KindAlias)
}

func scanAlias(scan func(...any) error) (petrel.Alias, error) {
	var a petrel.Alias
	var id string
	var enabled bool
	var body []byte
	if err := scan(&id, &enabled, &body); err != nil {
		return a, err
	}
	err := rows.Unmarshal(body, &a)
	a.ID, a.Enabled = petrel.ID(id), enabled
	return a, err
}

// Alias is an alias by ref or id.
func (a Admin) Alias(ctx context.Context, refOrID string) (petrel.Alias, error) {
	return get(ctx, a, scanAlias, `select id, enabled, body from action_alias where ref = $1 or id = $1`, "alias", refOrID)
}

// AliasByName is the alias of a name; of several packs' the first by pack.
func (a Admin) AliasByName(ctx context.Context, name string) (petrel.Alias, error) {
	return get(ctx, a, scanAlias, `select id, enabled, body from action_alias where name = $1 order by pack limit 1`, "alias", name)
}

// AliasList lists aliases by pack and name.
func (a Admin) AliasList(ctx context.Context, f storage.ContentFilter) ([]petrel.Alias, int, error) {
	return list(ctx, a, scanAlias, `id, enabled, body`, "action_alias", byPack, f)
}

// PutConfig makes or changes a pack's configuration; the id of one that exists stays.
func (a Admin) PutConfig(ctx context.Context, c petrel.Config) error {
	var check rows.Check
	check.ID("id", c.ID)
	check.Need("pack", c.Pack)
	if check.Err() != nil {
		return check.Err()
	}
	return a.change(ctx, func(ctx context.Context, q Query) error {
		_, err := q.Exec(ctx, `insert into config (id, pack, body) values ($1, $2, $3) on conflict (pack) do update set body = excluded.body`,
			string(c.ID), c.Pack, packed(c.Values))
		return err
	}, storage.KindConfig)
}

func scanConfig(scan func(...any) error) (petrel.Config, error) {
	var c petrel.Config
	var id string
	var body []byte
	if err := scan(&id, &c.Pack, &body); err != nil {
		return c, err
	}
	values, err := rows.Unpack(body)
	c.ID, c.Values = petrel.ID(id), values
	return c, err
}

// Config is the configuration of a pack.
func (a Admin) Config(ctx context.Context, pack string) (petrel.Config, error) {
	return get(ctx, a, scanConfig, `select id, pack, body from config where pack = $1`, "config", pack)
}

// ConfigList lists configurations by pack.
func (a Admin) ConfigList(ctx context.Context, f storage.ContentFilter) ([]petrel.Config, int, error) {
	return list(ctx, a, scanConfig, `id, pack, body`, "config", contentTable{pack: "pack", order: "pack"}, f)
}
