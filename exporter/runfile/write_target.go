package runfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

// target is what a path leads to.
type target struct {
	path    string // links followed; need not exist
	fd      int    // the descriptor of this process that it is, or -1
	foreign bool   // a descriptor of another process
}

// Descriptor reports whether a path is a name for one of this process's
// descriptors, as /dev/stdout, /dev/fd/3 and /proc/self/fd/1 are, or a link to one.
func Descriptor(path string) (fd int, ok bool) {
	t := follow(path)
	return t.fd, t.fd >= 0
}

// Same reports whether two paths lead to one file, which need not exist yet.
func Same(a, b string) bool {
	x, y := follow(a), follow(b)
	if x.fd >= 0 || y.fd >= 0 {
		return x.fd == y.fd
	}
	if x.path == y.path {
		return true
	}
	one, err := os.Stat(x.path)
	if err != nil {
		return false
	}
	two, err := os.Stat(y.path)
	return err == nil && os.SameFile(one, two)
}

// descriptors is a folder of descriptors, its own links followed: proc(5).
var descriptors = regexp.MustCompile(`^/proc/(\d+)(?:/task/\d+)?/fd$`)

// follow follows links one by one, as open(2) does, up to a descriptor: that link
// reads as a path, and leads to an open file.
func follow(path string) target {
	const most = 40 // as the kernel does, see path_resolution(7)
	absolute, err := filepath.Abs(path)
	if err != nil {
		return target{path: path, fd: -1}
	}
	path = absolute
	for range most {
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			break
		}
		path = filepath.Join(dir, filepath.Base(path))
		if m := descriptors.FindStringSubmatch(dir); m != nil {
			self, _ := os.Readlink("/proc/self") // not our own number where /proc is another namespace's
			if fd, err := strconv.Atoi(filepath.Base(path)); err == nil && m[1] == self {
				return target{path: path, fd: fd}
			}
			return target{path: path, fd: -1, foreign: true}
		}
		link, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(dir, link)
		}
		path = link
	}
	return target{path: path, fd: -1}
}

// standing reports whether a file is open as standard output or error.
func standing(info fs.FileInfo) (fd int, ok bool) {
	for i, f := range []*os.File{os.Stdout, os.Stderr} {
		if open, err := f.Stat(); err == nil && os.SameFile(info, open) {
			return i + 1, true
		}
	}
	return 0, false
}
