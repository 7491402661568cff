//go:build linux

package terminal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"petrel"
	"petrel/bot/bottest"
)

// shared is a buffer that is written and read by several.
type shared struct {
	mu      sync.Mutex
	b       bytes.Buffer
	changed chan struct{}
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.b.Write(p)
	close(s.changed)
	s.changed = make(chan struct{})
	return n, err
}

func (s *shared) until(t *testing.T, wanted func(string) bool) string {
	t.Helper()
	deadline := time.After(bottest.Patience)
	for {
		s.mu.Lock()
		text, changed := s.b.String(), s.changed
		s.mu.Unlock()
		if wanted(text) {
			return text
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited in vain: %q", text)
		}
	}
}

func TestRun_KeepsHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "history")
	_, c, _ := open(t)
	typeInto(t, c, map[string]string{"TERM": "xterm"}, path, func(tty *os.File, out *shared) {
		out.until(t, func(s string) bool { return strings.Contains(s, "petrel> ") })
		_, _ = tty.WriteString("talk one\r talk secret\rtalk two\r")
		out.until(t, func(s string) bool { return strings.Contains(s, "stdout : two") })
		_, _ = tty.WriteString("\x04")
	})
	raw, err := os.ReadFile(path)
	if err != nil || string(raw) != "talk one\ntalk two\n" {
		t.Errorf("%q %v", raw, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

func TestRun_RedrawsTheMessageThatChanges(t *testing.T) {
	h, c, _ := open(t)
	typeInto(t, c, map[string]string{"TERM": "xterm"}, "", func(tty *os.File, out *shared) {
		out.until(t, func(s string) bool { return strings.Contains(s, "petrel> ") })
		_, _ = tty.WriteString("talk wait\r")
		text := out.until(t, func(s string) bool { return strings.Contains(s, "running, ") && strings.Contains(s, "[1] Cancel") })
		if !strings.Contains(text, "\x1b[J") || !strings.Contains(text, "\x1b[36m") {
			t.Errorf("nothing was redrawn, or without colour: %q", text)
		}
		// Ctrl-C clears the line; the number takes the choice.
		_, _ = tty.WriteString("some rubbish\x031\r")
		text = out.until(t, func(s string) bool { return strings.Contains(s, "status : canceled") })
		if strings.Contains(text, "No command matches") {
			t.Errorf("Ctrl-C left what was typed: %q", text)
		}
		_, _ = tty.WriteString("\x04")
	})
	if x := h.Executions(); len(x) != 1 || x[0].Status != petrel.StatusCanceled {
		t.Errorf("%+v", x)
	}
}

func TestRun_CompletesCommands(t *testing.T) {
	_, c, _ := open(t)
	typeInto(t, c, map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, "", func(tty *os.File, out *shared) {
		out.until(t, func(s string) bool { return strings.Contains(s, "petrel> ") })
		// The commands come from the server in their own time.
		deadline := time.Now().Add(bottest.Patience)
		for !strings.Contains(out.until(t, func(string) bool { return true }), "do nothing") && time.Now().Before(deadline) {
			_, _ = tty.WriteString("\x05\x15do\t")
			time.Sleep(20 * time.Millisecond)
		}
		_, _ = tty.WriteString("\r")
		text := out.until(t, func(s string) bool { return strings.Contains(s, "Action test.noop completed.") })
		if strings.Contains(text, "\x1b[3") {
			t.Errorf("there are colours: %q", text)
		}
		_, _ = tty.WriteString("\x04")
	})
}

func TestRun_DumbTerminalsGetOnlyWhatIsFinal(t *testing.T) {
	h, c, _ := open(t)
	typeInto(t, c, map[string]string{"TERM": "dumb"}, "", func(tty *os.File, out *shared) {
		out.until(t, func(s string) bool { return strings.Contains(s, "petrel> ") })
		_, _ = tty.WriteString("talk wait\n")
		<-h.Runner.Started
		h.Runner.Release()
		text := out.until(t, func(s string) bool { return strings.Contains(s, "stdout : wait") })
		if strings.Contains(text, "\x1b") || strings.Contains(text, "Running test.talk") {
			t.Errorf("%q", text)
		}
		_, _ = tty.WriteString("\x04")
	})
}
