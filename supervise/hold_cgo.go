//go:build linux && cgo

package supervise

/*
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

// A thread's mask can be changed by the thread alone. But a handler that runs on it
// may change the mask with which the thread goes on after the handler: sigreturn(2)
// takes it from the context.
static sigset_t held;
static int holding;

static void apply(int sig, siginfo_t *info, void *context)
{
	ucontext_t *thread = context;
	(void)sig, (void)info;
	for (int s = 1; s <= 64; s++)
		if (sigismember(&held, s) == 1) {
			if (holding)
				sigaddset(&thread->uc_sigmask, s);
			else
				sigdelset(&thread->uc_sigmask, s);
		}
}

static void choose(unsigned long long signals, int hold)
{
	sigemptyset(&held);
	for (int s = 1; s <= 64; s++)
		if (signals >> (s - 1) & 1)
			sigaddset(&held, s);
	holding = hold;
}

// The first signal that glibc leaves to programs. The Go runtime keeps it unblocked,
// for libraries that use it otherwise, and has no use for it itself.
enum { ERRAND = 34 };

static struct sigaction before;

static int install(void)
{
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_sigaction = apply;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	sigfillset(&action.sa_mask);
	return sigaction(ERRAND, &action, &before);
}

static int uninstall(void) { return sigaction(ERRAND, &before, NULL); }

static int run_errand(int thread) { return syscall(SYS_tgkill, getpid(), thread, ERRAND); }
*/
import "C"

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// holdSignals blocks signals on every thread of this process, so that they stay
// pending, and returns what unblocks them. It takes some milliseconds.
func holdSignals(list []unix.Signal) (release func(), err error) {
	var set uint64
	for _, sig := range list {
		set |= 1 << (sig - 1)
	}
	if err := mask(set, set, true); err != nil {
		_ = mask(set&^inheritedBlocked(), set, false) // as far as that goes
		return nil, err
	}
	// What was blocked from the start stays so.
	return func() { _ = mask(set&^inheritedBlocked(), set, false) }, nil
}

// mask blocks or unblocks a set of signals on every thread. Those that are blocked
// on a thread and not in care are nobody's business here.
func mask(set, care uint64, block bool) error {
	C.choose(C.ulonglong(set), C.int(flag(block)))
	if C.install() != 0 {
		return errors.New("no handler can be installed")
	}
	defer C.uninstall()
	const tries = 500
	for range tries {
		pending, err := errands(set, block)
		if err != nil {
			return err
		}
		if pending == 0 {
			return nil
		}
		time.Sleep(200 * time.Microsecond)
	}
	return errors.New("a thread does not answer")
}

// errands sends every thread whose mask is not yet as wanted to change it, and
// returns how many there were.
func errands(set uint64, block bool) (pending int, err error) {
	tasks, err := os.ReadDir(proc + "/self/task")
	if err != nil {
		return 0, err
	}
	for _, task := range tasks {
		blocked, err := blockedOn(task.Name())
		if absent(err) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if block && blocked&set == set || !block && blocked&set == 0 {
			continue
		}
		thread, err := strconv.Atoi(task.Name())
		if err != nil {
			return 0, err
		}
		pending++
		C.run_errand(C.int(thread)) // one that has ended is gone at the next look
	}
	return pending, nil
}

// blockedOn returns the signals that a thread of this process blocks.
func blockedOn(task string) (uint64, error) {
	text, err := os.ReadFile(proc + "/self/task/" + task + "/status")
	if err != nil {
		return 0, err
	}
	_, rest, ok := bytes.Cut(text, []byte("\nSigBlk:\t"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	if !ok {
		return 0, errStat
	}
	return strconv.ParseUint(string(line), 16, 64)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
