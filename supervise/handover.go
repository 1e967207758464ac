//go:build linux

package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"greenagent/energy"
)

// A process that executes another program keeps its children, its pid and its place
// in their lives. So this program may execute itself anew under a running command:
// Exec lets go of the command, Adopt, in the program executed, takes it up.

// State is what Adopt must know.
type State struct {
	PID         int            `json:"pid"`
	Started     energy.Instant `json:"started_ns"`
	Orphans     CPUTime        `json:"orphans"`
	Strangers   []int          `json:"strangers"`
	Subreaper   bool           `json:"subreaper"`
	Blocked     uint64         `json:"blocked"` // signals this process was started with as blocked
	Interrupted bool           `json:"interrupted"`
	Warnings    []string       `json:"warnings"`
}

// ErrEnded means that the command has ended, so that there is nothing to go on with.
var ErrEnded = errors.New("the command has ended")

// Exec executes the program at path in place of this one. Signals that arrive from
// a moment before stay pending until Adopt is ready for them: none is lost, and none
// ends this process. hand is called when nothing of the state changes any more, to
// hand it over.
//
// It returns only if it fails; the command is then attended as before. It must not
// be called while a thread is stuck in the kernel, which would wait for it, and not
// after Close.
func (p *Process) Exec(path string, args, env []string, hand func(State) error) error {
	runtime.LockOSThread() // the signals are blocked on the thread that executes
	defer runtime.UnlockOSThread()
	hold, release, err := holdSignals(slices.Concat(fatal, harmless, stops, []unix.Signal{unix.SIGCONT}))
	if err != nil {
		return fmt.Errorf("hold signals back: %w", err)
	}
	defer release()
	p.settle()

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || p.gone() {
		return ErrEnded
	}
	s := State{
		PID: p.pid, Started: p.started, Orphans: p.orphans,
		Subreaper: p.adopted, Blocked: inheritedBlocked(), Interrupted: p.sawInterrupt(), Strangers: []int{}, Warnings: []string{},
	}
	for pid := range p.strangers {
		s.Strangers = append(s.Strangers, pid)
	}
	slices.Sort(s.Strangers)
	for _, w := range p.warnings {
		s.Warnings = append(s.Warnings, w.Error())
	}
	if err := hand(s); err != nil {
		return err
	}
	for fd := range 3 {
		if Closed(fd) { // what the Go runtime opened in its place is to be opened again
			unix.CloseOnExec(fd)
		}
	}
	env = asExecuted(env)
	if err := hold(); err != nil {
		return err
	}
	p.sendBack()
	return os.NewSyscallError("execve", syscall.Exec(path, args, env))
}

// sendBack makes pending again what a thread has caught that the runtime started after
// signals had been held back. The caller holds mu: the relay has not passed it on.
func (p *Process) sendBack() {
	delivered()
	caught := p.waitingFor(p.signals, p.conts)
	if sig := p.handling.Load(); sig != 0 {
		caught = append(caught, unix.Signal(sig))
	}
	for _, sig := range caught {
		_ = unix.Kill(unix.Getpid(), sig) // to ourselves: nothing to fail
	}
}

// waitingFor takes what channels hold.
func (p *Process) waitingFor(channels ...chan os.Signal) (list []unix.Signal) {
	for _, c := range channels {
		for len(c) > 0 {
			select {
			case s := <-c:
				list = append(list, s.(unix.Signal))
			default: // the relay was faster
			}
		}
	}
	return list
}

// delivered waits until what the runtime has taken has been delivered to channels: to
// stop one is to wait for that. The signal must be one that the relay has caught.
func delivered() {
	caught := slices.IndexFunc(harmless, func(sig unix.Signal) bool { return !ignored(sig) })
	if caught < 0 {
		return // whoever ignores forty signals sends few
	}
	none := make(chan os.Signal, 1)
	signal.Notify(none, harmless[caught])
	signal.Stop(none)
}

// settle waits until the relay has passed on what was caught before the signals were
// held back.
func (p *Process) settle() {
	delivered()
	idle := make(chan struct{})
	select {
	case p.pauses <- idle:
		<-idle
	case <-p.stopped:
	}
}

// Adopt goes on with a command that Exec has let go of. The caller must call Close
// on the process returned, after Wait.
func Adopt(s State, clock energy.Clock) (*Process, error) {
	err := unix.Waitid(unix.P_PID, s.PID, nil, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	if s.PID <= 0 || err != nil {
		return nil, fmt.Errorf("process %d is no child of this one: %w", s.PID, err)
	}
	p := &Process{clock: clock, done: make(chan struct{}), pid: s.PID, started: s.Started, orphans: s.Orphans}
	inheritedBefore(s.Blocked)
	p.adopted = s.Subreaper
	p.strangers = make(map[int]bool)
	for _, pid := range s.Strangers {
		p.strangers[pid] = true
	}
	for _, w := range s.Warnings {
		p.warn(errors.New(w))
	}
	p.catch()
	endEarly()
	if s.Interrupted {
		close(p.interrupted)
	}
	go p.reap()
	go p.relay()
	return p, nil
}
