package host

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"greenagent/collector/procfs"
	"greenagent/energy"
)

func (t tree) cpuTimes(busy, idle int) {
	t.tb.Helper()
	t.write("stat", fmt.Sprintf("cpu  %d 0 0 %d 0 0 0 0 0 0\nbtime 1\n", busy, idle))
}

// milan is a server with two EPYC 7763 and 1 TiB.
var milan = Facts{CPUModel: "AMD EPYC 7763 64-Core Processor", LogicalCPUs: 256, Packages: 2, Memory: 1007 << 30}

func openModel(t testing.TB, f Facts) (tree, *clock, *Model) {
	t.Helper()
	proc, c := newTree(t), &clock{}
	proc.cpuTimes(1000, 5000)
	m, err := OpenModel(f, procfs.New(proc.root), c)
	if err != nil {
		t.Fatal(err)
	}
	return proc, c, m
}

func near(a, b energy.Energy, tolerance float64) bool {
	return a.Joules() <= b.Joules()*(1+tolerance)+0.01 && a.Joules() >= b.Joules()*(1-tolerance)-0.01
}

func TestModelEnergy(t *testing.T) {
	proc, c, m := openModel(t, milan)
	cpu, memory := m.Load(0), m.Load(1)
	if cpu.Full != 560*energy.Watt || cpu.Idle != energy.FromWatts(560*idleShare) {
		t.Errorf("two EPYC 7763: %+v", cpu)
	}
	if memory.Full != 80*energy.Watt || memory.Idle != 48*energy.Watt { // 16 modules of 64 GiB
		t.Errorf("1 TiB: %+v", memory)
	}
	read := func() (e [2]energy.Energy) {
		t.Helper()
		got, err := m.Read(nil)
		if err != nil || len(got) != 2 {
			t.Fatal(got, err)
		}
		for i, r := range got {
			if r.Domain != i || r.Kind != Counter || r.Power != 0 || r.Before >= r.After {
				t.Errorf("%+v", r)
			}
			e[i] = r.Energy
		}
		return e
	}
	start := read()
	if start[0] > energy.Joule {
		t.Errorf("%v J at once", start[0].Joules())
	}
	c.advance(10 * time.Second) // at rest
	rest := read()
	if !near(rest[0], cpu.Idle.For(10*time.Second), 1e-4) || !near(rest[1], memory.Idle.For(10*time.Second), 1e-4) {
		t.Errorf("10 s at rest: %v", rest)
	}
	// Ten seconds with all 256 threads busy: 256,000 ticks.
	proc.cpuTimes(1000+256000, 5000)
	c.advance(10 * time.Second)
	full := read()
	if !near(full[0]-rest[0], 560*energy.Watt.For(10*time.Second), 1e-4) || !near(full[1]-rest[1], 80*energy.Watt.For(10*time.Second), 1e-4) {
		t.Errorf("10 s in full: %v − %v", full, rest)
	}
	// CPU times go back when a CPU is unplugged; energy does not.
	proc.cpuTimes(10, 0)
	if back := read(); back[0] < full[0] || back[1] < full[1] {
		t.Errorf("%v after %v", back, full)
	}
}

// However often one looks, the total is the same.
func TestModelDoesNotDependOnLooks(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	_, often, a := openModel(t, milan)
	procB, seldom, b := openModel(t, milan)
	procA := newTree(t)
	a.proc = procfs.New(procA.root)
	busy := 1000
	for range 50 {
		busy += random.IntN(25600)
		procA.cpuTimes(busy, 0)
		procB.cpuTimes(busy, 0)
		d := time.Duration(random.Int64N(int64(time.Second)))
		often.advance(d)
		seldom.advance(d)
		if _, err := a.Read(nil); err != nil {
			t.Fatal(err)
		}
	}
	seldom.now = often.now // it looked at the clock less often, too
	x, err1 := a.Read(nil)
	y, err2 := b.Read(nil)
	if err1 != nil || err2 != nil || x[0].Energy != y[0].Energy || x[1].Energy != y[1].Energy {
		t.Errorf("often: %+v, once: %+v", x, y)
	}
}

func TestModelledDomains(t *testing.T) {
	for name, c := range map[string]struct {
		facts      Facts
		cpu        energy.Power // in full
		memory     float64      // W, in full
		relative   float64
		words      string
		wholeParts bool
	}{
		"server": {milan, 560 * energy.Watt, 80, uncertaintyTDP, "2 × EPYC 7763 (TDP 280 W)", true},
		"guest with a name": {Facts{CPUModel: "AMD EPYC 7763 64-Core Processor", LogicalCPUs: 32, Packages: 1, Memory: 32 << 30, Virtual: true},
			70 * energy.Watt, 2.5, uncertaintySharedTDP, "32 of the 128 threads of a EPYC 7763", false},
		"guest without": {Facts{CPUModel: "AMD EPYC", Vendor: "AuthenticAMD", Family: 25, Model: 17, LogicalCPUs: 2, Packages: 1, Memory: 16 << 30, Virtual: true},
			4564 * energy.Milliwatt, 1.25, uncertaintyArchitecture, "EPYC 4th generation", false},
		"nobody": {Facts{CPUModel: "x\x1b[2J", LogicalCPUs: 10, Memory: 8 << 30},
			35 * energy.Watt, 5, uncertaintyDefault, "in no table", true},
	} {
		_, _, m := openModel(t, c.facts)
		cpu, memory := m.Domains()[0], m.Domains()[1]
		if m.Load(0).Full != c.cpu || m.Load(1).Full != energy.FromWatts(c.memory) {
			t.Errorf("%s: %+v, %+v", name, m.Load(0), m.Load(1))
		}
		if cpu.Uncertainty != c.relative || !strings.Contains(cpu.Note, c.words) || strings.ContainsRune(cpu.Note, 0x1b) {
			t.Errorf("%s: %+v", name, cpu)
		}
		for i, d := range []Domain{cpu, memory} {
			if d.Basis != energy.Modelled || d.Kind != Counter || !d.Additive() || d.Idle != m.Load(i).Idle || d.Idle <= 0 ||
				d.Idle >= m.Load(i).Full || d.Uncertainty < 0.3 || !strings.Contains(d.Note, "modelled") {
				t.Errorf("%s: %+v", name, d)
			}
		}
		if cpu.Type != CPU || memory.Type != Memory {
			t.Errorf("%s: types %v, %v", name, cpu.Type, memory.Type)
		}
	}
}

func TestMemoryDoesNotSwamp(t *testing.T) {
	for size, want := range map[int64]float64{
		8 << 30: 5, 15 << 30: 5, 31 << 30: 10, 125 << 30: 40, // modules of 16 GiB
		251 << 30: 20, 503 << 30: 40, 2 << 40: 160, // and of 64 GiB
	} {
		load, _ := modelMemory(size, false)
		if load.Full.Watts() != want {
			t.Errorf("%d GiB: %v W, want %v W", size>>30, load.Full.Watts(), want)
		}
	}
}

func TestModelFaults(t *testing.T) {
	proc := newTree(t)
	fs := procfs.New(proc.root)
	if _, err := OpenModel(Facts{}, fs, &clock{}); !errors.Is(err, ErrAbsent) {
		t.Errorf("nothing known: %v", err)
	}
	if _, err := OpenModel(milan, fs, &clock{}); err == nil {
		t.Error("no /proc/stat, no error")
	}
	proc.cpuTimes(1, 1)
	m, err := OpenModel(Facts{LogicalCPUs: 4}, fs, &clock{})
	if err != nil || len(m.Domains()) != 1 || m.Domains()[0].Type != CPU {
		t.Fatal(m, err)
	}
	proc.write("stat", "garbage")
	if got, err := m.Read(nil); !errors.Is(err, procfs.ErrMalformed) || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestModelReadAllocatesNothing(t *testing.T) {
	_, _, m := openModel(t, milan)
	dst := make([]Reading, 0, 2)
	if n := testing.AllocsPerRun(100, func() {
		if got, err := m.Read(dst[:0]); err != nil || len(got) != 2 {
			t.Fatal(got, err)
		}
	}); n != 0 {
		t.Errorf("allocates %v times", n)
	}
}

func BenchmarkOpenModel(b *testing.B) {
	proc := newTree(b)
	proc.cpuTimes(1, 1)
	fs := procfs.New(proc.root)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := OpenModel(milan, fs, &clock{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkModelRead(b *testing.B) {
	_, _, m := openModel(b, milan)
	dst := make([]Reading, 0, 2)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Read(dst[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
