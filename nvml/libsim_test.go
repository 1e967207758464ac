//go:build linux && cgo

package nvml_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/nvml/conformance"
	"greenagent/nvml/libsim"
	"greenagent/scenario"
)

// options opens the simulated library of in. The timeout is far above what a busy
// machine takes; tests of the watchdog lower it.
func options(in *libsim.Instance) nvml.Options {
	return nvml.Options{
		Path:        in.Path,
		Clock:       in.Clock(),
		Wall:        func() time.Time { return in.Node.WallClock(in.Elapsed()) },
		Timeout:     time.Minute,
		InitTimeout: time.Minute,
	}
}

func open(t *testing.T, node scenario.Node) (*nvml.Library, *libsim.Instance) {
	t.Helper()
	in := libsim.Start(t, node, libsim.Options{})
	in.Setenv(t)
	lib, err := nvml.Open(t.Context(), options(in))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lib.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return lib, in
}

// child runs the calling test again in a process of its own, to which no library
// has been bound yet, and reports whether this is that process.
func child(t *testing.T) bool {
	t.Helper()
	const variable = "GREENAGENT_NVML_CHILD"
	if os.Getenv(variable) == t.Name() {
		return true
	}
	run := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	run.Env = append(os.Environ(), variable+"="+t.Name())
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return false
}

// expect checks that err matches that sentinel and no other.
func expect(t *testing.T, what string, err, want error) {
	t.Helper()
	if m := conformance.Sentinels(err); len(m) != 1 || m[0] != want {
		t.Errorf("%s: %v; matches %v, want %v", what, err, m, want)
	}
}

func busy(d scenario.Device) scenario.Device {
	d.Loads = []scenario.Load{{PID: 4242, Power: scenario.Steady(d.MaxLimit / 2), Memory: 1 << 30}}
	return d
}

func TestSampleByBoard(t *testing.T) {
	type parts struct {
		Counter, Instant, Average bool
		Scope                     nvml.Scope
	}
	want := map[string]parts{
		"GPU-hopper":      {true, true, true, nvml.ScopeGPU},
		"GPU-ga100":       {true, true, false, nvml.ScopeGPU},
		"GPU-ada":         {true, true, true, nvml.ScopeGPU},
		"GPU-turing":      {true, true, false, nvml.ScopeGPU},
		"GPU-volta":       {true, true, false, nvml.ScopeGPU},
		"GPU-pascal":      {false, true, false, nvml.ScopeGPU},
		"GPU-maxwell":     {false, true, false, nvml.ScopeGPU},
		"GPU-gracehopper": {true, true, true, nvml.ScopeModule},
	}
	devices := scenario.Presets()
	for i := range devices {
		devices[i] = busy(devices[i])
	}
	lib, in := open(t, scenario.Node{Devices: devices})
	if len(lib.Devices()) != len(want) || len(lib.Warnings()) != 0 {
		t.Fatalf("%d devices, warnings %v", len(lib.Devices()), lib.Warnings())
	}
	in.Advance(5 * time.Second)
	for i, d := range lib.Devices() {
		node := &in.Node.Devices[i]
		if d.UUID != node.UUID || d.Name != node.Name || d.Serial != node.Serial || d.BusID != node.BusID ||
			d.Architecture != node.Architecture || d.MaxLimit != node.MaxLimit || d.Memory != node.Memory ||
			d.Driver != in.Node.DriverVersion() || d.Instances != nil {
			t.Errorf("%+v is not as described: %+v", d, node)
		}
		var s nvml.Sample
		if err := lib.Sample(i, &s); err != nil {
			t.Errorf("%s: %v", d.UUID, err)
		}
		if got := (parts{s.HasCounter, s.HasInstant, s.HasAverage, s.Scope}); got != want[d.UUID] {
			t.Errorf("%s: has %+v, want %+v", d.UUID, got, want[d.UUID])
		}
		// What the sensor shows is computed by the scenario; NVML counts in
		// millijoules and milliwatts.
		counter, _ := node.Counter(in.Elapsed(), in.Node.Since())
		if s.HasCounter && s.Counter != counter/energy.Millijoule*energy.Millijoule {
			t.Errorf("%s: counter %d, want %d", d.UUID, s.Counter, counter)
		}
		scope := scenario.ScopeGPU
		if s.Scope == nvml.ScopeModule {
			scope = scenario.ScopeModule
		}
		instant := node.InScope(node.InstantPower(in.Elapsed()), scope)
		if s.HasInstant && s.Instant != instant/energy.Milliwatt*energy.Milliwatt {
			t.Errorf("%s: instant %d, want %d", d.UUID, s.Instant, instant)
		}
	}
}

func TestSampleAllocatesNothing(t *testing.T) {
	lib, in := open(t, scenario.Node{Devices: []scenario.Device{busy(scenario.Hopper("GPU-0"))}})
	var s nvml.Sample
	if n := testing.AllocsPerRun(200, func() {
		in.Advance(50 * time.Millisecond)
		if err := lib.Sample(0, &s); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per sample", n)
	}
}

// Lists reuse their buffers too.
func TestListsAllocateNothing(t *testing.T) {
	lib, in := open(t, scenario.Node{Devices: []scenario.Device{busy(scenario.Hopper("GPU-0"))}})
	in.Advance(time.Minute)
	var processes []nvml.Process
	var active []nvml.Utilization
	var ring []nvml.PowerSample
	read := func() {
		var errs [3]error
		processes, errs[0] = lib.Processes(0, processes[:0])
		active, errs[1] = lib.Utilization(0, 0, active[:0])
		ring, errs[2] = lib.PowerSamples(0, 0, ring[:0])
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
	}
	read()
	if n := testing.AllocsPerRun(100, read); n != 0 {
		t.Errorf("%v allocations per reading of the lists", n)
	}
	if len(processes) == 0 || len(active) == 0 || len(ring) == 0 {
		t.Errorf("read %d, %d, %d", len(processes), len(active), len(ring))
	}
}

func TestProcesses(t *testing.T) {
	d := scenario.Hopper("GPU-0")
	d.Loads = []scenario.Load{
		{PID: 30, Kinds: scenario.Compute | scenario.Graphics, Memory: 3 << 30},
		{PID: 20, Kinds: scenario.MPS, Memory: 2 << 30},
		{PID: 40, Kinds: scenario.Compute, To: time.Second},
	}
	for pid := 1000; pid < 1500; pid++ { // more than the buffer first offered
		d.Loads = append(d.Loads, scenario.Load{PID: pid, Memory: 1 << 20})
	}
	lib, in := open(t, scenario.Node{Devices: []scenario.Device{d}})
	in.Advance(2 * time.Second)
	marker := nvml.Process{PID: -1}
	got, err := lib.Processes(0, []nvml.Process{marker})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1+2+500 {
		t.Fatalf("%d entries", len(got))
	}
	want := []nvml.Process{
		marker,
		{PID: 20, Kinds: nvml.MPS, Memory: 2 << 30, GPUInstance: nvml.NoInstance, ComputeInstance: nvml.NoInstance},
		{PID: 30, Kinds: nvml.Compute | nvml.Graphics, Memory: 3 << 30, GPUInstance: nvml.NoInstance, ComputeInstance: nvml.NoInstance},
		{PID: 1000, Kinds: nvml.Compute, Memory: 1 << 20, GPUInstance: nvml.NoInstance, ComputeInstance: nvml.NoInstance},
	}
	if d := cmp.Diff(want, got[:4]); d != "" {
		t.Error(d)
	}
}

func TestUtilizationOfIdleDevice(t *testing.T) {
	lib, in := open(t, scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0")}})
	in.Advance(20 * time.Second)
	got, err := lib.Utilization(0, 0, nil)
	if err != nil || len(got) != 0 {
		t.Errorf("idle: %v, %v", got, err)
	}
}

// The ring is dated on the library's clock, whichever the driver uses.
func TestPowerSamplesInBothClockDomains(t *testing.T) {
	lib, in := open(t, scenario.Node{Devices: []scenario.Device{
		busy(scenario.Hopper("GPU-epoch")), busy(scenario.Volta("GPU-boot")),
	}})
	in.Advance(10 * time.Second)
	for i, d := range lib.Devices() {
		ring, err := lib.PowerSamples(i, 0, nil)
		if err != nil || len(ring) == 0 {
			t.Fatalf("%s: %d entries, %v", d.UUID, len(ring), err)
		}
		node := &in.Node.Devices[i]
		want := node.Ring(nil, in.Node.Unstamp(node.Sensor.Clock, 0), in.Elapsed())
		if len(ring) != len(want) {
			t.Fatalf("%s: %d entries, want %d", d.UUID, len(ring), len(want))
		}
		for j, s := range ring {
			off := s.At.Sub(in.Origin.Add(want[j].At))
			if off < -2*time.Microsecond || off > 2*time.Microsecond {
				t.Fatalf("%s: entry %d is dated %v off", d.UUID, j, off)
			}
		}
	}
}

func TestStatus(t *testing.T) {
	lib, in := open(t, scenario.Node{Devices: []scenario.Device{busy(scenario.Hopper("GPU-0"))}})
	in.Advance(5 * time.Second)
	var got nvml.Status
	if err := lib.Status(0, &got); err != nil {
		t.Fatal(err)
	}
	s := in.Node.Devices[0].Status(in.Elapsed())
	want := nvml.Status{Limit: s.Limit, Temperature: s.Temperature, SMClock: s.SMClock, MemoryClock: s.MemoryClock,
		SMUtilization: s.SMUtilization, MemoryUsed: s.MemoryUsed, PerformanceState: s.PerformanceState}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A library is opened, closed and opened again, as after an agent released the
// driver for a reset.
func TestOpenAgain(t *testing.T) {
	in := libsim.Start(t, scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0")}}, libsim.Options{})
	in.Setenv(t)
	for round := range 5 {
		lib, err := nvml.Open(t.Context(), options(in))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := lib.Sample(0, new(nvml.Sample)); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		if err := lib.Close(); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		expect(t, "closed", lib.Sample(0, new(nvml.Sample)), nvml.ErrAbsent)
	}
}

func TestOpenWithoutDevices(t *testing.T) {
	lib, _ := open(t, scenario.Node{})
	if len(lib.Devices()) != 0 || len(lib.Warnings()) != 0 {
		t.Errorf("devices %v, warnings %v", lib.Devices(), lib.Warnings())
	}
}

func TestOpenCancelled(t *testing.T) {
	in := libsim.Start(t, scenario.Node{}, libsim.Options{})
	in.Setenv(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for { // the start may be quicker than the cancellation is noticed
		lib, err := nvml.Open(ctx, options(in))
		if err == nil {
			lib.Close()
			continue
		}
		if !errors.Is(err, context.Canceled) || len(conformance.Sentinels(err)) != 0 {
			t.Errorf("%v", err)
		}
		break
	}
	// The start that was left behind is over before the next one begins.
	lib, err := nvml.Open(t.Context(), options(in))
	if err != nil {
		t.Fatal(err)
	}
	if err := lib.Close(); err != nil {
		t.Error(err)
	}
}
