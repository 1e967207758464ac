package supervise

import (
	"os/signal"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// harmless are the signals to pass on that the Go runtime drops if they are not
// caught, so that catching them can wait until the command runs. With the fatal
// ones, the stops and SIGCONT they are all that is passed on. Left out is what
// this process may get for deeds of its own (SIGCHLD, SIGURG, SIGPROF, SIGXCPU,
// SIGXFSZ, faults and aborts), and signals 32 to 34, which libc and the Go
// runtime keep to themselves.
var harmless = func() []unix.Signal {
	list := []unix.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGWINCH, unix.SIGIO, unix.SIGPWR}
	const firstRealTime, lastRealTime = 35, 64
	for sig := unix.Signal(firstRealTime); sig <= lastRealTime; sig++ {
		list = append(list, sig)
	}
	return list
}()

// sigaction is struct sigaction of rt_sigaction(2). Its layout differs among
// architectures, except that the handler comes first (mips apart) and that all
// zeros are SIG_DFL without flags; nothing else is read or made here.
type sigaction [8]uintptr

const sigIgn = 1 // SIG_IGN

// rtSigaction bypasses os/signal, which cannot give SIGTSTP its default action
// back: after signal.Reset the runtime's handler stays, and drops the signal.
func rtSigaction(sig unix.Signal, set, old *sigaction) error {
	const sigsetSize = 8
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig),
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), sigsetSize, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// ignored reports whether this process ignores sig. The kernel is asked because
// os/signal.Ignored does not know what was inherited for every signal.
func ignored(sig unix.Signal) bool {
	var action sigaction
	if rtSigaction(sig, nil, &action) != nil {
		return signal.Ignored(sig)
	}
	return action[0] == sigIgn
}

// restoreIgnored ignores again what this process inherited as ignored and the
// Go runtime has since taken, so that the command inherits it too. SIGCHLD is
// left: whoever ignores it cannot wait (wait(2), NOTES).
func restoreIgnored() {
	inherited := inheritedIgnored()
	if inherited == 0 {
		return
	}
	for _, sig := range slices.Concat(fatal, harmless, []unix.Signal{unix.SIGPIPE, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGVTALRM}) {
		if inherited&(1<<(sig-1)) != 0 && !ignored(sig) {
			signal.Ignore(sig)
		}
	}
}

// restoreBlocked blocks on the calling thread what this process inherited as
// blocked, for a command to inherit from a fork there; the runtime unblocks some
// of it on every thread. The function returned undoes that.
func restoreBlocked() (undo func()) {
	mask := inheritedBlocked()
	if mask == 0 {
		return func() {}
	}
	var set, before unix.Sigset_t
	const width = int(unsafe.Sizeof(set.Val[0])) * 8
	for n := range 64 {
		if mask&(1<<n) != 0 {
			set.Val[n/width] |= 1 << (n % width)
		}
	}
	runtime.LockOSThread()
	err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, &before)
	return func() {
		if err == nil {
			_ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) // what was valid a moment ago
		}
		runtime.UnlockOSThread()
	}
}

// raise sends sig to the calling thread, where it is handled before the call
// returns. In a program that Exec has executed, threads block it.
func raise(sig unix.Signal) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set, before unix.Sigset_t
	const width = int(unsafe.Sizeof(set.Val[0])) * 8
	set.Val[int(sig-1)/width] |= 1 << (int(sig-1) % width)
	if inheritedBlocked()&(1<<(sig-1)) == 0 && unix.PthreadSigmask(unix.SIG_UNBLOCK, &set, &before) == nil {
		defer func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) }()
	}
	_ = unix.Tgkill(unix.Getpid(), unix.Gettid(), sig) // to ourselves: nothing to fail
}

// raiseDefault raises sig with its default action in place of our handler.
func raiseDefault(sig unix.Signal) {
	var byDefault, ours sigaction
	if rtSigaction(sig, &byDefault, &ours) != nil {
		return
	}
	raise(sig)
	_ = rtSigaction(sig, &ours, nil) // what was valid a moment ago
}
