package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"petrel"
	"petrel/actions"
	"petrel/auth"
	"petrel/engine"
	"petrel/queue"
	"petrel/schema"
	"petrel/storage"
)

// Store is what the API reads and changes; storage.Store has it.
type Store interface {
	Execution(ctx context.Context, id petrel.ID) (petrel.Execution, error)
	ExecutionList(ctx context.Context, f storage.ExecutionFilter) ([]petrel.Execution, int, error)
	ExecutionValues(ctx context.Context, column string) ([]string, error)
	OutputList(ctx context.Context, execution petrel.ID, kind string, after int64, limit int) ([]petrel.OutputChunk, error)
	storage.Content
	storage.Identities
	storage.Audits
	InTx(ctx context.Context, do func(ctx context.Context, tx storage.Admin) error) error
	Ping(ctx context.Context) error
}

// Engine is what the API asks for runs; engine.Engine has it.
type Engine interface {
	Request(ctx context.Context, r engine.Request) (petrel.Execution, bool, error)
	Rerun(ctx context.Context, id petrel.ID, r engine.Rerun) (petrel.Execution, error)
	Cancel(ctx context.Context, id petrel.ID, by string, force bool, audit ...petrel.AuditEntry) (petrel.Execution, error)
	SetStatus(ctx context.Context, id petrel.ID, status petrel.Status, result petrel.JSON, by string, audit ...petrel.AuditEntry) (petrel.Execution, error)
}

// Registrar reads packs from their folders into the store.
type Registrar interface {
	// RegisterPacks registers the named packs, all of them for none, and of them
	// the kinds of content that types name ("actions"), all of them for none. It
	// answers how many things of each kind there were. With failOnFailure the
	// first file that cannot be read ends it with an error.
	RegisterPacks(ctx context.Context, names, types []string, failOnFailure bool) (map[string]int, error)
}

// Check is a part that readiness asks.
type Check struct {
	Name string
	Ask  func(ctx context.Context) error
}

// Config sets the API up; a zero field means the default named with it.
type Config struct {
	// Store, Auth, Engine and Feed are required.
	Store  Store
	Auth   *auth.Service
	Engine Engine
	Feed   queue.Feed
	// Authorizer decides; Auth does by default.
	Authorizer auth.Authorizer
	// Packs registers packs; without it POST packs/register answers 503.
	Packs Registrar
	// Chat serves what is below /chat/ (messages, clicks, stream), with the caller
	// in the request's context; without it these paths are unknown.
	Chat http.Handler
	// KV answers st2kv in aliases; an empty datastore by default.
	KV actions.KV
	// Ready are asked by /readyz beside the store.
	Ready []Check
	// Registry takes the API's metrics, Gatherer is what /metrics shows. Without
	// the first nothing is counted, without the second /metrics is unknown.
	Registry prometheus.Registerer
	Gatherer prometheus.Gatherer

	// ConfigDir is the folder of the packs' configuration files, which PUT configs
	// writes; without it that answers 503.
	ConfigDir string
	// PackDirs are the folders packs are looked for in; they are named in errors.
	PackDirs []string

	// WebURL is the base of links to executions; https://localhost.
	WebURL string
	// APIURL is the public base URL of the API, told to clients that log in; http://127.0.0.1:9101.
	APIURL string
	// AllowOrigin are the origins that may use the API from a browser; http://127.0.0.1:3000.
	AllowOrigin []string
	// TrustedProxies are the addresses whose X-Forwarded-For and X-Forwarded-User
	// count; none, and the loopback ones where auth.mode is proxy.
	TrustedProxies []netip.Prefix
	// ShowSecrets switches the masking of secrets off for everybody (api.mask_secrets: false).
	ShowSecrets bool
	// MaxPageSize bounds `limit` for those who are not admin; 100.
	MaxPageSize int
	// InsecureCookie leaves `secure` out of the cookie.
	InsecureCookie bool
	// SameSite of the cookie: lax (default), strict, none, or unset for no attribute.
	SameSite string
	// Heartbeat is the longest silence on a stream; 25 s.
	Heartbeat time.Duration
	// StreamsPerUser bounds the streams one user may hold open; 100.
	StreamsPerUser int
	// StreamBuffer is how many events a slow reader may be behind before it is cut off; 1024.
	StreamBuffer int
	// StreamWrite is how long one piece may take to reach the reader of a stream; 15 s.
	StreamWrite time.Duration
	// MaxBody is the largest request body in bytes; 10 MiB.
	MaxBody int64
	// Timeout bounds a request that is no stream; 60 s.
	Timeout time.Duration
	// Now is the clock; time.Now.
	Now func() time.Time
	// Log is silent by default.
	Log *slog.Logger
}

// Version is the version of StackStorm whose interface this is; clients ask
// for it.
const Version = "3.9.0"

// builtInOrigins may always use the API from a browser; StackStorm's own web
// interface runs there in development. st2: st2common/st2common/middleware/cors.py
var builtInOrigins = []string{"http://127.0.0.1:3000", "http://localhost:8080", "http://127.0.0.1:8080"}

// API serves the interface. Make one with New; it is an http.Handler.
type API struct {
	cfg     Config
	routes  *router
	origins map[string]bool
	cross   *http.CrossOriginProtection
	metrics *metrics
	stream  *hub
	specs   *specCache
	aliases *aliasCache
	bodies  map[string]*schema.Schema
}

// New checks the configuration.
func New(cfg Config) (*API, error) {
	switch {
	case cfg.Store == nil:
		return nil, errors.New("api: Config.Store is required")
	case cfg.Auth == nil:
		return nil, errors.New("api: Config.Auth is required")
	case cfg.Engine == nil:
		return nil, errors.New("api: Config.Engine is required")
	case cfg.Feed == nil:
		return nil, errors.New("api: Config.Feed is required")
	}
	if cfg.Authorizer == nil {
		cfg.Authorizer = cfg.Auth
	}
	if cfg.WebURL == "" {
		cfg.WebURL = "https://localhost"
	}
	if cfg.APIURL == "" {
		cfg.APIURL = "http://127.0.0.1:9101"
	}
	if len(cfg.AllowOrigin) == 0 {
		cfg.AllowOrigin = []string{"http://127.0.0.1:3000"}
	}
	if len(cfg.TrustedProxies) == 0 && cfg.Auth.Mode() == auth.Proxy {
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	if cfg.MaxPageSize == 0 {
		cfg.MaxPageSize = 100
	}
	switch cfg.SameSite = strings.ToLower(cfg.SameSite); cfg.SameSite {
	case "":
		cfg.SameSite = "lax"
	case "lax", "strict", "none", "unset":
	default:
		return nil, fmt.Errorf("api.auth_cookie_same_site is %q, it must be lax, strict, none or unset", cfg.SameSite)
	}
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = 25 * time.Second
	}
	if cfg.StreamsPerUser == 0 {
		cfg.StreamsPerUser = 100
	}
	if cfg.StreamBuffer == 0 {
		cfg.StreamBuffer = 1024
	}
	if cfg.StreamWrite == 0 {
		cfg.StreamWrite = 15 * time.Second
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 10 << 20
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 60 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	a := &API{cfg: cfg, origins: map[string]bool{}, cross: http.NewCrossOriginProtection(), specs: newSpecCache()}
	for _, origin := range append(append([]string{cfg.APIURL}, builtInOrigins...), cfg.AllowOrigin...) {
		a.origins[origin] = true
		if origin == "*" {
			continue
		}
		if err := a.cross.AddTrustedOrigin(strings.TrimSuffix(origin, "/")); err != nil {
			return nil, fmt.Errorf("api.allow_origin: %q is not an origin (scheme://host[:port]): %w", origin, err)
		}
	}
	var err error
	if a.bodies, err = bodySchemas(); err != nil {
		return nil, err
	}
	a.metrics = newMetrics(cfg.Registry)
	a.stream = newHub(a)
	a.aliases = newAliasCache(cfg.Store)
	a.routes = a.table()
	return a, nil
}

// Stop ends all streams, so that a server that shuts down need not wait for
// them; other requests are not touched. It is safe to call twice.
func (a *API) Stop() { a.stream.closeAll() }
