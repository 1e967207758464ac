package procfs

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestReadProcess(t *testing.T) {
	proc := newTree(t)
	proc.process(42, 7)
	var got Process
	if err := New(proc.root+"/").Read(42, &got); err != nil {
		t.Fatal(err)
	}
	want := Process{
		ID: ID{PID: 42, Start: 1234567}, PPID: 7, PGRP: 42, Session: 7, State: 'S', Threads: 4,
		User: 150, System: 25, ChildUser: 11, ChildSystem: 9,
		RSS: 1024 * int64(os.Getpagesize()), Comm: MakeComm("worker"),
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Comm{})); diff != "" {
		t.Error(diff)
	}
	if got.Busy() != 175 {
		t.Errorf("busy for %d ticks, want 175", got.Busy())
	}
}

func TestHostileNames(t *testing.T) {
	for _, comm := range []string{
		"", " ", ")", "(", "a) R 1 2 3", "))) S 1", "a b\tc", "line\nbreak) Z 0", "\x1b[2J", "\xff\xfe", "(sd-pam)",
		strings.Repeat("x", 64),
	} {
		p, ok := parseProcess([]byte(statLine(9, 3, comm)), 4096)
		if !ok || p.PID != 9 || p.PPID != 3 || p.State != 'S' || p.Start != 1234567 || p.Comm.String() != comm {
			t.Errorf("name %q read as %+v (name %q), %t", comm, p, p.Comm.String(), ok)
		}
		if got := string(p.Comm.AppendTo([]byte("name "))); got != "name "+comm {
			t.Errorf("appended as %q", got)
		}
	}
	// The kernel prints at most 64 bytes; whatever comes, none is written past the end.
	if p, ok := parseProcess([]byte(statLine(9, 3, strings.Repeat("y", 65536))), 4096); !ok || len(p.Comm.String()) != 64 {
		t.Errorf("name of 64 KiB read as %d bytes, %t", len(p.Comm.String()), ok)
	}
}

func TestMalformedStat(t *testing.T) {
	good := statLine(9, 3, "x")
	if _, ok := parseProcess([]byte(good), 4096); !ok {
		t.Fatal("the good line is not read")
	}
	for name, text := range map[string]string{
		"empty":           "",
		"newline":         "\n",
		"no name":         "9 S 3 9",
		"no PID":          strings.Replace(good, "9 (", " (", 1),
		"PID 0":           strings.Replace(good, "9 (", "0 (", 1),
		"negative PID":    strings.Replace(good, "9 (", "-9 (", 1),
		"cut off":         good[:60],
		"only name":       "9 (x)",
		"huge PID":        strings.Replace(good, "9 (", "99999999999999999999999 (", 1),
		"negative start":  strings.Replace(good, "1234567", "-1", 1),
		"letters":         strings.Replace(good, "1234567", "12E4567", 1),
		"huge start":      strings.Replace(good, "1234567", "18446744073709551616", 1),
		"negative RSS":    strings.Replace(good, " 1024 ", " -1 ", 1),
		"huge RSS":        strings.Replace(good, " 1024 ", " 9223372036854775807 ", 1),
		"state of a word": strings.Replace(good, ") S ", ") SS ", 1),
	} {
		if p, ok := parseProcess([]byte(text), 4096); ok {
			t.Errorf("%s: read as %+v", name, p)
		}
	}
}

func TestProcessErrors(t *testing.T) {
	proc := newTree(t)
	proc.write("5/stat", "nonsense")
	proc.write("6/stat", statLine(7, 1, "somebody else"))
	proc.write("8/stat/file", "stat is a directory")
	f := New(proc.root)

	before := Process{ID: ID{PID: 1, Start: 2}}
	p := before
	if err := f.Read(4, &p); err != ErrGone {
		t.Errorf("missing process: %v, want ErrGone as it is", err)
	}
	for _, pid := range []int{5, 6} {
		err := f.Read(pid, &p)
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), proc.root) {
			t.Errorf("process %d: %v, want ErrMalformed with the file's name", pid, err)
		}
	}
	if err := f.Read(8, &p); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("directory: %v, want EISDIR", err)
	}
	if p != before {
		t.Errorf("failing reads left %+v", p)
	}
	// ESRCH is what reading an open file of an ended process yields.
	f.atProcess(8, "/stat")
	if err := f.processError(syscall.ESRCH); err != ErrGone {
		t.Errorf("ESRCH became %v", err)
	}
	if err := f.processError(syscall.EPERM); !errors.Is(err, fs.ErrPermission) || errors.Is(err, ErrGone) {
		t.Errorf("EPERM (hidepid=1) became %v", err)
	}
}

func TestOwnProcess(t *testing.T) {
	f := New("/proc")
	var p Process
	if err := f.Read(os.Getpid(), &p); err != nil {
		t.Fatal(err)
	}
	if p.PID != os.Getpid() || p.PPID != os.Getppid() || p.Threads < 1 || p.RSS < 1<<20 || p.Start == 0 {
		t.Errorf("this test process is %+v", p)
	}
	// Both are 0 where the leader lives outside this PID namespace, as in a container
	// that was entered.
	if session, err := unix.Getsid(0); err != nil || p.Session != session || p.PGRP != syscall.Getpgrp() {
		t.Errorf("session %d, process group %d, want %d (%v) and %d", p.Session, p.PGRP, session, err, syscall.Getpgrp())
	}
	suspended, err := Suspended()
	if err != nil || suspended < 0 {
		t.Fatal(suspended, err)
	}
	booted, err := f.Booted()
	if err != nil {
		t.Fatal(err)
	}
	// The wall clock knows when this started, to about a second.
	started := booted.Add(time.Duration(p.ID.Started(suspended)) + suspended)
	if age := time.Since(started); age < -3*time.Second || age > time.Hour {
		t.Errorf("started %v ago", age)
	}
}

func TestBusyGrows(t *testing.T) {
	f := New("/proc")
	var before, after Process
	if err := f.Read(os.Getpid(), &before); err != nil {
		t.Fatal(err)
	}
	for x := uint64(1); ; x++ {
		if x%(1<<20) != 0 {
			continue
		}
		if err := f.Read(os.Getpid(), &after); err != nil {
			t.Fatal(err)
		}
		if after.Busy() > before.Busy()+2 { // the test's own time limit bounds this
			return
		}
	}
}

func TestStates(t *testing.T) {
	for state, want := range map[State]bool{Running: false, 'S': false, 'D': false, Zombie: true, Dead: true} {
		if state.Ended() != want {
			t.Errorf("%v ended: %t", state, state.Ended())
		}
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	proc := newTree(t)
	proc.process(42, 7)
	f := New(proc.root)
	var p Process
	if n := testing.AllocsPerRun(100, func() {
		if f.Read(42, &p) != nil || f.Read(43, &p) != ErrGone {
			t.Fatal("unexpected outcome")
		}
	}); n != 0 {
		t.Errorf("reading a process allocates %v times", n)
	}
}

func FuzzProcess(f *testing.F) {
	f.Add([]byte(statLine(42, 7, "worker")))
	f.Add([]byte(statLine(1, 0, ") R (\n")))
	f.Add([]byte("1 () S 0 1"))
	f.Add([]byte("1 )("))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, ok := parseProcess(text, 4096)
		if ok && (p.PID <= 0 || p.PPID < 0 || p.RSS < 0) {
			t.Errorf("%q read as %+v", text, p)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	f := New("/proc")
	var p Process
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Read(os.Getpid(), &p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseProcess(b *testing.B) {
	text := []byte(statLine(42, 7, "worker"))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := parseProcess(text, 4096); !ok {
			b.Fatal("not read")
		}
	}
}
