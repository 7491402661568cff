//go:build unix && !linux

package process

import (
	"errors"
	"syscall"
)

// proc is a process group; without /proc nothing smaller can be told apart.
type proc struct{ group int }

func (p proc) signal(sig syscall.Signal) error { return syscall.Kill(-p.group, sig) }

// find says whether the run's process group has a member. What left the group
// is not found on this system.
func (r *run) find() []proc {
	if err := syscall.Kill(-r.pid, 0); err == nil || errors.Is(err, syscall.EPERM) {
		return []proc{{r.pid}}
	}
	return nil
}

func inGroup(procs []proc, _ int) bool { return len(procs) > 0 }

func startTime(int) uint64 { return 0 }

func (p *pipes) inodes() []string { return nil }

// Sweep kills process groups and says how many had a member. Without /proc
// nothing is found by its mark.
func Sweep(groups map[int]uint64, _ string, _ uint64) int {
	seen := 0
	for group := range groups {
		if syscall.Kill(-group, syscall.SIGKILL) == nil {
			seen++
		}
	}
	return seen
}

// Ticks is 0 on a system without /proc.
func Ticks() uint64 { return 0 }

// StartTime is 0 on a system without /proc.
func StartTime(int) uint64 { return 0 }
