package collector_test

import (
	"errors"
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/nvml/sim"
	"greenagent/scenario"
)

// TestGPUDomains: each board is described by what it answers, not by what its like
// usually have.
func TestGPUDomains(t *testing.T) {
	node := scenario.Node{Devices: scenario.Presets()}
	blind := scenario.GraceHopper("GPU-blind")
	blind.Sensor.Counter = false
	node.Devices = append(node.Devices, blind)
	source := collector.NewGPUs(sim.New(node, sim.NewClock(at(0)), at(0)), nil)
	readings, err := source.Read(nil)
	if err != nil || len(readings) != len(node.Devices) {
		t.Fatalf("%d readings, %v", len(readings), err)
	}
	for i, d := range source.Domains() {
		device := &node.Devices[i]
		if d.ID != "gpu:"+device.UUID || d.Type != collector.GPU || d.Name != device.Name || d.Limit != device.MaxLimit || d.Gain <= 0 {
			t.Errorf("%+v", d)
		}
		if d.Counter != device.Sensor.Counter || (d.Basis == energy.Counted) != d.Counter {
			t.Errorf("%s: a counter: %t, basis %v", d.ID, d.Counter, d.Basis)
		}
		if d.Tick != device.Sensor.InstantTick {
			t.Errorf("%s: a tick of %v, its sensor's is %v", d.ID, d.Tick, device.Sensor.InstantTick)
		}
		if window := time.Duration(d.Window * float64(d.Tick)); d.Lag == 0 && window != device.Sensor.InstantWindow {
			t.Errorf("%s: a window of %v, its sensor's is %v", d.ID, window, device.Sensor.InstantWindow)
		}
		r := readings[i]
		if (r.Has&collector.HasCounter != 0) != d.Counter || r.Domain != i || r.At != at(0) {
			t.Errorf("%s: %+v", d.ID, r)
		}
		wantPower := device.Architecture != "Hopper" || device.Sensor.Fields&scenario.ScopeGPU != 0 || !d.Counter
		if (r.Has&collector.HasPower != 0) != wantPower {
			t.Errorf("%s: power: %+v", d.ID, r)
		}
	}
	if d := source.Domains()[len(node.Devices)-1]; d.Scope != "module" || d.Note == "" {
		t.Errorf("a module's power is not labelled: %+v", d)
	}
	if points, err := source.Recall(len(node.Devices)-1, nil); len(points) != 0 || err != nil {
		t.Errorf("a module's past: %d points, %v", len(points), err)
	}
}

// counted counts how often the first device is asked.
type counted struct {
	*sim.Library
	asked int
}

func (c *counted) Sample(device int, dst *nvml.Sample) error {
	if device == 0 {
		c.asked++
	}
	return c.Library.Sample(device, dst)
}

// TestLostGPUs: the others are read as before, and the lost one is asked less and
// less often until it is back.
func TestLostGPUs(t *testing.T) {
	node := scenario.Node{
		Devices: []scenario.Device{scenario.Hopper("GPU-0"), scenario.Hopper("GPU-1")},
		Faults:  []scenario.Fault{{Device: 0, Kind: scenario.Lost, At: time.Second, For: 10 * time.Second}},
	}
	clock := sim.NewClock(at(0))
	lib := &counted{Library: sim.New(node, clock, at(0))}
	source := collector.NewGPUs(lib, nil)
	lib.asked = 0
	failures, back := 0, time.Duration(0)
	for now := time.Duration(0); now < 20*time.Second; now += 45 * ms {
		clock.Advance(at(now).Sub(clock.Now()))
		readings, err := source.Read(nil)
		if err != nil {
			failures++
			if !errors.Is(err, nvml.ErrLost) {
				t.Fatal(err)
			}
		}
		if n := len(readings); n == 0 || readings[n-1].Domain != 1 {
			t.Fatalf("at %v: %+v", now, readings)
		}
		if len(readings) == 2 && now > 11*time.Second && back == 0 {
			back = now
		}
	}
	if asked := lib.asked - int((20*time.Second-back)/(45*ms)) - int(time.Second/(45*ms)); asked < 2 || asked > 20 {
		t.Errorf("asked %d times while it was lost", asked)
	}
	// What is wrong is told all the while, also while it is left alone.
	if most := int((back - time.Second) / (45 * ms)); failures < most-1 || failures > most+1 {
		t.Errorf("told %d times that it is lost, of %d readings", failures, most)
	}
	if back == 0 || back > 15*time.Second {
		t.Errorf("read again at %v, it was back at 11 s", back)
	}
}

// TestPartialGPUReadings: what could be read is used, beside the error that tells
// what could not.
func TestPartialGPUReadings(t *testing.T) {
	node := scenario.Node{
		Devices: []scenario.Device{scenario.Hopper("GPU-0")},
		Faults:  []scenario.Fault{{Call: scenario.CallPower, Kind: scenario.Transient, At: time.Second}},
	}
	clock := sim.NewClock(at(0))
	source := collector.NewGPUs(sim.New(node, clock, at(0)), nil)
	clock.Advance(time.Second)
	readings, err := source.Read(nil)
	if !errors.Is(err, nvml.ErrTransient) || len(readings) != 1 || readings[0].Has != collector.HasCounter {
		t.Errorf("%+v, %v", readings, err)
	}
}
