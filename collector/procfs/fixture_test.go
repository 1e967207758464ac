package procfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// tree is a /proc of our own making.
type tree struct {
	tb   testing.TB
	root string
}

func newTree(tb testing.TB) tree {
	return tree{tb, tb.TempDir()}
}

func (t tree) write(name, content string) {
	t.tb.Helper()
	path := filepath.Join(t.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.tb.Fatal(err)
	}
}

func (t tree) process(pid, ppid int) {
	t.tb.Helper()
	t.write(fmt.Sprintf("%d/stat", pid), statLine(pid, ppid, "worker"))
}

// children gives a process a list of children for each of its threads, the
// first of which is the process itself.
func (t tree) children(pid int, threads ...[]int) {
	t.tb.Helper()
	for i, children := range threads {
		var b strings.Builder
		for _, c := range children {
			b.WriteString(strconv.Itoa(c) + " ")
		}
		t.write(fmt.Sprintf("%d/task/%d/children", pid, pid+i), b.String())
	}
}

// statLine is as long as the kernel's own.
func statLine(pid, ppid int, comm string) string {
	return fmt.Sprintf("%d (%s) S %d %d 7 34816 -1 4194560 92 1065 0 3 150 25 11 9 20 0 4 0 "+
		"1234567 10018816 1024 18446744073709551615 94212 94213 140722 0 0 0 0 3686400 1266761467 "+
		"0 0 0 17 5 0 0 0 0 0 94214 94215 94216 140723 140724 140725 140726 0\n", pid, comm, ppid, pid)
}
