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

// The threads that have run the handler. That a thread blocks the signals says
// nothing: it may be in a handler of the runtime's, for the while of which it blocks
// all.
enum { MOST = 4096 };
static int answered[MOST], answers;

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
	int i = __atomic_fetch_add(&answers, 1, __ATOMIC_SEQ_CST);
	if (i < MOST)
		__atomic_store_n(&answered[i], (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
}

static int has_answered(int thread)
{
	int n = __atomic_load_n(&answers, __ATOMIC_SEQ_CST);
	for (int i = 0; i < n && i < MOST; i++)
		if (__atomic_load_n(&answered[i], __ATOMIC_SEQ_CST) == thread)
			return 1;
	return 0;
}

static void choose(unsigned long long signals, int hold)
{
	sigemptyset(&held);
	for (int s = 1; s <= 64; s++)
		if (signals >> (s - 1) & 1)
			sigaddset(&held, s);
	holding = hold;
	memset(answered, 0, sizeof answered);
	answers = 0;
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

// A thread that has not answered yet still may, when it lets signals in: by default
// the errand would end the process then, so it keeps its handler.
static void uninstall(void)
{
	if (before.sa_handler != SIG_DFL)
		sigaction(ERRAND, &before, NULL);
}

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
//
// A thread that the runtime starts afterwards does not block them: hold holds them
// once more.
func holdSignals(list []unix.Signal) (hold func() error, release func(), err error) {
	var set uint64
	for _, sig := range list {
		set |= 1 << (sig - 1)
	}
	// What was blocked from the start stays so.
	release = func() { _ = mask(set&^inheritedBlocked(), false) } // as far as threads answer
	hold = func() error { return mask(set, true) }
	err = hold()
	if err != nil {
		release()
		return nil, nil, err
	}
	return hold, release, nil
}

// mask blocks or unblocks a set of signals on every thread.
func mask(set uint64, block bool) error {
	C.choose(C.ulonglong(set), C.int(flag(block)))
	if C.install() != 0 {
		return errors.New("no handler can be installed")
	}
	defer C.uninstall()
	const tries, pause = 500, 200 * time.Microsecond
	asked := map[int]bool{}
	for try := range tries {
		tasks, err := os.ReadDir(proc + "/self/task")
		if err != nil {
			return err
		}
		pending := 0
		for _, task := range tasks {
			thread, err := strconv.Atoi(task.Name())
			if err != nil {
				return err
			}
			if C.has_answered(C.int(thread)) != 0 {
				continue
			}
			if !asked[thread] {
				asked[thread] = true
				C.run_errand(C.int(thread)) // one that has ended is gone at the next look
			}
			// A thread of a library's may block all signals for good.
			blocked, err := blockedOn(task.Name())
			if err == nil && (try < tries/2 || !block || blocked&set != set) {
				pending++
			}
		}
		if pending == 0 {
			return nil
		}
		time.Sleep(pause)
	}
	return errors.New("a thread does not answer")
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
