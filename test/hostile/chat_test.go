package hostile_test

import (
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestHostile_H83_Lines says lines nobody would type: what was typed is what the
// action gets, or the refusal says why not.
func TestHostile_H83_Lines(t *testing.T) {
	h := open(t, options{})
	for typed, printed := range map[string]string{
		"!\u200bst2 run core.local -- echo seen":          "seen",
		"!st2 run core.local -- echo 'a  b'":              "a  b",
		"!st2 run core.local -- echo “smart”":             "“smart”",
		"!st2 run core.local -- echo 🎉 漢字":                "🎉 漢字",
		"!st2 run core.local -- echo '&lt;x&gt;'":         "&lt;x&gt;",
		"!st2 run core.echo message='; touch /tmp/owned'": "; touch /tmp/owned",
	} {
		if r := h.say(t, typed); !r.Succeeded() || !strings.Contains(r.Text, printed) {
			t.Errorf("%s: %s %.300s", typed, r.Status, r.Text)
		}
	}
	before := h.count(t, "/api/v1/executions")
	for _, line := range []string{
		"!st2 run", "!st2 run core.nothing", "!st2 run core.local", "!st2 run core.local nothing=1 cmd=id",
		"!st2 run core.local cmd='unclosed", "!st2 run ../../etc/passwd", "!" + strings.Repeat("a ", 5000), "!" + strings.Repeat("(", 3000),
		"!st2 run core.local cmd=true timeout=\"[" + strings.Repeat("[", 5000) + "\"",
	} {
		start := time.Now()
		r := h.say(t, line)
		quick(t, line[:min(len(line), 40)], start, 3*time.Second)
		if r.Succeeded() || r.Text == "" || len(r.Text) > 4<<10 {
			t.Errorf("%.60q: %s %.300s", line, r.Status, r.Text)
		}
	}
	if after := h.count(t, "/api/v1/executions"); after != before {
		t.Errorf("refused lines left %d executions behind", after-before)
	}
	for what, body := range map[string]string{
		"too long":    encode(t, map[string]any{"text": "!st2 run core.noop " + strings.Repeat("a", 17<<10)}),
		"much longer": encode(t, map[string]any{"text": strings.Repeat("a", 2<<20)}),
		"NUL":         `{"text": "!st2 run core.noop \u0000"}`,
		"bytes":       "{\"text\": \"!\xff\"}",
		"channel":     `{"text": "!help", "channel": "@somebody-else"}`,
		"two values":  `{"text": "!help"}{}`,
		"click":       `{"post": "nothing", "choice": "cancel"}`,
	} {
		path := "/api/v1/chat/messages"
		if what == "click" {
			path = "/api/v1/chat/clicks"
		}
		got := h.do(t, "POST", path, body)
		if got.status < 400 || got.status >= 500 || got.fault() == "" || len(got.text) > 2<<10 {
			t.Errorf("%s: %d %.300s", what, got.status, got.text)
		}
	}
	if _, err := os.Stat("/tmp/owned"); err == nil {
		t.Error("a chat line was run by a shell")
	}
	h.serves(t, "lines")
}

// TestHostile_H84_H85_Replies has actions print what calls people or deceives them.
func TestHostile_H84_H85_Replies(t *testing.T) {
	h := open(t, options{})
	for _, c := range []struct{ row, cmd, never string }{
		{"H84 here", `echo '@here @channel @everyone'`, "@here"},
		{"H84 slack", `echo '<!channel> <@U123>'`, "<!channel>"},
		{"H85 codes", `printf '\033[31mred\033[0m'`, "\x1b"},
		{"H85 override", `printf '\342\200\256txt.exe'`, "\u202e"},
	} {
		r := h.say(t, "!st2 run core.local -- "+c.cmd)
		if !r.Succeeded() || strings.Contains(r.Text, c.never) || !utf8.ValidString(r.Text) {
			t.Errorf("%s: %s %q", c.row, r.Status, r.Text)
		}
	}
	// H86: a reply of megabytes is cut, and says so.
	r := h.say(t, "!st2 run core.local -- head -c 5000000 /dev/zero | tr '\\0' a")
	if !r.Succeeded() || len(r.Text) > 20<<10 {
		t.Errorf("H86: %s with %d bytes", r.Status, len(r.Text))
	}
	h.serves(t, "replies")
}

// TestHostile_H102_Canary takes a secret through the API, the chat, an action and
// its failure, and looks for it where it must not be, in every form it may take.
func TestHostile_H102_Canary(t *testing.T) {
	h := open(t, options{packs: map[string]string{
		"keeps/pack.yaml": manifestOf("keeps"),
		"keeps/actions/secret.yaml": "name: secret\nrunner_type: local-shell-cmd\nenabled: true\nentry_point: ''\nparameters:\n" +
			"  password: {type: string, secret: true, required: true}\n  number: {type: integer}\n  cmd: {default: 'true'}\n",
		"keeps/actions/python.yaml": "name: python\nrunner_type: python-script\nenabled: true\nentry_point: p.py\nparameters:\n  password: {type: string, secret: true, required: true}\n",
		"keeps/actions/p.py":        "from st2common.runners.base_action import Action\nclass P(Action):\n    def run(self, password):\n        self.logger.info('working')\n        raise ValueError('it went wrong')\n",
		"keeps/aliases/secret.yaml": "name: secret\naction_ref: keeps.secret\nformats: ['keep {{ password }}']\nack: {enabled: true}\n",
	}})
	const canary = `ca"na&ry-7f3e91c0`
	forms := []string{canary, base64.StdEncoding.EncodeToString([]byte(canary)), url.QueryEscape(canary), `ca\"na&ry-7f3e91c0`, `ca\"na\u0026ry-7f3e91c0`, "7f3e91c0"}
	look := func(where, text string) {
		t.Helper()
		for _, form := range forms {
			if at := strings.Index(text, form); at >= 0 {
				t.Errorf("%s shows the secret as %s: …%.200s", where, form, text[max(0, at-80):])
				return
			}
		}
	}
	var ids []string
	keep := func(where string, got answer) {
		t.Helper()
		look(where, got.text)
		var x execution
		if got.status == 201 {
			got.decode(t, &x)
			ids = append(ids, x.ID)
			h.wait(t, x.ID)
		}
	}
	secret := map[string]any{"password": canary}
	keep("POST executions", h.request(t, "keeps.secret", secret))
	keep("a python action", h.request(t, "keeps.python", secret))
	keep("a refused request", h.request(t, "keeps.secret", map[string]any{"password": canary, "number": "no number"}))
	keep("a wrong type", h.request(t, "keeps.secret", map[string]any{"password": []any{canary}}))
	keep("a template that fails", h.request(t, "keeps.secret", map[string]any{"password": canary, "cmd": "{{ password.nothing.at.all }}"}))
	keep("an unknown parameter", h.request(t, "keeps.secret", map[string]any{"password": canary, "more": 1}))
	keep("an unknown runner's action", h.request(t, "keeps.nothing", secret))
	if len(ids) > 0 {
		keep("a re-run", h.do(t, "POST", "/api/v1/executions/"+ids[0]+"/re_run", "{}"))
	}
	r := h.say(t, "!keep '"+canary+"'")
	look("the reply in the chat", r.Text)
	if r.Execution != "" {
		ids = append(ids, string(r.Execution))
	}
	for _, id := range ids {
		for _, path := range []string{"", "/output", "/children", "/result", "/attribute/parameters", "/attribute/liveaction", "/attribute/context"} {
			look("GET executions"+path, h.do(t, "GET", "/api/v1/executions/"+id+path, "").text)
		}
		look("the chat's view", h.do(t, "GET", "/api/v1/chat/results/"+id, "").text)
	}
	for _, path := range []string{"/api/v1/executions", "/api/v1/audit", "/metrics", "/api/v1/actions", "/api/v1/apikeys"} {
		look("GET "+path, h.do(t, "GET", path, "").text)
	}
	look("the log", h.log.String())
	// The database holds it, for the worker; no other file does.
	err := filepath.WalkDir(h.state, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), "petrel.db") {
			return nil //nolint:nilerr // files come and go
		}
		if text, err := os.ReadFile(path); err == nil {
			look(path, string(text))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"petrel.db", "login.json"} {
		if info, err := os.Stat(filepath.Join(h.state, name)); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v, others may read it", name, info, err)
		}
	}
	// H103: to be shown secrets is asked for, and kept in the audit.
	if got := h.do(t, "GET", "/api/v1/executions/"+ids[0]+"?show_secrets=true", ""); !strings.Contains(got.text, "7f3e91c0") {
		t.Errorf("an admin asked and is not shown: %.300s", got.text)
	}
	if got := h.do(t, "GET", "/api/v1/audit", ""); !strings.Contains(got.text, "show_secrets") {
		t.Error("nothing in the audit says that secrets were shown")
	}
}
