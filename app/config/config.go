// Package config holds the settings of a Petrel process: one struct, read from
// petrel.yaml, environment variables and flags, in this order, and from
// StackStorm's st2.conf when there is one.
package config

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Config is every setting. A field's `yaml` tag is its key in petrel.yaml; the
// environment variable is PETREL_ and the path in capitals with underscores,
// PETREL_API_MAX_PAGE_SIZE for api.max_page_size. Unknown keys are refused.
type Config struct {
	State        string   `yaml:"state" help:"folder of the database, unpacked packs and credentials"`
	Listen       string   `yaml:"listen" help:"address of the HTTP server: API, auth, stream and chat"`
	CompatListen []string `yaml:"compat_listen" help:"further addresses that serve the same, for clients that know StackStorm's ports; default 9100 and 9102 beside a listen port of 9101, none otherwise"`
	DatabaseURL  string   `yaml:"database_url" help:"postgres://… ; empty is SQLite in the state folder (DATABASE_URL is read too)"`
	RedisURL     string   `yaml:"redis_url" help:"reserved for the Redis queue (REDIS_URL is read too)"`
	Roles        []string `yaml:"roles" help:"parts this process runs: api, worker, bot; empty is all"`

	Log        Log        `yaml:"log"`
	API        API        `yaml:"api"`
	Auth       Auth       `yaml:"auth"`
	Actions    Actions    `yaml:"actions"`
	Engine     Engine     `yaml:"engine"`
	Content    Content    `yaml:"content"`
	SystemUser SystemUser `yaml:"system_user"`
	Stream     Stream     `yaml:"stream"`
	WebUI      WebUI      `yaml:"webui"`
	Bot        Bot        `yaml:"bot"`
	Retention  Retention  `yaml:"retention"`
}

// Log says what is logged and how.
type Log struct {
	Level                string   `yaml:"level" help:"debug, info, warn, error"`
	Format               string   `yaml:"format" help:"text or json"`
	MaskSecrets          bool     `yaml:"mask_secrets" help:"replace secrets by ******** in logs and API answers"`
	MaskSecretsBlacklist []string `yaml:"mask_secrets_blacklist" help:"further attribute names to mask"`
}

// API are the settings of the HTTP server.
type API struct {
	AllowOrigin        []string      `yaml:"allow_origin" help:"origins browsers may call from; * is any"`
	MaskSecrets        bool          `yaml:"mask_secrets" help:"replace secrets by ******** in answers"`
	MaxPageSize        int           `yaml:"max_page_size" help:"largest limit for those who are no admins"`
	AuthCookieSecure   bool          `yaml:"auth_cookie_secure" help:"set Secure on the auth cookie"`
	AuthCookieSameSite string        `yaml:"auth_cookie_same_site" help:"strict, lax, none or unset"`
	PublicURL          string        `yaml:"public_url" help:"base URL clients and actions reach the API under, without version; empty is the listen address"`
	MaxBody            int64         `yaml:"max_body" help:"largest request body in bytes"`
	RequestTimeout     time.Duration `yaml:"request_timeout" help:"longest time one request may take, streams apart"`
}

// Auth says how callers prove who they are.
type Auth struct {
	Enable          bool          `yaml:"enable" help:"ask callers who they are; off makes everybody the system user"`
	Mode            string        `yaml:"mode" help:"standalone (password) or proxy (a trusted proxy names the user)"`
	Htpasswd        string        `yaml:"htpasswd" help:"htpasswd file of users and passwords, besides Petrel's own"`
	TokenTTL        time.Duration `yaml:"token_ttl" help:"default and longest life of a token"`
	ServiceTokenTTL time.Duration `yaml:"service_token_ttl" help:"longest life of the token of a running action"`
}

// Actions are the settings of workers.
type Actions struct {
	Slots                int           `yaml:"slots" help:"actions that run at once in this process"`
	Grace                time.Duration `yaml:"grace" help:"how long a stop waits for running actions"`
	PythonBinary         string        `yaml:"python_binary" help:"Python for actions; empty finds one"`
	PythonLogLevel       string        `yaml:"python_log_level" help:"default log level of Python actions"`
	StreamOutput         bool          `yaml:"stream_output" help:"store what actions print while they run"`
	OutputLimit          int           `yaml:"output_limit" help:"bytes kept of each of stdout and stderr of a run"`
	ResultLimit          int           `yaml:"result_limit" help:"largest result of a run in bytes"`
	ValidateOutputSchema bool          `yaml:"validate_output_schema" help:"check results against output_schema"`
}

// Engine are the settings of ownership and queues.
type Engine struct {
	Lease    time.Duration `yaml:"lease" help:"a node that did not renew for so long is dead"`
	Renew    time.Duration `yaml:"renew" help:"how often a node renews its lease"`
	IdlePull time.Duration `yaml:"idle_pull" help:"an idle worker that heard nothing for so long looks by itself"`
	MaxDepth int           `yaml:"max_depth" help:"longest chain of executions and events that cause each other"`
}

// Content says where packs are.
type Content struct {
	SystemPacksBasePath string        `yaml:"system_packs_base_path" help:"StackStorm's main pack folder, used when it exists"`
	PacksBasePaths      []string      `yaml:"packs_base_paths" help:"further pack folders; the state folder's packs is always one"`
	ConfigsPath         string        `yaml:"configs_path" help:"folder of <pack>.yaml configurations; empty is configs in the state folder, then /opt/stackstorm/configs"`
	VirtualenvsPath     string        `yaml:"virtualenvs_path" help:"folder of <pack>/ virtual environments; empty is virtualenvs in the state folder, then /opt/stackstorm/virtualenvs"`
	Reload              time.Duration `yaml:"reload" help:"how often pack folders are looked at for changes; 0 is never"`
}

// SystemUser is who local commands run as and whom unauthenticated work belongs to.
type SystemUser struct {
	User       string `yaml:"user" help:"name of the system user; actions run as it where the account exists"`
	SSHKeyFile string `yaml:"ssh_key_file" help:"default SSH key"`
}

// Stream are the settings of the event stream.
type Stream struct {
	Heartbeat time.Duration `yaml:"heartbeat" help:"silence after which a keep-alive is sent"`
}

// WebUI says where people's browsers find executions.
type WebUI struct {
	BaseURL string `yaml:"webui_base_url" help:"prefix of an execution's web_url"`
}

// Bot are the settings of chat.
type Bot struct {
	Prefix      string `yaml:"prefix" help:"what a command begins with in a channel"`
	DefaultUser string `yaml:"default_user" help:"Petrel user for chat users that are linked to none; empty refuses them"`
	Console     bool   `yaml:"console" help:"offer the console chat (terminal and browser)"`
}

// Retention says how long things are kept; zero is for ever.
type Retention struct {
	Executions time.Duration `yaml:"executions" help:"final runs with their output, from their end"`
	Tokens     time.Duration `yaml:"tokens" help:"tokens, from their expiry"`
	Chats      time.Duration `yaml:"chats" help:"chat lines that were answered and messages that were sent, from their last change"`
}

// Default is the configuration of `petrel serve` with nothing given.
func Default() Config {
	return Config{
		State:  "./petrel-data",
		Listen: "127.0.0.1:9101",
		Log:    Log{Level: "info", Format: "text", MaskSecrets: true},
		API: API{
			AllowOrigin: []string{"http://127.0.0.1:3000"}, MaskSecrets: true, MaxPageSize: 100,
			AuthCookieSecure: true, AuthCookieSameSite: "lax", MaxBody: 10 << 20, RequestTimeout: 60 * time.Second,
		},
		Auth: Auth{Enable: true, Mode: "standalone", TokenTTL: 24 * time.Hour, ServiceTokenTTL: 24 * time.Hour},
		Actions: Actions{
			Slots: 60, Grace: 300 * time.Second, PythonLogLevel: "DEBUG", StreamOutput: true,
			OutputLimit: 10 << 20, ResultLimit: 14 << 20,
		},
		Engine:     Engine{Lease: 15 * time.Second, Renew: 5 * time.Second, IdlePull: time.Second, MaxDepth: 32},
		Content:    Content{SystemPacksBasePath: "/opt/stackstorm/packs", Reload: 5 * time.Second},
		SystemUser: SystemUser{User: "stanley", SSHKeyFile: "/home/stanley/.ssh/stanley_rsa"},
		Stream:     Stream{Heartbeat: 25 * time.Second},
		WebUI:      WebUI{BaseURL: "https://localhost"},
		Bot:        Bot{Prefix: "!", Console: true},
	}
}

// roles are the parts a process can run.
var roles = []string{"api", "worker", "bot"}

// Check says what is wrong with the settings, naming key, value and what is allowed.
func (c *Config) Check() error {
	var problems []string
	bad := func(key string, value any, want string) {
		problems = append(problems, fmt.Sprintf("%s: %v: %s", key, value, want))
	}
	oneOf := func(key, value string, allowed ...string) {
		for _, a := range allowed {
			if value == a {
				return
			}
		}
		bad(key, value, "must be one of "+strings.Join(allowed, ", "))
	}
	if c.State == "" {
		bad("state", `""`, "must name a folder")
	}
	for i, addr := range append([]string{c.Listen}, c.CompatListen...) {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			key := "listen"
			if i > 0 {
				key = "compat_listen"
			}
			bad(key, addr, "must be host:port")
		}
	}
	for _, r := range c.Roles {
		oneOf("roles", r, roles...)
	}
	if c.DatabaseURL != "" && !strings.HasPrefix(c.DatabaseURL, "postgres://") && !strings.HasPrefix(c.DatabaseURL, "postgresql://") {
		bad("database_url", maskURL(c.DatabaseURL), "must begin with postgres:// or postgresql://")
	}
	if c.RedisURL != "" {
		bad("redis_url", maskURL(c.RedisURL), "the Redis queue is not part of this version; leave it out, the queue is in the process")
	}
	oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf("log.format", c.Log.Format, "text", "json")
	oneOf("auth.mode", c.Auth.Mode, "standalone", "proxy")
	oneOf("api.auth_cookie_same_site", c.API.AuthCookieSameSite, "strict", "lax", "none", "unset")
	oneOf("actions.python_log_level", c.Actions.PythonLogLevel, "AUDIT", "CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")
	atLeast := func(key string, value, least int64) {
		if value < least {
			bad(key, value, fmt.Sprintf("must be %d or more", least))
		}
	}
	atLeast("api.max_page_size", int64(c.API.MaxPageSize), 1)
	atLeast("api.max_body", c.API.MaxBody, 1<<10)
	atLeast("actions.slots", int64(c.Actions.Slots), 1)
	atLeast("actions.output_limit", int64(c.Actions.OutputLimit), 1<<10)
	atLeast("actions.result_limit", int64(c.Actions.ResultLimit), 1<<10)
	atLeast("engine.max_depth", int64(c.Engine.MaxDepth), 1)
	longer := func(key string, value, least time.Duration) {
		if value < least {
			bad(key, value, "must be "+least.String()+" or more")
		}
	}
	longer("auth.token_ttl", c.Auth.TokenTTL, time.Second)
	longer("auth.service_token_ttl", c.Auth.ServiceTokenTTL, time.Second)
	longer("engine.renew", c.Engine.Renew, 10*time.Millisecond)
	longer("engine.lease", c.Engine.Lease, 2*c.Engine.Renew)
	longer("stream.heartbeat", c.Stream.Heartbeat, time.Second)
	longer("api.request_timeout", c.API.RequestTimeout, time.Second)
	if len(problems) > 0 {
		return fmt.Errorf("the configuration is wrong:\n  %s", strings.Join(problems, "\n  "))
	}
	return nil
}

// Has says whether this process runs a role.
func (c *Config) Has(role string) bool {
	if len(c.Roles) == 0 {
		return true
	}
	for _, r := range c.Roles {
		if r == role {
			return true
		}
	}
	return false
}

// CompatAddresses are the further addresses to serve.
func (c *Config) CompatAddresses() []string {
	if c.CompatListen != nil {
		return c.CompatListen
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || port != "9101" {
		return nil
	}
	return []string{net.JoinHostPort(host, "9100"), net.JoinHostPort(host, "9102")}
}

// PackPaths are the folders packs are looked for in, those that exist.
func (c *Config) PackPaths() []string {
	paths := []string{filepath.Join(c.State, "packs")}
	for _, p := range append([]string{c.Content.SystemPacksBasePath}, c.Content.PacksBasePaths...) {
		if info, err := os.Stat(p); p != "" && err == nil && info.IsDir() {
			paths = append(paths, p)
		}
	}
	return paths
}

// firstFolder is the given folder, or the first of the others that exists, or the first.
func firstFolder(given string, others ...string) string {
	if given != "" {
		return given
	}
	for _, p := range others {
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			return p
		}
	}
	return others[0]
}

// ConfigsPath is the folder of pack configurations.
func (c *Config) ConfigsPath() string {
	return firstFolder(c.Content.ConfigsPath, filepath.Join(c.State, "configs"), "/opt/stackstorm/configs")
}

// VirtualenvsPath is the folder of packs' virtual environments.
func (c *Config) VirtualenvsPath() string {
	return firstFolder(c.Content.VirtualenvsPath, filepath.Join(c.State, "virtualenvs"), "/opt/stackstorm/virtualenvs")
}

// maskURL hides a password in a URL for an error text.
func maskURL(u string) string {
	scheme, rest, found := strings.Cut(u, "://")
	if !found {
		return "********"
	}
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		rest = "********" + rest[at:]
	}
	return scheme + "://" + rest
}
