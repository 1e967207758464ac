package conformance

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/nvml/libsim"
	"greenagent/nvml/sim"
	"greenagent/scenario"
)

// node has every kind of board at work, one of them idle, one partitioned and one
// that says little about itself.
func node() scenario.Node {
	devices := scenario.Presets()
	for i := range devices {
		d := &devices[i]
		d.Loads = []scenario.Load{
			{PID: 1000 + i, Power: scenario.Steady(d.MaxLimit / 4), Memory: 1 << 30},
			{PID: 2000 + i, Power: scenario.Square(0, d.MaxLimit/5, 300*time.Millisecond, 0.5, 0), Memory: 2 << 30,
				Kinds: scenario.Compute | scenario.Graphics, SM: 60},
			{PID: 3000 + i, Kinds: scenario.MPS},
		}
	}
	idle := scenario.Hopper("GPU-idle")
	split := scenario.GA100("GPU-split")
	split.Instances = []scenario.Instance{
		{UUID: "MIG-a", GPUInstance: 1, ComputeInstance: 0, Slices: 3, Memory: 20 << 30},
		{UUID: "MIG-b", GPUInstance: 2, ComputeInstance: 0, Slices: 4, Memory: 20 << 30},
	}
	split.Loads = []scenario.Load{
		{PID: 4001, Instance: "MIG-a", Power: scenario.Steady(100 * energy.Watt), Memory: 1 << 30},
		{PID: 4002, Instance: "MIG-b", Power: scenario.Steady(80 * energy.Watt), Memory: 1 << 30},
	}
	return scenario.Node{Devices: append(devices, idle, split, blank(), carved())}
}

// carved is partitioned unevenly: a GPU instance that two share, one that nobody
// uses, and one that is replaced by others under its own id.
func carved() scenario.Device {
	d := scenario.Hopper("GPU-carved")
	d.Private = true
	d.Instances = []scenario.Instance{
		{UUID: "MIG-c", GPUInstance: 1, ComputeInstance: 0, Slices: 1, GPUSlices: 3, Memory: 20 << 30},
		{UUID: "MIG-d", GPUInstance: 1, ComputeInstance: 1, Slices: 2, GPUSlices: 3, Memory: 20 << 30},
		{UUID: "MIG-e", GPUInstance: 4, Slices: 1, Memory: 10 << 30},
		{UUID: "MIG-f", GPUInstance: 5, Slices: 2, Memory: 20 << 30, To: 4500 * time.Millisecond},
		{UUID: "MIG-g", GPUInstance: 5, Slices: 1, Memory: 10 << 30, From: 4500 * time.Millisecond},
		{UUID: "MIG-h", GPUInstance: 6, Slices: 1, Memory: 10 << 30, From: 5 * time.Second},
	}
	d.Loads = []scenario.Load{
		{PID: 5001, Instance: "MIG-c", Power: scenario.Steady(50 * energy.Watt), SM: 90, Memory: 1 << 30},
		{PID: 5002, Instance: "MIG-d", Power: scenario.Square(0, 80*energy.Watt, 330*time.Millisecond, 0.3, 0), Memory: 1 << 30},
		{PID: 5003, Instance: "MIG-f", Power: scenario.Ramp(0, 80*energy.Watt, 3*time.Second), To: 4 * time.Second, Memory: 1 << 30},
		{PID: 5004, Instance: "MIG-g", Power: scenario.Steady(30 * energy.Watt), From: 4600 * time.Millisecond, SM: 40, Memory: 1 << 30},
	}
	return d
}

func blank() scenario.Device {
	blank := scenario.Volta("GPU-blank")
	blank.Name, blank.Serial, blank.MaxLimit, blank.Memory = "Graphics Device", "", 0, 0
	return blank
}

func TestSimulator(t *testing.T) {
	n := node()
	clock := sim.NewClock(energy.Instant(n.Since()))
	Run(t, sim.New(n, clock, clock.Now()), Options{
		Clock: clock,
		Wait:  func(d time.Duration) { clock.Advance(d) },
	})
}

// The same node, through the real go-nvml and the dynamic linker.
func TestSimulatedLibrary(t *testing.T) {
	in := libsim.Start(t, node(), libsim.Options{})
	lib := open(t, in, nil)
	Run(t, lib, Options{
		Clock: in.Clock(),
		Wait:  func(d time.Duration) { in.Advance(d) },
	})
}

// The same in real time: a clock that goes on between two readings of it.
func TestSimulatedLibraryInRealTime(t *testing.T) {
	n := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0")}}
	n.Devices[0].Loads = []scenario.Load{{PID: 77, Power: scenario.Steady(300 * energy.Watt)}}
	in := libsim.Start(t, n, libsim.Options{Monotonic: true})
	lib := open(t, in, nil)
	Run(t, lib, Options{Clock: in.Clock(), Wait: time.Sleep, Window: 300 * time.Millisecond})
}

// TestDriver examines the GPUs of this machine, whatever they are; it takes about
// half a minute for each. It runs only where it is asked for:
//
//	GREENAGENT_TEST_GPU=1 go test -run TestDriver -v ./nvml/conformance
//
// or, on a machine without Go, as the binary that go test -c makes of it.
func TestDriver(t *testing.T) {
	if os.Getenv("GREENAGENT_TEST_GPU") != "1" {
		t.Skip("no real driver is examined: set GREENAGENT_TEST_GPU=1 on a machine with an NVIDIA GPU")
	}
	clock := monotonic{}
	lib, err := nvml.Open(t.Context(), nvml.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, lib)
	for _, w := range lib.Warnings() {
		t.Log("warning:", w)
	}
	t.Log("driver", lib.Driver())
	for i, d := range lib.Devices() {
		var s nvml.Sample
		err := lib.Sample(i, &s)
		t.Logf("%+v\n%+v, %v", d, s, err)
	}
	Run(t, lib, Options{Clock: clock, Wait: time.Sleep, Transient: 10})
}

// monotonic is the monotonic clock, from its own start.
type monotonic struct{}

var start = time.Now()

func (monotonic) Now() energy.Instant { return energy.Instant(time.Since(start)) }

func open(t *testing.T, in *libsim.Instance, adjust func(*nvml.Options)) *nvml.Library {
	t.Helper()
	in.Setenv(t)
	o := nvml.Options{
		Path:    in.Path,
		Clock:   in.Clock(),
		Wall:    func() time.Time { return in.Node.WallClock(in.Elapsed()) },
		Timeout: time.Minute, // on a busy machine, too, what does not hang must not look like it
	}
	if adjust != nil {
		adjust(&o)
	}
	lib, err := nvml.Open(t.Context(), o)
	if err != nil && strings.Contains(err.Error(), "built without cgo") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, lib) })
	return lib
}

func closed(t *testing.T, lib *nvml.Library) {
	t.Helper()
	if err := lib.Close(); err != nil {
		t.Error(err)
	}
}

func TestSentinels(t *testing.T) {
	if s := Sentinels(nil); len(s) != 0 {
		t.Errorf("nil matches %v", s)
	}
	if s := Sentinels(errors.Join(nvml.ErrLost, nvml.ErrHung)); len(s) != 2 {
		t.Errorf("two errors match %v", s)
	}
}
