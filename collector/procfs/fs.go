// Package procfs reads Linux's /proc for a meter that looks at thousands of
// processes every second: nothing is allocated once its buffers have grown.
//
// There is one Go file for each kernel file. The mount point is a value, so
// that a container can look at its host's /proc and a test at a tree of its
// own. Fields are described in proc(5) and Documentation/filesystems/proc.rst.
//
// What /proc does not show cannot be reported: see FS.PIDs for hidepid, and
// FS.InitPIDNamespace for the processes of other namespaces.
package procfs

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Errors of this package match one of these with errors.Is, or the kernel's
// errno (fs.ErrPermission for a process that hidepid=1 protects).
var (
	// ErrGone: there is no such process, or no longer. It is returned as it
	// is, as processes that end between being listed and being read are an
	// everyday event.
	ErrGone = errors.New("process is gone")
	// ErrMalformed: the file does not look like proc(5) says.
	ErrMalformed = errors.New("malformed")
	// ErrTooLarge: the file goes on beyond what this package accepts.
	ErrTooLarge = errors.New("file is too large")
)

// FS is a mounted /proc. It owns the buffers that its methods read into and
// must not be used from two goroutines at once; any number of FS may share a
// mount point.
type FS struct {
	root   string
	page   int64  // bytes
	path   []byte // of the file at hand
	buf    []byte // its contents
	dirent []byte // directory entries as the kernel lays them out
	tids   []int
	seen   map[int]struct{}
	edges  []edge
	lists  childLists
}

const (
	bufSize   = 4096     // holds any /proc/<pid>/stat several times over
	maxFile   = 64 << 20 // a children file of 2^22 PIDs takes half of this
	direntBuf = 32 << 10 // what glibc's readdir uses
)

// New returns the /proc mounted at root. Nothing is read yet, and root need not
// exist.
func New(root string) *FS {
	root = strings.TrimRight(root, "/")
	return &FS{
		root:   root,
		page:   int64(os.Getpagesize()),
		path:   make([]byte, 0, len(root)+64),
		buf:    make([]byte, bufSize),
		dirent: make([]byte, direntBuf),
		seen:   make(map[int]struct{}),
	}
}

// Root returns the mount point.
func (fs *FS) Root() string { return fs.root }

// at makes root/name the file at hand.
func (fs *FS) at(name string) {
	fs.path = append(fs.path[:0], fs.root...)
	fs.path = append(fs.path, '/')
	fs.path = append(fs.path, name...)
}

// atProcess makes root/pid/name the file at hand.
func (fs *FS) atProcess(pid int, name string) {
	fs.at("")
	fs.path = appendUint(fs.path, uint64(pid))
	fs.path = append(fs.path, name...)
}

// open opens the file at hand. The bare system call, because every function
// that takes the path as a string copies it to the heap to end it with a NUL.
func (fs *FS) open(flags int) (int, error) {
	fs.path = append(fs.path, 0)
	dir := unix.AT_FDCWD // a variable: the constant is negative
	for {
		fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(&fs.path[0])),
			uintptr(flags|unix.O_CLOEXEC), 0, 0, 0)
		switch errno {
		case 0:
			fs.path = fs.path[:len(fs.path)-1]
			return int(fd), nil
		case unix.EINTR:
			continue
		default:
			fs.path = fs.path[:len(fs.path)-1]
			return -1, errno
		}
	}
}

// read returns the contents of the file at hand, at most limit bytes of it,
// in memory that the next call reuses. Whether anything was left out is
// reported by more.
func (fs *FS) read(limit int) (content []byte, more bool, err error) {
	fd, err := fs.open(unix.O_RDONLY)
	if err != nil {
		return nil, false, err
	}
	n := 0
	for n <= limit {
		if n == len(fs.buf) {
			fs.buf = append(fs.buf, make([]byte, len(fs.buf))...)
		}
		var m int
		m, err = unix.Read(fd, fs.buf[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || m == 0 {
			break
		}
		n += m
	}
	_ = unix.Close(fd) // read-only: nothing can be lost
	if err != nil {
		return nil, false, err
	}
	return fs.buf[:min(n, limit)], n > limit, nil
}

// readProcess reads the whole of root/pid/name.
func (fs *FS) readProcess(pid int, name string) ([]byte, error) {
	fs.atProcess(pid, name)
	content, more, err := fs.read(maxFile)
	if err != nil {
		return nil, fs.processError(err)
	}
	if more {
		return nil, fs.fail(ErrTooLarge)
	}
	return content, nil
}

// processError sorts the errors of files below a process's directory. A
// process that ends between open and read fails the read with ESRCH.
func (fs *FS) processError(err error) error {
	if err == unix.ENOENT || err == unix.ESRCH {
		return ErrGone
	}
	return fs.fail(err)
}

// fail says about which file err is.
func (fs *FS) fail(err error) error {
	return fmt.Errorf("%s: %w", fs.path, err)
}
