package sim_test

import (
	"errors"
	"testing"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/nvml/conformance"
	"greenagent/nvml/sim"
	"greenagent/scenario"
)

const origin = energy.Instant(time.Hour)

// busy returns every board with two processes, and one more under MIG.
func busy() scenario.Node {
	node := scenario.Node{Devices: scenario.Presets()}
	for i := range node.Devices {
		node.Devices[i].Loads = []scenario.Load{
			{PID: 100, From: -time.Minute, Power: scenario.Square(0, 30*energy.Watt, time.Second, 0.5, 0), Memory: 1 << 30},
			{PID: 200, From: time.Second, Power: scenario.Steady(10 * energy.Watt), Memory: 2 << 30, Kinds: scenario.Graphics},
		}
	}
	mig := scenario.Hopper("GPU-mig")
	mig.Instances = []scenario.Instance{{UUID: "MIG-1", GPUInstance: 1, Slices: 3, Memory: 40 << 30}, {UUID: "MIG-2", GPUInstance: 2, Slices: 4, Memory: 40 << 30}}
	mig.Loads = []scenario.Load{
		{PID: 300, Power: scenario.Steady(100 * energy.Watt), Memory: 1 << 30, Instance: "MIG-1"},
		{PID: 400, Power: scenario.Steady(50 * energy.Watt), Memory: 1 << 30, Instance: "MIG-2"},
	}
	node.Devices = append(node.Devices, mig)
	return node
}

func TestConformance(t *testing.T) {
	clock := sim.NewClock(origin)
	lib := sim.New(busy(), clock, origin)
	conformance.Run(t, lib, conformance.Options{Clock: clock, Wait: func(d time.Duration) { clock.Advance(d) }})
}

func TestSampleAllocatesNothing(t *testing.T) {
	clock := sim.NewClock(origin)
	lib := sim.New(busy(), clock, origin)
	var s nvml.Sample
	for i := range lib.Devices() {
		if n := testing.AllocsPerRun(100, func() {
			clock.Advance(13 * time.Millisecond)
			if err := lib.Sample(i, &s); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations for a sample", lib.Devices()[i].UUID, n)
		}
	}
}

// TestModule checks that a superchip's power is labelled as the module's, and
// contains it.
func TestModule(t *testing.T) {
	board := scenario.GraceHopper("GPU-1")
	clock := sim.NewClock(origin)
	lib := sim.New(scenario.Node{Devices: []scenario.Device{board}}, clock, origin)
	var s nvml.Sample
	if err := lib.Sample(0, &s); err != nil {
		t.Fatal(err)
	}
	if want := board.Idle + board.Module; s.Scope != nvml.ScopeModule || s.Instant != want || s.Average != want {
		t.Errorf("got %+v, want %v of the module", s, want)
	}
}

func TestFaults(t *testing.T) {
	for _, test := range []struct {
		kind scenario.FaultKind
		want error
	}{
		{scenario.Lost, nvml.ErrLost},
		{scenario.ResetRequired, nvml.ErrLost},
		{scenario.Hang, nvml.ErrHung},
		{scenario.Transient, nvml.ErrTransient},
		{scenario.Unsupported, nvml.ErrTransient}, // it did support it a moment ago
		{scenario.NoPermission, nvml.ErrPermission},
		{scenario.NoDriver, nvml.ErrNoDriver},
		{scenario.VersionMismatch, nvml.ErrVersionMismatch},
	} {
		node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-1"), scenario.Hopper("GPU-2")},
			Faults: []scenario.Fault{{Device: 1, Kind: test.kind, At: time.Second, For: time.Second}}}
		clock := sim.NewClock(origin)
		lib := sim.New(node, clock, origin)
		for _, want := range []error{nil, test.want, nil} {
			for name, call := range map[string]func(int) error{
				"sample":        func(i int) error { return lib.Sample(i, new(nvml.Sample)) },
				"processes":     func(i int) error { _, err := lib.Processes(i, nil); return err },
				"utilization":   func(i int) error { _, err := lib.Utilization(i, 0, nil); return err },
				"power samples": func(i int) error { _, err := lib.PowerSamples(i, 0, nil); return err },
				"status":        func(i int) error { return lib.Status(i, new(nvml.Status)) },
			} {
				if err := call(0); err != nil {
					t.Errorf("kind %d: %s of the healthy device: %v", test.kind, name, err)
				}
				if err := call(1); !errors.Is(err, want) {
					t.Errorf("kind %d: %s: %v, want %v", test.kind, name, err, want)
				}
			}
			clock.Advance(time.Second)
		}
	}
}

func TestOpen(t *testing.T) {
	node := scenario.Node{Faults: scenario.DriverUnloaded(0, time.Minute)}
	clock := sim.NewClock(origin)
	if _, err := sim.Open(node, clock, origin); !errors.Is(err, nvml.ErrNoDriver) {
		t.Errorf("without a driver: %v", err)
	}
	clock.Advance(time.Minute)
	if _, err := sim.Open(node, clock, origin); err != nil {
		t.Errorf("with its driver back: %v", err)
	}
}

// TestPartial loses power while the counter goes on, and has it show nonsense.
func TestPartial(t *testing.T) {
	node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-1")}, Faults: []scenario.Fault{
		{Call: scenario.CallPower, Kind: scenario.Transient, At: time.Second, For: time.Second},
		{Call: scenario.CallPower, Kind: scenario.Garbage, At: 2 * time.Second, Times: 1, Value: 588_000},
	}}
	clock := sim.NewClock(origin)
	lib := sim.New(node, clock, origin)
	clock.Advance(time.Second)
	var s nvml.Sample
	if err := lib.Sample(0, &s); !errors.Is(err, nvml.ErrTransient) || !s.HasCounter || s.HasInstant || s.Counter == 0 {
		t.Errorf("without power: %+v, %v", s, err)
	}
	clock.Advance(time.Second)
	for _, want := range []energy.Power{588 * energy.Watt, 70 * energy.Watt} {
		if err := lib.Sample(0, &s); err != nil || s.Instant != want {
			t.Errorf("garbage: %+v, %v, want %v", s, err, want)
		}
	}
}

// TestOldDriver leaves symbols out.
func TestOldDriver(t *testing.T) {
	node := scenario.Node{Devices: []scenario.Device{scenario.Ada("GPU-1"), scenario.Volta("GPU-2")},
		MissingSymbols: []string{"nvmlDeviceGetFieldValues", "nvmlDeviceGetSamples", "nvmlDeviceGetProcessUtilization"}}
	lib := sim.New(node, sim.NewClock(origin), origin)
	var s nvml.Sample
	if err := lib.Sample(0, &s); err != nil || !s.HasCounter || s.HasInstant || !s.HasAverage {
		t.Errorf("a board that averages: %+v, %v", s, err)
	}
	if err := lib.Sample(1, &s); err != nil || !s.HasCounter || !s.HasInstant || s.HasAverage {
		t.Errorf("one that does not: %+v, %v", s, err)
	}
	if _, err := lib.PowerSamples(0, 0, nil); !errors.Is(err, nvml.ErrUnsupported) {
		t.Errorf("power samples: %v", err)
	}
	if _, err := lib.Utilization(0, 0, nil); !errors.Is(err, nvml.ErrUnsupported) {
		t.Errorf("utilization: %v", err)
	}
}
