package auth

import (
	"context"
	"log/slog"
	"time"

	"petrel"
)

// Store is what the service keeps and reads; storage.Store has it.
type Store interface {
	PutUser(ctx context.Context, u petrel.User) error
	User(ctx context.Context, name string) (petrel.User, error)
	UserList(ctx context.Context) ([]petrel.User, error)
	ChatUser(ctx context.Context, c petrel.ChatIdentity) (petrel.User, error)

	CreateToken(ctx context.Context, t petrel.Token) error
	Token(ctx context.Context, hash string) (petrel.Token, error)
	DeleteToken(ctx context.Context, hash string) error

	CreateAPIKey(ctx context.Context, k petrel.APIKey) error
	UpdateAPIKey(ctx context.Context, k petrel.APIKey) error
	DeleteAPIKey(ctx context.Context, id petrel.ID) error
	APIKey(ctx context.Context, idOrHash string) (petrel.APIKey, error)
	APIKeyList(ctx context.Context, limit, offset int) ([]petrel.APIKey, int, error)
}

// Mode is how POST tokens learns who logs in.
type Mode string

// The modes. st2: auth.mode
const (
	Standalone Mode = "standalone" // user and password are checked here
	Proxy      Mode = "proxy"      // a trusted proxy in front has checked them
)

// Config sets the service up; a zero field means the default named with it.
type Config struct {
	Store Store
	// Disabled is `auth.enable: false`: nobody is asked who they are, every caller
	// is the system user. Tokens and keys can still be made.
	Disabled bool
	// Mode is Standalone by default.
	Mode Mode
	// HtpasswdFile is looked into before the users' own passwords; it is read
	// again when it changes. Empty: none.
	HtpasswdFile string
	// TokenTTL is the default and the greatest life of a token; 24 h.
	TokenTTL time.Duration
	// ServiceTokenTTL is the life of tokens made for runs that have no end of
	// their own; 24 h.
	ServiceTokenTTL time.Duration
	// SystemUser is who rules, timers and callers without authentication act as; "stanley".
	SystemUser string
	// Enforced is rbac.enable; see Rights.
	Enforced bool
	// PasswordCost is bcrypt's cost for new passwords; 12.
	PasswordCost int
	// Now is the clock; time.Now.
	Now func() time.Time
	Log *slog.Logger
}
