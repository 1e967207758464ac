//go:build unix && !linux

package supervise

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Other Unixes have no subreaper and no list of children: the command alone is
// waited for and signalled.

var harmless = []unix.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGWINCH}

type subreaper struct{}

func (p *Process) subreap()   {}
func (p *Process) unsubreap() {}

func (p *Process) reap() {
	defer close(p.done)
	var status unix.WaitStatus
	var usage unix.Rusage
	_, err := unix.Wait4(p.pid, &status, 0, &usage)
	for err == unix.EINTR {
		_, err = unix.Wait4(p.pid, &status, 0, &usage)
	}
	at := p.clock.Now()
	p.mu.Lock()
	p.ended = true
	if err != nil {
		p.lost(at, err)
	} else {
		p.finish(at, status, &usage)
	}
	p.mu.Unlock()
	p.awaitInterrupt()
}

func (p *Process) gone() bool { return false }

// ticks is used on Linux only.
type ticks uint64

func now() ticks { return 0 }

func (p *Process) targets(unix.Signal, ticks) ([]int, error) { return []int{p.pid}, nil }

// Foreground reports whether this process may use its controlling terminal: its
// process group is the terminal's foreground group. Without a terminal it is
// false.
func Foreground() bool {
	group, ok := foregroundGroup()
	return ok && group == unix.Getpgrp()
}

// foregroundGroup reports false without a controlling terminal.
func foregroundGroup() (int, bool) {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return 0, false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return group, err == nil
}

// Survivors returns nil: the command's descendants are not followed here.
func (p *Process) Survivors() []Survivor { return nil }

func inheritedClosed() uint { return 0 }

func ignored(sig unix.Signal) bool { return signal.Ignored(sig) }

func restoreIgnored() {}

func restoreBlocked() (undo func()) { return func() {} }

func raise(sig unix.Signal) { _ = unix.Kill(unix.Getpid(), sig) }

// raiseDefault stops by SIGSTOP, since os/signal cannot restore the default
// action of the other stops. Without a terminal there is no job control, and
// nobody to continue us.
func raiseDefault(unix.Signal) {
	if _, ok := foregroundGroup(); ok {
		raise(unix.SIGSTOP)
	}
}
