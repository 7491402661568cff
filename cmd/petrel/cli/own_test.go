package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"petrel/app/config"
)

// shell runs command lines with an environment and a home of its own.
type shell struct {
	t    *testing.T
	name string
	dir  string
	env  map[string]string
	now  time.Time
}

func newShell(t *testing.T, env map[string]string) *shell {
	t.Helper()
	return &shell{t: t, name: "petrel", dir: t.TempDir(), env: env, now: time.Now()}
}

func (s *shell) program(stdin string) (p *Program, out, errs *strings.Builder) {
	out, errs = &strings.Builder{}, &strings.Builder{}
	return &Program{Name: s.name, In: strings.NewReader(stdin), Out: out, Err: errs, Dir: s.dir,
		Now: func() time.Time { return s.now },
		Env: func(name string) string {
			if name == "HOME" {
				return s.dir
			}
			return s.env[name]
		}}, out, errs
}

func (s *shell) runIn(stdin string, words ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	p, out, errs := s.program(stdin)
	code = p.Run(ctx, words)
	return out.String(), errs.String(), code
}

// want runs a command line and checks its exit code and pieces of its output.
func (s *shell) want(code int, words []string, pieces ...string) string {
	s.t.Helper()
	out, errs, got := s.runIn("", words...)
	if got != code {
		s.t.Fatalf("%v: exit %d, want %d\n%s%s", words, got, code, out, errs)
	}
	for _, piece := range pieces {
		if !strings.Contains(out+errs, piece) {
			s.t.Errorf("%v: %q is missing in\n%s%s", words, piece, out, errs)
		}
	}
	return out
}

func line(text string) []string { return strings.Fields(text) }

func TestOwnCommands_AgainstARunningServer(t *testing.T) {
	state := ""
	startServer(t, func(c *config.Config) { state = c.State })
	s := newShell(t, map[string]string{"PETREL_STATE": state, "COLUMNS": "200"})

	s.want(0, line("doctor"))
	s.want(0, line("run core.noop"), "status: succeeded")
	if out := s.want(0, []string{"chat", "--state", state, "--say", "!st2 run core.local cmd='echo said'"}); !strings.Contains(out, "said") {
		t.Error(out)
	}
	s.want(1, []string{"chat", "--state", state, "--say", "!st2 run core.local cmd='exit 4'"})
	s.want(1, []string{"chat", "--state", state, "--say", "!nonsense of all sorts"})
	s.want(1, []string{"chat", "--state", state, "--wait", "30ms", "--say", "!st2 run core.local cmd='sleep 3'"})

	if out, errs, code := s.runIn("secret-word\n", "user", "add", "robin", "--admin"); code != 0 {
		t.Fatal(out, errs)
	}
	s.want(0, line("user link slack:T1:U1 robin"), "slack:T1:U1 now acts as robin.")
	if out := s.want(0, line("user list"), "robin", "slack:T1:U1"); strings.Contains(out, "secret-word") {
		t.Error("a password is shown", out)
	}
	s.want(0, line("user unlink slack:T1:U1 robin"), "no longer acts as robin")
	s.want(1, line("user link slack:T1:U1 nobody"))
	s.want(1, line("user link slack:T1:U1"))
	s.want(0, line("login robin -p secret-word"), "Logged in as robin")
	s.want(1, line("login robin -p wrong"), "Failed to log in as robin: 401")
	s.want(0, line("whoami"), `Currently logged in as "robin".`)

	s.want(0, line("audit list -n 200"), "action_execute", "action:core:noop")
	if out := s.want(0, line("audit list --user nobody -j")); strings.TrimSpace(out) != "[]" {
		t.Error(out)
	}
	oldest := s.want(0, line("audit list -n 200 -j"))
	if strings.Contains(oldest, "secret-word") {
		t.Error("a password is in the audit")
	}
}

func TestOwnCommands_WithoutAServer(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	s := newShell(t, map[string]string{"PETREL_STATE": state, "ST2_API_URL": "http://127.0.0.1:1/v1"})
	s.want(0, line("version"), "petrel unversioned")
	s.want(0, line("--version"), "petrel unversioned")
	s.want(0, line("serve --help-config"), "PETREL_LISTEN")
	s.want(1, line("serve --listen not-an-address --state "+state))
	s.want(1, line("serve --config-file "+filepath.Join(s.dir, "nosuch.yaml")))
	s.want(1, line("serve --roles nosuch --state "+state))
	s.want(1, line("serve extra"))
	s.want(0, line("migrate --state "+state), "The tables are up to date.")
	s.want(0, line("migrate --state "+state), "The tables are up to date.")
	s.want(1, line("pack list"), "Is the server running?")
	s.want(2, line("--bogus"), "petrel: error: unrecognized arguments: --bogus")
	s.want(1, line("nonsense"), `unknown command "nonsense"`)
	if help := s.want(0, line("--help"), "serve", "chat", "doctor", "completion"); strings.Contains(help, "guard") {
		t.Error("the guard is no command for people")
	}
	s.want(0, line("execution --help"), "re-run", "tail")
}

func TestServe_DrainsWhenItsContextEnds(t *testing.T) {
	s := newShell(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p, _, errs := s.program("")
	ready := make(chan string, 8)
	p.Out = tap(func(text string) { ready <- text })
	ended := make(chan int, 1)
	go func() {
		ended <- p.Run(ctx, []string{"serve", "--state", filepath.Join(s.dir, "state"), "--listen", "127.0.0.1:0"})
	}()
	select {
	case text := <-ready:
		if !strings.Contains(text, "Petrel is ready on http://127.0.0.1:") {
			t.Error(text)
		}
	case code := <-ended:
		t.Fatal(code, errs.String())
	}
	cancel()
	select {
	case code := <-ended:
		if close(ready); code != 0 {
			for text := range ready {
				t.Log(text)
			}
			t.Errorf("exit %d: %s", code, errs.String())
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it did not stop")
	}
}

type tap func(string)

func (f tap) Write(p []byte) (int, error) { f(string(p)); return len(p), nil }

func TestSettings_FlagThenEnvironmentThenFileThenDefault(t *testing.T) {
	file := "[general]\nbase_url = http://file\n[api]\nurl = http://file-api/v1\n[credentials]\napi_key = file-key\nbasic_auth = u:p\n"
	for _, c := range []struct {
		name, file string
		env        map[string]string
		globals    []string
		api, auth  string
		key        string
	}{
		{name: "default", api: "http://127.0.0.1:9101/v1", auth: "http://127.0.0.1:9100"},
		{name: "file", file: file, api: "http://file-api/v1", auth: "http://file:9100", key: "file-key"},
		{name: "environment", file: file, env: map[string]string{"ST2_BASE_URL": "http://env/", "ST2_API_URL": "http://env-api/v1", "ST2_API_KEY": "env-key"}, api: "http://env-api/v1", auth: "http://env:9100", key: "env-key"},
		{name: "flag", file: file, env: map[string]string{"ST2_API_URL": "http://env-api/v1"}, globals: line("--api-url http://flag/v1/ --url http://base --api-version v2"), api: "http://flag/v1", auth: "http://base:9100", key: "file-key"},
		{name: "url is only the base", env: map[string]string{"ST2_API_URL": "http://env-api/v1"}, globals: line("--url http://base"), api: "http://env-api/v1", auth: "http://base:9100"},
		{name: "skipped", file: file, globals: line("--skip-config"), api: "http://127.0.0.1:9101/v1", auth: "http://127.0.0.1:9100"},
		{name: "skipped by environment", file: file, env: map[string]string{"ST2_CLI_SKIP_CONFIG": "1"}, api: "http://127.0.0.1:9101/v1", auth: "http://127.0.0.1:9100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShell(t, c.env)
			if s.env == nil {
				s.env = map[string]string{}
			}
			s.env["PETREL_STATE"] = filepath.Join(s.dir, "none")
			s.write(".st2/config", c.file)
			p, _, errs := s.program("")
			if code := p.Run(t.Context(), append(slices.Clone(c.globals), "version")); code != 0 {
				t.Fatal(errs)
			}
			config, err := p.readConfig()
			if err != nil {
				t.Fatal(err)
			}
			got := p.endpoints(config)
			if got.API != c.api || got.Auth != c.auth || got.APIKey != c.key {
				t.Errorf("%s %s %s", got.API, got.Auth, got.APIKey)
			}
		})
	}
}

// write puts a file into the home folder.
func (s *shell) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func TestSettings_PrintAndBrokenFiles(t *testing.T) {
	s := newShell(t, nil)
	s.write(".st2/config", "[cli]\ntimezone = Europe/Berlin\ncache_token = no\nunknown = x\n[other]\na = b\n")
	s.want(3, line("--print-config"), "[cli]\ndebug = False\ncache_token = False\ntimezone = Europe/Berlin\n", "base_url = None")
	s.want(1, line("--config-file nosuch --print-config"), "nosuch")
	s.want(1, line("--config-file nosuch pack list"), "nosuch")
}

func TestLogin_TokenIsCachedAndUsedUntilItEnds(t *testing.T) {
	setups := startSetups(t)["auth"]
	s := newShell(t, map[string]string{"ST2_API_URL": setups["/api"] + "/v1", "ST2_AUTH_URL": setups["/auth"], "ST2_STREAM_URL": setups["/stream"] + "/v1"})
	s.name = "st2"
	s.want(1, line("pack list"), "ERROR: 401 Client Error: Unauthorized")
	s.want(0, line("whoami"), "Unable to retrieve currently logged-in user")
	s.want(0, line("login alice -p wonder1"), "Logged in as alice", "Note: You didn't use --write-password")
	for name, mode := range map[string]os.FileMode{".st2": 0o770, ".st2/config": 0o660, ".st2/token-alice": 0o660} {
		info, err := os.Stat(filepath.Join(s.dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	s.want(0, line("whoami"), `Currently logged in as "alice".`, "Authentication method: authentication token")
	s.now = s.now.Add(25 * time.Hour) // the cached token counts as expired, and no password is stored
	s.want(1, line("pack list"), "401")
	s.now = time.Now()
	s.want(0, line("login alice -w -p wonder1"))
	if raw, err := os.ReadFile(filepath.Join(s.dir, ".st2/config")); err != nil || !strings.Contains(string(raw), "wonder1") {
		t.Error(string(raw), err)
	}
	s.write(".st2/token-alice", "{broken")
	s.want(0, line("pack list"), "conformance")
	if raw, err := os.ReadFile(filepath.Join(s.dir, ".st2/token-alice")); err != nil || !strings.Contains(string(raw), "expire_timestamp") {
		t.Error("the token was not cached again", err)
	}
	out := s.want(0, line("--debug pack list"), "curl -X GET", "X-Auth-Token: ********")
	if token := s.token(); token == "" || strings.Contains(out, token) {
		t.Error("the debug output shows the token")
	}
}

func (s *shell) token() string {
	p, _, _ := s.program("")
	return p.readToken("alice")
}

func TestTree_UnknownWordsAndHelp(t *testing.T) {
	s := newShell(t, map[string]string{"COLUMNS": "100"})
	s.name = "st2"
	s.want(2, nil, "Usage: st2 [options] <command> <sub command> [options]")
	s.want(2, line("--debug"), "st2: error: the following arguments are required: parser")
	s.want(0, line("-h"), "usage: st2 [-h]", "    rule-enforcement    Models that represent enforcement of rules.")
	s.want(2, line("runner"), "usage: st2 [-h]")
	s.want(0, line("runner -h"), "{list,get,enable,disable}\n                        List of commands for managing runners.\n    list                Get the list of runners.\n")
	s.want(2, line("runner --bogus"), "st2: error: unrecognized arguments: --bogus")
	s.want(2, line("bogus"), "invalid choice: 'bogus'")
	s.want(2, line("action bogus"), "invalid choice: 'bogus' (choose from 'list', 'get', 'create', 'update', 'delete', 'clone'")
	s.want(2, line("action list --bogus"), "st2: error: unrecognized arguments: --bogus")
	s.want(0, line("action list -h"), "usage: st2 action list [-h]", "Get the list of actions.")
	s.want(2, line("action get"), "the following arguments are required: ref-or-id")
	s.want(2, line("apikey create -m {bad"), "argument -m/--metadata: invalid loads value: '{bad'")
	s.want(2, line("rule list"), `The command "rule" is not part of this version of Petrel.`)
}

func TestCompletion_BashOffersCommandsFlagsAndActions(t *testing.T) {
	state := ""
	startServer(t, func(c *config.Config) { state = c.State })
	s := newShell(t, map[string]string{"PETREL_STATE": state})
	s.want(0, line("__complete execution ta"), "tail")
	s.want(0, line("__complete execution list --stat"), "--status")
	s.want(0, line("__complete run core.n"), "core.noop")
	s.want(0, line("completion zsh"), "#compdef petrel")
	s.want(0, line("completion fish"), "complete -c petrel")
	script := s.want(0, line("completion bash"), "__start_petrel")

	bash, err := exec.LookPath("bash")
	if err != nil {
		return // the script is for bash
	}
	s.write("completion.bash", script)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The script calls `petrel`; here that is this test program.
	cmd := exec.Command(bash, "--norc", "-c", `
petrel() { PETREL_TEST_AS_PETREL=1 "$SELF" "$@"; }
. "$HOME/completion.bash"
_get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD; }
COMP_WORDS=(petrel execution ca) COMP_CWORD=2 COMP_LINE="petrel execution ca" COMP_POINT=19 COMP_TYPE=9
__start_petrel
echo "reply: ${COMPREPLY[@]}"`)
	cmd.Env = []string{"HOME=" + s.dir, "SELF=" + self, "PATH=" + os.Getenv("PATH"), "PETREL_STATE=" + state}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "reply: cancel") {
		t.Errorf("%v\n%s", err, out)
	}
}
