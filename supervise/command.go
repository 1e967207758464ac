package supervise

import (
	"errors"
	"os"
	"syscall"

	"greenagent/energy"
)

// Command describes what to start.
type Command struct {
	// Path is the program as the user typed it. Without a slash it is searched
	// for in PATH. Empty means Args[0].
	Path string
	// Args is the argument vector, Args[0] included.
	Args []string
	// Env is the environment as "name=value"; nil means this process's own.
	Env []string
	// Dir is the working directory; empty means this process's own.
	Dir string
	// Stdin, Stdout and Stderr become descriptors 0, 1 and 2; nil means this
	// process's own 0, 1 and 2, and none where it was started without. The files
	// stay the caller's, and are handed down as they are: an end of os.Pipe is
	// non-blocking, which few programs expect.
	Stdin, Stdout, Stderr *os.File
}

// Start runs c and returns once the program has been executed. The clock dates
// the start and the end; it must be safe for use by another goroutine.
//
// The error, if any, is a *StartError. The caller must call Close on the
// process returned, after Wait.
func Start(c Command, clock energy.Clock) (*Process, error) {
	if c.Path == "" && len(c.Args) > 0 {
		c.Path = c.Args[0]
	}
	if c.Path == "" {
		return nil, &StartError{Status: StatusFailed, Err: syscall.ENOENT, reason: "no command was given"}
	}
	if len(c.Args) == 0 {
		c.Args = []string{c.Path}
	}
	if c.Env == nil {
		c.Env = syscall.Environ()
	}
	if c.Dir != "" {
		// Checked here because fork and exec report a failing chdir like a
		// missing program.
		if _, err := os.Stat(c.Dir); err != nil {
			return nil, &StartError{Command: c.Path, Status: StatusFailed, Err: err, reason: "its working directory cannot be used: " + err.Error()}
		}
	}
	files, err := c.files()
	if err != nil {
		return nil, &StartError{Command: c.Path, Status: StatusFailed, Err: err, reason: "its standard streams cannot be used: " + err.Error()}
	}

	p := &Process{clock: clock, done: make(chan struct{})}
	p.subreap()
	p.catch()
	p.started = clock.Now()
	pid, err := execvp(c.Path, func(path string) (int, error) { return c.exec(path, files) })
	if err != nil {
		p.release()
		return nil, startError(c.Path, err)
	}
	p.pid = pid
	go p.reap()
	go p.relay()
	return p, nil
}

// Closed reports whether this process was started without a standard stream, 0 to
// 2, in whose place the Go runtime then opens /dev/null: what is written there is
// lost. Without cgo, and on systems other than Linux, it is never known.
func Closed(fd int) bool { return inheritedClosed()&(1<<fd) != 0 }

// files returns the descriptors to hand down. They are taken by SyscallConn and
// not by Fd, which would switch the open file shared with others to blocking.
func (c Command) files() ([]uintptr, error) {
	files := []uintptr{0, 1, 2}
	for i, f := range []*os.File{c.Stdin, c.Stdout, c.Stderr} {
		if f == nil {
			if Closed(i) {
				files[i] = ^uintptr(0) // as -1, which fork leaves closed
			}
			continue
		}
		conn, err := f.SyscallConn()
		if err != nil {
			return nil, err
		}
		if err := conn.Control(func(fd uintptr) { files[i] = fd }); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// exec starts the program at path. Like execvp(3), it hands a file that the
// kernel does not know how to execute to the shell.
func (c Command) exec(path string, files []uintptr) (int, error) {
	attr := &syscall.ProcAttr{Dir: c.Dir, Env: c.Env, Files: files}
	undo := restoreBlocked()
	defer undo()
	pid, err := syscall.ForkExec(path, c.Args, attr)
	if errors.Is(err, syscall.ENOEXEC) {
		script := append([]string{shell, path}, c.Args[1:]...)
		if pid, shellErr := syscall.ForkExec(shell, script, attr); shellErr == nil {
			return pid, nil
		}
	}
	return pid, err
}
