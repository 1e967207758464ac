package supervise

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// subreaper remembers what this process was before the command was started.
type subreaper struct {
	adopted bool // it became a subreaper, and is to stop being one
	// strangers are the children it had. A shell leaves its process
	// substitutions to the program it executes: in "greenagent run -- CMD <(GEN)"
	// GEN is our child and not of the run. Guarded by mu.
	strangers map[int]bool
}

// subreap makes orphaned descendants children of this process and not of init:
// PR_SET_CHILD_SUBREAPER, prctl(2). Without it the run goes on, but loses sight
// of what double-forks.
func (p *Process) subreap() {
	p.strangers = make(map[int]bool)
	// Without the list, signals do not reach beyond the command either.
	_ = children(proc, unix.Getpid(), func(pid int) { p.strangers[pid] = true })

	var before int32
	err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&before)), 0, 0, 0)
	if err == nil && before != 0 {
		return
	}
	if err = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		p.warn(fmt.Errorf("processes that detach from the command will not be followed: prctl PR_SET_CHILD_SUBREAPER: %w", err))
		return
	}
	p.adopted = true
}

func (p *Process) unsubreap() {
	if p.adopted {
		_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) // it could be set, so it can be cleared
	}
}

// reap waits for every child of this process until the command has ended. It is
// the only goroutine that waits.
func (p *Process) reap() {
	defer close(p.done)
	for {
		// WNOWAIT leaves the zombie in place: its pid stays taken until collect
		// holds the lock that signalling holds too.
		err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err == unix.EINTR {
			continue
		}
		if p.collect(err) {
			break
		}
	}
	p.awaitInterrupt()
}

// collect takes every child that has ended and reports whether the command was
// among them.
func (p *Process) collect(waitErr error) bool {
	at := p.clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if waitErr != nil {
		p.lost(at, waitErr)
		p.ended = true
		return true
	}
	for {
		var status unix.WaitStatus
		var usage unix.Rusage
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, &usage)
		switch {
		case err == unix.EINTR:
		case pid <= 0:
			return p.ended
		case pid == p.pid:
			p.finish(at, status, &usage)
			p.ended = true
		case p.strangers[pid]:
			delete(p.strangers, pid) // the number may return in the run
		default:
			p.orphans = p.orphans.add(cpuTime(&usage))
		}
	}
}

// gone reports whether the command has ended without being collected yet.
func (p *Process) gone() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, p.pid, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	return err == nil && info.Signo != 0
}

func maxRSS(u *unix.Rusage) Bytes { return Bytes(u.Maxrss) << 10 } // KiB, getrusage(2)
