package supervise

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The exit status of a command that could not be started, as env(1), nohup(1)
// and timeout(1) have it.
const (
	StatusFailed        = 125 // greenagent could not, for reasons of its own
	StatusNotExecutable = 126 // found, but it cannot be executed
	StatusNotFound      = 127
)

// ExitStatus returns the status a shell gives for a process killed by sig.
func ExitStatus(sig unix.Signal) int { return 128 + int(sig) }

// StartError says why a command could not be started, and what to do.
type StartError struct {
	Command string // as the user typed it
	Status  int    // the exit status this calls for: one of the Status constants
	Err     error  // usually wraps a syscall.Errno

	reason string // the failure and its remedy, for a person
}

func (e *StartError) Error() string {
	if e.Command == "" {
		return e.reason
	}
	return strconv.Quote(e.Command) + ": " + e.reason
}

func (e *StartError) Unwrap() error { return e.Err }

// startError explains the outcome of execvp for name.
func startError(name string, err error) *StartError {
	e := &StartError{Command: name, Status: StatusNotExecutable, Err: err}
	file := name
	if at := (*fileError)(nil); errors.As(err, &at) {
		file = at.file
	}
	var errno syscall.Errno
	errors.As(err, &errno)
	exists := syscall.Access(file, 0) == nil

	switch errno {
	case syscall.ENOENT:
		e.Status = StatusNotFound
		switch {
		case exists && (strings.Contains(file, "/") || file != name):
			e.reason = "the file is there, but the interpreter or loader it asks for is not; see its first line, or what file(1) says of it"
		case strings.Contains(name, "/"):
			e.reason = "no such file"
		case exists:
			e.reason = fmt.Sprintf("not found in PATH; to run the one in this directory, say ./%s", name)
		default:
			e.reason = "not found in PATH; check the spelling, or give the path to the file"
		}
	case syscall.EACCES:
		switch {
		case errors.Is(visible(file), syscall.EACCES) && exists:
			e.reason = fmt.Sprintf("%s is a directory, not a program", strconv.Quote(file))
		case exists:
			e.reason = fmt.Sprintf("permission denied; make it executable with chmod +x %s, or name its interpreter before it", strconv.Quote(file))
		default:
			e.reason = "permission denied on the way to the file"
		}
	case syscall.ENOEXEC:
		e.reason = "the kernel cannot execute this kind of file; was it built for another machine?"
	case syscall.E2BIG:
		e.reason = "the arguments and the environment together are too long; pass them in a file"
	case syscall.ETXTBSY:
		e.reason = "the file is open for writing; try again once it is closed"
	case syscall.EAGAIN:
		e.Status = StatusFailed
		e.reason = "no further process can be created; see ulimit -u and the cgroup's pids.max"
	case syscall.ENOMEM:
		e.Status = StatusFailed
		e.reason = "not enough memory to create a process"
	case syscall.EMFILE, syscall.ENFILE:
		e.Status = StatusFailed
		e.reason = "no file descriptor is left; see ulimit -n"
	default:
		e.reason = err.Error()
	}
	return e
}
