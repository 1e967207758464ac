package runfile

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Stream writes to a file that is open already, without ever waiting for good. A
// pipe whose reader does not read, or a terminal that somebody halted, is given up
// after two seconds without a byte taken; then every later write fails at once. A
// terminal takes what is written from the background, too ("stty tostop" would
// stop this process and all of its group).
//
// Its methods may be called from several goroutines.
type Stream struct {
	mu       sync.Mutex
	fd       int
	terminal bool
	err      error // of the first failure
}

// reading is how long a reader may take to take a piece.
const reading = 5 * time.Second

// piece is what one write(2) hands over: PIPE_BUF, which a pipe that poll(2) calls
// writable takes without waiting, and whole (pipe(7)).
const piece = 4096

// NewStream returns a stream to what f is open to, from where it is. f stays the
// caller's, and need not stay open. The caller must call Close, unless it exits.
func NewStream(f *os.File) (*Stream, error) {
	conn, err := f.SyscallConn() // not Fd, which would make blocking what others share
	if err != nil {
		return nil, err
	}
	var s *Stream
	if failed := conn.Control(func(fd uintptr) { s, err = streamTo(int(fd)) }); failed != nil {
		return nil, failed
	}
	return s, err
}

func streamTo(fd int) (*Stream, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	s := &Stream{terminal: err == nil}
	if s.terminal || st.Mode&unix.S_IFMT == unix.S_IFIFO {
		// Several may write to one pipe: then poll's answer can be outdated before
		// the write. Opened again it is ours alone to make non-blocking, if it is a
		// user's own.
		name := "/proc/self/fd/" + strconv.Itoa(fd)
		if s.fd, err = unix.Open(name, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0); err == nil {
			return s, nil
		}
	}
	if s.fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return s, nil
}

// Close ends the stream, and not the file.
func (s *Stream) Close() error { return os.NewSyscallError("close", unix.Close(s.fd)) }

// Write implements io.Writer.
func (s *Stream) Write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal {
		undo := allowBackground()
		defer undo()
	}
	for n < len(p) && s.err == nil {
		var m int
		m, s.err = s.hand(p[n:min(len(p), n+piece)])
		n += m
	}
	if n < len(p) {
		return n, s.err
	}
	return n, nil
}

// hand writes some of p once the reader is ready for it.
func (s *Stream) hand(p []byte) (int, error) {
	deadline := time.Now().Add(reading)
	for {
		left := max(0, time.Until(deadline))
		poll := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(poll, int(left.Milliseconds()))
		switch {
		case err == unix.EINTR && left > 0:
			continue
		case err != nil:
			return 0, os.NewSyscallError("poll", err)
		case n == 0:
			return 0, fmt.Errorf("nobody reads from it: %w", os.ErrDeadlineExceeded)
		}
		switch n, err = unix.Write(s.fd, p); err {
		case nil:
			return n, nil
		case unix.EINTR, unix.EAGAIN: // somebody else was quicker
			if left == 0 {
				return 0, fmt.Errorf("nobody reads from it: %w", os.ErrDeadlineExceeded)
			}
			time.Sleep(time.Millisecond) // a terminal may be writable and take nothing
		default:
			return 0, os.NewSyscallError("write", err)
		}
	}
}

// allowBackground blocks SIGTTOU on this thread: a terminal is then written to from
// the background without it, tcsetattr(3p) and the like, General Terminal Interface.
// The function returned undoes that.
func allowBackground() (undo func()) {
	var set, before unix.Sigset_t
	set.Val[0] = 1 << (unix.SIGTTOU - 1)
	runtime.LockOSThread()
	err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, &before)
	return func() {
		if err == nil {
			_ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) // what was valid a moment ago
		}
		runtime.UnlockOSThread()
	}
}

// resume writes to a descriptor from where it is.
func resume(fd int, text []byte) error {
	s, err := streamTo(fd)
	if err != nil {
		return cause(err)
	}
	_, err = s.Write(text)
	return cause(first(err, s.Close()))
}
