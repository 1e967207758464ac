package procfs

import (
	"errors"
	"os"
	"testing"
)

const meminfoFile = `MemTotal:       24641528 kB
MemFree:         1000000 kB
MemAvailable:   20000000 kB
Buffers:            1234 kB
HugePages_Total:       0
Hugepagesize:       2048 kB
`

func TestMemory(t *testing.T) {
	proc := newTree(t)
	f := New(proc.root)
	if _, err := f.Memory(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no meminfo: %v", err)
	}
	proc.write("meminfo", meminfoFile)
	m, err := f.Memory()
	if want := (Memory{24641528 << 10, 20000000 << 10}); err != nil || m != want {
		t.Errorf("%+v, %v", m, err)
	}
	if used := m.Used(); used != 4641528<<10 {
		t.Errorf("used %d", used)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = f.Memory() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	// Before Linux 3.14.
	proc.write("meminfo", "MemTotal: 1000 kB\nMemFree: 400 kB\n")
	if m, err := f.Memory(); err != nil || m.Used() != 600<<10 {
		t.Errorf("without MemAvailable: %+v, %v", m, err)
	}
	for _, bad := range []string{"", "MemTotal: 1 kB\n", "MemTotal: x kB\nMemFree: 1 kB\n", "MemTotal: -1 kB\nMemFree: 1 kB\n",
		"MemTotal: 1 MB\nMemFree: 1 kB\n", "MemTotal: 9999999999999999 kB\nMemFree: 1 kB\n"} {
		proc.write("meminfo", bad)
		if m, err := f.Memory(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %+v, %v", bad, m, err)
		}
	}
}

func FuzzMemory(f *testing.F) {
	f.Add([]byte(meminfoFile))
	f.Add([]byte("MemTotal: 1 kB\nMemFree: 2 kB"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if m, ok := parseMemory(text); ok && (m.Total < 0 || m.Available < 0 || m.Used() < 0 || m.Used() > m.Total) {
			t.Errorf("%q: %+v", text, m)
		}
	})
}
