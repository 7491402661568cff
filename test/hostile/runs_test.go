package hostile_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// TestHostile_H42_ShellCharacters gives a script the bytes a shell would act on:
// it gets them as they are, as arguments and never as options of its shell.
func TestHostile_H42_ShellCharacters(t *testing.T) {
	h := open(t, options{packs: map[string]string{
		"args/pack.yaml":           manifestOf("args"),
		"args/actions/show.yaml":   "name: show\nrunner_type: local-shell-script\nenabled: true\nentry_point: show.sh\nparameters:\n  word: {type: string, position: 0}\n  named: {type: string}\n",
		"args/actions/show.sh":     "#!/bin/sh\nfor a in \"$@\"; do printf '<%s>' \"$a\"; done\n",
		"args/actions/python.yaml": "name: python\nrunner_type: python-script\nenabled: true\nentry_point: p.py\nparameters:\n  word: {type: string}\n",
		"args/actions/p.py":        "from st2common.runners.base_action import Action\nclass P(Action):\n    def run(self, word):\n        return word\n",
	}})
	owned := filepath.Join(t.TempDir(), "owned")
	for _, word := range []string{
		"; touch " + owned, "$(touch " + owned + ")", "`touch " + owned + "`", "a\nb", "a & b", `'"'"'`, "*", "-n", "--help", "~", "a\\b", "$HOME", "${IFS}",
		"a\tb", "| cat /etc/passwd", "ünï 漢字 🎉", "\u202eevil", "a\rb", "!!", "{a,b}",
	} {
		x := h.run(t, "args.show", map[string]any{"word": word, "named": word})
		if got, want := x.stdout(t), "<--named="+word+"><"+word+">"; x.Status != "succeeded" || got != want {
			t.Errorf("%q: %s %q, want %q", word, x.Status, got, want)
		}
	}
	for _, word := range []string{"; touch " + owned, "ünï 漢字 🎉", "-n", "'\"'"} {
		x := h.run(t, "args.python", map[string]any{"word": word})
		var r struct{ Result string }
		if err := json.Unmarshal(x.Result, &r); err != nil || r.Result != word {
			t.Errorf("python %q: %s %.300s", word, x.Status, x.Result)
		}
	}
	if _, err := os.Stat(owned); err == nil {
		t.Error("a parameter was run as a command")
	}
	if got := h.request(t, "args.show", map[string]any{"word": "a\x00b"}); got.status != 400 || !strings.Contains(got.fault(), "word") {
		t.Errorf("NUL: %d %.300s", got.status, got.text)
	}
}

// TestHostile_H43_H44_Environment gives names and folders no process should get.
func TestHostile_H43_H44_Environment(t *testing.T) {
	h := open(t, options{})
	for row, parameters := range map[string]map[string]any{
		"H43 loader":   {"cmd": "echo $LD_PRELOAD", "env": map[string]any{"LD_PRELOAD": "/tmp/evil.so"}},
		"H43 equals":   {"cmd": "env", "env": map[string]any{"A=B": "c"}},
		"H43 function": {"cmd": "env", "env": map[string]any{"BASH_FUNC_id%%": "() { echo owned; }"}},
		"H43 shell":    {"cmd": "true", "env": map[string]any{"BASH_ENV": "/tmp/evil"}},
		"H44 folder":   {"cmd": "pwd", "cwd": "/nowhere/at/all"},
		"H44 dash":     {"cmd": "pwd", "cwd": "-x; id"},
		"H45 command":  {"cmd": "true #" + strings.Repeat("a", 3<<20)},
	} {
		got := h.request(t, "core.local", parameters)
		if got.status >= 500 || len(got.text) > 8<<20 {
			t.Errorf("%s: %d %.300s", row, got.status, got.text)
			continue
		}
		if got.status != 201 {
			t.Logf("%s: %d %.200s", row, got.status, got.fault())
			continue
		}
		var x execution
		got.decode(t, &x)
		x = h.wait(t, x.ID)
		t.Logf("%s: %s %.250s", row, x.Status, x.Result)
		if x.Status == "succeeded" && row != "H43 shell" && row != "H43 function" {
			t.Errorf("%s: succeeded: %.300s", row, x.Result)
		}
		if strings.Contains(string(x.Result), "goroutine") {
			t.Errorf("%s: %.500s", row, x.Result)
		}
	}
	h.serves(t, "environment")
}

// TestHostile_F43_H47_Output has actions print what is no text, and what claims to
// be Petrel's own.
func TestHostile_F43_H47_Output(t *testing.T) {
	h := open(t, options{packs: map[string]string{
		"claims/pack.yaml":         manifestOf("claims"),
		"claims/actions/fake.yaml": "name: fake\nrunner_type: python-script\nenabled: true\nentry_point: fake.py\n",
		"claims/actions/fake.py": "import os, sys\nfrom st2common.runners.base_action import Action\nclass Fake(Action):\n    def run(self):\n" +
			"        print('<<<output>>>{\"exit_code\": 0, \"status\": true, \"result\": \"forged\"}')\n" +
			"        print('{\"result\": \"forged\", \"exit_code\": 0}')\n        print('%%%%%~=~=~=************=~=~=~%%%%{\"result\": \"forged\"}%%%%%~=~=~=************=~=~=~%%%%')\n" +
			"        sys.stdout.flush()\n        return (False, 'real')\n",
		"claims/actions/line.yaml": "name: line\nrunner_type: python-script\nenabled: true\nentry_point: line.py\n",
		"claims/actions/line.py":   "import sys\nfrom st2common.runners.base_action import Action\nclass Line(Action):\n    def run(self):\n        for _ in range(40):\n            sys.stdout.write('a' * 1000000)\n        return 'x' * 40000000\n",
	}})
	for name, cmd := range map[string]string{
		"NUL":      `printf 'a\000b'`,
		"bytes":    `printf '\377\376 \300\257'`,
		"escapes":  `printf '\033[2J\033]0;owned\007 text'`,
		"line":     `head -c 3000000 /dev/zero | tr '\0' a`,
		"zeros":    `head -c 300000 /dev/zero`,
		"override": `printf '\342\200\256gpj.exe'`,
		"brackets": `head -c 100000 /dev/zero | tr '\0' '['`,
		"number":   `printf 1e999999999`,
		"json NaN": `printf '{"a": NaN, "b": Infinity}'`,
		"keys":     `printf '{"a": 1, "a": 2}'`,
	} {
		x := h.run(t, "core.local", map[string]any{"cmd": cmd})
		if !utf8.ValidString(string(x.Result)) || !json.Valid(x.Result) || strings.ContainsAny(string(x.Result), "\x00\x1b") {
			t.Errorf("%s: the result is no clean JSON: %.200q", name, x.Result)
		}
		if got := h.do(t, "GET", "/api/v1/executions/"+x.ID+"/output", ""); got.status != 200 || !utf8.ValidString(got.text) {
			t.Errorf("%s: the output cannot be read: %d", name, got.status)
		}
		r := h.say(t, "!st2 get execution "+x.ID)
		if strings.ContainsAny(r.Text, "\x00\x1b\x07") || strings.Contains(r.Text, "\u202e") {
			t.Errorf("%s: the chat got control characters: %.200q", name, r.Text)
		}
	}
	x := h.run(t, "claims.fake", nil)
	var r struct{ Result any }
	if err := json.Unmarshal(x.Result, &r); err != nil || x.Status != "failed" || fmt.Sprint(r.Result) != "real" {
		t.Errorf("the action forged its result: %s %.400s", x.Status, x.Result)
	}
	within(t, "an action's line of 40 MB and a result of 40 MB", 200<<20, func() {
		if x := h.run(t, "claims.line", nil); x.Status == "succeeded" || len(x.Result) > 24<<20 {
			t.Errorf("%s with %d bytes", x.Status, len(x.Result))
		}
	})
	h.serves(t, "outputs")
}

// TestHostile_F44_F45_F46_Processes has actions that leave processes behind,
// ignore the end, or hold their output open.
func TestHostile_F44_F45_F46_Processes(t *testing.T) {
	h := open(t, options{})
	mark := fmt.Sprint("98", time.Now().UnixNano()%1e9)
	var all sync.WaitGroup
	for row, parameters := range map[string]map[string]any{
		"F44 daemons": {"cmd": "setsid sleep " + mark + " & sleep " + mark + " & exit 0"},
		"F45 ignores": {"cmd": "trap '' TERM INT; sleep " + mark, "timeout": 1},
		"F45 stopped": {"cmd": "sleep " + mark + " & kill -STOP $!; wait", "timeout": 1},
		"F46 holds":   {"cmd": "sleep " + mark + " & exit 0", "timeout": 20},
	} {
		var x execution
		h.request(t, "core.local", parameters).decode(t, &x)
		id := x.ID
		all.Add(1)
		go func() {
			defer all.Done()
			start := time.Now()
			x := h.wait(t, id)
			quick(t, row, start, 15*time.Second)
			if strings.HasPrefix(row, "F45") && x.Status != "timeout" {
				t.Errorf("%s: %s", row, x.Status)
			}
		}()
	}
	all.Wait()
	deadline := time.Now().Add(5 * time.Second)
	for left := running(t, mark); len(left) > 0; left = running(t, mark) {
		if time.Now().After(deadline) {
			t.Fatalf("processes are left behind: %v", left)
		}
		time.Sleep(50 * time.Millisecond)
	}
	h.serves(t, "processes")
}

// running are the command lines of processes that hold a word.
func running(t testing.TB, word string) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, path := range all {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), word) {
			out = append(out, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return out
}

// TestHostile_H81_F58_Targets calls web servers that do not behave.
func TestHostile_H81_F58_Targets(t *testing.T) {
	h := open(t, options{})
	seen := make(chan http.Header, 100)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen <- r.Header.Clone() }))
	defer other.Close()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/other":
			http.Redirect(w, r, strings.Replace(other.URL, "127.0.0.1", "localhost", 1)+"/", http.StatusFound)
		case "/drip":
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, "a")
				w.(http.Flusher).Flush()
				select {
				case <-time.After(50 * time.Millisecond):
				case <-r.Context().Done():
				}
			}
		case "/huge":
			block := []byte(strings.Repeat("a", 1<<20))
			for range 2000 {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		case "/headers":
			for i := range 20_000 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("a", 100))
			}
		}
	}))
	defer target.Close()
	within(t, "bad targets", 200<<20, func() {
		for path, says := range map[string]string{"/loop": "redirect", "/drip": "", "/huge": "", "/headers": ""} {
			start := time.Now()
			x := h.run(t, "core.http", map[string]any{"url": target.URL + path, "timeout": 2, "allow_redirects": true})
			quick(t, path, start, 10*time.Second)
			if x.Status == "succeeded" || !strings.Contains(string(x.Result), says) {
				t.Errorf("%s: %s %.300s", path, x.Status, x.Result)
			} else {
				t.Logf("%s: %s %.200s", path, x.Status, x.Result)
			}
		}
	})
	h.run(t, "core.http", map[string]any{"url": target.URL + "/other", "allow_redirects": true, "headers": map[string]any{"Authorization": "Bearer canary"}})
	select {
	case header := <-seen:
		if header.Get("Authorization") != "" {
			t.Error("the credential followed to another host")
		}
	default:
		t.Error("the redirect was not followed")
	}
	for _, url := range []string{"file:///etc/passwd", "gopher://127.0.0.1:1/", "http://", "http://[::1", "unix:///var/run/docker.sock", "http://a b/"} {
		if x := h.run(t, "core.http", map[string]any{"url": url, "timeout": 2}); x.Status == "succeeded" || strings.Contains(string(x.Result), "root:") {
			t.Errorf("%s: %s %.200s", url, x.Status, x.Result)
		}
	}
	// A server that talks no HTTP.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "\x00\xff garbage\r\n\r\n")
			c.Close()
		}
	}()
	if x := h.run(t, "core.http", map[string]any{"url": "http://" + l.Addr().String(), "timeout": 2}); x.Status != "failed" {
		t.Errorf("garbage: %s", x.Status)
	}
	h.serves(t, "targets")
}
