package procfs

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"
)

func TestPIDs(t *testing.T) {
	proc := newTree(t)
	for _, pid := range []int{1, 42, 4194303} {
		proc.process(pid, 0)
	}
	for _, name := range []string{"self/stat", "stat", "sys/kernel", "007/stat", "12x/stat", "0/stat", "99999999999999/stat"} {
		proc.write(name, "")
	}
	got, err := New(proc.root).PIDs([]int{-1})
	if err != nil {
		t.Fatal(err)
	}
	if got[0] != -1 {
		t.Errorf("what was in dst is gone: %v", got)
	}
	slices.Sort(got)
	if want := []int{-1, 1, 42, 4194303}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLivePIDs(t *testing.T) {
	got, err := New("/proc").PIDs(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(got, os.Getpid()) || !slices.IsSorted(got) {
		t.Errorf("%d in %v", os.Getpid(), got)
	}
}

func TestPIDsOfManyBlocks(t *testing.T) {
	proc := newTree(t)
	for pid := 1; pid <= 3000; pid++ { // more than one getdents
		if err := os.Mkdir(proc.root+"/"+string(appendUint(nil, uint64(pid))), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got, err := New(proc.root).PIDs(nil)
	slices.Sort(got)
	if err != nil || len(got) != 3000 || got[0] != 1 || got[2999] != 3000 {
		t.Errorf("%d PIDs, %v", len(got), err)
	}
}

func TestNoProc(t *testing.T) {
	f := New(t.TempDir() + "/missing")
	if pids, err := f.PIDs(nil); !errors.Is(err, syscall.ENOENT) || len(pids) != 0 {
		t.Errorf("%v, %v", pids, err)
	}
	if f.Root() == "" {
		t.Error("the root has no name")
	}
}

func TestHidden(t *testing.T) {
	proc := newTree(t)
	f := New(proc.root)
	if !f.Hidden() {
		t.Error("without the first process, nothing seems hidden")
	}
	proc.process(1, 0)
	if f.Hidden() {
		t.Error("the first process is there, and something seems hidden")
	}
}

func FuzzDirents(f *testing.F) {
	entry := make([]byte, 24)
	binary.NativeEndian.PutUint16(entry[16:], 24)
	copy(entry[19:], "4242")
	f.Add(entry)
	f.Add(append(slices.Clone(entry), 1, 2, 3))
	f.Fuzz(func(t *testing.T, entries []byte) {
		for _, pid := range parseDirents(nil, entries) {
			if pid <= 0 {
				t.Errorf("PID %d", pid)
			}
		}
	})
}

// nodeOf5000 is a busy node: 5,000 processes, most of them children of a few.
func nodeOf5000(b *testing.B) tree {
	proc := newTree(b)
	for pid := 1; pid <= 5000; pid++ {
		proc.process(pid, pid/50)
	}
	return proc
}

// BenchmarkScan lists and reads every process of a node of 5,000.
func BenchmarkScan(b *testing.B) {
	f := New(nodeOf5000(b).root)
	var p Process
	pids := make([]int, 0, 8192) // as after the first tick
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if pids, err = f.PIDs(pids[:0]); err != nil || len(pids) != 5000 {
			b.Fatal(len(pids), err)
		}
		for _, pid := range pids {
			if err := f.Read(pid, &p); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	proc := newTree(t)
	for pid := 1; pid <= 100; pid++ {
		proc.process(pid, 0)
	}
	f := New(proc.root)
	var pids []int
	if n := testing.AllocsPerRun(20, func() {
		var err error
		if pids, err = f.PIDs(pids[:0]); err != nil || len(pids) != 100 {
			t.Fatal(len(pids), err)
		}
	}); n != 0 {
		t.Errorf("allocates %v times", n)
	}
}
