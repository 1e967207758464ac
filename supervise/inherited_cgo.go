//go:build linux && cgo

package supervise

/*
#include <fcntl.h>
#include <signal.h>

static unsigned long long ignored_at_start, blocked_at_start;
static unsigned int closed_at_start;

// Runs before the Go runtime installs its handlers, unblocks its signals and opens
// /dev/null in place of closed streams, which leaves little trace of what was
// before.
__attribute__((constructor)) static void remember(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) == -1)
			closed_at_start |= 1U << fd;
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
static void inherited_before(unsigned long long blocked) { blocked_at_start = blocked; }
static unsigned int inherited_closed(void) { return closed_at_start; }
*/
import "C"

// inheritedIgnored returns the signals this program was started with as ignored,
// signal n as bit n-1.
func inheritedIgnored() uint64 { return uint64(C.inherited_ignored()) }

// inheritedBlocked returns those it was started with as blocked.
func inheritedBlocked() uint64 { return uint64(C.inherited_blocked()) }

// inheritedClosed returns which of the standard streams it was started without,
// descriptor n as bit n.
func inheritedClosed() uint { return uint(C.inherited_closed()) }

// inheritedBefore tells what was blocked when the first of the programs was started
// that have executed each other, if this is a later one: to it, its predecessor's
// arrangements look like that.
func inheritedBefore(blocked uint64) { C.inherited_before(C.ulonglong(blocked)) }
