package collector_test

import (
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/collector/procfs"
	"greenagent/energy"
	"greenagent/nvml/sim"
	"greenagent/scenario"
)

// Steady state allocates nothing: readings come hundreds of times a second, for
// months. The simulator stands for NVML here; what the binding itself allocates is
// its own test's concern.

func nothing(t *testing.T, what string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(300, f); n != 0 {
		t.Errorf("%s: %v allocations", what, n)
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	node := scenario.Node{Devices: scenario.Presets()}
	for i := range node.Devices {
		d := &node.Devices[i]
		d.Loads = []scenario.Load{{PID: 42, Power: scenario.Square(energy.Watt, d.MaxLimit/2, 700*ms, 0.5, 0)}}
	}
	clock := sim.NewClock(at(0))
	source := collector.NewGPUs(sim.New(node, clock, at(0)), nil)
	var integrators []*collector.Integrator
	for _, d := range source.Domains() {
		integrators = append(integrators, collector.NewIntegrator(d, at(0)))
	}
	var readings []collector.Reading
	read := func() {
		clock.Advance(9 * ms)
		var err error
		if readings, err = source.Read(readings[:0]); err != nil {
			t.Fatal(err)
		}
		for _, r := range readings {
			g := integrators[r.Domain]
			g.Add(r)
			g.Uncertainty(g.Curve().At(r.At), r.At)
			g.Cadence(r.At)
		}
	}
	for range 500 {
		read()
	}
	nothing(t, "reading and integrating eight boards", read)
}

func TestObservingGPUsAllocatesNothing(t *testing.T) {
	node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0"), scenario.Volta("GPU-1")}}
	for i := range node.Devices {
		for pid := range 8 {
			resident(&node, i, 100*i+pid+1, 0, 0, 10*energy.Watt, 1<<30)
		}
	}
	u := newUsers(t, node)
	now := time.Duration(0)
	for range 5 {
		u.must(now)
		now += time.Second
	}
	nothing(t, "observing who is on two GPUs", func() {
		u.clock.Advance(time.Second)
		if err := u.observer.Observe(u.clock.Now(), u.activity); err != nil {
			t.Fatal(err)
		}
	})
}

func TestObservingTheTreeAllocatesNothing(t *testing.T) {
	processes := []scenario.Process{{PID: 42, PPID: self, CPU: cores(1)}}
	for i := range 30 {
		processes = append(processes, scenario.Process{PID: 100 + i, PPID: 42, CPU: cores(0.1)})
	}
	f := plant(t, processes...)
	f.usage = make([]collector.Activity, 2)
	for now := time.Second; now < 4*time.Second; now += time.Second {
		f.observe(now)
	}
	nothing(t, "observing a tree of 31", func() {
		if err := f.tree.Observe(at(f.now), f.usage); err != nil {
			t.Fatal(err)
		}
	})
	look := at(f.now)
	nothing(t, "noting who is in it", func() {
		look = look.Add(time.Second)
		f.tree.Look(look)
	})
	nothing(t, "asking whether one is in it", func() {
		if !f.tree.Has(100) {
			t.Fatal("it is not")
		}
	})
	if n := len(f.usage[1].Usage); n != 32 || f.usage[0].Method != collector.ByCPUTime || procfs.Tick != 10*ms {
		t.Errorf("%d processes", n)
	}
}
