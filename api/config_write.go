package api

import (
	"context"
	"net/http"
	"os"
	"path/filepath"

	"petrel"
	"petrel/actions"
	"petrel/expr/value"
	"petrel/expr/value/pyyaml"
	"petrel/storage"
)

// configPut serves PUT configs/{pack_ref}: the body is the values themselves,
// which replace those that are there. They are also written to the pack's
// configuration file, which a later registration reads.
func (a *API) configPut(c *call) error {
	v, err := c.decode(true)
	if err != nil {
		return err
	}
	values, err := asObject(v)
	if err != nil {
		return err
	}
	name := c.path["pack"]
	masked, err := c.masked("config:" + name)
	if err != nil {
		return err
	}
	pack, err := a.cfg.Store.Pack(c.ctx(), name)
	if err == nil && pack.Ref != name {
		err = petrel.Errorf(petrel.NotFound, "the pack was named by its id")
	}
	if err != nil {
		return missing(err, "Unable to identify resource with pack_ref \"%s\".", cutText(name))
	}
	d, err := c.may("pack_config", pack.UID)
	if err != nil {
		return err
	}
	if a.cfg.ConfigDir == "" {
		return petrel.Errorf(petrel.Unavailable, "This node has no folder for configurations.")
	}
	file := filepath.Join(a.cfg.ConfigDir, pack.Ref+".yaml")
	if schema := dictOf(pack.ConfigSchema); schema != nil {
		if err := actions.CheckConfig(pack.Ref, file, schema, values); err != nil {
			return err
		}
	}
	x := petrel.Config{ID: petrel.NewID(a.cfg.Now()), Pack: pack.Ref}
	if x.Values, err = jsonOf(values); err != nil {
		return err
	}
	text, err := pyyaml.Dump(sorted(values))
	if err != nil {
		return err
	}
	entry := c.entry("pack_config", pack.UID, d, object{{"attributes", keysOf(values)}})
	err = a.cfg.Store.InTx(c.ctx(), func(ctx context.Context, tx storage.Admin) error {
		old, err := tx.Config(ctx, pack.Ref)
		if err == nil {
			x.ID = old.ID
		} else if !petrel.Is(err, petrel.NotFound) {
			return err
		}
		if err := tx.PutConfig(ctx, x); err != nil {
			return err
		}
		if err := writeConfig(file, text); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, entry)
	})
	if err != nil {
		return err
	}
	shape, err := c.configShape(x, masked)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, shape)
}

// writeConfig replaces a file whole. Configurations hold secrets, so only the
// server's user may read it.
func writeConfig(file string, text []byte) error {
	fail := func(err error) error {
		return petrel.Wrap(petrel.Invalid, err, "Unable to write the configuration to \"%s\".", file)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return fail(err)
	}
	part, err := os.CreateTemp(filepath.Dir(file), ".config-*")
	if err != nil {
		return fail(err)
	}
	defer os.Remove(part.Name())
	if _, err := part.Write(text); err != nil {
		part.Close()
		return fail(err)
	}
	if err := part.Close(); err != nil {
		return fail(err)
	}
	if err := os.Rename(part.Name(), file); err != nil {
		return fail(err)
	}
	return nil
}

// sorted is an object with its keys in order, as StackStorm writes it.
func sorted(d *value.Dict) *value.Dict {
	out := value.NewDict()
	for _, key := range keysOf(d) {
		v, _ := d.GetStr(key)
		if inner := asDict(v); inner != nil {
			v = sorted(inner)
		}
		out.SetStr(key, v)
	}
	return out
}
