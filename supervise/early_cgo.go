//go:build linux && cgo

package supervise

/*
#cgo LDFLAGS: -Wl,--wrap=sigaction

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The signals that end a Go program are unblocked by the Go runtime on every thread,
// long before any code of ours could catch them: one that was held back by Exec would
// end this program as it starts. So until Adopt is ready for them a handler of ours
// notes them, and the runtime's own, which it installs through sigaction, waits.

static const int deadly[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
enum { DEADLY = sizeof deadly / sizeof *deadly };

static int early;
static unsigned long long noted;
static struct sigaction waiting[DEADLY];
static int waits[DEADLY], ignored_here[DEADLY];

int __real_sigaction(int sig, const struct sigaction *act, struct sigaction *old);

// Either end_early sees what is noted, or note sees that it was too late for that.
static void note(int sig)
{
	unsigned long long bit = 1ULL << (sig - 1);
	__atomic_fetch_or(&noted, bit, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&early, __ATOMIC_SEQ_CST) && (__atomic_fetch_and(&noted, ~bit, __ATOMIC_SEQ_CST) & bit) != 0)
		kill(getpid(), sig);
}

int __wrap_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	for (int i = 0; early && i < DEADLY; i++) {
		if (sig != deadly[i])
			continue;
		struct sigaction before = waiting[i]; // zero is SIG_DFL
		if (act != NULL) {
			waiting[i] = *act;
			waits[i] = 1;
		}
		if (old != NULL)
			*old = before;
		return 0;
	}
	return __real_sigaction(sig, act, old);
}

// Runs before the Go runtime. The variable names this very process: what a child
// inherits does not.
__attribute__((constructor)) static void start_early(void)
{
	const char *executed = getenv("GREENAGENT_EXECUTED");
	if (executed == NULL || atol(executed) != (long)getpid())
		return;
	struct sigaction ours, old;
	memset(&ours, 0, sizeof ours);
	ours.sa_handler = note;
	ours.sa_flags = SA_ONSTACK | SA_RESTART;
	sigfillset(&ours.sa_mask);
	for (int i = 0; i < DEADLY; i++) {
		if (__real_sigaction(deadly[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			waiting[i] = old, ignored_here[i] = 1; // and stays so
		else
			__real_sigaction(deadly[i], &ours, NULL);
	}
	early = 1;
}

static unsigned long long end_early(void)
{
	if (!early)
		return 0;
	for (int i = 0; i < DEADLY; i++)
		if (waits[i] && !ignored_here[i])
			__real_sigaction(deadly[i], &waiting[i], NULL);
	__atomic_store_n(&early, 0, __ATOMIC_SEQ_CST);
	return __atomic_exchange_n(&noted, 0, __ATOMIC_SEQ_CST);
}
*/
import "C"

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// executed names the variable that tells a program that Exec has executed it.
const executed = "GREENAGENT_EXECUTED"

// asExecuted returns an environment for the program that Exec executes.
func asExecuted(env []string) []string {
	return append([]string{executed + "=" + strconv.Itoa(os.Getpid())}, env...)
}

// endEarly hands signals over to the Go runtime's handlers, and those that came
// before with them. They must be caught by now.
func endEarly() {
	noted := uint64(C.end_early())
	_ = os.Unsetenv(executed)
	for sig := unix.Signal(1); sig <= 64; sig++ {
		if noted&(1<<(sig-1)) != 0 {
			_ = unix.Kill(unix.Getpid(), sig) // to ourselves: nothing to fail
		}
	}
}
