package procfs

import (
	"cmp"
	"slices"

	"golang.org/x/sys/unix"
)

// childLists says whether this kernel has /proc/<pid>/task/<tid>/children,
// which CONFIG_PROC_CHILDREN decides.
type childLists uint8

const (
	listsUntried childLists = iota
	listsPresent
	listsMissing
)

// edge is a process and its parent.
type edge struct{ parent, pid int }

// Descendants appends the children of pid, whichever of its threads forked
// them, their children and so on; parents come before their children, and pid
// itself is left out. It returns ErrGone if there is no such process.
//
// It walks the kernel's lists of children, and looks at every process's parent
// where the kernel keeps no such lists. Processes come and go meanwhile: one
// that forks or ends during the walk may be missed this time (the kernel's
// lists are exact only for frozen processes, Documentation/filesystems/proc.rst),
// and one whose parent ended has a new parent, and is found here only if pid or
// a descendant is the subreaper (prctl(2)) that inherited it.
func (fs *FS) Descendants(dst []int, pid int) ([]int, error) {
	clear(fs.seen) // against cycles, which only a PID reused under the walk can make
	fs.seen[pid] = struct{}{}
	start := len(dst)
	if fs.lists != listsMissing {
		var err error
		dst, err = fs.children(dst, pid)
		for i := start; err == nil && fs.lists != listsMissing && i < len(dst); i++ {
			if dst, err = fs.children(dst, dst[i]); err == ErrGone {
				err = nil
			}
		}
		if err != nil {
			return dst[:start], err
		}
	}
	if fs.lists == listsMissing {
		return fs.scanDescendants(dst[:start], pid)
	}
	return dst, nil
}

// children appends those children of pid that were not seen yet.
func (fs *FS) children(dst []int, pid int) ([]int, error) {
	fs.atProcess(pid, "/task")
	tids, err := fs.numbers(fs.tids[:0])
	fs.tids = tids
	if err != nil {
		return dst, fs.processError(err)
	}
	for _, tid := range tids {
		fs.atThread(pid, tid, "/children")
		text, more, err := fs.read(maxFile)
		switch {
		case err == unix.ENOENT && fs.lists == listsUntried && fs.threadExists(pid, tid):
			fs.lists = listsMissing
			return dst, nil
		case err == unix.ENOENT, err == unix.ESRCH:
			continue // the thread ended; its children are now another thread's
		case err != nil:
			return dst, fs.fail(err)
		case more:
			return dst, fs.fail(ErrTooLarge)
		}
		fs.lists = listsPresent
		dst = fs.appendUnseen(dst, text)
	}
	return dst, nil
}

// appendUnseen appends the PIDs of a children file. The kernel writes 0 for a
// child that this PID namespace does not have.
func (fs *FS) appendUnseen(dst []int, text []byte) []int {
	f := fields{rest: text}
	for field := f.next(); len(field) > 0; field = f.next() {
		if pid, ok := parsePID(field); ok && pid > 0 {
			dst = fs.appendOnce(dst, pid)
		}
	}
	return dst
}

func (fs *FS) appendOnce(dst []int, pid int) []int {
	if _, ok := fs.seen[pid]; ok {
		return dst
	}
	fs.seen[pid] = struct{}{}
	return append(dst, pid)
}

func (fs *FS) atThread(pid, tid int, name string) {
	fs.atProcess(pid, "/task/")
	fs.path = appendUint(fs.path, uint64(tid))
	fs.path = append(fs.path, name...)
}

func (fs *FS) threadExists(pid, tid int) bool {
	fs.atThread(pid, tid, "")
	fd, err := fs.open(unix.O_PATH)
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
}

// scanDescendants finds descendants by the parents of all processes.
func (fs *FS) scanDescendants(dst []int, pid int) ([]int, error) {
	var p Process
	if err := fs.Read(pid, &p); err != nil {
		return dst, err
	}
	start := len(dst)
	dst, err := fs.PIDs(dst) // as scratch: replaced by the result below
	if err != nil {
		return dst[:start], err
	}
	fs.edges = fs.edges[:0]
	for _, candidate := range dst[start:] {
		// Processes that ended since, or that hidepid protects, have no
		// known parent.
		if fs.Read(candidate, &p) == nil {
			fs.edges = append(fs.edges, edge{p.PPID, p.PID})
		}
	}
	dst = dst[:start]
	slices.SortFunc(fs.edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.parent, b.parent), cmp.Compare(a.pid, b.pid))
	})
	dst = fs.appendChildrenOf(dst, pid)
	for i := start; i < len(dst); i++ {
		dst = fs.appendChildrenOf(dst, dst[i])
	}
	return dst, nil
}

func (fs *FS) appendChildrenOf(dst []int, pid int) []int {
	i, _ := slices.BinarySearchFunc(fs.edges, pid, func(e edge, pid int) int { return cmp.Compare(e.parent, pid) })
	for ; i < len(fs.edges) && fs.edges[i].parent == pid; i++ {
		dst = fs.appendOnce(dst, fs.edges[i].pid)
	}
	return dst
}
