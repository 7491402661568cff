package api

import (
	"context"
	"net/http"

	"petrel"
	"petrel/auth"
	"petrel/expr/value"
	"petrel/storage"
)

// keyShape is an API key; its hash is a secret.
func keyShape(x petrel.APIKey, masked bool) object {
	hash, uid := x.Hash, "api_key:"+x.Hash
	if masked {
		hash, uid = auth.Masked, auth.Masked
	}
	return object{
		{"uid", uid}, {"user", x.User}, {"key_hash", hash}, {"metadata", orEmpty(x.Metadata)},
		{"created_at", x.CreatedAt}, {"enabled", x.Enabled}, {"id", x.ID},
	}
}

// keyList serves GET apikeys.
func (a *API) keyList(c *call) error {
	limit, err := c.integer("limit", 50)
	if err != nil {
		return err
	}
	offset, err := c.integer("offset", 0)
	if err != nil {
		return err
	}
	if offset < 0 || offset >= 1<<31 {
		return petrel.Errorf(petrel.Invalid, "Offset \"%s\" specified is more than 32 bit int", c.text("offset"))
	}
	p := listPage{offset: int(offset)}
	if p.limit, err = c.limit(limit); err != nil {
		return err
	}
	masked, err := c.masked("api_key:list")
	if err != nil {
		return err
	}
	keys, total, err := a.cfg.Store.APIKeyList(c.ctx(), p.limit, p.offset)
	if err != nil {
		return err
	}
	shapes := make([]object, len(keys))
	for i, x := range keys {
		shapes[i] = keyShape(x, masked)
	}
	return c.answerList(shapes, total, p)
}

// target is what the rights on a key are asked for: its id, because its uid is
// secret.
func keyTarget(x petrel.APIKey) string { return "api_key:" + string(x.ID) }

// keyGet serves GET apikeys/{id_or_key}.
func (a *API) keyGet(c *call) error {
	text := c.path["key"]
	x, err := a.cfg.Auth.APIKey(c.ctx(), text)
	if err != nil {
		return missing(err, "ApiKey matching %s for reference and id not found.", cutText(text))
	}
	if _, err := c.may("api_key_view", keyTarget(x)); err != nil {
		return err
	}
	masked, err := c.masked(keyTarget(x))
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, keyShape(x, masked))
}

// keyBody reads a key in a body.
func (c *call) keyBody() (auth.APIKeyRequest, error) {
	v, err := c.decode(true)
	if err != nil {
		return auth.APIKeyRequest{}, err
	}
	for _, name := range []string{"user", "key_hash", "metadata"} {
		dropNull(v, name)
	}
	body, err := checked(v, c.a.bodies["apikey"])
	if err != nil {
		return auth.APIKeyRequest{}, err
	}
	r := auth.APIKeyRequest{
		User: textOf(body, "user"), Hash: textOf(body, "key_hash"), Enabled: boolOf(body, "enabled", true),
	}
	if id := textOf(body, "id"); id != "" {
		if r.ID = petrel.ID(id); !r.ID.Valid() {
			return r, badID(id)
		}
	}
	if len(r.User) > maxName {
		return r, petrel.Errorf(petrel.Invalid, "user has %d bytes, at most %d are taken", len(r.User), maxName)
	}
	if len(r.Hash) > maxName {
		return r, petrel.Errorf(petrel.Invalid, "key_hash has %d bytes, at most %d are taken", len(r.Hash), maxName)
	}
	if metadata, ok := body.GetStr("metadata"); ok {
		if r.Metadata, err = jsonOf(metadata.(*value.Dict)); err != nil {
			return r, err
		}
	}
	return r, nil
}

// keyCreate serves POST apikeys. The key's text is told this once.
func (a *API) keyCreate(c *call) error {
	r, err := c.keyBody()
	if err != nil {
		return err
	}
	d, err := c.may("api_key_create", "")
	if err != nil {
		return err
	}
	if r.User == "" {
		r.User = c.who.User
	}
	var x petrel.APIKey
	var text string
	err = a.cfg.Store.InTx(c.ctx(), func(ctx context.Context, tx storage.Admin) error {
		var err error
		if x, text, err = a.cfg.Auth.On(tx).CreateAPIKey(ctx, r); err != nil {
			return duplicate(err, "key_hash or id", true)
		}
		return tx.AppendAudit(ctx, c.entry("api_key_create", keyTarget(x), d, object{{"user", x.User}, {"enabled", x.Enabled}}))
	})
	if err != nil {
		return err
	}
	o := object{
		{"uid", "api_key:" + x.Hash}, {"user", x.User}, {"metadata", orEmpty(x.Metadata)}, {"created_at", x.CreatedAt},
		{"enabled", x.Enabled}, {"id", x.ID},
	}
	if text == "" {
		o.add("key", nil) // whoever loads a key by its hash knows it already
	} else {
		o.add("key", text)
	}
	return c.json(http.StatusCreated, o)
}

// keyUpdate serves PUT apikeys/{id_or_key}.
func (a *API) keyUpdate(c *call) error {
	r, err := c.keyBody()
	if err != nil {
		return err
	}
	text := c.path["key"]
	old, err := a.cfg.Auth.APIKey(c.ctx(), text)
	if err != nil {
		return missing(err, "ApiKey with key or id=%s not found.", cutText(text))
	}
	d, err := c.may("api_key_modify", keyTarget(old))
	if err != nil {
		return err
	}
	if r.User == "" {
		r.User = old.User
	}
	var x petrel.APIKey
	err = a.cfg.Store.InTx(c.ctx(), func(ctx context.Context, tx storage.Admin) error {
		var err error
		if x, err = a.cfg.Auth.On(tx).UpdateAPIKey(ctx, old, r); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, c.entry("api_key_modify", keyTarget(x), d, object{{"user", x.User}, {"enabled", x.Enabled}}))
	})
	if err != nil {
		return err
	}
	shape := keyShape(x, false)
	shape.set("uid", "api_key:"+r.Hash) // st2: made of the key_hash as it was sent
	return c.json(http.StatusOK, shape)
}

// keyDelete serves DELETE apikeys/{id_or_key}.
func (a *API) keyDelete(c *call) error {
	text := c.path["key"]
	x, err := a.cfg.Auth.APIKey(c.ctx(), text)
	if err != nil {
		return missing(err, "ApiKey with key or id=%s not found.", cutText(text))
	}
	d, err := c.may("api_key_delete", keyTarget(x))
	if err != nil {
		return err
	}
	err = a.cfg.Store.InTx(c.ctx(), func(ctx context.Context, tx storage.Admin) error {
		if err := tx.DeleteAPIKey(ctx, x.ID); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, c.entry("api_key_delete", keyTarget(x), d, object{{"user", x.User}}))
	})
	if err != nil {
		return err
	}
	return c.noContent()
}
