package process

import (
	"bytes"
	"os"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// proc is a process; its start time tells it from a later one with its number.
type proc struct {
	pid     int
	group   int
	started uint64
}

func inGroup(procs []proc, group int) bool {
	for _, p := range procs {
		if p.group == group {
			return true
		}
	}
	return false
}

// signal sends a signal to exactly this process.
func (p proc) signal(sig syscall.Signal) error {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		if err == unix.ENOSYS {
			return syscall.Kill(p.pid, sig)
		}
		return err
	}
	defer unix.Close(fd)
	if startTime(p.pid) != p.started {
		return syscall.ESRCH
	}
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}

// stat is what /proc tells of a process.
type stat struct {
	proc
	parent, session int
	state           byte
}

func readStat(pid int) (stat, bool) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, false
	}
	// The name stands in parentheses and may hold anything, so it is skipped
	// from the right.
	end := bytes.LastIndexByte(raw, ')')
	if end < 0 {
		return stat{}, false
	}
	f := strings.Fields(string(raw[end+1:]))
	if len(f) < 20 {
		return stat{}, false
	}
	s := stat{state: f[0][0]}
	s.pid = pid
	s.parent, _ = strconv.Atoi(f[1])
	s.group, _ = strconv.Atoi(f[2])
	s.session, _ = strconv.Atoi(f[3])
	s.started, _ = strconv.ParseUint(f[19], 10, 64)
	return s, true
}

// startTime is when a process was started, in the kernel's ticks; 0 when it
// is not there.
func startTime(pid int) uint64 {
	s, _ := readStat(pid)
	return s.started
}

// lastPID is the number given to the newest process; 0 when it is not known.
func lastPID() int {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(raw))
	if len(f) < 5 {
		return 0
	}
	n, _ := strconv.Atoi(f[4])
	return n
}

// list are the living processes that may be descendants of a process: those
// that were started after it. While the numbers did not begin anew, these have
// larger numbers, which spares looking at all others.
func list(leader int, since uint64) []stat {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	wrapped := lastPID() < leader
	self := os.Getpid()
	var out []stat
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == self || !wrapped && pid < leader {
			continue
		}
		s, ok := readStat(pid)
		if !ok || s.started < since || s.state == 'Z' || s.state == 'X' {
			continue
		}
		out = append(out, s)
	}
	return out
}

// looks is how often find looks again when it found nothing while processes
// were started: one may have forked after the list was made and ended before it
// was looked at.
const looks = 3

// find lists the living processes of the run: those of its session and group,
// those that carry its mark, those that hold its pipes, and all their
// descendants.
func (r *run) find() []proc {
	for n := 1; ; n++ {
		before := lastPID()
		if found := r.look(); len(found) > 0 || n == looks || lastPID() == before {
			return found
		}
	}
}

func (r *run) look() []proc {
	all := list(r.pid, r.started)
	self := os.Getpid()
	ours := make(map[int]bool, len(all))
	for _, s := range all {
		if s.session == r.pid || s.group == r.pid || s.pid == r.pid || marked(s.pid, MarkName+"="+r.mark+"\x00") ||
			(s.parent != self || adopted(s.pid)) && holds(s.pid, r.pipes) {
			ours[s.pid] = true
		}
	}
	if len(ours) == 0 {
		return nil
	}
	for grown := true; grown; {
		grown = false
		for _, s := range all {
			if !ours[s.pid] && ours[s.parent] {
				ours[s.pid], grown = true, true
			}
		}
	}
	var out []proc
	for _, s := range all {
		if ours[s.pid] {
			out = append(out, s.proc)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].pid < out[j].pid })
	return out
}

// Between giving a process its new program and telling where that program's
// environment is, the kernel shows none; the process may be preempted there.
const (
	execPause = time.Millisecond
	execTries = 50
)

// environ is the environment a process was started with; nothing when it may
// not be read. One that is just becoming another program is waited for.
func environ(pid int) []byte {
	path := "/proc/" + strconv.Itoa(pid) + "/environ"
	for n := 1; ; n++ {
		raw, err := os.ReadFile(path)
		if err != nil || len(raw) > 0 {
			return raw
		}
		if n == execTries || !becoming(pid) {
			// It may have got its environment between the two looks.
			raw, _ = os.ReadFile(path)
			return raw
		}
		time.Sleep(execPause)
	}
}

// kthreadd is the parent of the kernel's own threads, which never have an
// environment.
const kthreadd = 2

// becoming says whether a process without an environment may get one: it lives
// and shows no arguments either.
func becoming(pid int) bool {
	s, ok := readStat(pid)
	if !ok || s.state == 'Z' || s.state == 'X' || pid == kthreadd || s.parent == kthreadd {
		return false
	}
	arguments, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return err == nil && len(arguments) == 0
}

// marked says whether a process has a text in its environment. One that may
// not be read counts as not marked.
func marked(pid int, text string) bool {
	raw := environ(pid)
	if len(raw) > 0 && raw[len(raw)-1] != 0 {
		raw = append(raw, 0)
	}
	return bytes.HasPrefix(raw, []byte(text)) || bytes.Contains(raw, []byte("\x00"+text))
}

// adopted says whether a child of this process is one that somebody else
// started. A child in the moment between fork and exec holds copies of all
// pipes, those of other jobs too, and must not be taken for a stray. Orphans
// come to this process only when it is the first of its namespace.
func adopted(pid int) bool {
	if os.Getpid() != 1 {
		return false
	}
	for range 2 {
		theirs, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
		if err != nil {
			return false
		}
		if ours, err := os.Readlink("/proc/self/exe"); err != nil || theirs == ours {
			return false
		}
		// The program changes a moment before the copies are closed.
		time.Sleep(time.Millisecond)
	}
	return true
}

// holds says whether a process has one of the pipes open.
func holds(pid int, pipes []string) bool {
	if len(pipes) == 0 {
		return false
	}
	path := "/proc/" + strconv.Itoa(pid) + "/fd/"
	dir, err := os.Open(path)
	if err != nil {
		return false
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(1024)
	for _, name := range names {
		target, err := os.Readlink(path + name)
		if err != nil {
			continue
		}
		for _, pipe := range pipes {
			if target == pipe {
				return true
			}
		}
	}
	return false
}

// inodes name the pipes a process writes its output to as /proc does.
func (p *pipes) inodes() []string {
	var out []string
	for _, f := range []*os.File{p.stdout, p.stderr} {
		var st unix.Stat_t
		conn, err := f.SyscallConn()
		if err != nil {
			continue
		}
		_ = conn.Control(func(fd uintptr) { err = unix.Fstat(int(fd), &st) })
		if err == nil {
			out = append(out, "pipe:["+strconv.FormatUint(st.Ino, 10)+"]")
		}
	}
	return out
}

// Sweep kills process groups and every process that a host with this mark
// started, whatever became of its group and parent. A group is given with the
// start time of its leader, so that another process with that number is
// spared; since is a start time too (Ticks), and older processes are left
// alone. It says how many living processes it saw.
func Sweep(groups map[int]uint64, worker string, since uint64) int {
	seen := 0
	all := list(0, since)
	for group, started := range groups {
		if s, ok := readStat(group); ok && started != 0 && s.started != started {
			continue
		}
		_ = syscall.Kill(-group, syscall.SIGKILL)
		for _, s := range all {
			if s.group == group {
				seen++
			}
		}
	}
	if worker == "" {
		return seen
	}
	for _, s := range all {
		if markedPrefix(s.pid, MarkName+"="+worker+"/") {
			seen++
			_ = s.proc.signal(syscall.SIGKILL)
		}
	}
	return seen
}

// markedPrefix says whether a variable in a process's environment begins with
// a text.
func markedPrefix(pid int, text string) bool {
	raw := environ(pid)
	return bytes.HasPrefix(raw, []byte(text)) || bytes.Contains(raw, []byte("\x00"+text))
}

// Ticks is when this process was started, in the kernel's ticks.
func Ticks() uint64 { return startTime(os.Getpid()) }

// StartTime is when a process was started, in the kernel's ticks; 0 when it is
// not there.
func StartTime(pid int) uint64 { return startTime(pid) }
