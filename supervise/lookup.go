package supervise

import (
	"errors"
	"os"
	"strings"
	"syscall"
)

const (
	// shell runs scripts without a "#!" line, as in execvp(3).
	shell = "/bin/sh"
	// defaultPath is searched when PATH is unset; glibc's _CS_PATH.
	defaultPath = "/bin:/usr/bin"
)

// execvp calls exec with the paths where execvp(3) would look for name, in
// order, until one can be executed, and returns the process started. Unlike
// exec.LookPath it lets the kernel decide what is executable, and an empty
// element of PATH is the current directory.
func execvp(name string, exec func(path string) (int, error)) (int, error) {
	if strings.Contains(name, "/") {
		return exec(name)
	}
	path, ok := os.LookupEnv("PATH")
	if !ok {
		path = defaultPath
	}
	result := error(syscall.ENOENT)
	for dir := range strings.SplitSeq(path, ":") {
		file := name
		if dir != "" {
			file = dir + "/" + name
		}
		err := visible(file)
		if err == nil {
			var pid int
			if pid, err = exec(file); err == nil {
				return pid, nil
			}
		}
		switch {
		case errors.Is(err, syscall.EACCES):
			result = &fileError{file, err} // remembered: a later directory may have it
		case passable(err):
			if errors.Is(result, syscall.ENOENT) && visible(file) == nil {
				result = &fileError{file, err} // the file is there, its interpreter is not
			}
		default:
			return 0, &fileError{file, err}
		}
	}
	return 0, result
}

// visible answers without a fork what most elements of PATH come to.
func visible(file string) error {
	var st syscall.Stat_t
	if err := syscall.Stat(file, &st); err != nil {
		return err
	}
	if st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		return syscall.EACCES // what execve(2) says of a directory
	}
	return nil
}

// passable reports whether execvp goes on to the next directory after err: the
// list of glibc, whose comment reads "the file is missing or not accessible".
func passable(err error) bool {
	for _, e := range []syscall.Errno{syscall.ENOENT, syscall.ENOTDIR, syscall.ESTALE, syscall.ENODEV, syscall.ETIMEDOUT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// fileError names the file that a search ended at.
type fileError struct {
	file string
	err  error
}

func (e *fileError) Error() string { return e.file + ": " + e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }
