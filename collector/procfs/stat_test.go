package procfs

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"
)

const statFile = `cpu  2866 10 2191 241233 518 20 33 65 100 7
cpu0 1433 5 1095 120616 259 10 16 32 50 3
cpu1 1433 5 1096 120617 259 10 17 33 50 4
intr 1234 5 6 7
ctxt 99
btime 1700000000
processes 4711
`

func TestCPU(t *testing.T) {
	proc := newTree(t)
	proc.write("stat", statFile)
	f := New(proc.root)
	c, err := f.CPU()
	if err != nil {
		t.Fatal(err)
	}
	want := CPU{User: 2866, Nice: 10, System: 2191, Idle: 241233, IOWait: 518, IRQ: 20, SoftIRQ: 33, Steal: 65,
		Guest: 100, GuestNice: 7}
	if c != want {
		t.Errorf("got %+v", c)
	}
	// Guest time is in user time already, stolen time somebody else's.
	if got := c.Busy(); got != 2866+10+2191+20+33 {
		t.Errorf("busy %d", got)
	}
	if got := c.Total(); got != 2866+10+2191+241233+518+20+33+65 {
		t.Errorf("total %d", got)
	}
	booted, err := f.Booted()
	if err != nil || !booted.Equal(time.Unix(1700000000, 0)) {
		t.Errorf("booted %v, %v", booted, err)
	}
}

func TestCPUOfOldKernels(t *testing.T) {
	c, ok := parseCPU([]byte("cpu  1 2 3 4 5 6 7\n"))
	if !ok || c.SoftIRQ != 7 || c.Steal != 0 {
		t.Errorf("%+v, %t", c, ok)
	}
}

func TestMalformedCPU(t *testing.T) {
	proc := newTree(t)
	f := New(proc.root)
	if _, err := f.CPU(); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("no stat: %v", err)
	}
	if _, err := f.Booted(); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("no stat: %v", err)
	}
	for _, text := range []string{
		"", "cpu", "cpu  1 2 3\n", "cpu0 1 2 3 4 5 6 7 8\n", "cpu  1 2 3 4 5 6 -7 8\n",
		"cpu  1 2 3 4 5 6 99999999999999999999 8\n", "cpu  1 2 3 4 5 6 18446744073709551615 8\n",
		strings.Repeat("x", 5000),
	} {
		proc.write("stat", text)
		if c, err := f.CPU(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%.40q read as %+v, %v", text, c, err)
		}
		if when, err := f.Booted(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%.40q booted %v, %v", text, when, err)
		}
	}
}

func TestLiveCPU(t *testing.T) {
	c, err := New("/proc").CPU()
	if err != nil {
		t.Fatal(err)
	}
	if c.Busy() == 0 || c.Total() <= c.Busy() {
		t.Errorf("this machine's CPU times are %+v", c)
	}
}

func TestCPUAllocatesNothing(t *testing.T) {
	proc := newTree(t)
	proc.write("stat", statFile)
	f := New(proc.root)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := f.CPU(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("allocates %v times", n)
	}
}

func TestTicks(t *testing.T) {
	for ticks, want := range map[Ticks]time.Duration{0: 0, 1: 10 * time.Millisecond, 360000: time.Hour, 1 << 63: 1<<63 - 1} {
		if got := ticks.Duration(); got != want {
			t.Errorf("%d ticks are %v, want %v", ticks, got, want)
		}
	}
	// After an hour of suspend, a process that started 2 h after boot did so
	// 1 h into the monotonic clock.
	id := ID{PID: 1, Start: 2 * 3600 * TicksPerSecond}
	if got := id.Started(time.Hour); time.Duration(got) != time.Hour {
		t.Errorf("started at %v", time.Duration(got))
	}
}

func FuzzCPU(f *testing.F) {
	f.Add([]byte(statFile))
	f.Add([]byte("cpu  1 2 3 4 5 6 7\nbtime -1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, ok := parseCPU(text); ok && (c.Busy() > c.Total() || c.Busy() < c.User) {
			t.Errorf("%q read as %+v", text, c)
		}
		if seconds, ok := parseBootTime(text); ok && seconds < 0 {
			t.Errorf("%q: booted at %d", text, seconds)
		}
	})
}

func BenchmarkCPU(b *testing.B) {
	f := New("/proc")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.CPU(); err != nil {
			b.Fatal(err)
		}
	}
}
