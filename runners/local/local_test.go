package local

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/expr/value"
	"petrel/runners"
	"petrel/runners/process"
	"petrel/runners/runnertest"
)

var limits = runners.Limits{Output: 64 << 10, Grace: 300 * time.Millisecond, DrainWait: 300 * time.Millisecond}

func host() *process.Host {
	h := process.New(process.Options{Limits: limits})
	if h.SystemUser() != h.ProcessUser() {
		// The tests are about commands, not about the sudo of this machine.
		h = process.New(process.Options{Limits: limits, SystemUser: h.ProcessUser()})
	}
	return h
}

func command(t *testing.T, cmd string, more ...value.Value) *runners.Job {
	return runnertest.Job(t, value.DictOf(append([]value.Value{"cmd", cmd}, more...)...), nil)
}

func script(t *testing.T, path, schemas string, params *value.Dict, more ...value.Value) *runners.Job {
	job := runnertest.Job(t, value.DictOf(more...), params)
	job.EntryPoint, job.PackDir = path, filepath.Dir(path)
	job.Action.Parameters = petrel.JSON(schemas)
	return job
}

func write(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "script.sh")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	endless = "trap '' TERM; setsid sleep 1000 >/dev/null 2>&1 & sleep 1000 & echo ready; while :; do sleep 1; done"
	loud    = "echo first; head -c 1000000 /dev/zero | tr '\\0' x; echo; echo last"
)

var keys = []string{"failed", "succeeded", "return_code", "stdout", "stderr"}

func TestSuite_Command(t *testing.T) {
	runnertest.Run(t, runnertest.Subject{
		Runner: NewCommand(host()), Keys: keys, Limits: limits,
		Good:    func(t *testing.T) *runners.Job { return command(t, "echo hello") },
		Bad:     func(t *testing.T) *runners.Job { return runnertest.Job(t, value.NewDict(), nil) },
		Failing: func(t *testing.T) *runners.Job { return command(t, "exit 3") },
		Effect:  func(t *testing.T, file string) *runners.Job { return command(t, "touch "+file) },
		Endless: func(t *testing.T) *runners.Job { return command(t, endless) },
		Late:    func(t *testing.T) *runners.Job { return command(t, endless, "timeout", int64(1)) },
		Loud:    func(t *testing.T) *runners.Job { return command(t, loud) },
		Garbled: func(t *testing.T) *runners.Job { return command(t, `printf 'a\377b'`) },
	})
}

func TestSuite_Script(t *testing.T) {
	runnertest.Run(t, runnertest.Subject{
		Runner: NewScript(host()), Keys: keys, Limits: limits,
		Good:    func(t *testing.T) *runners.Job { return script(t, write(t, "echo hello"), "", nil) },
		Bad:     func(t *testing.T) *runners.Job { return runnertest.Job(t, value.NewDict(), nil) },
		Failing: func(t *testing.T) *runners.Job { return script(t, write(t, "exit 3"), "", nil) },
		Effect: func(t *testing.T, file string) *runners.Job {
			return script(t, write(t, `touch "$1"`), `{"file": {"type": "string", "position": 0}}`, value.DictOf("file", file))
		},
		Endless: func(t *testing.T) *runners.Job { return script(t, write(t, endless), "", nil) },
		Late:    func(t *testing.T) *runners.Job { return script(t, write(t, endless), "", nil, "timeout", int64(1)) },
		Loud:    func(t *testing.T) *runners.Job { return script(t, write(t, loud), "", nil) },
		Garbled: func(t *testing.T) *runners.Job { return script(t, write(t, `printf 'a\377b'`), "", nil) },
	})
}

// TestResults holds results that StackStorm gave to the same jobs; $any stands
// for what differs between shells.
func TestResults(t *testing.T) {
	args := `{"first": {"type": "string", "position": 0}, "second": {"type": "integer", "position": 1},
		"third": {"type": "boolean", "position": 2}, "fourth": {"type": "array", "position": 3}, "fifth": {"type": "object", "position": 4},
		"flag": {"type": "boolean"}, "word": {"type": "string"}, "number": {"type": "number"}}`
	code := `{"code": {"type": "integer", "position": 0, "default": 0}}`
	abs := func(name string) string {
		path, err := filepath.Abs(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	dir := t.TempDir()
	cases := []struct {
		name   string
		job    *runners.Job
		status petrel.Status
		want   string
	}{
		{"fail", command(t, "echo out; exit 7"), "failed", `{"failed": true, "succeeded": false, "return_code": 7, "stdout": "out", "stderr": ""}`},
		{"true", command(t, "echo true"), "succeeded", `{"failed": false, "succeeded": true, "return_code": 0, "stdout": true, "stderr": ""}`},
		{"integer", command(t, "echo 123"), "succeeded", `{"failed": false, "succeeded": true, "return_code": 0, "stdout": 123, "stderr": ""}`},
		{"object", command(t, `echo '{"b":1,"a":[2]}' >&2`), "succeeded", `{"failed": false, "succeeded": true, "return_code": 0, "stdout": "", "stderr": {"b": 1, "a": [2]}}`},
		{"empty", command(t, "true"), "succeeded", `{"failed": false, "succeeded": true, "return_code": 0, "stdout": "", "stderr": ""}`},
		{"line ends", command(t, `printf 'x\n\r\n\n'; printf 'y\r\n' >&2`), "succeeded", `{"failed": false, "succeeded": true, "return_code": 0, "stdout": "x\n\r\n", "stderr": "y"}`},
		{"not found", command(t, "no_such_command_x"), "failed", `{"failed": true, "succeeded": false, "return_code": 127, "stdout": "", "stderr": "/bin/sh: $anyno_such_command_x: $anynot found"}`},
		{"killed", command(t, "kill -9 $$", "timeout", int64(60)), "timeout", `{"failed": true, "succeeded": false, "return_code": -9, "stdout": "", "stderr": "", "error": "Action failed to complete in 60 seconds"}`},
		{"ended", command(t, "kill -15 $$"), "abandoned", `{"failed": true, "succeeded": false, "return_code": -15, "stdout": "", "stderr": ""}`},
		{"late", command(t, "echo before; sleep 60", "timeout", int64(1)), "timeout", `{"failed": true, "succeeded": false, "return_code": -9, "stdout": "before", "stderr": "", "error": "Action failed to complete in 1 seconds"}`},
		{"not UTF-8", command(t, `printf 'a\377b'`), "failed", `{"error": "'utf-8' codec can't decode byte 0xff in position 1: invalid start byte", "traceback": "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 1: invalid start byte\n"}`},
		{"no folder", command(t, "pwd", "cwd", "/no/such"), "failed", `{"error": "[Errno 2] No such file or directory: '/no/such'", "traceback": "FileNotFoundError: [Errno 2] No such file or directory: '/no/such'\n"}`},
		{"folder", command(t, "pwd", "cwd", dir), "succeeded", fmt.Sprintf(`{"failed": false, "succeeded": true, "return_code": 0, "stdout": %q, "stderr": ""}`, dir)},
		{"env", command(t, `echo "$A-$ST2_ACTION_PACK_NAME-$B"`, "env", value.DictOf("A", "x y", "ST2_ACTION_PACK_NAME", "forged", "B", int64(2))), "succeeded", `{"failed": false, "succeeded": true, "return_code": 0, "stdout": "x y-suite-2", "stderr": ""}`},
		{"script none", script(t, abs("script_args.sh"), args, value.NewDict()), "succeeded", `{"failed": false, "succeeded": true, "return_code": 0, "stdout": "[]\n[]\n[]\n[]\n[]", "stderr": ""}`},
		{"script all", script(t, abs("script_args.sh"), args, value.DictOf("first", "a b", "second", int64(5), "third", true, "fourth", value.NewList(int64(1), "x"),
			"fifth", value.DictOf("k", "v"), "flag", true, "word", "w'q", "number", 1.5)), "succeeded",
			`{"failed": false, "succeeded": true, "return_code": 0, "stdout": "[--flag]\n[--word=w'q]\n[--number=1.5]\n[a b]\n[5]\n[1]\n[1,x]\n[{\"k\":\"v\"}]", "stderr": ""}`},
		{"script falsy", script(t, abs("script_args.sh"), args, value.DictOf("first", "", "second", int64(0), "third", false, "fourth", value.NewList(),
			"fifth", value.NewDict(), "flag", false, "word", "", "number", 0.0)), "succeeded",
			`{"failed": false, "succeeded": true, "return_code": 0, "stdout": "[--number=0.0]\n[]\n[]\n[0]\n[]\n[]", "stderr": ""}`},
		{"script operator", script(t, abs("script_args.sh"), args, value.DictOf("word", "w", "flag", true), "kwarg_op", "-"), "succeeded",
			`{"failed": false, "succeeded": true, "return_code": 0, "stdout": "[-word=w]\n[-flag]\n[]\n[]\n[]\n[]\n[]", "stderr": ""}`},
		{"script env", script(t, abs("script_env.sh"), code, value.DictOf("code", int64(9)), "env", value.DictOf("COLOUR", "blue"), "cwd", dir), "failed",
			`{"failed": true, "succeeded": false, "return_code": 9, "stdout": "pack=suite\ncolour=blue\nhas execution id\nhas api url\nhas token\n` + dir + `", "stderr": "to stderr"}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := NewCommand(host())
			if c.job.EntryPoint != "" {
				r = NewScript(host())
			}
			if err := r.Prepare(t.Context(), c.job); err != nil {
				t.Fatal(err)
			}
			out := r.Run(t.Context(), c.job)
			got, err := value.ToJSON(out.Result, value.JSONStyle{ItemSep: ", ", KeySep: ": "})
			if err != nil {
				t.Fatal(err)
			}
			pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(c.want), `\$any`, ".*") + "$"
			if out.Status != c.status || !regexp.MustCompile(pattern).Match(got) {
				t.Errorf("%s %s\nwant %s %s", out.Status, got, c.status, c.want)
			}
		})
	}
}

func TestPrepare_Refuses(t *testing.T) {
	cases := map[string]*runners.Job{
		"entry_point is only valid for local-shell-script runner":                              script(t, "/x", "", nil, "cmd", "true"),
		"parameter cmd is missing: there is nothing to run":                                    runnertest.Job(t, value.DictOf("cmd", nil), nil),
		"parameter cmd holds a null byte":                                                      command(t, "a\x00b"),
		"parameter env: LD_PRELOAD changes which code programs load and is not permitted here": command(t, "true", "env", value.DictOf("LD_PRELOAD", "/x.so")),
		`parameter env: "A=B" cannot be the name of an environment variable`:                   command(t, "true", "env", value.DictOf("A=B", "x")),
		`parameter env: the value of "A" holds a null byte`:                                    command(t, "true", "env", value.DictOf("A", "x\x00")),
		"parameter timeout: 'soon' is not a number of seconds":                                 command(t, "true", "timeout", "soon"),
		"parameter env must be an object, it is a list":                                        command(t, "true", "env", value.NewList()),
		"parameter cwd must be a string, it is a int":                                          command(t, "true", "cwd", int64(3)),
	}
	for want, job := range cases {
		if err := NewCommand(host()).Prepare(t.Context(), job); err == nil || petrel.Message(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestRun_SecretsOfTheServiceStayThere(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://canary")
	t.Setenv("PETREL_STATE", "canary")
	t.Setenv("ST2_ACTION_AUTH_TOKEN", "canary")
	out := NewCommand(host()).Run(t.Context(), command(t, "env"))
	stdout, _ := out.Result.(*value.Dict).GetStr("stdout")
	if text := value.Str(stdout); strings.Contains(text, "canary") || !strings.Contains(text, "ST2_ACTION_AUTH_TOKEN=suite-token") {
		t.Errorf("the environment is\n%s", text)
	}
}

// TestRun_Sudo uses a stand-in for sudo that shows what it was asked and runs
// the command as this user.
func TestRun_Sudo(t *testing.T) {
	dir := t.TempDir()
	fake := `#!/bin/sh
echo "sudo $1 $2 $3 $4 $5" >&2
[ "$1" = -S ] && { read -r password; shift; echo "password $password" >&2; [ "$password" = wrong ] && { echo "[sudo] password for tester: " >&2
echo "sudo: 3 incorrect password attempts" >&2; exit 1; }; }
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
`
	if err := os.WriteFile(filepath.Join(dir, "sudo"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	h := host()
	other := process.New(process.Options{Limits: limits, SystemUser: "somebody-else"})
	cases := []struct {
		name string
		host *process.Host
		job  *runners.Job
		want string
	}{
		{"sudo", h, command(t, "echo it\\'s", "sudo", true), `{"failed": false, "succeeded": true, "return_code": 0, "stdout": "it's", "stderr": "sudo -E -- bash -c echo it\\'s"}`},
		{"password", h, command(t, "echo x", "sudo", true, "sudo_password", "pw"), `{"failed": false, "succeeded": true, "return_code": 0, "stdout": "x", "stderr": "sudo -S -E -- bash -c\npassword pw"}`},
		{"other user", other, command(t, "echo x"), `{"failed": false, "succeeded": true, "return_code": 0, "stdout": "x", "stderr": "sudo -E -H -u somebody-else --"}`},
		{"wrong password", h, command(t, "echo x", "sudo", true, "sudo_password", "wrong"),
			`{"failed": true, "succeeded": false, "return_code": -1, "stdout": "", "stderr": "sudo -S -E -- bash -c\npassword wrong\n[sudo] password for tester: \nsudo: 3 incorrect password attempts", "error": "Invalid sudo password provided or sudo is not configured for this user (tester)"}`},
	}
	for _, c := range cases {
		out := NewCommand(c.host).Run(t.Context(), c.job)
		got, _ := value.ToJSON(out.Result, value.JSONStyle{ItemSep: ", ", KeySep: ": "})
		if string(got) != c.want {
			t.Errorf("%s: %s %s\nwant %s", c.name, out.Status, got, c.want)
		}
	}
}

func TestRun_ContentVersion(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	pack := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", pack, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
	path := filepath.Join(pack, "actions", "say.sh")
	put := func(text string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho "+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q")
	put("old")
	git("add", ".")
	git("commit", "-q", "-m", "one")
	git("tag", "v1")
	put("new")
	run := func(version value.Value) (petrel.Status, string) {
		job := script(t, path, "", nil, "content_version", version)
		job.PackDir = pack
		out := NewScript(host()).Run(t.Context(), job)
		d := out.Result.(*value.Dict)
		if v, ok := d.GetStr("error"); ok {
			return out.Status, value.Str(v)
		}
		v, _ := d.GetStr("stdout")
		return out.Status, value.Str(v)
	}
	for version, want := range map[string]string{"": "new", "v1": "old",
		"nothing": `Failed to create git worktree for pack "suite": Invalid content_version "nothing" provided. Make sure that git repository is up to date and contains that revision.`,
		"--force": `Failed to create git worktree for pack "suite": "--force" is not a revision`} {
		if _, got := run(version); got != want {
			t.Errorf("%q: %q, want %q", version, got, want)
		}
	}
	if out, err := exec.Command("git", "-C", pack, "worktree", "list").Output(); err != nil || strings.Count(string(out), "\n") != 1 {
		t.Errorf("worktrees are left: %s (%v)", out, err)
	}
}
