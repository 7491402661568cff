package pythonscript

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/expr/value"
	"petrel/python"
	"petrel/runners"
	"petrel/runners/process"
	"petrel/runners/runnertest"
)

var limits = runners.Limits{Output: 64 << 10, Grace: 300 * time.Millisecond, DrainWait: 300 * time.Millisecond}

var cache = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "petrel-python-test-")
	if err != nil {
		panic(err)
	}
	return dir
})

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(cache())
	os.Exit(code)
}

func pythons() *python.Pythons { return python.New(python.Options{Cache: cache()}) }

func runner() *Runner { return New(process.New(process.Options{Limits: limits}), pythons(), Options{}) }

// action makes a job of a Python source.
func action(t *testing.T, source string, params *value.Dict, more ...value.Value) *runners.Job {
	t.Helper()
	pack := t.TempDir()
	path := filepath.Join(pack, "actions", "act.py")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	job := runnertest.Job(t, value.DictOf(more...), params)
	job.EntryPoint, job.PackDir = path, pack
	return job
}

// body makes a job whose run method has the given lines.
func body(t *testing.T, lines string, more ...value.Value) *runners.Job {
	return action(t, "import os, sys, time\nfrom st2common.runners.base_action import Action\n\n\nclass Act(Action):\n    def run(self, **kwargs):\n        "+
		strings.ReplaceAll(lines, "\n", "\n        ")+"\n", nil, more...)
}

func fromPack(t *testing.T, name string, params *value.Dict, more ...value.Value) *runners.Job {
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	job := runnertest.Job(t, value.DictOf(more...), params)
	job.Action.Pack, job.EntryPoint = "conformance", path
	return job
}

const endless = `import subprocess, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["sleep", "1000"], start_new_session=True, stdout=subprocess.DEVNULL)
subprocess.Popen(["sleep", "1000"])
print("ready")
while True: time.sleep(1)`

func TestSuite(t *testing.T) {
	runnertest.Run(t, runnertest.Subject{
		Runner: runner(), Keys: []string{"stdout", "stderr", "exit_code", "result"}, Limits: limits,
		Good:    func(t *testing.T) *runners.Job { return body(t, "return 1") },
		Bad:     func(t *testing.T) *runners.Job { return runnertest.Job(t, nil, nil) },
		Failing: func(t *testing.T) *runners.Job { return body(t, "return False, {'why': 'told'}") },
		Effect: func(t *testing.T, file string) *runners.Job {
			return body(t, fmt.Sprintf("open(%q, 'w').close()", file))
		},
		Endless: func(t *testing.T) *runners.Job { return body(t, endless) },
		Late:    func(t *testing.T) *runners.Job { return body(t, endless, "timeout", int64(1)) },
		Loud:    func(t *testing.T) *runners.Job { return body(t, "print('first'); print('x' * 1000000); print('last')") },
		Garbled: func(t *testing.T) *runners.Job { return body(t, `sys.stdout.buffer.write(b"a\xffb")`) },
	})
}

func jsonText(v value.Value) string {
	text, err := value.ToJSON(v, value.JSONStyle{ItemSep: ", ", KeySep: ": "})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// TestResults holds results that StackStorm gave to the same jobs; $any
// stands for text that depends on the place.
func TestResults(t *testing.T) {
	mode := func(mode string, more ...value.Value) *runners.Job {
		return fromPack(t, "py_modes.py", value.DictOf("mode", mode, "value", nil), more...)
	}
	shape := func(result string) string {
		return `{"stdout": "", "stderr": "", "exit_code": 0, "result": ` + result + `}`
	}
	cases := []struct {
		name   string
		job    *runners.Job
		status petrel.Status
		want   string
	}{
		{"value", fromPack(t, "py_modes.py", value.DictOf("mode", "value", "value", value.DictOf("b", int64(1), "a", value.NewList(nil)))), "succeeded", shape(`{"b": 1, "a": [null]}`)},
		{"none", mode("none"), "succeeded", shape("null")},
		{"string", mode("string"), "succeeded", shape(`"a string"`)},
		{"jsonstring", mode("jsonstring"), "succeeded", shape(`"{\"a\": 1}"`)},
		{"number", mode("number"), "succeeded", shape("42")},
		{"float", mode("float"), "succeeded", shape("1.5")},
		{"false", mode("false"), "succeeded", shape("false")},
		{"list", mode("list"), "succeeded", shape(`[1, "two", null, {"three": 3}]`)},
		{"true_tuple", mode("true_tuple"), "succeeded", shape(`{"ok": "yes"}`)},
		{"false_tuple", mode("false_tuple"), "failed", shape(`{"ok": "no"}`)},
		{"none_tuple", mode("none_tuple"), "succeeded", shape(`"nothing said"`)},
		{"bad_tuple", mode("bad_tuple"), "failed", `{"error": "Status returned from the action run() method must either be True or False, got: yes\nIf this is an existing action which returns a tuple with two items, it needs to be updated to\neither:\n\n1. Return a list instead of a tuple\n2. Return a tuple where a first items is a status flag - (True, ('item1', 'item2'))\n\nFor more information, please see: https://docs.stackstorm.com/upgrade_notes.html#st2-v1-6", "traceback": "$any"}`},
		{"three_tuple", mode("three_tuple"), "succeeded", shape("[1, 2, 3]")},
		{"raise", mode("raise"), "failed", `{"stdout": "", "stderr": "Traceback (most recent call last):\n$any\nValueError: told to raise\n", "exit_code": 1, "result": "None"}`},
		{"exit", mode("exit"), "failed", `{"stdout": "", "stderr": "", "exit_code": 3, "result": "None"}`},
		{"exit0", mode("exit0"), "succeeded", shape(`"None"`)},
		{"object", mode("object"), "succeeded", shape(`"<class 'object'>, 'status': None}"`)},
		{"set", mode("set"), "succeeded", shape(`"{'a': {1}}"`)},
		{"print", mode("print"), "succeeded", `{"stdout": "line one\nline two\n", "stderr": "to stderr\n", "exit_code": 0, "result": {"printed": 2}}`},
		{"log", mode("log"), "succeeded", `{"stdout": "", "stderr": "st2.actions.python.Modes: INFO     an info line\nst2.actions.python.Modes: WARNING  a warning line\n", "exit_code": 0, "result": "logged"}`},
		{"log level", mode("log", "log_level", "WARNING"), "succeeded", `{"stdout": "", "stderr": "st2.actions.python.Modes: WARNING  a warning line\n", "exit_code": 0, "result": "logged"}`},
		{"timeout", mode("sleep", "timeout", int64(2)), "timeout", `{"stdout": "before sleep\n", "stderr": "", "exit_code": -9, "result": "None", "error": "Action failed to complete in 2 seconds"}`},
		{"unicode", mode("unicode"), "succeeded", shape("\"é中\U0001f600\"")},
		{"types", fromPack(t, "py_types.py", value.DictOf("a_string", nil, "an_integer", int64(3), "a_number", 2.0, "from_other", "None-None")), "succeeded",
			shape(`{"a_string": null, "an_integer": 3, "a_number": 2.0, "from_other": "None-None"}`)},
		{"output", fromPack(t, "py_output.py", nil), "succeeded", shape(`{"shown": "open", "hidden": "closed"}`)},
	}
	r := runner()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out := r.Run(t.Context(), c.job)
			pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(c.want), `\$any`, "(?s:.*)") + "$"
			if got := jsonText(out.Result); out.Status != c.status || !regexp.MustCompile(pattern).MatchString(got) {
				t.Errorf("%s %s\nwant %s %s", out.Status, got, c.status, c.want)
			}
		})
	}
}

func TestRun_Config(t *testing.T) {
	job := fromPack(t, "py_config.py", nil)
	job.Config = value.DictOf("region", "west", "db", value.DictOf("host", "h"))
	if got := jsonText(runner().Run(t.Context(), job).Result); got != `{"stdout": "", "stderr": "", "exit_code": 0, "result": {"region": "west", "db": {"host": "h"}}}` {
		t.Error(got)
	}
	job = body(t, "return self.config['absent']")
	out := New(process.New(process.Options{Limits: limits}), pythons(), Options{Configs: "/etc/somewhere"}).Run(t.Context(), job)
	if got := jsonText(out.Result); !strings.Contains(got, `ValueError: \nConfig for pack \"suite\" is missing key \"absent\".\nMake sure that the config file exists on disk (/etc/somewhere/suite.yaml)`) {
		t.Error(got)
	}
}

// TestRun_Rules are the rules of classes, constructors and results.
func TestRun_Rules(t *testing.T) {
	head := "from st2common.runners.base_action import Action\n"
	cases := []struct{ name, source, want string }{
		{"first class by name", head + "class B(Action):\n    def run(self):\n        return 'b'\nclass A(Action):\n    def run(self):\n        return 'a'\n", `"a"`},
		{"class without run", head + "class A:\n    pass\nclass B(Action):\n    def run(self):\n        return 'b'\n", `"b"`},
		{"abstract base", head + "import abc\nclass A(Action):\n    @abc.abstractmethod\n    def run(self):\n        pass\nclass B(A):\n    def run(self):\n        return 'b'\n", `"b"`},
		{"imported class does not count", head + "from collections import Counter\nclass Z(Action):\n    def run(self):\n        return 'z'\n", `"z"`},
		{"old constructor", head + "class A(Action):\n    def __init__(self, config):\n        super().__init__(config)\n    def run(self):\n        return self.action_service is not None\n", "true"},
		{"no constructor arguments", head + "class A(Action):\n    def __init__(self):\n        pass\n    def run(self):\n        return 1\n", "TypeError: "},
		{"no class", "x = 1\n", `Found no classes in plugin file`},
		{"broken module", "def (\n", "Failed to load action class from file"},
		{"module of the folder", head + "import neighbour\nclass A(Action):\n    def run(self):\n        return neighbour.NAME\n", `"neighbour"`},
		{"module of lib", head + "import inlib\nclass A(Action):\n    def run(self):\n        return inlib.NAME\n", `"inlib"`},
		{"module of the pack's lib", head + "import common\nclass A(Action):\n    def run(self):\n        return common.NAME\n", `"common"`},
		{"names packs import", head + "from st2common import log as logging\nfrom st2common.constants.action import LIVEACTION_STATUS_SUCCEEDED\nfrom st2common.util.shell import quote_unix\n" +
			"LOG = logging.getLogger(__name__)\nclass A(Action):\n    def run(self):\n        LOG.audit('audited', extra={'name': 'x'})\n        return LOG.name + LIVEACTION_STATUS_SUCCEEDED\n", `"st2.actsucceeded"`},
		{"big integer", head + "class A(Action):\n    def run(self):\n        return 2**80\n", "1208925819614629174706176"},
		{"not a number", head + "class A(Action):\n    def run(self):\n        return [float('nan'), float('inf'), 1.0]\n", "[null, null, 1.0]"},
		{"date", head + "import datetime\nclass A(Action):\n    def run(self):\n        return datetime.date(2020, 1, 2)\n", `"2020-01-02"`},
		{"lone surrogate", head + "class A(Action):\n    def run(self):\n        return True, {'a': '\\ud800'}\n", `"{'a': '\\ud800'}"`},
		{"cycle", head + "class A(Action):\n    def run(self):\n        a = []\n        a.append(a)\n        return True, a\n", `"[[...]]"`},
		{"fake answers", head + "import os\nclass A(Action):\n    def run(self):\n        print('%%%%%~=~=~=************=~=~=~%%%%{\"result\": 1}')\n        return 'true one'\n", `"result": "true one"`},
		{"standard input is empty", head + "import sys\nclass A(Action):\n    def run(self):\n        return sys.stdin.read()\n", `""`},
		{"descriptors are not inherited", head + "import os\nclass A(Action):\n    def run(self):\n        return os.system('echo forged >&4') != 0\n", "true"},
		{"arguments tell nothing", head + "import sys\nclass A(Action):\n    def run(self):\n        return open('/proc/self/cmdline').read().count('canary')\n", "0"},
		{"deep result", head + "class A(Action):\n    def run(self):\n        a = []\n        for _ in range(600): a = [a]\n        return a\n", "exceeds the limit of"},
	}
	r := runner()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			job := action(t, c.source, nil)
			job.Config = value.DictOf("secret", "canary")
			for path, name := range map[string]string{"actions/neighbour.py": "neighbour", "actions/lib/inlib.py": "inlib", "lib/common.py": "common"} {
				path = filepath.Join(job.PackDir, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte("NAME = '"+name+"'\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			out := r.Run(t.Context(), job)
			if got := jsonText(out.Result); !strings.Contains(got, c.want) {
				t.Errorf("%s %s\nwant %s", out.Status, got, c.want)
			}
		})
	}
}

func TestRun_Environment(t *testing.T) {
	job := body(t, `return {k: os.environ.get(k) for k in ("A", "PYTHONPATH", "ST2_API_URL", "ST2_AUTH_TOKEN", "ST2_ACTION_PACK_NAME", "DATABASE_URL")}`,
		"env", value.DictOf("A", "x", "PYTHONPATH", "/evil", "pythonpath", "/evil"))
	t.Setenv("DATABASE_URL", "canary")
	out := runner().Run(t.Context(), job)
	result, _ := out.Result.(*value.Dict).GetStr("result")
	d, ok := result.(*value.Dict)
	if !ok {
		t.Fatal(jsonText(out.Result))
	}
	path, _ := d.GetStr("PYTHONPATH")
	d.Delete("PYTHONPATH")
	if got := jsonText(d); got != `{"A": "x", "ST2_API_URL": "http://127.0.0.1:1/v1", "ST2_AUTH_TOKEN": "suite-token", "ST2_ACTION_PACK_NAME": "suite", "DATABASE_URL": null}` {
		t.Error(got)
	}
	if text := value.Str(path); strings.Contains(text, "evil") || !strings.HasPrefix(text, filepath.Join(job.PackDir, "actions", "lib")) {
		t.Error(text)
	}
}

func TestRun_LargeParametersAndResults(t *testing.T) {
	big := strings.Repeat("é", 1<<20)
	h := process.New(process.Options{Limits: runners.Limits{Output: 4 << 20}})
	job := body(t, "return kwargs['text']")
	job.ActionParameters = value.DictOf("text", big)
	out := New(h, pythons(), Options{}).Run(t.Context(), job)
	if result, _ := out.Result.(*value.Dict).GetStr("result"); result != value.Value(big) {
		t.Errorf("%s %.200s", out.Status, jsonText(out.Result))
	}
	out = runner().Run(t.Context(), body(t, "return 'x' * 1000000"))
	if got := jsonText(out.Result); out.Status != petrel.StatusFailed || !strings.Contains(got, "The result of the action has 1000027 bytes, the limit is 65536.") {
		t.Errorf("%s %.200s", out.Status, got)
	}
}

func TestRun_MemoryHogFailsAlone(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the limit of memory is Linux's")
	}
	out := runner().Run(t.Context(), body(t, "import resource\nresource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))\nx = bytearray(1 << 30)"))
	if got := jsonText(out.Result); out.Status != petrel.StatusFailed || !strings.Contains(got, "MemoryError") {
		t.Errorf("%s %s", out.Status, got)
	}
}

func TestRun_VirtualEnvironment(t *testing.T) {
	found, err := pythons().Default(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	envs := t.TempDir()
	env := filepath.Join(envs, "suite")
	if out, err := exec.Command(found.Path, "-m", "venv", "--without-pip", env).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	site, err := filepath.Glob(filepath.Join(env, "lib", "python3.*", "site-packages"))
	if err != nil || len(site) != 1 {
		t.Fatal(site, err)
	}
	if err := os.WriteFile(filepath.Join(site[0], "onlyhere.py"), []byte("X = 'from the environment'\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := New(process.New(process.Options{Limits: limits}), python.New(python.Options{Virtualenvs: envs, Cache: cache()}), Options{})
	out := r.Run(t.Context(), body(t, "import onlyhere, shutil\nreturn [onlyhere.X, sys.prefix, shutil.which('python')]"))
	want := jsonText(value.NewList("from the environment", env, filepath.Join(env, "bin", "python")))
	if got := jsonText(out.Result); !strings.Contains(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}

// datastore is a small server of keys as the API has them.
func datastore(t *testing.T, token string) *httptest.Server {
	var mu sync.Mutex
	keys := map[string]map[string]any{}
	mux := http.NewServeMux()
	say := func(w http.ResponseWriter, code int, v any) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("/v1/keys", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var out []any
		for name, k := range keys {
			if strings.HasPrefix(name, r.URL.Query().Get("prefix")) {
				out = append(out, k)
			}
		}
		say(w, 200, out)
	})
	mux.HandleFunc("/v1/keys/", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		name, _ := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/v1/keys/"))
		if r.Header.Get("X-Auth-Token") != token {
			say(w, 401, map[string]string{"faultstring": "Unauthorized - Token invalid"})
			return
		}
		switch r.Method {
		case "PUT":
			var k map[string]any
			_ = json.NewDecoder(r.Body).Decode(&k)
			keys[name] = k
		case "DELETE":
			delete(keys, name)
			w.WriteHeader(204)
			return
		}
		if k, ok := keys[name]; ok {
			say(w, 200, k)
		} else {
			say(w, 404, map[string]string{"faultstring": "no such key"})
		}
	})
	mux.HandleFunc("/v1/user", func(w http.ResponseWriter, r *http.Request) { say(w, 200, map[string]any{"username": "ann"}) })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestRun_Datastore(t *testing.T) {
	server := datastore(t, "suite-token")
	job := fromPack(t, "py_store.py", value.DictOf("key", "k 1"))
	job.Env["ST2_ACTION_API_URL"] = server.URL + "/v1"
	out := runner().Run(t.Context(), job)
	want := `{"stdout": "", "stderr": "st2.actions.python.Store: DEBUG    Creating new Client object.\nst2.actions.python.Store: DEBUG    Retrieving value from the datastore (name=conformance.Store:$uniq)\nst2.actions.python.Store: DEBUG    Setting value in the datastore (name=conformance.Store:$uniq)\nst2.actions.python.Store: DEBUG    Retrieving value from the datastore (name=conformance.Store:$uniq)\nst2.actions.python.Store: DEBUG    Setting value in the datastore (name=$uniq)\nst2.actions.python.Store: DEBUG    Retrieving value from the datastore (name=$uniq)\nst2.actions.python.Store: DEBUG    Retrieving all the values from the datastore\nst2.actions.python.Store: DEBUG    Retrieving all the values from the datastore\nst2.actions.python.Store: DEBUG    Deleting value from the datastore (name=conformance.Store:$uniq)\nst2.actions.python.Store: DEBUG    Deleting value from the datastore (name=$uniq)\nst2.actions.python.Store: DEBUG    Retrieving value from the datastore (name=conformance.Store:$uniq)\n", "exit_code": 0, "result": {"absent": null, "set": true, "got": "12", "set_global": true, "got_global": "global", "names": ["$uniq"], "local_names": ["conformance.Store:$uniq"], "deleted": true, "deleted_global": true, "after": null}}`
	if got := jsonText(out.Result); got != strings.ReplaceAll(want, "$uniq", "k 1") {
		t.Errorf("%s %s", out.Status, got)
	}
	job = body(t, "s = self.action_service\ntry:\n    s.get_value('x', scope='user')\nexcept ValueError as e:\n    return [str(e), s.get_user_info()]")
	job.Env["ST2_ACTION_API_URL"] = server.URL + "/v1"
	if got := jsonText(runner().Run(t.Context(), job).Result); !strings.Contains(got, `["Scope user is unsupported.", {"username": "ann"}]`) {
		t.Error(got)
	}
	job = body(t, "s = self.action_service\nreturn [s.get_value('x'), s.delete_value('x')]")
	job.Env["ST2_ACTION_API_URL"], job.Env["ST2_ACTION_AUTH_TOKEN"] = server.URL+"/v1", "expired"
	got := jsonText(runner().Run(t.Context(), job).Result)
	if !strings.Contains(got, `"result": [null, false]`) || !strings.Contains(got, "Exception retrieving value from datastore (name=suite.Act:x): 401 Client Error: Unauthorized\\nMESSAGE: Unauthorized - Token invalid") {
		t.Error(got)
	}
}

func TestPrepare_Refuses(t *testing.T) {
	job := body(t, "return 1")
	job.EntryPoint = ""
	if err := runner().Prepare(t.Context(), job); err == nil || petrel.Message(err) != `Action "action" is missing entry_point attribute` {
		t.Error(err)
	}
	r := New(process.New(process.Options{}), python.New(python.Options{Binary: "/no/python", Cache: cache()}), Options{})
	if err := r.Prepare(t.Context(), body(t, "return 1")); err == nil || !strings.Contains(petrel.Message(err), "/no/python does not work") {
		t.Error(err)
	}
}

func BenchmarkRun(b *testing.B) {
	dir := b.TempDir()
	path := filepath.Join(dir, "act.py")
	source := "from st2common.runners.base_action import Action\nclass A(Action):\n    def run(self):\n        return 1\n"
	if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
		b.Fatal(err)
	}
	r := New(process.New(process.Options{}), python.New(python.Options{Cache: dir}), Options{})
	job := &runners.Job{EntryPoint: path, Action: petrel.Action{Name: "a", Pack: "p"}}
	for b.Loop() {
		if out := r.Run(b.Context(), job); out.Status != petrel.StatusSucceeded {
			b.Fatal(out)
		}
	}
}
