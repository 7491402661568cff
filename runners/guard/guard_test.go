package guard

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"petrel/runners/process"
)

// TestMain lets the test program be a guard and a worker too.
func TestMain(m *testing.M) {
	switch os.Getenv("GUARD_TEST") {
	case "guard":
		os.Exit(Main(os.Stdin))
	case "worker":
		worker()
	}
	os.Exit(m.Run())
}

func startGuard(mark string) (*Guard, error) {
	return Start(os.Args[0], nil, Options{Worker: mark, Env: append(os.Environ(), "GUARD_TEST=guard"),
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
}

// worker runs actions until it is killed, or ends in order when its input ends.
func worker() {
	mark := os.Getenv("GUARD_MARK")
	g, err := startGuard(mark)
	if err != nil {
		panic(err)
	}
	h := process.New(process.Options{Worker: mark, Guard: g})
	started := make(chan string)
	run := func(command string) {
		_, err := h.Run(context.Background(), process.Spec{Argv: []string{"/bin/sh", "-c", command}, Env: os.Environ(),
			Emit: func(_, data string) { started <- data }})
		if err != nil {
			panic(err)
		}
	}
	commands := []string{
		"trap '' TERM; echo $$; sleep 1000 & sleep 1000",
		"echo $$; setsid sh -c 'trap \"\" TERM; sleep 1000' >/dev/null 2>&1 & sleep 1000",
		"echo $$; (sleep 1000 >/dev/null 2>&1 &) ; sleep 1000",
	}
	if runtime.GOOS != "linux" {
		commands = commands[:1]
	}
	for _, c := range commands {
		go run(c)
	}
	fmt.Printf("guard %d\n", g.cmd.Process.Pid)
	for range commands {
		fmt.Printf("group %s", <-started)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := g.Close(); err != nil {
		fmt.Println("close", err)
	}
	os.Exit(0)
}

type running struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	guard  int
	groups []int
}

func startWorker(t *testing.T, mark string) running {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "GUARD_TEST=worker", "GUARD_MARK="+mark)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := running{cmd: cmd, stdin: stdin}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "ready" {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		n, _ := strconv.Atoi(strings.TrimSpace(rest))
		switch word {
		case "guard":
			r.guard = n
		case "group":
			r.groups = append(r.groups, n)
		}
	}
	if r.guard == 0 || len(r.groups) == 0 {
		t.Fatalf("the worker did not come up: %+v", r)
	}
	t.Cleanup(func() { process.Sweep(nil, mark, 0) })
	return r
}

func alive(pid int) bool {
	if runtime.GOOS == "linux" {
		raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err == nil && !strings.Contains(string(raw), ") Z ")
	}
	return syscall.Kill(pid, 0) == nil
}

func goneWithin(d time.Duration, gone func() bool) (time.Duration, bool) {
	began := time.Now()
	for !gone() {
		if time.Since(began) > d {
			return d, false
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began), true
}

func TestGuard_WorkerKilled(t *testing.T) {
	for name, kill := range map[string]func(r running) error{
		"by itself":       func(r running) error { return r.cmd.Process.Kill() },
		"with its group":  func(r running) error { return syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) },
		"ended by a TERM": func(r running) error { return syscall.Kill(-r.cmd.Process.Pid, syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			mark := fmt.Sprintf("guardtest%d-%d", os.Getpid(), time.Now().UnixNano())
			r := startWorker(t, mark)
			before := marked(mark)
			if runtime.GOOS == "linux" && before < 7 {
				t.Fatalf("only %d processes carry the mark", before)
			}
			if err := kill(r); err != nil {
				t.Fatal(err)
			}
			_ = r.cmd.Wait()
			took, ok := goneWithin(2*time.Second, func() bool {
				for _, group := range r.groups {
					if alive(group) {
						return false
					}
				}
				return marked(mark) == 0 && !alive(r.guard)
			})
			if !ok {
				t.Fatalf("after 2 s groups %v or guard %d live, %d marked processes are left", r.groups, r.guard, marked(mark))
			}
			t.Logf("%d processes and the guard were gone after %v", before, took)
		})
	}
}

// marked counts the living processes with the mark.
func marked(mark string) int {
	n := 0
	dirs, _ := os.ReadDir("/proc")
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil || !alive(pid) {
			continue
		}
		raw, _ := os.ReadFile("/proc/" + d.Name() + "/environ")
		if strings.Contains(string(raw), process.MarkName+"="+mark+"/") {
			n++
		}
	}
	return n
}

func TestGuard_OrderlyEndKillsNothing(t *testing.T) {
	g, err := startGuard(fmt.Sprintf("guardtest%d", time.Now().UnixNano()))
	if err != nil {
		t.Fatal(err)
	}
	bystander := exec.Command("sleep", "1000")
	bystander.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bystander.Process.Kill(); _ = bystander.Wait() }()
	g.Add(bystander.Process.Pid)
	pid := g.cmd.Process.Pid
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Error("the guard lives on")
	}
	if !alive(bystander.Process.Pid) {
		t.Error("an orderly end killed a process")
	}
}

func TestGuard_IsStartedAgainAndKnowsItsGroups(t *testing.T) {
	mark := fmt.Sprintf("guardtest%d-%d", os.Getpid(), time.Now().UnixNano())
	r := startWorker(t, mark)
	if err := syscall.Kill(r.guard, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, ok := goneWithin(2*time.Second, func() bool { return !alive(r.guard) }); !ok {
		t.Fatal("the guard lives on")
	}
	if runtime.GOOS == "linux" {
		// The new guard is the worker's child.
		if _, ok := goneWithin(3*time.Second, func() bool { return children(r.cmd.Process.Pid) == len(r.groups)+1 }); !ok {
			t.Fatalf("no new guard came: the worker has %d children", children(r.cmd.Process.Pid))
		}
	}
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	if _, ok := goneWithin(3*time.Second, func() bool { return !alive(r.groups[0]) && marked(mark) == 0 }); !ok {
		t.Error("the new guard killed nothing")
	}
}

func children(pid int) int {
	n := 0
	dirs, _ := os.ReadDir("/proc")
	for _, d := range dirs {
		raw, err := os.ReadFile("/proc/" + d.Name() + "/stat")
		if err != nil {
			continue
		}
		f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if len(f) > 1 && f[0] != "Z" && f[1] == strconv.Itoa(pid) {
			n++
		}
	}
	return n
}

func TestGuard_AnotherProcessWithTheNumberIsSpared(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("start times are read from /proc")
	}
	bystander := exec.Command("sleep", "1000")
	bystander.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bystander.Process.Kill(); _ = bystander.Wait() }()
	pid := bystander.Process.Pid
	pipe := strings.NewReader(fmt.Sprintf("add %d %d\nadd junk\nadd 1 5\nadd -5 5\n", pid, process.StartTime(pid)+7))
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stdin = append(os.Environ(), "GUARD_TEST=guard"), pipe
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if !alive(pid) {
		t.Error("a process was killed that only has the number of an old one")
	}
}
