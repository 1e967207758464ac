package supervise

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"greenagent/energy"
)

// CPUTime is processor time spent, over all cores.
type CPUTime struct{ User, System time.Duration }

// Total returns user and system time together.
func (t CPUTime) Total() time.Duration { return t.User + t.System }

func (t CPUTime) add(u CPUTime) CPUTime { return CPUTime{t.User + u.User, t.System + u.System} }

// Bytes is an amount of memory.
type Bytes int64

// Result is how a command ended.
type Result struct {
	// Code is the status greenagent exits with: the command's own, or 128+n
	// when signal n killed it.
	Code int
	// Signal is what killed the command, 0 if it exited.
	Signal unix.Signal
	// Reraise is set when the keyboard's SIGINT killed the command: greenagent
	// should then end by Raise rather than by exiting, so that a shell's loop
	// stops as it would have.
	Reraise bool
	// Span runs from just before the fork to just after the end was seen.
	Span energy.Interval
	// CPU is the time of the command and of the descendants that were waited
	// for by their parents. Orphans are in Process.Reaped instead.
	CPU CPUTime
	// MaxRSS is the largest resident set of any one of those processes. The
	// kernel lets a process begin with its parent's peak (vfork), so it is never
	// below greenagent's own at the start.
	MaxRSS Bytes
	// Warnings are what could not be done without harm to the command.
	Warnings []error
}

// Raise ends this process by r.Signal with its default action. It returns only
// if that signal is ignored or blocked; exit with r.Code then.
func (r Result) Raise() {
	signal.Reset(r.Signal)
	raise(r.Signal)
}

// Survivor is a process of the run. Its name is whatever it wants it to be.
type Survivor struct {
	PID  int
	Name string
}

// Process is a running command. Its methods may be called from any goroutine.
type Process struct {
	pid     int
	started energy.Instant
	clock   energy.Clock

	done   chan struct{} // closed by reap once result is complete
	result Result        // but for warnings; written by reap before done is closed

	// mu is held while processes are collected and while they are signalled, so
	// that no child of ours is signalled after its pid was freed.
	mu       sync.Mutex
	ended    bool
	orphans  CPUTime
	warnings []error

	relayed
	subreaper
}

// PID returns the command's process ID.
func (p *Process) PID() int { return p.pid }

// Started returns when the command was started: the start of Result.Span.
func (p *Process) Started() energy.Instant { return p.started }

// Done is closed when the command has ended and been waited for.
func (p *Process) Done() <-chan struct{} { return p.done }

// Reaped returns the CPU time of the run's orphans that have ended so far, each
// with the descendants it waited for. It never decreases, and is always 0 where
// there is no subreaper.
func (p *Process) Reaped() CPUTime {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.orphans
}

// Warnings returns what could not be done so far; see Result.Warnings.
func (p *Process) Warnings() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]error(nil), p.warnings...)
}

// Wait returns how the command ended, once it has. Signals stay caught after
// that, so that a report can be written: those that arrive are dropped until
// Close, except that a stop still stops.
func (p *Process) Wait() Result {
	<-p.done
	r := p.result
	r.Warnings = p.Warnings()
	return r
}

// Close gives signals and orphans back to their defaults. It is meant to follow
// Wait; before that it leaves the command running and unattended. Only the first
// call counts, and a program about to exit may spare itself the millisecond.
func (p *Process) Close() { p.once.Do(p.release) }

// warn keeps err for the result. The caller holds mu.
func (p *Process) warn(err error) {
	const most = 16 // a run may last for weeks
	if len(p.warnings) < most {
		p.warnings = append(p.warnings, err)
	}
}

// finish completes the result once the command's status is known.
func (p *Process) finish(at energy.Instant, status unix.WaitStatus, usage *unix.Rusage) {
	r := &p.result
	r.Span = energy.Interval{Start: p.started, End: at}
	r.CPU, r.MaxRSS = cpuTime(usage), maxRSS(usage)
	if !status.Signaled() {
		r.Code = status.ExitStatus()
		return
	}
	r.Signal = status.Signal()
	r.Code = ExitStatus(r.Signal)
}

// lost completes the result when somebody else has waited for the command.
func (p *Process) lost(at energy.Instant, err error) {
	p.result.Span = energy.Interval{Start: p.started, End: at}
	p.result.Code = StatusFailed
	p.warn(fmt.Errorf("the command's exit status was lost: %w", os.NewSyscallError("wait", err)))
}

func cpuTime(u *unix.Rusage) CPUTime {
	return CPUTime{User: time.Duration(u.Utime.Nano()), System: time.Duration(u.Stime.Nano())}
}
