package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"petrel"
	"petrel/auth"
	"petrel/storage"
)

// onlyAdmins refuses callers who are not administrators: users and their
// rights are nobody else's business, whatever else is permitted.
func (c *call) onlyAdmins(permission, target string) error {
	if c.who.Admin || c.who.Method == auth.MethodLocal || c.who.Method == auth.MethodNone {
		return nil
	}
	if err := c.a.cfg.Store.AppendAudit(c.ctx(), c.entry(permission, target,
		auth.Decision{Reason: "only users who hold the role admin may manage users"}, nil)); err != nil {
		return err
	}
	return petrel.Errorf(petrel.Forbidden, "Administrator access required")
}

// userShape is a user without the password.
func userShape(u petrel.User) object {
	identities := []string{}
	for place, id := range u.Nicknames {
		identities = append(identities, place+":"+id)
	}
	slices.Sort(identities)
	return object{
		{"name", u.Name}, {"is_service", u.IsService}, {"admin", u.Admin}, {"has_password", u.Password != ""},
		{"chat_identities", identities}, {"created_at", u.CreatedAt}, {"id", u.ID},
	}
}

// userList serves GET users.
func (a *API) userList(c *call) error {
	if err := c.onlyAdmins("user_list", "user"); err != nil {
		return err
	}
	all, err := a.cfg.Store.UserList(c.ctx())
	if err != nil {
		return err
	}
	shapes := []object{}
	for _, u := range all {
		shapes = append(shapes, userShape(u))
	}
	return c.json(http.StatusOK, shapes)
}

// userPut serves PUT users/{name}: it makes a user or changes what the body
// names.
func (a *API) userPut(c *call) error {
	name := c.path["name"]
	target := "user:" + name
	if err := c.onlyAdmins("user_modify", target); err != nil {
		return err
	}
	body, err := c.body(true, a.bodies["user"])
	if err != nil {
		return err
	}
	if err := checkName("name", name); err != nil {
		return err
	}
	hash := ""
	if body.Has("password") {
		if hash, err = a.cfg.Auth.HashPassword(textOf(body, "password")); err != nil {
			return err
		}
	}
	var u petrel.User
	err = a.cfg.Store.InTx(c.ctx(), func(ctx context.Context, tx storage.Admin) error {
		var err error
		u, err = tx.User(ctx, name)
		if petrel.Is(err, petrel.NotFound) {
			now := petrel.Micros(a.cfg.Now())
			u, err = petrel.User{ID: petrel.NewID(now), Name: name, CreatedAt: now}, nil
		}
		if err != nil {
			return err
		}
		u.Admin, u.IsService = boolOf(body, "admin", u.Admin), boolOf(body, "is_service", u.IsService)
		if hash != "" {
			u.Password = hash
		}
		if err := tx.PutUser(ctx, u); err != nil {
			return err
		}
		args := object{{"admin", u.Admin}, {"is_service", u.IsService}}
		if hash != "" {
			args.add("password", auth.Masked)
		}
		d := a.cfg.Authorizer.Decide(ctx, c.who, "user_modify", target)
		return tx.AppendAudit(ctx, c.entry("user_modify", target, d, args))
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, userShape(u))
}

// identityOf reads a chat identity of the path: adapter:workspace:user.
func (c *call) identityOf() (petrel.ChatIdentity, error) {
	words := strings.SplitN(c.path["identity"], ":", 3)
	if len(words) != 3 || words[0] == "" || words[2] == "" {
		return petrel.ChatIdentity{}, petrel.Errorf(petrel.Invalid,
			"\"%s\" is not a chat identity. It has the form ADAPTER:WORKSPACE:USER, such as slack:T0123:U0456.", cutText(c.path["identity"]))
	}
	return petrel.ChatIdentity{Adapter: words[0], Workspace: words[1], User: words[2]}, nil
}

// userLink serves PUT users/{name}/chat/{identity}: a person in a chat stands
// for the user from now on.
func (a *API) userLink(c *call) error {
	return c.changeLink(func(ctx context.Context, tx storage.Admin, identity petrel.ChatIdentity, name string) error {
		return tx.LinkChat(ctx, identity, name)
	}, "linked")
}

// userUnlink serves DELETE users/{name}/chat/{identity}.
func (a *API) userUnlink(c *call) error {
	return c.changeLink(func(ctx context.Context, tx storage.Admin, identity petrel.ChatIdentity, name string) error {
		u, err := tx.ChatUser(ctx, identity)
		if petrel.Is(err, petrel.NotFound) || err == nil && u.Name != name {
			return petrel.Errorf(petrel.NotFound, "The chat identity %s does not stand for the user \"%s\".", identity, cutText(name))
		}
		if err != nil {
			return err
		}
		return tx.UnlinkChat(ctx, identity)
	}, "unlinked")
}

func (c *call) changeLink(change func(context.Context, storage.Admin, petrel.ChatIdentity, string) error, word string) error {
	name := c.path["name"]
	target := "user:" + name
	if err := c.onlyAdmins("user_modify", target); err != nil {
		return err
	}
	identity, err := c.identityOf()
	if err != nil {
		return err
	}
	var u petrel.User
	err = c.a.cfg.Store.InTx(c.ctx(), func(ctx context.Context, tx storage.Admin) error {
		if _, err := tx.User(ctx, name); err != nil {
			return missing(err, "There is no user \"%s\".", cutText(name))
		}
		if err := change(ctx, tx, identity, name); err != nil {
			return err
		}
		var err error
		if u, err = tx.User(ctx, name); err != nil {
			return err
		}
		d := c.a.cfg.Authorizer.Decide(ctx, c.who, "user_modify", target)
		return tx.AppendAudit(ctx, c.entry("user_modify", target, d, object{{word, identity.String()}}))
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, userShape(u))
}
