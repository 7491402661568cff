package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gopkg.in/ini.v1"

	"petrel/api/client"
	"petrel/app"
)

// options are the keys of ~/.st2/config with their defaults, in the order
// --print-config shows them. st2: st2client/st2client/config_parser.py
var options = []struct {
	section, name, otherwise string
	boolean                  bool
}{
	{"general", "base_url", "", false}, {"general", "api_version", "", false}, {"general", "cacert", "", false},
	{"general", "silence_ssl_warnings", "False", true}, {"general", "silence_schema_output", "True", true},
	{"cli", "debug", "False", true}, {"cli", "cache_token", "True", true}, {"cli", "timezone", "UTC", false},
	{"credentials", "username", "", false}, {"credentials", "password", "", false}, {"credentials", "api_key", "", false}, {"credentials", "basic_auth", "", false},
	{"api", "url", "", false}, {"auth", "url", "", false}, {"stream", "url", "", false},
}

// fileConfig is what ~/.st2/config says, "section.option" → text.
type fileConfig map[string]string

// configPath is the file to read and whether it must exist.
func (p *Program) configPath() (string, bool) {
	if p.globals.Given("config_file") {
		return p.globals.Text("config_file", ""), true
	}
	if path := p.Env("ST2_CONFIG_FILE"); path != "" {
		return path, true
	}
	return filepath.Join(p.home(), ".st2", "config"), false
}

func (p *Program) home() string {
	if home := p.Env("HOME"); home != "" {
		return home
	}
	home, _ := os.UserHomeDir()
	return home
}

// readConfig reads ~/.st2/config; a file that was named must exist.
func (p *Program) readConfig() (fileConfig, error) {
	config := fileConfig{}
	for _, o := range options {
		config[o.section+"."+o.name] = o.otherwise
	}
	if p.globals.Given("skip_config") || p.Env("ST2_CLI_SKIP_CONFIG") == "1" {
		return config, nil
	}
	path, must := p.configPath()
	if _, err := os.Stat(path); err != nil {
		if must {
			return nil, fmt.Errorf("the config file %q does not exist", path)
		}
		return config, nil
	}
	file, err := ini.LoadSources(ini.LoadOptions{IgnoreInlineComment: true, SkipUnrecognizableLines: true}, path)
	if err != nil {
		return nil, fmt.Errorf("the config file %q cannot be read: %w", path, err)
	}
	for _, o := range options {
		section := file.Section(o.section)
		if !section.HasKey(o.name) {
			continue
		}
		text := section.Key(o.name).String()
		if o.boolean {
			text = map[bool]string{true: "True", false: "False"}[isYes(text)]
		}
		config[o.section+"."+o.name] = text
	}
	return config, nil
}

func isYes(text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "1", "yes", "on", "t", "y":
		return true
	}
	return false
}

// print is --print-config.
func (c fileConfig) print(p *Program) {
	section := ""
	for _, o := range options {
		if o.section != section {
			section = o.section
			p.printf("[%s]\n", section)
		}
		text := c[o.section+"."+o.name]
		if text == "" {
			text = "None"
		}
		p.printf("%s = %s\n", o.name, text)
	}
}

// firstOf is the first text that is not empty.
func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// endpoints says where the services are: flags, then environment, then the
// config file, then the login Petrel left in its state folder, then StackStorm's ports.
func (p *Program) endpoints(config fileConfig) client.Config {
	g := p.globals
	version := firstOf(g.Text("api_version", ""), p.Env("ST2_API_VERSION"), config["general.api_version"], "v1")
	base := firstOf(g.Text("url", ""), p.Env("ST2_BASE_URL"), config["general.base_url"])
	c := client.Config{
		API:       firstOf(g.Text("api_url", ""), p.Env("ST2_API_URL"), config["api.url"]),
		Auth:      firstOf(g.Text("auth_url", ""), p.Env("ST2_AUTH_URL"), config["auth.url"]),
		Stream:    firstOf(g.Text("stream_url", ""), p.Env("ST2_STREAM_URL"), config["stream.url"]),
		CACert:    firstOf(g.Text("cacert", ""), p.Env("ST2_CACERT"), config["general.cacert"]),
		BasicAuth: firstOf(g.Text("basic_auth", ""), config["credentials.basic_auth"]),
		Token:     p.Env("ST2_AUTH_TOKEN"),
		APIKey:    firstOf(p.Env("ST2_API_KEY"), config["credentials.api_key"]),
	}
	if base == "" && c.API == "" {
		if login, err := app.ReadLogin(p.state()); err == nil {
			c.API, c.Auth, c.Stream = login.URL+"/api/"+version, firstOf(c.Auth, login.URL+"/auth"), firstOf(c.Stream, login.URL+"/stream/"+version)
			if c.Token == "" && c.APIKey == "" && config["credentials.username"] == "" {
				c.APIKey = login.APIKey
			}
		}
	}
	if base == "" {
		base = "http://127.0.0.1"
	}
	base = strings.TrimSuffix(base, "/")
	c.API = strings.TrimSuffix(firstOf(c.API, base+":9101/"+version), "/")
	c.Auth = strings.TrimSuffix(firstOf(c.Auth, base+":9100"), "/")
	c.Stream = strings.TrimSuffix(firstOf(c.Stream, base+":9102/"+version), "/")
	if g.Given("debug") || config["cli.debug"] == "True" {
		c.Debug = p.Out
	}
	return c
}

// state is the folder whose login is used when nothing else says where the server is.
func (p *Program) state() string { return firstOf(p.Env("PETREL_STATE"), "./petrel-data") }

// cachedToken is a token `login` has left behind.
type cachedToken struct {
	Token  string `json:"token"`
	Expire int64  `json:"expire_timestamp"`
}

func (p *Program) tokenPath(user string) string {
	return filepath.Join(p.home(), ".st2", "token-"+filepath.Base(user))
}

// tokenEarly is how long before its end a cached token counts as expired.
const tokenEarly = 15 * time.Second

func (p *Program) readToken(user string) string {
	raw, err := os.ReadFile(p.tokenPath(user))
	if err != nil {
		return ""
	}
	var t cachedToken
	if json.Unmarshal(raw, &t) != nil || time.Unix(t.Expire, 0).Before(p.Now().Add(tokenEarly)) {
		return ""
	}
	return t.Token
}

func (p *Program) writeToken(user, token string, expires time.Time) error {
	raw, err := json.Marshal(cachedToken{Token: token, Expire: expires.Unix()})
	if err != nil {
		return err
	}
	if err := makePrivate(filepath.Join(p.home(), ".st2")); err != nil {
		return err
	}
	return writePrivate(p.tokenPath(user), raw)
}

// The rights of st2's files, whatever the umask says.
const (
	privateFolder = 0o770 | fs.ModeSetgid
	privateFile   = fs.FileMode(0o660)
)

// makePrivate makes the folder of the client's files unless it is there.
func makePrivate(folder string) error {
	if _, err := os.Stat(folder); err == nil {
		return nil
	}
	if err := os.MkdirAll(folder, 0o770); err != nil {
		return err
	}
	return os.Chmod(folder, privateFolder)
}

// writePrivate replaces a file that holds a secret; a crash leaves the old or
// the new one. A file that is there keeps its rights.
func writePrivate(path string, raw []byte) error {
	mode := privateFile
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return err
	}
	if err := os.Chmod(tmp, mode); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// writeCredentials puts the user (and password) of a login into the config file.
func (p *Program) writeCredentials(user, password string) error {
	path, _ := p.configPath()
	file, err := ini.LoadSources(ini.LoadOptions{IgnoreInlineComment: true, Loose: true}, path)
	if err != nil {
		return err
	}
	section := file.Section("credentials")
	section.Key("username").SetValue(user)
	if password != "" {
		section.Key("password").SetValue(password)
	} else {
		section.DeleteKey("password")
	}
	if err := makePrivate(filepath.Dir(path)); err != nil {
		return err
	}
	var text strings.Builder
	if _, err := file.WriteTo(&text); err != nil {
		return err
	}
	return writePrivate(path, []byte(text.String()))
}

// login gives the client credentials: flags of the command, then environment
// and file, then a cached token, then a login with the stored password.
func (p *Program) login(c *call, cfg *client.Config) error {
	if t := c.args.Text("token", ""); t != "" {
		cfg.Token = t
	}
	if k := c.args.Text("api_key", ""); k != "" {
		cfg.APIKey, cfg.Token = k, c.args.Text("token", "")
	}
	if cfg.Token != "" || cfg.APIKey != "" {
		return nil
	}
	user := p.config["credentials.username"]
	if user == "" {
		return nil
	}
	if p.config["cli.cache_token"] == "True" {
		if cfg.Token = p.readToken(user); cfg.Token != "" {
			return nil
		}
	}
	password := p.config["credentials.password"]
	if password == "" {
		return nil
	}
	api, err := client.New(*cfg)
	if err != nil {
		return err
	}
	token, err := api.CreateToken(c.ctx, user, password, 0)
	if err != nil {
		p.printf("Failed to authenticate with credentials provided in the config.\n")
		return err
	}
	text, expires, err := tokenOf(token)
	if err != nil {
		return err
	}
	cfg.Token = text
	if p.config["cli.cache_token"] == "True" {
		return p.writeToken(user, text, expires)
	}
	return nil
}

// width is the terminal's: COLUMNS, else 150 as st2client assumes.
func (p *Program) width() int {
	if n, err := strconv.Atoi(p.Env("COLUMNS")); err == nil && n > 0 {
		return n
	}
	return 150
}

var errNoToken = errors.New("the server's answer holds no token")
