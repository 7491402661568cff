//go:build linux

package terminal_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"petrel/bot/bottest"
	"petrel/bot/console/terminal"
)

// pty opens a pair of pseudo terminals.
func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// typeInto runs a terminal on a pseudo terminal while do types, until it ends.
func typeInto(t *testing.T, c *terminal.Client, env map[string]string, history string, do func(tty *os.File, out *shared)) {
	t.Helper()
	master, slave := pty(t)
	out := &shared{changed: make(chan struct{})}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			if n > 0 {
				_, _ = out.Write(buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	term, err := terminal.New(terminal.Config{Client: c, In: slave, Out: slave, History: history, Getenv: func(k string) string { return env[k] }})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- term.Run(context.Background()) }()
	do(master, out)
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(bottest.Patience):
		t.Error("the terminal does not end")
	}
}
