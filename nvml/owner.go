//go:build linux && cgo

package nvml

import (
	"fmt"
	"sync"
	"time"
)

// operation is one request to the driver. It runs on the owner's thread, and
// writes to g and to what it made itself, never to memory of the caller: it may
// come back long after the caller gave up.
type operation func(l *Library, g *gpu, since uint64) error

type task struct {
	run   operation
	gpu   *gpu
	since uint64
}

// owner is the goroutine through which the driver is called. NVML itself is
// safe for threads, but go-nvml's state is not, and one thread at a time in a
// driver that hangs is enough. It is not tied to a thread of its own: changing
// threads twice for each request costs more than most requests.
//
// An owner whose call does not return in time is left behind with it and
// replaced. As its device is set aside until then, at most one is left behind
// per device, and one more by a start or an end of NVML that hangs.
type owner struct {
	tasks chan task     // one at a time, sent by who holds Library.desk
	done  chan error    // its result, unless abandoned
	gone  chan struct{} // closed when the goroutine has ended

	busy, abandoned bool // guarded by Library.life
}

// lifecycle is what owners left behind and callers have to agree on.
type lifecycle struct {
	sync.Mutex
	initialised bool // NVML wants a Shutdown
	closed      bool
	stuck       int // owners left behind
}

// hire starts an owner.
func (l *Library) hire() *owner {
	o := &owner{tasks: make(chan task, 1), done: make(chan error, 1), gone: make(chan struct{})}
	go func() {
		defer close(o.gone)
		o.serve(l)
	}()
	return o
}

func (o *owner) serve(l *Library) {
	for t := range o.tasks {
		err := t.run(l, t.gpu, t.since)
		l.life.Lock()
		o.busy = false
		abandoned := o.abandoned
		l.life.Unlock()
		if abandoned {
			l.comeBack(t.gpu)
			return
		}
		o.done <- err
	}
}

// comeBack returns a device to service after its call returned at last, and
// ends NVML if Close had to leave that to the last call under way.
func (l *Library) comeBack(g *gpu) {
	l.life.Lock()
	l.life.stuck--
	g.hung = false
	g.rest = l.clock.Now().Add(quarantine(g.hangings))
	g.hangings++
	end := l.life.closed && l.life.stuck == 0 && l.life.initialised
	if end {
		l.life.initialised = false
	}
	l.life.Unlock()
	if end {
		_ = l.api.Shutdown() // nobody is left to tell if it fails
	}
}

const (
	// firstRest and longestRest are for how long a device is left alone after its
	// second hang and after many: each costs the others a timeout.
	firstRest   = time.Second
	longestRest = 5 * time.Minute
)

// quarantine returns for how long to leave a device alone that hung so often
// before. Once may happen to anybody.
func quarantine(before int) time.Duration {
	if before == 0 {
		return 0
	}
	return min(firstRest<<min(before-1, 16), longestRest)
}

// ask has the owner run an operation and waits for it: until it is done, the
// timeout has passed, or cancel is closed (nil: never). The caller holds l.desk.
func (l *Library) ask(cancel <-chan struct{}, timeout time.Duration, g *gpu, run operation, since uint64) error {
	o := l.owner
	l.life.Lock()
	if g.hung || g.hangings > 0 && l.clock.Now() < g.rest {
		l.life.Unlock()
		return g.hangs
	}
	if g.hangings > 0 && l.clock.Now() > g.rest.Add(longestRest) {
		g.hangings = 0 // it has been well for long
	}
	o.busy = true
	l.life.Unlock()

	o.tasks <- task{run, g, since}
	if done, err := l.await(cancel, timeout); done {
		return err
	}

	l.life.Lock()
	if !o.busy { // it returned in this very moment
		l.life.Unlock()
		return <-o.done
	}
	o.abandoned, g.hung = true, true
	l.life.stuck++
	l.life.Unlock()
	l.owner = l.hire()
	return g.hangs
}

// await waits for the owner's answer, and returns false if it does not come in
// time.
//
// The timer goes on between requests and is set anew when it has fired, once in a
// timeout: setting it for each request would wake another thread each time.
func (l *Library) await(cancel <-chan struct{}, timeout time.Duration) (done bool, err error) {
	deadline := time.Now().Add(timeout)
	if l.alarm.IsZero() || l.alarm.After(deadline) {
		l.alarm = deadline
		l.timer.Reset(timeout)
	}
	for {
		select {
		case err := <-l.owner.done:
			return true, err
		case <-cancel:
			return false, nil
		case <-l.timer.C:
			left := time.Until(deadline)
			if left <= 0 {
				l.alarm = time.Time{}
				return false, nil
			}
			l.alarm = deadline
			l.timer.Reset(left)
		}
	}
}

// dismiss ends the owner at rest.
func (l *Library) dismiss() {
	close(l.owner.tasks)
	<-l.owner.gone
}

// request runs an operation on a device. Unless it returns ErrHung or an error
// of the caller's own making, the operation has ended, and until the caller
// unlocks l.desk nobody else writes to the device's buffers.
func (l *Library) request(device int, run operation, since uint64) (*gpu, error) {
	if l.closed {
		return nil, fmt.Errorf("nvml: library is closed: %w", ErrAbsent)
	}
	if device < 0 || device >= len(l.gpus) {
		return nil, fmt.Errorf("nvml: there is no device %d: %w", device, ErrAbsent)
	}
	g := l.gpus[device]
	if g.sleep.deep() {
		return nil, g.asleep
	}
	if err := l.present(); err != nil {
		return nil, err
	}
	err := l.ask(nil, l.timeout, g, run, since)
	l.judge(err)
	return g, err
}
