package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"time"

	"golang.org/x/crypto/bcrypt"

	"petrel"
)

// Store is what the service keeps and reads. storage.Store has it, and so has
// the part of it that takes part in a transaction.
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

// Mode is how a login learns who is calling.
type Mode string

// The modes. st2: auth.mode
const (
	Standalone Mode = "standalone" // user and password are checked here
	Proxy      Mode = "proxy"      // a trusted proxy in front has checked them
)

// Config sets the service up; a zero field means the default named with it.
type Config struct {
	// Store is required.
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
	// ServiceTokenTTL is the life of the token of a run that is given no other end; 24 h.
	ServiceTokenTTL time.Duration
	// SystemUser is who rules, timers and callers without authentication act as; "stanley".
	SystemUser string
	// Enforced is rbac.enable; see Rights.
	Enforced bool
	// PasswordCost is bcrypt's cost for new passwords; 12.
	PasswordCost int
	// Pace slows guessing down; see Pace for its defaults.
	Pace Pace
	// Now is the clock; time.Now.
	Now func() time.Time
	// Log takes what the operator should know; silent by default.
	Log *slog.Logger
}

// Service knows users and their credentials. It is safe for use by many
// goroutines.
type Service struct {
	Rights
	cfg    Config
	store  Store
	shared *shared
}

// shared is what copies of a service made by On have in common.
type shared struct {
	htpasswd *htpasswdFile // nil when there is none
	pace     *pacer
	decoy    []byte        // a bcrypt hash nobody knows the password of
	checking chan struct{} // bounds how many passwords are hashed at once
}

// New checks the configuration and reads the htpasswd file.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil {
		return nil, errors.New("auth: Config.Store is required")
	}
	switch cfg.Mode {
	case "":
		cfg.Mode = Standalone
	case Standalone, Proxy:
	default:
		return nil, fmt.Errorf("%s is not a valid auth mode", cfg.Mode)
	}
	if cfg.Enforced && cfg.Disabled {
		return nil, errors.New("rbac.enable needs auth.enable: without authentication nobody's rights can be known")
	}
	if cfg.TokenTTL == 0 {
		cfg.TokenTTL = 24 * time.Hour
	}
	if cfg.TokenTTL < time.Second {
		return nil, fmt.Errorf("auth.token_ttl is %v, it must be at least a second", cfg.TokenTTL)
	}
	if cfg.ServiceTokenTTL == 0 {
		cfg.ServiceTokenTTL = 24 * time.Hour
	}
	if cfg.SystemUser == "" {
		cfg.SystemUser = "stanley"
	}
	if cfg.PasswordCost == 0 {
		cfg.PasswordCost = defaultCost
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s := &Service{
		Rights: Rights{Enforced: cfg.Enforced},
		cfg:    cfg,
		store:  cfg.Store,
		shared: &shared{
			pace:     newPacer(cfg.Pace, cfg.Now),
			checking: make(chan struct{}, max(2, runtime.NumCPU())),
		},
	}
	var err error
	if s.shared.decoy, err = decoyOf(cfg.PasswordCost); err != nil {
		return nil, fmt.Errorf("auth: the password cost %d cannot be used: %w", cfg.PasswordCost, err)
	}
	if cfg.HtpasswdFile != "" {
		s.shared.htpasswd, err = openHtpasswd(cfg.HtpasswdFile, cfg.Log)
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// defaultCost is bcrypt's cost for new passwords.
const defaultCost = 12

// decoyOf is a hash nobody knows the password of, which is compared with where
// there is no other. The one of the default cost is fixed, because making it
// would take a good part of the time a start may take.
func decoyOf(cost int) ([]byte, error) {
	if cost == defaultCost {
		return []byte("$2a$12$hBHDbCPMbouWLhnlZlqO9.L/qjAAkaiViKkn/BLZF.7Z8TIAr1VbC"), nil
	}
	return bcrypt.GenerateFromPassword([]byte(newTokenText()), cost)
}

// On gives the same service working on another store, such as the part of a
// store that takes part in a transaction.
func (s *Service) On(store Store) *Service {
	c := *s
	c.store = store
	return &c
}

// Enabled says whether callers are asked who they are.
func (s *Service) Enabled() bool { return !s.cfg.Disabled }

// Mode is how logins learn who is calling.
func (s *Service) Mode() Mode { return s.cfg.Mode }

// SystemUser is the name of the user that rules, timers and callers without
// authentication act as.
func (s *Service) SystemUser() string { return s.cfg.SystemUser }

// System is the caller that stands for the program itself.
func (s *Service) System() Principal {
	return Principal{User: s.cfg.SystemUser, Admin: true, Service: true, Method: MethodLocal}
}

// Anonymous is who every caller is while authentication is off; nobody while
// it is on.
func (s *Service) Anonymous() (Principal, bool) {
	if !s.cfg.Disabled {
		return Principal{}, false
	}
	return Principal{User: s.cfg.SystemUser, Admin: true, Method: MethodNone}, true
}

// ensureUser gives the user of a name and makes one that is not there yet.
// st2: the first login creates the user.
func (s *Service) ensureUser(ctx context.Context, name string) (petrel.User, error) {
	u, err := s.store.User(ctx, name)
	if !petrel.Is(err, petrel.NotFound) {
		return u, err
	}
	now := petrel.Micros(s.cfg.Now())
	u = petrel.User{ID: petrel.NewID(now), Name: name, Nicknames: map[string]string{}, CreatedAt: now}
	if err := s.store.PutUser(ctx, u); err != nil {
		return petrel.User{}, err
	}
	s.cfg.Log.Info("a new user was registered", "user", name)
	return u, nil
}
