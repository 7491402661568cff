package hostile_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"petrel/app"
)

// program starts the program in a process of its own, under a limit of open
// files where one is given.
func program(t *testing.T, files int) (*house, int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	h := &house{url: "http://" + address, state: t.TempDir(), log: &journal{}}
	words := []string{os.Args[0], "serve", "--state", h.state, "--listen", address, "--log-level", "debug"}
	if files > 0 {
		words = append([]string{"/bin/sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, files), "sh"}, words...)
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = append(os.Environ(), serveName+"=1")
	cmd.Stdout, cmd.Stderr = h.log, h.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
			if code := cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("the program ended with %d: %.2000s", code, h.log)
			}
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			t.Error("the program does not end")
		}
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if res, err := client.Get(h.url + "/readyz"); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.StatusCode == 200 {
				break
			}
		}
		select {
		case <-ended:
			t.Fatalf("the program ended: %.2000s", h.log)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("the program does not get ready: %.2000s", h.log)
		}
	}
	login, err := app.ReadLogin(h.state)
	if err != nil {
		t.Fatal(err)
	}
	h.key = login.APIKey
	return h, cmd.Process.Pid
}

// TestHostile_F42_EndlessOutput has an action print a gigabyte, of text that is
// easy to compress and of text that is not.
func TestHostile_F42_EndlessOutput(t *testing.T) {
	h, pid := program(t, 0)
	h.run(t, "core.local", map[string]any{"cmd": "true"})
	const limit = 10 << 20 // actions.output_limit
	for _, c := range []struct {
		name, cmd string
		bound     int64
	}{
		{"text", `head -c 1G /dev/zero | tr '\0' a`, 80 << 20},
		{"noise", `head -c 50M /dev/urandom | base64 -w 0`, 130 << 20},
	} {
		forget(t, pid)
		before, _ := resident(t, pid)
		start := time.Now()
		x := h.request(t, "core.local", map[string]any{"cmd": c.cmd})
		var e execution
		x.decode(t, &e)
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if got := h.do(t, "GET", "/api/v1/executions?limit=1&include_attributes=status", ""); strings.Contains(got.text, "succeeded") {
				break
			}
		}
		_, most := resident(t, pid)
		t.Logf("%s: %d MiB more for a limit of %d MiB, in %v", c.name, (most-before)>>20, limit>>20, time.Since(start))
		if most-before > c.bound {
			t.Errorf("%s: %d MiB more", c.name, (most-before)>>20)
		}
		got := h.wait(t, e.ID)
		if out := got.stdout(t); !strings.Contains(out, "bytes left out") || len(out) > limit+100 {
			t.Errorf("%s: %d bytes of output without a mark", c.name, len(out))
		}
	}
	h.serves(t, "endless output")
}

// TestHostile_F49_Files leaves the program few open files and takes them all.
func TestHostile_F49_Files(t *testing.T) {
	h, pid := program(t, 96)
	var all []net.Conn
	for range 200 {
		c, err := net.DialTimeout("tcp", strings.TrimPrefix(h.url, "http://"), time.Second)
		if err != nil {
			break
		}
		all = append(all, c)
	}
	if len(all) < 90 {
		t.Fatalf("only %d connections", len(all))
	}
	used := cpu(t, pid)
	time.Sleep(500 * time.Millisecond) // a span of time in which a busy loop would show
	if spent := cpu(t, pid) - used; spent > 300*time.Millisecond {
		t.Errorf("%v of processor time in half a second without a file to open", spent)
	}
	for _, c := range all {
		c.Close()
	}
	client.CloseIdleConnections()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if res, err := client.Get(h.url + "/healthz"); err == nil {
			res.Body.Close()
			if res.StatusCode == 200 {
				break
			}
		}
		if time.Now().After(end) {
			t.Fatal("it does not recover")
		}
	}
	if x := h.run(t, "core.local", map[string]any{"cmd": "echo back"}); x.Status != "succeeded" {
		t.Errorf("afterwards: %s %.300s", x.Status, x.Result)
	}
}

// cpu is the processor time a process has used.
func cpu(t testing.TB, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var user, system int64
	_, _ = fmt.Sscan(fields[11], &user)
	_, _ = fmt.Sscan(fields[12], &system)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// TestHostile_Words gives the command line words and settings it must refuse.
func TestHostile_Words(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, map[string]string{
		"unknown.yaml": "api:\n  max_bodyy: 1\n", "bomb.yaml": yamlBomb("\n"), "list.yaml": "roles: {a: 1}\n",
		"tag.yaml": "state: !!python/object/apply:os.system ['id']\n", "deep.yaml": "state: " + strings.Repeat("[", 50_000),
		"two.yaml": "state: a\n---\nstate: b\n", "bytes.yaml": "state: \"\xff\"\n", "number.yaml": "actions: {slots: 99999999999999999999}\n",
		"mode.yaml": "auth: {mode: open}\n", "bool.yaml": "auth: {enable: maybe}\n", "st2.conf": "[auth\nenable = False\n",
		"password.yaml": "database_url: mysql://u:canary-password@h/d\n",
	})
	for _, c := range []struct {
		row  string
		says string
		args []string
	}{
		{"H118 unknown key", "max_bodyy", []string{"serve", "--config-file", dir + "/unknown.yaml"}},
		{"H118 kind", "list.yaml: yaml: unmarshal errors:\n  line 1", []string{"serve", "--config-file", dir + "/list.yaml"}},
		{"H118 mode", "auth.mode", []string{"serve", "--config-file", dir + "/mode.yaml"}},
		{"H118 switch", "`maybe` into bool", []string{"serve", "--config-file", dir + "/bool.yaml"}},
		{"H118 section", "", []string{"serve", "--config-file", dir + "/st2.conf"}},
		{"H118 no file", "nothing.yaml", []string{"serve", "--config-file", dir + "/nothing.yaml"}},
		{"H01 bomb", "", []string{"serve", "--config-file", dir + "/bomb.yaml"}},
		{"H03 deep", "", []string{"serve", "--config-file", dir + "/deep.yaml"}},
		{"H04 tag", "", []string{"serve", "--config-file", dir + "/tag.yaml"}},
		{"H08 two", "one document", []string{"serve", "--config-file", dir + "/two.yaml"}},
		{"H12 bytes", "", []string{"serve", "--config-file", dir + "/bytes.yaml"}},
		{"H10 number", "into int", []string{"serve", "--config-file", dir + "/number.yaml"}},
		{"H102 password", "database_url", []string{"serve", "--config-file", dir + "/password.yaml"}},
		{"H42 address", "listen", []string{"serve", "--listen", "; id"}},
		{"H12 word", "", []string{"run", "core.local", "cmd=\xff", "--url", "http://127.0.0.1:1"}},
		{"H15 word", "", []string{"run", "core." + strings.Repeat("a", 5_000)}},
		{"H42 option", "", []string{"--no-such-option"}},
		{"H80 url", "", []string{"action", "list", "--api-url", "file:///etc/passwd"}},
	} {
		t.Run(strings.ReplaceAll(c.row, " ", "/"), func(t *testing.T) {
			var out bytes.Buffer
			cmd := exec.Command(os.Args[0], c.args...)
			cmd.Env = append(os.Environ(), serveName+"=1", "PETREL_STATE="+filepath.Join(t.TempDir(), "state"), "PETREL_LISTEN=127.0.0.1:0", "HOME="+t.TempDir())
			cmd.Stdout, cmd.Stderr = &out, &out
			start := time.Now()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
			err := cmd.Wait()
			timer.Stop()
			quick(t, c.row, start, 4*time.Second)
			if err == nil || cmd.ProcessState.ExitCode() <= 0 || !strings.Contains(out.String(), c.says) {
				t.Errorf("%v: %.400s, want a refusal with %q", err, out.String(), c.says)
			}
			if out.Len() > 8<<10 || strings.Contains(out.String(), "goroutine ") || strings.Contains(out.String(), "canary-password") {
				t.Errorf("an answer nobody can use: %.600s", out.String())
			}
		})
	}
}
