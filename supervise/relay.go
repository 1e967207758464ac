package supervise

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// relayed is the state of the goroutine that passes signals on.
type relayed struct {
	signals   chan os.Signal // everything caught, except
	conts     chan os.Signal // SIGCONT, which must be let go while stopped
	continued bool           // whether SIGCONT is caught at all

	interrupted chan struct{}      // closed by the relay at the keyboard's first SIGINT
	handling    atomic.Int32       // the signal that the relay has taken and not done with, 0 none
	pauses      chan chan struct{} // the relay closes what it gets, once nothing waits for it
	closing     chan struct{}      // closed by Close: the relay ends
	stopped     chan struct{}      // closed by the relay: it has ended
	once        sync.Once
}

// keyboard are the signals that the terminal itself sends to its foreground
// group, see termios(3): whoever shares the group has them already.
var keyboard = []unix.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGWINCH}

// fatal are the signals that would end this process if they were not caught.
var fatal = []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGPIPE}

// stops are those whose default action stops the process.
var stops = []unix.Signal{unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU}

// catch prepares for the fork: from here on no signal ends or stops this process
// without the command.
func (p *Process) catch() {
	p.signals = make(chan os.Signal, 64)
	p.conts = make(chan os.Signal, 1)
	p.interrupted = make(chan struct{})
	p.pauses = make(chan chan struct{})
	p.closing = make(chan struct{})
	p.stopped = make(chan struct{})

	restoreIgnored()
	p.notify(slices.Concat(fatal, stops))
	if p.continued = !ignored(unix.SIGCONT); p.continued {
		signal.Notify(p.conts, unix.SIGCONT)
	}
}

// notify catches those of list that are not ignored. It takes some 40 µs for
// each, in which a short command has begun its work.
func (p *Process) notify(list []unix.Signal) {
	for _, sig := range list {
		if !ignored(sig) {
			signal.Notify(p.signals, sig)
		}
	}
}

// release undoes catch and subreap, and ends the relay if it runs.
func (p *Process) release() {
	close(p.closing)
	if p.pid != 0 {
		<-p.stopped
	}
	signal.Stop(p.signals)
	signal.Stop(p.conts)
	p.unsubreap()
}

// relay passes signals on until Close.
func (p *Process) relay() {
	defer close(p.stopped)
	p.notify(harmless)
	for {
		select {
		case <-p.closing:
			return
		case s := <-p.signals:
			p.take(s.(unix.Signal))
		case s := <-p.conts:
			p.take(s.(unix.Signal))
		case idle := <-p.pauses:
			p.catchUp()
			close(idle)
		}
	}
}

// catchUp handles what has been caught so far.
func (p *Process) catchUp() {
	for {
		select {
		case s := <-p.signals:
			p.take(s.(unix.Signal))
		case s := <-p.conts:
			p.take(s.(unix.Signal))
		default:
			return
		}
	}
}

// take handles a signal that was caught.
func (p *Process) take(sig unix.Signal) {
	p.handling.Store(int32(sig))
	p.handle(sig)
	p.handling.Store(0)
}

func (p *Process) handle(sig unix.Signal) {
	switch {
	case sig == unix.SIGPIPE: // ours, from writing to a closed pipe
	case slices.Contains(stops, sig):
		p.forward(sig)
		p.stop(sig)
	case slices.Contains(keyboard, sig) && p.reached():
		if sig == unix.SIGINT && !p.sawInterrupt() {
			close(p.interrupted)
		}
	default:
		p.forward(sig)
	}
}

// reached reports whether a signal of the keyboard reached the command without
// our help.
func (p *Process) reached() bool {
	group, err := unix.Getpgid(p.pid)
	// A command that has been waited for has no group: it was reached, or it is
	// beyond reach.
	return Foreground() && (err != nil || group == unix.Getpgrp())
}

// forward sends sig to the run's processes in the command's group.
func (p *Process) forward(sig unix.Signal) {
	arrived := now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || p.gone() {
		return
	}
	targets, err := p.targets(sig, arrived)
	if err != nil {
		p.warn(err)
	}
	for _, pid := range targets {
		if err := unix.Kill(pid, sig); err != nil && err != unix.ESRCH {
			p.warn(fmt.Errorf("%s could not be passed on to process %d: %w", unix.SignalName(sig), pid, err))
		}
	}
}

// stop stops this process by sig and returns once it was continued. The kernel
// does not stop a process whose group is orphaned, as nobody could continue it
// (setpgid(2)): then this returns at once. Either way the command is continued.
func (p *Process) stop(sig unix.Signal) {
	// SIGCONT is let go for the while: the one that ends the stop is passed on
	// below, and would be passed on twice.
	signal.Stop(p.conts)
	raiseDefault(sig)
	waiting := p.waiting()
	if p.continued {
		signal.Notify(p.conts, unix.SIGCONT)
	}
	p.forward(unix.SIGCONT)
	for _, other := range waiting {
		p.handle(other)
	}
}

// waiting takes what has been caught and not handled yet, without the stops:
// SIGCONT discards those that are pending in the kernel, so also those pending
// here.
func (p *Process) waiting() []unix.Signal {
	var list []unix.Signal
	for {
		select {
		case s := <-p.signals:
			if sig := s.(unix.Signal); !slices.Contains(stops, sig) {
				list = append(list, sig)
			}
		default:
			return list
		}
	}
}

func (p *Process) sawInterrupt() bool {
	select {
	case <-p.interrupted:
		return true
	default:
		return false
	}
}

// awaitInterrupt decides Result.Reraise. The keyboard's SIGINT is pending here
// by the time the command has died of it, but it reaches the relay through the
// Go runtime a moment later; a SIGINT sent to the command alone never does.
func (p *Process) awaitInterrupt() {
	const moment = 100 * time.Millisecond
	if p.result.Signal != unix.SIGINT || ignored(unix.SIGINT) || !Foreground() {
		return
	}
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-p.interrupted:
		p.result.Reraise = true
	case <-p.closing:
	case <-timer.C:
	}
}
