package api

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"

	"petrel"
	"petrel/auth"
	"petrel/expr/value"
	"petrel/storage"
)

// tokenCreate serves POST tokens: a login.
// st2: st2auth/st2auth/handlers.py
func (a *API) tokenCreate(c *call) error {
	body, err := c.body(true, a.bodies["token"])
	if err != nil {
		return err
	}
	user, err := c.login()
	if petrel.Is(err, petrel.Unauthorized) && user != "" {
		// Only a password that was really checked is kept: how often that can
		// happen is bounded, how often nonsense can be sent is not.
		d := auth.Decision{Reason: petrel.Message(err)}
		entry := c.entry("login", "user:"+cutText(user), d, nil)
		if err := a.cfg.Store.AppendAudit(c.ctx(), entry); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	request := auth.TokenRequest{
		User: user, As: textOf(body, "user"),
		Nickname: textOf(body, "impersonate_user"), Origin: textOf(body, "nickname_origin"),
	}
	if v, ok := body.GetStr("ttl"); ok && v != nil {
		ttl, ok := value.AsInt(v)
		if !ok {
			ttl = 1 << 62 // larger than 64 bits is larger than allowed
		}
		request.TTL = &ttl
	}
	c.who.User = user
	var token petrel.Token
	var text string
	err = a.cfg.Store.InTx(c.ctx(), func(ctx context.Context, tx storage.Admin) error {
		var err error
		if token, text, err = a.cfg.Auth.On(tx).CreateToken(ctx, request); err != nil {
			return err
		}
		reason := "user and password are right"
		if a.cfg.Auth.Mode() == auth.Proxy {
			reason = "a trusted proxy names the user"
		}
		args := object{{"expiry", token.ExpiresAt}}
		if token.User != user {
			args.add("impersonated", token.User)
		}
		return tx.AppendAudit(ctx, c.entry("login", "user:"+token.User, auth.Decision{Allow: true, Reason: reason}, args))
	})
	if err != nil {
		return err
	}
	c.w.Header().Set("X-API-URL", a.cfg.APIURL)
	return c.json(http.StatusCreated, object{
		{"user", token.User}, {"token", text}, {"expiry", token.ExpiresAt}, {"metadata", orEmpty(token.Metadata)},
		{"service", token.Service}, {"id", token.ID},
	})
}

// login answers who is logging in. With an error it answers the name that was
// tried, as far as there is one.
func (c *call) login() (string, error) {
	a := c.a
	header := c.r.Header.Get("Authorization")
	if a.cfg.Auth.Mode() == auth.Proxy {
		if !a.fromProxy(c.r) {
			return "", auth.ErrLogin
		}
		if user := c.r.Header.Get("X-Forwarded-User"); user != "" {
			return user, nil
		}
		user, _, err := basic(header)
		if err != nil || user == "" {
			return "", auth.ErrLogin
		}
		return user, nil
	}
	if header == "" {
		return "", auth.ErrLogin
	}
	user, password, err := basic(header)
	if err != nil {
		return "", err
	}
	if _, err := a.cfg.Auth.Login(c.ctx(), user, password, c.who.From); err != nil {
		return user, err
	}
	return user, nil
}

// basic reads user and password of an Authorization header.
func basic(header string) (user, password string, err error) {
	words := strings.Split(header, " ")
	if len(words) < 2 {
		return "", "", petrel.Errorf(petrel.Invalid, "not enough values to unpack (expected 2, got %d)", len(words))
	}
	if len(words) > 2 {
		return "", "", petrel.Errorf(petrel.Invalid, "too many values to unpack (expected 2)")
	}
	if !strings.EqualFold(words[0], "basic") {
		return "", "", auth.ErrLogin
	}
	raw, err := base64.StdEncoding.DecodeString(words[1])
	if err != nil || !utf8.Valid(raw) {
		return "", "", auth.ErrLogin
	}
	user, password, ok := strings.Cut(string(raw), ":")
	if !ok {
		return "", "", auth.ErrLogin
	}
	return user, password, nil
}

// tokenValidate serves POST tokens/validate.
func (a *API) tokenValidate(c *call) error {
	body, err := c.body(true, a.bodies["token_validate"])
	if err != nil {
		return err
	}
	text := textOf(body, "token")
	if text == "" {
		return petrel.Errorf(petrel.Invalid, "Token is not provided.")
	}
	valid, err := a.cfg.Auth.ValidToken(c.ctx(), text)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, object{{"valid", valid}})
}

// sso serves GET sso: there is no single sign-on.
func (a *API) sso(c *call) error { return c.json(http.StatusOK, object{{"enabled", false}}) }

// user serves GET user: who is calling and how that is known.
func (a *API) user(c *call) error {
	if c.who.Method == auth.MethodNone {
		return petrel.Errorf(petrel.Internal, "Authentication is off, so there is no user to tell about.")
	}
	how := object{{"method", string(c.who.Method)}, {"location", string(c.who.Location)}}
	if c.who.Method == auth.MethodToken {
		how.add("token_expire", c.who.ExpiresAt.UTC().Format("2006-01-02T15:04:05Z"))
	}
	return c.json(http.StatusOK, object{
		{"username", c.who.User},
		{"authentication", how},
		{"rbac", object{{"enabled", a.cfg.Auth.Enforced}, {"roles", a.roles(c.who)}, {"is_admin", c.admin()}}},
	})
}

// roles are the names of the roles a caller holds, none while they do not count.
func (a *API) roles(who auth.Principal) []string {
	if a.cfg.Auth.Enforced && who.Admin {
		return []string{"admin"}
	}
	return []string{}
}
