package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"petrel"
)

// maxCredential bounds the text of a credential a caller may send; longer
// ones are refused before they are hashed.
const maxCredential = 1024

// newTokenText draws the text of a token: 32 hexadecimal digits.
func newTokenText() string {
	var raw [16]byte
	if _, err := rand.Read(raw[:]); err != nil {
		panic("auth: the system has no random numbers: " + err.Error())
	}
	return hex.EncodeToString(raw[:])
}

// HashToken is what is stored of a token's text.
func HashToken(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// TokenRequest asks for a token for a user whose identity was proved.
type TokenRequest struct {
	User string
	// TTL is its life in seconds; nil is the default, more than the default is refused.
	TTL *int64
	// As is the user it shall act as, permitted to service accounts; empty for the caller.
	As string
	// Nickname and Origin name the user it shall act as by a chat nickname.
	Nickname, Origin string
}

// CreateToken makes a token, and the user at the first login. It answers with
// the token and its text, which is not stored.
// st2: st2common/st2common/services/access.py
func (s *Service) CreateToken(ctx context.Context, r TokenRequest) (petrel.Token, string, error) {
	user, err := s.impersonated(ctx, r)
	if err != nil {
		return petrel.Token{}, "", err
	}
	ttl := int64(s.cfg.TokenTTL / time.Second)
	if r.TTL != nil {
		if *r.TTL > ttl {
			return petrel.Token{}, "", petrel.Errorf(petrel.Invalid,
				"TTL specified %d is greater than max allowed %d.", *r.TTL, ttl)
		}
		if *r.TTL < 1 {
			return petrel.Token{}, "", petrel.Errorf(petrel.Invalid, "%d is less than the minimum of 1", *r.TTL)
		}
		ttl = *r.TTL
	}
	if _, err := s.ensureUser(ctx, user); err != nil {
		return petrel.Token{}, "", err
	}
	token, text := s.newToken(user, time.Duration(ttl)*time.Second)
	if err := s.store.CreateToken(ctx, token); err != nil {
		return petrel.Token{}, "", err
	}
	return token, text, nil
}

func (s *Service) newToken(user string, ttl time.Duration) (petrel.Token, string) {
	now := petrel.Micros(s.cfg.Now())
	text := newTokenText()
	return petrel.Token{
		ID: petrel.NewID(now), User: user, Hash: HashToken(text),
		ExpiresAt: now.Add(ttl), Metadata: petrel.JSON("{}"),
	}, text
}

// impersonated is the user a token is to be made for.
// st2: st2auth/st2auth/handlers.py
func (s *Service) impersonated(ctx context.Context, r TokenRequest) (string, error) {
	if r.As == "" && r.Nickname == "" {
		return r.User, nil
	}
	caller, err := s.store.User(ctx, r.User)
	if petrel.Is(err, petrel.NotFound) {
		return "", petrel.Errorf(petrel.Invalid, "Could not locate user %s", r.User)
	}
	if err != nil {
		return "", err
	}
	if !caller.IsService {
		return "", petrel.Errorf(petrel.Invalid, "Current user is not a service and cannot request impersonated tokens")
	}
	if r.As != "" {
		return r.As, nil
	}
	if r.Origin == "" {
		return "", petrel.Errorf(petrel.Invalid, "Nickname origin is not provided for nickname '%s'", r.Nickname)
	}
	users, err := s.store.UserList(ctx)
	if err != nil {
		return "", err
	}
	found := ""
	for _, u := range users {
		if u.Nicknames[r.Origin] != r.Nickname {
			continue
		}
		if found != "" {
			return "", petrel.Errorf(petrel.Invalid, "%s@%s matched more than one username", r.Nickname, r.Origin)
		}
		found = u.Name
	}
	if found == "" {
		return "", petrel.Errorf(petrel.Invalid, "Could not locate user %s@%s", r.Nickname, r.Origin)
	}
	return found, nil
}

// NewExecutionToken makes the credential of a run without storing it: the
// store deletes it when the run ends. Its text goes into the run's
// environment as ST2_ACTION_AUTH_TOKEN.
func (s *Service) NewExecutionToken(execution petrel.ID, user string, ttl time.Duration) (petrel.Token, string) {
	if ttl <= 0 {
		ttl = s.cfg.ServiceTokenTTL
	}
	token, text := s.newToken(user, ttl)
	token.Service = true
	token.ExecutionID = execution
	return token, text
}

// CreateExecutionToken is NewExecutionToken with the token stored.
func (s *Service) CreateExecutionToken(ctx context.Context, execution petrel.ID, user string, ttl time.Duration) (petrel.Token, string, error) {
	token, text := s.NewExecutionToken(execution, user, ttl)
	if err := s.store.CreateToken(ctx, token); err != nil {
		return petrel.Token{}, "", err
	}
	return token, text, nil
}

// RevokeToken deletes a token by its text; one that is not there is no error.
func (s *Service) RevokeToken(ctx context.Context, text string) error {
	err := s.store.DeleteToken(ctx, HashToken(text))
	if petrel.Is(err, petrel.NotFound) {
		return nil
	}
	return err
}

// The texts of refused credentials. st2: st2common/st2common/router.py
const (
	textNothing = "Unauthorized - One of Token or API key required."
	textToken   = "Unauthorized"
	textExpired = "Unauthorized - Token has expired."
	textKey     = "Unauthorized - ApiKey with key_hash=%s not found."
	textKeyOff  = "Unauthorized - API key is disabled."
)

// ErrNoCredential is what a caller is told who sent nothing.
var ErrNoCredential = petrel.Errorf(petrel.Unauthorized, textNothing)

// ValidToken says whether a token's text is that of a token that still lives.
func (s *Service) ValidToken(ctx context.Context, text string) (bool, error) {
	_, err := s.token(ctx, text)
	if petrel.Is(err, petrel.Unauthorized) {
		return false, nil
	}
	return err == nil, err
}

func (s *Service) token(ctx context.Context, text string) (petrel.Token, error) {
	if len(text) > maxCredential {
		return petrel.Token{}, petrel.Errorf(petrel.Unauthorized, textToken)
	}
	// The look-up is by a hash, so its time tells nothing about the text.
	token, err := s.store.Token(ctx, HashToken(text))
	if petrel.Is(err, petrel.NotFound) {
		return petrel.Token{}, petrel.Errorf(petrel.Unauthorized, textToken)
	}
	if err != nil {
		return petrel.Token{}, err
	}
	if !token.ExpiresAt.After(s.cfg.Now()) {
		return petrel.Token{}, petrel.Errorf(petrel.Unauthorized, textExpired)
	}
	return token, nil
}

// Token answers who a token's text stands for. Unauthorized, with
// StackStorm's text, when it stands for nobody.
func (s *Service) Token(ctx context.Context, text string, where Location) (Principal, error) {
	token, err := s.token(ctx, text)
	if err != nil {
		return Principal{}, err
	}
	p := Principal{
		User: token.User, Service: token.Service, Method: MethodToken, Location: where,
		ExpiresAt: token.ExpiresAt, ExecutionID: token.ExecutionID,
	}
	return s.withUser(ctx, p)
}

// withUser adds what the user's row says. A run may belong to a user that
// never logged in (another one was named when it was requested); everybody
// else who has a credential has a row.
func (s *Service) withUser(ctx context.Context, p Principal) (Principal, error) {
	u, err := s.store.User(ctx, p.User)
	if petrel.Is(err, petrel.NotFound) {
		if p.ExecutionID != "" {
			return p, nil
		}
		return Principal{}, petrel.Errorf(petrel.Unauthorized, textToken)
	}
	if err != nil {
		return Principal{}, err
	}
	p.Admin = u.Admin
	p.Service = p.Service || u.IsService
	return p, nil
}
