//go:build linux && cgo

package supervise

/*
#include <signal.h>

static unsigned long long ignored_at_start, blocked_at_start;

// Runs before the Go runtime installs its handlers and unblocks its signals,
// which leaves little trace of what was before.
__attribute__((constructor)) static void remember_signals(void)
{
	sigset_t blocked;
	if (sigprocmask(SIG_BLOCK, 0, &blocked) != 0)
		sigemptyset(&blocked);
	for (int sig = 1; sig <= 64; sig++) {
		struct sigaction action;
		if (sigaction(sig, 0, &action) == 0 && action.sa_handler == SIG_IGN)
			ignored_at_start |= 1ULL << (sig - 1);
		if (sigismember(&blocked, sig) == 1)
			blocked_at_start |= 1ULL << (sig - 1);
	}
}

static unsigned long long inherited_ignored(void) { return ignored_at_start; }
static unsigned long long inherited_blocked(void) { return blocked_at_start; }
*/
import "C"

// inheritedIgnored returns the signals this program was started with as ignored,
// signal n as bit n-1.
func inheritedIgnored() uint64 { return uint64(C.inherited_ignored()) }

// inheritedBlocked returns those it was started with as blocked.
func inheritedBlocked() uint64 { return uint64(C.inherited_blocked()) }
