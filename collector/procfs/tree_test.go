package procfs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// family is 100 ─┬─ 101 ─── 103 ─── 104
//
//	└─ 102 (forked by the second thread of 100)
//
// and a stranger 200 with a child 201.
func family(t testing.TB, withLists bool) tree {
	proc := newTree(t)
	for pid, ppid := range map[int]int{1: 0, 100: 1, 101: 100, 102: 100, 103: 101, 104: 103, 200: 1, 201: 200} {
		proc.process(pid, ppid)
		if !withLists {
			proc.write(fmt.Sprintf("%d/task/%d/stat", pid, pid), "")
		}
	}
	if withLists {
		proc.children(1, []int{100, 200})
		proc.children(100, []int{101}, []int{0, 102})
		proc.children(101, []int{103})
		proc.children(103, []int{104})
		proc.children(200, []int{201})
		for _, leaf := range []int{102, 104, 201} {
			proc.children(leaf, nil)
		}
	}
	return proc
}

func TestDescendants(t *testing.T) {
	for _, withLists := range []bool{true, false} {
		f := New(family(t, withLists).root)
		for range 2 { // the second time knows whether there are lists
			got, err := f.Descendants([]int{-1}, 100)
			if err != nil {
				t.Fatal(err)
			}
			if want := []int{-1, 101, 102, 103, 104}; !slices.Equal(got, want) {
				t.Errorf("with lists %t: got %v, want %v", withLists, got, want)
			}
		}
		if got, err := f.Descendants(nil, 104); err != nil || len(got) != 0 {
			t.Errorf("with lists %t: a leaf has %v, %v", withLists, got, err)
		}
		if got, err := f.Descendants(nil, 555); !errors.Is(err, ErrGone) || len(got) != 0 {
			t.Errorf("with lists %t: nobody has %v, %v", withLists, got, err)
		}
	}
}

func TestDescendantsOfVanishing(t *testing.T) {
	proc := family(t, true)
	// 101 has ended since its parent's list was made, 102's thread too.
	for _, path := range []string{"101", "102/task/102/children"} {
		if err := os.RemoveAll(filepath.Join(proc.root, path)); err != nil {
			t.Fatal(err)
		}
	}
	f := New(proc.root)
	got, err := f.Descendants(nil, 100)
	if want := []int{101, 102}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestDescendantsInACircle(t *testing.T) {
	proc := newTree(t)
	proc.process(5, 6)
	proc.process(6, 5)
	proc.children(5, []int{6, 6})
	proc.children(6, []int{5, 6})
	f := New(proc.root)
	for _, lists := range []childLists{listsPresent, listsMissing} {
		f.lists = lists
		if got, err := f.Descendants(nil, 5); err != nil || !slices.Equal(got, []int{6}) {
			t.Errorf("lists %d: got %v, %v", lists, got, err)
		}
	}
}

// Both ways agree on any forest, including lists longer than a buffer.
func TestBothWaysAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 3 {
		proc := newTree(t)
		const n = 700
		children := make(map[int][]int)
		for i := range n {
			parent := 0
			if i > 0 {
				parent = 100000 + random.IntN(min(i, 1+9*round)) // few parents: long lists
			}
			proc.process(100000+i, parent)
			children[parent] = append(children[parent], 100000+i)
		}
		for i := range n {
			proc.children(100000+i, children[100000+i])
		}
		f := New(proc.root)
		for i := range 10 {
			f.lists = listsUntried
			byList, err := f.Descendants(nil, 100000+i)
			if err != nil {
				t.Fatal(err)
			}
			f.lists = listsMissing
			byParent, err := f.Descendants(nil, 100000+i)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(byList)
			slices.Sort(byParent)
			if !slices.Equal(byList, byParent) || (i == 0 && len(byList) != n-1) {
				t.Fatalf("round %d, process %d: %d by lists, %d by parents", round, i, len(byList), len(byParent))
			}
		}
	}
}

func TestLiveDescendants(t *testing.T) {
	// A shell with a child of its own, and a pipe that keeps both waiting.
	shell := exec.Command("sh", "-c", "cat; true")
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		_ = shell.Wait()
	}()
	f := New("/proc")
	for { // until the shell has forked; the test's time limit bounds this
		got, err := f.Descendants(nil, os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(got, shell.Process.Pid) {
			t.Fatalf("%d is not among %v", shell.Process.Pid, got)
		}
		grand, err := f.Descendants(nil, shell.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		if len(grand) == 1 {
			if got, err = f.Descendants(got[:0], os.Getpid()); err != nil || !slices.Contains(got, grand[0]) {
				t.Errorf("grandchild %d is not among %v, %v", grand[0], got, err)
			}
			return
		}
	}
}

func TestDescendantsErrors(t *testing.T) {
	proc := newTree(t)
	proc.process(3, 1)
	proc.write("3/task/3/children/file", "a directory")
	f := New(proc.root)
	if got, err := f.Descendants([]int{7}, 3); !errors.Is(err, syscall.EISDIR) || !slices.Equal(got, []int{7}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestDescendantsAllocateNothing(t *testing.T) {
	for _, withLists := range []bool{true, false} {
		f := New(family(t, withLists).root)
		var pids []int
		if n := testing.AllocsPerRun(50, func() {
			var err error
			if pids, err = f.Descendants(pids[:0], 100); err != nil || len(pids) != 4 {
				t.Fatal(pids, err)
			}
		}); n != 0 {
			t.Errorf("with lists %t: allocates %v times", withLists, n)
		}
	}
}

func FuzzChildren(f *testing.F) {
	f.Add([]byte("101 102 0 -1 x 103"))
	f.Fuzz(func(t *testing.T, text []byte) {
		fs := New("")
		got := fs.appendUnseen(nil, text)
		for _, pid := range got {
			if pid <= 0 {
				t.Errorf("PID %d", pid)
			}
		}
		slices.Sort(got)
		if n := len(got); n != len(slices.Compact(got)) {
			t.Error("a PID came twice")
		}
	})
}

func BenchmarkDescendantsByParent(b *testing.B) {
	f := New(nodeOf5000(b).root)
	f.lists = listsMissing
	var pids []int
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if pids, err = f.Descendants(pids[:0], 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDescendantsByList(b *testing.B) {
	f := New(family(b, true).root)
	var pids []int
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if pids, err = f.Descendants(pids[:0], 100); err != nil {
			b.Fatal(err)
		}
	}
}
