package relational

import (
	"context"
	"strings"
	"time"

	"petrel"
	"petrel/storage"
	"petrel/storage/rows"
)

// PutUser makes or changes a user by name; the id of one that exists stays.
// Nicknames, when given, become the user's chat identities.
func (a Admin) PutUser(ctx context.Context, u petrel.User) error {
	var c rows.Check
	c.ID("id", u.ID)
	c.Need("name", u.Name)
	c.Name("password", u.Password)
	if c.Err() != nil {
		return c.Err()
	}
	return a.change(ctx, func(ctx context.Context, q Query) error {
		_, err := q.Exec(ctx, `insert into account (id, name, is_service, admin, password, created_at) values ($1, $2, $3, $4, $5, $6)
			on conflict (name) do update set is_service = excluded.is_service, admin = excluded.admin, password = excluded.password`,
			string(u.ID), u.Name, u.IsService, u.Admin, u.Password, rows.Micros(u.CreatedAt))
		if err != nil || u.Nicknames == nil {
			return err
		}
		if _, err := q.Exec(ctx, `delete from chat_link where user_name = $1`, u.Name); err != nil {
			return err
		}
		for place, id := range u.Nicknames {
			adapter, workspace, found := strings.Cut(place, ":")
			if !found {
				return rows.Invalid("nicknames", "nickname '%s' is not of the form adapter:workspace", place)
			}
			identity := petrel.ChatIdentity{Adapter: adapter, Workspace: workspace, User: id}
			if err := checkIdentity(identity); err != nil {
				return err
			}
			n, err := q.Exec(ctx, `insert into chat_link (adapter, workspace, chat_user, user_name) values ($1, $2, $3, $4) on conflict do nothing`,
				adapter, workspace, id, u.Name)
			if err != nil {
				return err
			}
			if n == 0 {
				return conflict("", "The chat identity %s stands for another user.", identity)
			}
		}
		return nil
	}, storage.KindRights)
}

func checkIdentity(i petrel.ChatIdentity) error {
	var c rows.Check
	c.Need("adapter", i.Adapter)
	c.Name("workspace", i.Workspace)
	c.Need("user", i.User)
	return c.Err()
}

const userColumns = `id, name, is_service, admin, password, created_at`

func scanUser(scan func(...any) error) (petrel.User, error) {
	var u petrel.User
	var id string
	var created int64
	err := scan(&id, &u.Name, &u.IsService, &u.Admin, &u.Password, &created)
	u.ID, u.CreatedAt = petrel.ID(id), rows.Time(created)
	return u, err
}

// users reads users by a condition, each with its chat identities.
func (a Admin) users(ctx context.Context, cond string, args ...any) ([]petrel.User, error) {
	var all []petrel.User
	err := a.Read(ctx, func(ctx context.Context, q Query) error {
		all = nil
		place := make(map[string]int)
		err := each(ctx, q, func(scan func(...any) error) error {
			u, err := scanUser(scan)
			place[u.Name] = len(all)
			all = append(all, u)
			return err
		}, `select `+userColumns+` from account `+cond+` order by name`, args...)
		if err != nil || len(all) == 0 {
			return err
		}
		links := `select adapter, workspace, chat_user, user_name from chat_link`
		var linkArgs []any
		if len(all) == 1 {
			links, linkArgs = links+` where user_name = $1`, []any{all[0].Name}
		}
		return each(ctx, q, func(scan func(...any) error) error {
			var i petrel.ChatIdentity
			var name string
			if err := scan(&i.Adapter, &i.Workspace, &i.User, &name); err != nil {
				return err
			}
			at, found := place[name]
			if !found {
				return nil
			}
			if all[at].Nicknames == nil {
				all[at].Nicknames = make(map[string]string)
			}
			all[at].Nicknames[i.Adapter+":"+i.Workspace] = i.User
			return nil
		}, links, linkArgs...)
	})
	return all, err
}

// User is a user by name.
func (a Admin) User(ctx context.Context, name string) (petrel.User, error) {
	all, err := a.users(ctx, `where name = $1`, Searchable(name))
	if err != nil {
		return petrel.User{}, err
	}
	if len(all) == 0 {
		return petrel.User{}, notFound("The user '%s' cannot be found.", rows.Shown(name))
	}
	return all[0], nil
}

// UserList lists users by name.
func (a Admin) UserList(ctx context.Context) ([]petrel.User, error) { return a.users(ctx, ``) }

// LinkChat makes a chat identity stand for a user; a link it had before goes.
func (a Admin) LinkChat(ctx context.Context, c petrel.ChatIdentity, user string) error {
	if err := checkIdentity(c); err != nil {
		return err
	}
	return a.change(ctx, func(ctx context.Context, q Query) error {
		var id string
		found, err := one(ctx, q, []any{&id}, `select id from account where name = $1`, Searchable(user))
		if err != nil {
			return err
		}
		if !found {
			return notFound("The user '%s' cannot be found.", rows.Shown(user))
		}
		_, err = q.Exec(ctx, `insert into chat_link (adapter, workspace, chat_user, user_name) values ($1, $2, $3, $4)
			on conflict (adapter, workspace, chat_user) do update set user_name = excluded.user_name`, c.Adapter, c.Workspace, c.User, user)
		return err
	}, storage.KindRights)
}

// UnlinkChat takes a chat identity away from its user.
func (a Admin) UnlinkChat(ctx context.Context, c petrel.ChatIdentity) error {
	if checkIdentity(c) != nil {
		return notFound("The chat identity stands for nobody.")
	}
	return a.change(ctx, func(ctx context.Context, q Query) error {
		n, err := q.Exec(ctx, `delete from chat_link where adapter = $1 and workspace = $2 and chat_user = $3`, c.Adapter, c.Workspace, c.User)
		if err == nil && n == 0 {
			return notFound("The chat identity %s stands for nobody.", c)
		}
		return err
	}, storage.KindRights)
}

// ChatUser is the user a chat identity stands for.
func (a Admin) ChatUser(ctx context.Context, c petrel.ChatIdentity) (petrel.User, error) {
	if checkIdentity(c) != nil {
		return petrel.User{}, notFound("The chat identity stands for nobody.")
	}
	all, err := a.users(ctx, `where name = (select user_name from chat_link where adapter = $1 and workspace = $2 and chat_user = $3)`,
		c.Adapter, c.Workspace, c.User)
	if err != nil {
		return petrel.User{}, err
	}
	if len(all) == 0 {
		return petrel.User{}, notFound("The chat identity %s stands for nobody.", c)
	}
	return all[0], nil
}

// ChatIdentities lists the identities that stand for a user, in order.
func (a Admin) ChatIdentities(ctx context.Context, user string) ([]petrel.ChatIdentity, error) {
	var all []petrel.ChatIdentity
	err := a.Read(ctx, func(ctx context.Context, q Query) error {
		all = nil
		return each(ctx, q, func(scan func(...any) error) error {
			var i petrel.ChatIdentity
			err := scan(&i.Adapter, &i.Workspace, &i.User)
			all = append(all, i)
			return err
		}, `select adapter, workspace, chat_user from chat_link where user_name = $1 order by adapter, workspace, chat_user`, Searchable(user))
	})
	return all, err
}

// CheckToken says what a store cannot hold of a token.
func CheckToken(t petrel.Token) error {
	var c rows.Check
	c.ID("token.id", t.ID)
	c.Need("token.hash", t.Hash)
	c.Name("token.user", t.User)
	c.OptionalID("token.execution_id", t.ExecutionID)
	return c.Err()
}

// TokenInsert stores a token unless its hash or id exists; TokenArgs are its arguments.
const TokenInsert = `insert into token (hash, id, user_name, expires_at, service, execution_id, metadata) values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing`

// TokenArgs are the arguments of TokenInsert.
func TokenArgs(t petrel.Token) []any {
	return []any{t.Hash, string(t.ID), t.User, rows.Micros(t.ExpiresAt), t.Service, string(t.ExecutionID), packed(t.Metadata)}
}

func createToken(ctx context.Context, q Query, t petrel.Token) error {
	if err := CheckToken(t); err != nil {
		return err
	}
	n, err := q.Exec(ctx, TokenInsert, TokenArgs(t)...)
	if err == nil && n == 0 {
		return conflict(t.ID, "There is already such a token.")
	}
	return err
}

// CreateToken stores a token.
func (a Admin) CreateToken(ctx context.Context, t petrel.Token) error {
	return a.Each(ctx, Rest, 1, func(ctx context.Context, q Query, _ int) error { return createToken(ctx, q, t) })[0]
}

func scanToken(scan func(...any) error) (petrel.Token, error) {
	var t petrel.Token
	var id, execution string
	var expires int64
	var metadata []byte
	if err := scan(&t.Hash, &id, &t.User, &expires, &t.Service, &execution, &metadata); err != nil {
		return t, err
	}
	value, err := rows.Unpack(metadata)
	t.ID, t.ExpiresAt, t.ExecutionID, t.Metadata = petrel.ID(id), rows.Time(expires), petrel.ID(execution), value
	return t, err
}

// Token finds a token by its hash, expired or not.
func (a Admin) Token(ctx context.Context, hash string) (petrel.Token, error) {
	var t petrel.Token
	err := a.Read(ctx, func(ctx context.Context, q Query) error {
		found := false
		err := each(ctx, q, func(scan func(...any) error) (err error) {
			found = true
			t, err = scanToken(scan)
			return err
		}, `select hash, id, user_name, expires_at, service, execution_id, metadata from token where hash = $1`, Searchable(hash))
		if err == nil && !found {
			return notFound("The token cannot be found.")
		}
		return err
	})
	return t, err
}

// DeleteToken removes a token by its hash.
func (a Admin) DeleteToken(ctx context.Context, hash string) error {
	return a.Write(ctx, Rest, func(ctx context.Context, q Query) error {
		n, err := q.Exec(ctx, `delete from token where hash = $1`, Searchable(hash))
		if err == nil && n == 0 {
			return notFound("The token cannot be found.")
		}
		return err
	})
}

// PurgeTokens removes tokens that expired before a time.
func (a Admin) PurgeTokens(ctx context.Context, expiredBefore time.Time, limit int) (int, error) {
	var n int64
	err := a.Write(ctx, Rest, func(ctx context.Context, q Query) (err error) {
		n, err = q.Exec(ctx, `delete from token where hash in (select hash from token where expires_at < $1 order by expires_at limit $2)`,
			rows.Micros(expiredBefore), limit)
		return err
	})
	return int(n), err
}

func checkAPIKey(k petrel.APIKey) error {
	var c rows.Check
	c.ID("id", k.ID)
	c.Need("hash", k.Hash)
	c.Name("user", k.User)
	c.Text("uid", k.UID)
	return c.Err()
}

func apiKeyArgs(k petrel.APIKey) []any {
	return []any{string(k.ID), k.Hash, k.UID, k.User, k.Enabled, rows.Micros(k.CreatedAt), packed(k.Metadata)}
}

// CreateAPIKey stores a new key.
func (a Admin) CreateAPIKey(ctx context.Context, k petrel.APIKey) error {
	if err := checkAPIKey(k); err != nil {
		return err
	}
	return a.change(ctx, func(ctx context.Context, q Query) error {
		n, err := q.Exec(ctx, `insert into api_key (id, hash, uid, user_name, enabled, created_at, metadata) values ($1, $2, $3, $4, $5, $6, $7)
			on conflict do nothing`, apiKeyArgs(k)...)
		if err != nil || n > 0 {
			return err
		}
		var other string
		if _, err := one(ctx, q, []any{&other}, `select id from api_key where hash = $1 or id = $2 limit 1`, k.Hash, string(k.ID)); err != nil {
			return err
		}
		return conflict(petrel.ID(other), "There is already an API key with this id or hash, id %s.", other)
	}, storage.KindRights)
}

// UpdateAPIKey changes a key by its id.
func (a Admin) UpdateAPIKey(ctx context.Context, k petrel.APIKey) error {
	if err := checkAPIKey(k); err != nil {
		return err
	}
	return a.change(ctx, func(ctx context.Context, q Query) error {
		var other string
		found, err := one(ctx, q, []any{&other}, `select id from api_key where hash = $1 and id <> $2`, k.Hash, string(k.ID))
		if err != nil {
			return err
		}
		if found {
			return conflict(petrel.ID(other), "There is already an API key with this hash, id %s.", other)
		}
		n, err := q.Exec(ctx, `update api_key set hash = $2, uid = $3, user_name = $4, enabled = $5, created_at = $6, metadata = $7 where id = $1`, apiKeyArgs(k)...)
		if err == nil && n == 0 {
			return notFound("The API key %s cannot be found.", k.ID)
		}
		return err
	}, storage.KindRights)
}

// DeleteAPIKey removes a key.
func (a Admin) DeleteAPIKey(ctx context.Context, id petrel.ID) error {
	return a.change(ctx, func(ctx context.Context, q Query) error {
		return remove(ctx, q, "api_key", "id", Searchable(string(id)))
	}, storage.KindRights)
}

func scanAPIKey(scan func(...any) error) (petrel.APIKey, error) {
	var k petrel.APIKey
	var id string
	var created int64
	var metadata []byte
	if err := scan(&id, &k.Hash, &k.UID, &k.User, &k.Enabled, &created, &metadata); err != nil {
		return k, err
	}
	value, err := rows.Unpack(metadata)
	k.ID, k.CreatedAt, k.Metadata = petrel.ID(id), rows.Time(created), value
	return k, err
}

const apiKeyColumns = `id, hash, uid, user_name, enabled, created_at, metadata`

// APIKey finds a key by id or hash.
func (a Admin) APIKey(ctx context.Context, idOrHash string) (petrel.APIKey, error) {
	return get(ctx, a, scanAPIKey, `select `+apiKeyColumns+` from api_key where id = $1 or hash = $1`, "API key", Searchable(idOrHash))
}

// APIKeyList lists keys by id.
func (a Admin) APIKeyList(ctx context.Context, limit, offset int) ([]petrel.APIKey, int, error) {
	return list(ctx, a, scanAPIKey, apiKeyColumns, "api_key", contentTable{order: "id"}, storage.ContentFilter{Limit: limit, Offset: offset})
}
