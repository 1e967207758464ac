package host

import (
	"testing"
	"time"

	"greenagent/collector/procfs"
	"greenagent/energy"
	"greenagent/scenario"
)

// A described node, whose energies are known exactly, is read through its /proc
// and /sys.
func TestDescribedNode(t *testing.T) {
	node := scenario.Node{
		CPU: scenario.CPU{
			Vendor: "GenuineIntel", Model: "Intel(R) Xeon(R) Platinum 8480+", LogicalCPUs: 224, MemoryBytes: 2 << 40,
			Packages: []scenario.Package{
				{Idle: 100 * energy.Watt, Max: 350 * energy.Watt, Core: true, DRAMIdle: 10 * energy.Watt, DRAMMax: 30 * energy.Watt},
				{Idle: 90 * energy.Watt, Max: 350 * energy.Watt, Wrap: 1000 * energy.Joule}, // turns over every few seconds
			},
		},
		Processes: []scenario.Process{
			{PID: 100, PPID: 1, Start: 5 * time.Second, End: 40 * time.Second, Command: []string{"train"},
				CPU: scenario.Steady(64 * scenario.Core)},
		},
	}
	if err := node.Validate(); err != nil {
		t.Fatal(err)
	}
	sys, proc := t.TempDir(), t.TempDir()
	write := func(at time.Duration) {
		t.Helper()
		if err := node.WritePowercap(sys, at); err != nil {
			t.Fatal(err)
		}
		if err := node.WriteProc(proc, at); err != nil {
			t.Fatal(err)
		}
	}
	write(0)
	facts, err := ReadFacts(t.Context(), Roots{Proc: proc, Sys: sys, Etc: t.TempDir()})
	if err != nil || facts.LogicalCPUs != 224 || facts.Virtual || facts.CPUModel != node.CPU.Model {
		t.Fatalf("%+v, %v", facts, err)
	}
	c := &clock{}
	rapl, err := OpenPowercap(sys, c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rapl.Close() }()
	model, err := OpenModel(facts, procfs.New(proc), c)
	if err != nil {
		t.Fatal(err)
	}
	first, err := rapl.Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	const end = 60 * time.Second
	var last, modelled []Reading
	for at := time.Second; at <= end; at += time.Second {
		write(at)
		c.now = max(c.now, energy.Instant(at))
		if last, err = rapl.Read(last[:0]); err != nil {
			t.Fatal(err)
		}
		if modelled, err = model.Read(modelled[:0]); err != nil {
			t.Fatal(err)
		}
	}
	truth := map[string]energy.Energy{
		"package-0":      node.PackageEnergy(0, 0, end),
		"package-0/dram": node.DRAMEnergy(0, 0, end),
		"package-1":      node.PackageEnergy(1, 0, end),
	}
	seen := 0
	for i, r := range last {
		d := rapl.Domains()[r.Domain]
		if !d.Additive() {
			continue
		}
		seen++
		// Two ends, and a unit lost for each of some ten turns, at a microjoule each.
		got, want := r.Energy-first[i].Energy, truth[d.Name]
		if r.Epoch != 0 || got < want-20 || got > want+2 {
			t.Errorf("%s: %d µJ, want %d µJ, epoch %d", d.Name, got, want, r.Epoch)
		}
	}
	if seen != len(truth) {
		t.Errorf("%d additive domains: %v", seen, summaries(rapl.Domains()))
	}
	// The model has its own idea of the watts, and the node's of the load:
	// 64 of 224 threads for 35 s of 60.
	load := model.Load(0)
	want := load.Idle.For(end) + energy.Energy(float64((load.Full-load.Idle).For(35*time.Second))*64/224)
	if load.Full != 700*energy.Watt || !near(modelled[0].Energy, want, 1e-3) {
		t.Errorf("modelled %v J, want %v J", modelled[0].Energy.Joules(), want.Joules())
	}
}
