package packs_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/actions"
	"petrel/aliases"
	"petrel/expr/value"
	"petrel/packs"
	"petrel/python"
	"petrel/runners"
	"petrel/runners/local"
	"petrel/runners/process"
	"petrel/runners/pythonscript"
	"petrel/runners/runnertype"
)

// stage runs built-in actions with the real runners, against a server that answers
// as the API does.
type stage struct {
	t       *testing.T
	packs   map[string]packs.Content
	dir     string
	server  *httptest.Server
	runners map[string]runners.Runner
	config  *value.Dict // of the pack

	mu      sync.Mutex
	answers map[string]string // "GET /path" → JSON, or status and text
	asked   []string
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, dir: unpacked(t), packs: map[string]packs.Content{}, answers: map[string]string{}}
	for _, ref := range []string{"core", "linux", "chatops", "st2", "packs"} {
		c, _, err := packs.Load(filepath.Join(s.dir, ref), packs.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		s.packs[ref] = c
	}
	s.server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.server.Close)
	host := process.New(process.Options{})
	s.runners = map[string]runners.Runner{
		"python-script":      pythonscript.New(host, python.New(python.Options{Cache: t.TempDir()}), pythonscript.Options{}),
		"local-shell-cmd":    local.NewCommand(host),
		"local-shell-script": local.NewScript(host),
	}
	return s
}

func (s *stage) answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	what := r.Method + " " + r.URL.RequestURI()
	s.mu.Lock()
	s.asked = append(s.asked, strings.TrimSpace(what+" "+string(body)))
	text, ok := s.answers[what]
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.Header.Get("X-Auth-Token") != "the token" {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"faultstring": "Unauthorized - Missing credentials"}`)
		return
	}
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"faultstring": "The resource could not be found."}`)
		return
	}
	if status, rest, found := strings.Cut(text, " "); found && len(status) == 3 && status[0] != '{' {
		code := 0
		fmt.Sscan(status, &code)
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"faultstring": %q}`, rest)
		return
	}
	fmt.Fprint(w, text)
}

func (s *stage) action(ref string) petrel.Action {
	s.t.Helper()
	for _, a := range s.packs[petrel.Ref(ref).Pack()].Actions {
		if string(a.Ref) == ref {
			return a
		}
	}
	s.t.Fatalf("there is no action %s", ref)
	return petrel.Action{}
}

// run runs an action with parameters as JSON.
func (s *stage) run(ref, parameters string) runners.Outcome {
	s.t.Helper()
	given, err := value.FromJSON([]byte(parameters))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.runWith(s.action(ref), given.(*value.Dict))
}

func (s *stage) runWith(a petrel.Action, given *value.Dict) runners.Outcome {
	s.t.Helper()
	ctx := s.t.Context()
	kind, _ := runnertype.Named(a.RunnerType)
	in := actions.Input{Runner: kind, Action: a, Given: given, Context: value.DictOf("user", "stanley", "pack", a.Pack)}
	live, err := actions.Live(ctx, in)
	if err != nil {
		s.t.Fatalf("%s: %v", a.Ref, err)
	}
	in.Given = live
	forRunner, forAction, err := actions.Final(ctx, in)
	if err != nil {
		s.t.Fatalf("%s: %v", a.Ref, err)
	}
	job := &runners.Job{
		ExecutionID: petrel.NewID(time.Now()), LiveActionID: petrel.NewID(time.Now()), Attempt: 1, Action: a, Runner: kind,
		PackDir: filepath.Join(s.dir, a.Pack), RunnerParameters: forRunner, ActionParameters: forAction, Context: in.Context, Config: s.config, User: "stanley",
		Env:    map[string]string{"ST2_ACTION_API_URL": s.server.URL, "ST2_ACTION_AUTH_TOKEN": "the token", "ST2_ACTION_PACK_NAME": a.Pack, "PYTHONDONTWRITEBYTECODE": "1"},
		Output: func(string, string) {}, Log: slog.New(slog.DiscardHandler),
	}
	if a.EntryPoint != "" {
		job.EntryPoint = filepath.Join(job.PackDir, "actions", a.EntryPoint)
	}
	runner := s.runners[a.RunnerType]
	if err := runner.Prepare(ctx, job); err != nil {
		s.t.Fatalf("%s: %v", a.Ref, err)
	}
	return runner.Run(ctx, job)
}

// want checks an outcome: status, and the values at paths of the result.
func (s *stage) want(what string, o runners.Outcome, status petrel.Status, at map[string]string) {
	s.t.Helper()
	result, err := value.ToJSON(o.Result, value.CompactJSON)
	if err != nil {
		s.t.Fatal(err)
	}
	if o.Status != status {
		s.t.Errorf("%s ended as %s, want %s: %s", what, o.Status, status, result)
		return
	}
	var got map[string]any
	if err := json.Unmarshal(result, &got); err != nil {
		s.t.Fatal(err)
	}
	for key, pattern := range at {
		text, _ := json.Marshal(got[key])
		if !regexp.MustCompile(`(?s)^` + pattern + `$`).Match(text) {
			s.t.Errorf("%s: %s is %s, want %s", what, key, text, pattern)
		}
	}
}

func TestCoreActionsRun(t *testing.T) {
	s := newStage(t)
	ok, failed := petrel.StatusSucceeded, petrel.StatusFailed
	s.want("uuid", s.run("core.uuid", `{}`), ok, map[string]string{"result": `"[0-9a-f-]{36}"`, "exit_code": "0"})
	s.want("uuid1", s.run("core.uuid", `{"uuid_type": "uuid1"}`), ok, map[string]string{"result": `"[0-9a-f-]{36}"`})
	s.want("pause", s.run("core.pause", `{"max_pause": 0}`), ok, map[string]string{"result": "0"})
	s.want("random pause", s.run("core.pause", `{"max_pause": 1, "random": true}`), ok, map[string]string{"result": "1"})
	s.want("echo", s.run("core.echo", `{"message": "hi there"}`), ok, map[string]string{"stdout": `"hi there"`, "return_code": "0"})
	s.want("error", s.run("core.error", `{"message": "oh no"}`), ok, map[string]string{"stderr": `"oh no"`, "stdout": `""`})
	s.want("local", s.run("core.local", `{"cmd": "echo 5; exit 3"}`), failed, map[string]string{"stdout": "5", "return_code": "3"})

	s.answers["POST /webhooks/st2"] = `{"trigger": "a.b", "payload": {"x": 1}}`
	s.want("inject_trigger", s.run("core.inject_trigger", `{"trigger": "a.b", "payload": {"x": 1}, "trace_tag": "t"}`), ok, map[string]string{"result": `\{"payload":\{"x":1\},"trigger":"a.b"\}`})
	if last := s.asked[len(s.asked)-1]; last != `POST /webhooks/st2 {"trigger": "a.b", "payload": {"x": 1}, "trace_tag": "t"}` {
		t.Errorf("asked %s", last)
	}
	s.want("inject_trigger twice", s.run("core.inject_trigger", `{"trigger": "a.b", "trigger_name": "a.b"}`), failed, map[string]string{"stderr": `.*Parameters \\"trigger\\" and \\"trigger_name\\" are mutually exclusive.*`})
	s.want("inject_trigger of nothing", s.run("core.inject_trigger", `{}`), failed, nil)
}

func TestCoreSendmail(t *testing.T) {
	s := newStage(t)
	dir := t.TempDir()
	mailer := filepath.Join(dir, "mailer")
	folder(t, dir, map[string]string{"mailer": "#!/bin/sh\ncat > " + filepath.Join(dir, "mail") + "\n", "a b.txt": "attached\n"})
	if err := os.Chmod(mailer, 0o755); err != nil {
		t.Fatal(err)
	}
	send := func(more string) runners.Outcome {
		return s.run("core.sendmail", fmt.Sprintf(`{"sendmail_binary": %q, "to": "a@example.com", "subject": "Grüße; $(id)"%s}`, mailer, more))
	}
	ok := petrel.StatusSucceeded
	s.want("mail", send(`, "body": "Text mit ümlaut"`), ok, map[string]string{"stdout": `"Successfully sent mail to a@example.com"`})
	mail, err := os.ReadFile(filepath.Join(dir, "mail"))
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(mail), "\n\n")
	if !strings.Contains(head, "\nTo: a@example.com\nSubject: =?UTF-8?B?R3LDvMOfZTsgJChpZCk=?=\n") || !strings.HasPrefix(head, "From: stanley@") || !strings.Contains(head, "Content-Type: text/html; charset=UTF-8") {
		t.Errorf("%s", head)
	}
	plain, err := exec.Command("sh", "-c", "printf %s \"$0\" | base64 -d", body).Output()
	if err != nil || !strings.HasPrefix(string(plain), "Text mit ümlaut<br><br>This message was generated by the action core.sendmail on ") {
		t.Errorf("%s %v", plain, err)
	}
	s.want("mail with a file", send(fmt.Sprintf(`, "body": "x", "attachments": "%s,/no/such"`, filepath.Join(dir, "a b.txt"))), ok, map[string]string{"stderr": `".*/no/such.*"`})
	mail, _ = os.ReadFile(filepath.Join(dir, "mail"))
	if !strings.Contains(string(mail), "filename=\"a b.txt\"") || !strings.Contains(string(mail), "YXR0YWNoZWQK") {
		t.Errorf("%s", mail)
	}
	s.want("nothing", send(`, "body": " ", "send_empty_body": false`), ok, map[string]string{"stdout": `"Nothing to send"`})
	s.want("no mailer", s.run("core.sendmail", `{"sendmail_binary": "/no/such", "to": "a", "subject": "b", "body": "c"}`), petrel.StatusFailed, map[string]string{"return_code": "2"})
}

func TestLinuxActionsRun(t *testing.T) {
	s := newStage(t)
	ok := petrel.StatusSucceeded
	s.want("check_loadavg", s.run("linux.check_loadavg", `{}`), ok, map[string]string{"result": `\{"1":"[0-9.]+","15":"[0-9.]+","5":"[0-9.]+"\}`, "stdout": `""`, "stderr": `""`})
	s.want("check_loadavg of a minute", s.run("linux.check_loadavg", `{"period": "1"}`), ok, map[string]string{"result": `[0-9.]+`})
	s.want("dig of an option", s.run("linux.dig", `{"hostname": "-f/etc/passwd"}`), petrel.StatusFailed, map[string]string{"stderr": `.*starts like an option of dig.*`})
	s.want("wait_for_ssh", s.run("linux.wait_for_ssh", `{"hostname": "127.0.0.1", "port": 1, "retries": 1, "sleep_delay": 0}`), petrel.StatusFailed, map[string]string{"stderr": `.*Exceeded max retries \(1\).*`})
	if _, err := os.Stat("/proc/self/stat"); err == nil {
		script := filepath.Join(s.dir, "linux", "actions", "checks", "check_processes.py")
		var found map[string]string
		out, err := exec.Command("python3", script, "name", "packs.test", "").Output()
		if err != nil || json.Unmarshal(out, &found) != nil || found[fmt.Sprint(os.Getpid())] == "" {
			t.Errorf("%s %v", out, err)
		}
	}
}

func TestChatopsActionsRun(t *testing.T) {
	s := newStage(t)
	ok := petrel.StatusSucceeded
	s.answers["POST /actionalias/match"] = `{"actionalias": {"name": "n", "pack": "p", "action_ref": "p.a", "id": "x"}, "display": "d", "representation": "say {{x}}"}`
	s.want("match", s.run("chatops.match", `{"text": "say hi"}`), ok, map[string]string{"result": `\{"alias":\{"action_ref":"p.a","name":"n","pack":"p"\},"representation":"say \{\{x\}\}"\}`})
	s.answers["POST /aliasexecution/match_and_execute"] = `{"results": [{"execution": {"id": "e1"}}]}`
	s.answers["GET /executions/e1?include_attributes=status"] = `{"id": "e1", "status": "failed"}`
	s.want("match_and_execute", s.run("chatops.match_and_execute", `{"text": "say hi"}`), ok, map[string]string{"result": `"e1"`})
	s.answers["GET /chat/results/e1"] = `{"enabled": true, "message": "done{~}x", "extra": {"slack": {"color": "good"}}}`
	s.want("format", s.run("chatops.format_execution_result", `{"execution_id": "e1"}`), ok, map[string]string{"result": `\{"enabled":true,"extra":\{"slack":\{"color":"good"\}\},"message":"done\{~\}x"\}`})
	s.answers["GET /chat/results/e1"] = `{"enabled": false}`
	s.want("format of nothing", s.run("chatops.format_execution_result", `{"execution_id": "e1"}`), ok, map[string]string{"result": `\{"enabled":false,"message":""\}`})
}

// TestSt2Pack says lines to the chat's commands, runs what they mean, and compares
// what the chat is told.
func TestSt2Pack(t *testing.T) {
	s := newStage(t)
	const id = "5f0000000000000000000001"
	run := `{"id": "` + id + `", "status": "succeeded", "action": {"ref": "core.local"}, "context": {"user": "alice"}, "start_timestamp": "2000-01-01T00:00:00.000000Z", "elapsed_seconds": 1.26, "parameters": {"cmd": "date"}, "result": {"stdout": "a` + "```" + `\nb", "stderr": "", "return_code": 0, "succeeded": true, "failed": false}}`
	heavy := "&exclude_attributes=result%2Ctrigger_instance"
	for what, text := range map[string]string{
		"GET /executions?limit=3" + heavy:                    `[` + run + `,{"id": "5f0000000000000000000002", "status": "running", "action": {"ref": "examples.long_name"}, "start_timestamp": "2000-01-01T00:00:00.000000Z"}]`,
		"GET /executions?limit=11" + heavy:                   `[]`,
		"GET /executions?status=failed&limit=11" + heavy:     `[]`,
		"GET /executions?action=core.local&limit=11" + heavy: `[]`,
		"GET /executions/" + id:                              run,
		"GET /executions/nope":                               `404 Resource with id "nope" not found`,
		"DELETE /executions/" + id:                           `{"id": "x", "status": "canceling"}`,
		"DELETE /executions/b":                               `404 Resource with id "b" not found`,
		"POST /executions/" + id + "/re_run":                 `{"id": "new", "status": "requested", "action": {"ref": "core.local"}}`,
		"GET /actions?pack=core&limit=10":                    `[{"ref": "core.local", "description": "Runs a command\nand more"}, {"ref": "core.noop"}]`,
		"GET /packs?limit=10":                                `[{"ref": "core", "version": "3.9.0", "description": "Basic", "files": ["x"]}]`,
		"GET /actionalias?limit=10":                          `[{"name": "a", "formats": ["do {{x}}", {"display": "do it", "representation": ["doit"]}]}]`,
	} {
		s.answers[what] = text
	}
	index := aliases.NewIndex(s.packs["st2"].Aliases)
	if problems := index.Problems(); len(problems) > 0 {
		t.Errorf("%v", problems)
	}
	for _, c := range []struct{ line, want string }{
		{"st2 list 2 executions", "The last 2 executions, newest first{~}\n```\n" +
			"id                        status     action              began  took\n" +
			id + "  succeeded  core.local          AGO  1.3s\n" +
			"5f0000000000000000000002  running    examples.long_name  AGO  -\n```"},
		{"st2 list executions", "There are no executions."},
		{"st2 list executions with status failed", "There are no executions."},
		{"st2 list executions for action core.local", "There are no executions."},
		{"st2 list 0 executions", "st2.executions.list failed: limit is 0; it can be 1 to 99"},
		{"st2 list actions from core", "2 actions{~}\n```\naction      description\ncore.local  Runs a command\ncore.noop   \n```"},
		{"st2 list packs", "1 pack{~}\n```\npack  version  description\ncore  3.9.0    Basic\n```"},
		{"st2 list aliases", "1 alias{~}\n```\nalias  say\na      do {{x}} | do it\n```"},
		{"st2 get execution " + id, "core.local succeeded{~}\n```\nid      " + id + "\nuser    alice\nbegan   2000-01-01T00:00:00.000000Z (AGO)\ntook    1.3s\ngiven   {\"cmd\": \"date\"}\n\nstdout:\na'''\nb\nreturn_code: 0\n```"},
		{"st2 show execution nope", `st2.executions.get failed: Resource with id "nope" not found`},
		{"st2 cancel execution " + id, id + ": canceling"},
		{"st2 cancel execution " + id + ", b", `st2.executions.cancel failed: {'` + id + `': 'canceling', 'b': 'Resource with id "b" not found'}`},
		{"st2 re-run execution " + id, "core.local runs again as new"},
		{"st2 rerun execution " + id, "core.local runs again as new"},
	} {
		got := s.say(index, c.line)
		got = regexp.MustCompile(`\d+d ago`).ReplaceAllString(got, "AGO")
		got = regexp.MustCompile(`began +took`).ReplaceAllString(got, "began  took") // as wide as the years make it
		if strings.TrimSpace(got) != c.want {
			t.Errorf("%s:\n%s\nwant:\n%s", c.line, got, c.want)
		}
	}
	for _, line := range []string{"st2 run core.local", "st2 run core.local cmd=date", `st2 run core.local -- date -R "a b"`, "st2 run linux.check_loadavg period=1"} {
		m, err := index.Match(line)
		if err != nil || m.Alias.Name != "st2_run" || !aliases.Runs(m.Alias) {
			t.Errorf("%s: %+v %v", line, m, err)
			continue
		}
		params, err := aliases.Parameters(m.Alias, m.Representation, line, false)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		ref, rest, err := aliases.Resolve(aliases.Command{Alias: m.Alias, Representation: m.Representation, Line: line, Parameters: params})
		if err != nil || "st2 run "+strings.TrimSpace(string(ref)+" "+rest) != line {
			t.Errorf("%s: %s | %s %v", line, ref, rest, err)
		}
	}
}

// say runs what a line means and gives what the chat is told.
func (s *stage) say(index *aliases.Index, line string) string {
	s.t.Helper()
	m, err := index.Match(line)
	if err != nil {
		s.t.Errorf("%s: %v", line, err)
		return ""
	}
	a := s.action(string(m.Alias.ActionRef))
	kind, _ := runnertype.Named(a.RunnerType)
	spec, err := actions.Merged(kind, a)
	if err != nil {
		s.t.Fatal(err)
	}
	params, err := aliases.Parameters(m.Alias, m.Representation, line, false)
	if err != nil {
		s.t.Fatalf("%s: %v", line, err)
	}
	if err := aliases.Cast(params[0], spec); err != nil {
		return err.Error()
	}
	o := s.runWith(a, params[0])
	execution := value.DictOf("id", "5f00000000000000000000ff", "status", string(o.Status), "action", value.DictOf("ref", string(a.Ref)), "parameters", params[0], "result", o.Result)
	return aliases.Finished(s.t.Context(), m.Alias, execution, value.DictOf("name", m.Alias.Name)).Message
}

func TestPacksPackRuns(t *testing.T) {
	s := newStage(t)
	ok, failed := petrel.StatusSucceeded, petrel.StatusFailed
	s.answers["GET /packs/core"] = `{"ref": "core", "version": "3.9.0", "path": "/nowhere", "description": "Basic", "author": "A"}`
	s.want("get", s.run("packs.get", `{"pack": "core"}`), ok, map[string]string{"result": `\{"git_status":null,"pack":\{.*"ref":"core".*\}\}`})
	s.answers["GET /packs/none"] = `404 Resource with a ref or id "none" not found`
	s.want("get of nothing", s.run("packs.get", `{"pack": "none"}`), ok, map[string]string{"result": `\{"git_status":null,"pack":null\}`})
	s.answers["POST /packs/register"] = `{"actions": 3}`
	s.want("load", s.run("packs.load", `{"register": "actions,alias", "packs": ["core"]}`), ok, map[string]string{"result": `\{"actions":3\}`})
	if last := s.asked[len(s.asked)-1]; last != `POST /packs/register {"types": ["action", "alias"], "packs": ["core"]}` {
		t.Errorf("asked %s", last)
	}
	s.answers["POST /packs/register"] = `400 Pack "x" not found on disk`
	s.want("load of nothing", s.run("packs.load", `{"packs": ["x"]}`), failed, map[string]string{"result": `"Pack \\"x\\" not found on disk"`})
	s.want("get_config", s.run("packs.get_config", `{}`), ok, map[string]string{"result": `\{\}`})

	index := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"packs": {"aws": {"name": "aws", "ref": "aws", "version": "1.0.0", "description": "Amazon", "keywords": ["cloud"], "repo_url": "u", "author": "A"}, "gcp": {"name": "gcp", "description": "Another cloud than aws"}, "zzz": {"name": "zzz", "email": "aws"}}}`)
	}))
	defer index.Close()
	s.config = value.DictOf("index_url", "http://127.0.0.1:1/none, "+index.URL)
	s.want("search", s.run("packs.search", `{"query": "aws"}`), ok, map[string]string{"result": `\[\{.*"name":"aws".*\},\{.*"name":"gcp".*\}\]`})
	s.want("show", s.run("packs.show", `{"pack": "aws"}`), ok, map[string]string{"result": `\{"pack":\{.*"name":"aws".*\}\}`})
	s.want("show of nothing", s.run("packs.show", `{"pack": "no"}`), ok, map[string]string{"result": `\{"pack":null\}`})
	chat := aliases.NewIndex(s.packs["packs"].Aliases)
	for line, want := range map[string]string{
		"pack get core":     "core 3.9.0{~}\n```\nBasic\nauthor    A\nfolder    /nowhere\n```",
		"pack get none":     "There is no pack none here.",
		"pack show aws":     "aws 1.0.0{~}\n```\nAmazon\nauthor    A\nfrom      u\nabout     cloud\n```",
		"pack search aws":   "2 found{~}\n```\naws  Amazon\ngcp  Another cloud than aws\n```",
		"pack search 12345": "No pack of the index has 12345 in it.",
	} {
		if got := strings.TrimSpace(s.say(chat, line)); got != want {
			t.Errorf("%s:\n%s\nwant:\n%s", line, got, want)
		}
	}
	s.config = value.DictOf("index_url", "file:///etc/passwd")
	s.want("an index that is a file", s.run("packs.show", `{"pack": "x"}`), failed, map[string]string{"result": `"file:///etc/passwd is not an http or https URL"`})
}
