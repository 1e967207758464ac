//go:build linux && cgo

package nvml_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/nvml/libsim"
	"greenagent/scenario"
)

// pair is a node of two devices at work and something that goes wrong.
func pair(faults ...scenario.Fault) scenario.Node {
	return scenario.Node{
		Devices: []scenario.Device{busy(scenario.Hopper("GPU-0")), busy(scenario.Hopper("GPU-1"))},
		Faults:  faults,
	}
}

func TestInitFailures(t *testing.T) {
	for kind, want := range map[scenario.FaultKind]error{
		scenario.NoDriver:        nvml.ErrNoDriver,
		scenario.VersionMismatch: nvml.ErrVersionMismatch,
		scenario.NoPermission:    nvml.ErrPermission,
		scenario.Transient:       nvml.ErrTransient,
	} {
		in := libsim.Start(t, pair(scenario.Fault{Device: scenario.AllDevices, Call: scenario.CallInit, Kind: kind, For: time.Minute}), libsim.Options{})
		in.Setenv(t)
		for range 3 { // a failing start must not spoil the next
			_, err := nvml.Open(t.Context(), options(in))
			expect(t, "open", err, want)
		}
		in.Advance(time.Minute)
		lib, err := nvml.Open(t.Context(), options(in))
		if err != nil {
			t.Fatalf("after %v: %v", want, err)
		}
		if err := lib.Sample(0, new(nvml.Sample)); err != nil {
			t.Errorf("after %v: %v", want, err)
		}
		if err := lib.Close(); err != nil {
			t.Errorf("after %v: %v", want, err)
		}
	}
}

func TestInitHangs(t *testing.T) {
	in := libsim.Start(t, pair(scenario.Fault{Device: scenario.AllDevices, Call: scenario.CallInit, Kind: scenario.Hang, For: time.Minute}), libsim.Options{})
	in.Setenv(t)
	o := options(in)
	o.InitTimeout = 100 * time.Millisecond
	for range 3 { // the second and third wait for the first
		start := time.Now()
		_, err := nvml.Open(t.Context(), o)
		expect(t, "open", err, nvml.ErrHung)
		if took := time.Since(start); took > 20*time.Second {
			t.Fatalf("took %v", took)
		}
	}
	in.Advance(time.Minute)
	o.InitTimeout = time.Minute
	lib, err := nvml.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("after the hang: %v", err)
	}
	if err := lib.Close(); err != nil {
		t.Error(err)
	}
}

// One device's calls hang: it is set aside, the other goes on, and memory of the
// callers stays theirs. When the calls return, the device is back.
func TestDeviceHangs(t *testing.T) {
	in := libsim.Start(t, pair(scenario.Fault{Device: 0, Call: scenario.CallFields, Kind: scenario.Hang, At: 10 * time.Second, For: 10 * time.Second}), libsim.Options{})
	in.Setenv(t)
	o := options(in)
	o.Timeout = time.Second
	lib, err := nvml.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	in.Advance(10 * time.Second)

	s := nvml.Sample{Counter: 1}
	expect(t, "sample", lib.Sample(0, &s), nvml.ErrHung)
	if s != (nvml.Sample{}) {
		t.Errorf("a hung call gave %+v", s)
	}
	dst := []nvml.Process{{PID: -1}}
	start := time.Now()
	for range 50 {
		expect(t, "set aside", lib.Sample(0, &s), nvml.ErrHung)
		_, err := lib.Processes(0, dst)
		expect(t, "set aside", err, nvml.ErrHung)
		if err := lib.Sample(1, new(nvml.Sample)); err != nil {
			t.Fatalf("the other device: %v", err)
		}
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("a device set aside costs %v", took)
	}

	in.Advance(10 * time.Second)
	var back error
	for range 5000 {
		var fresh nvml.Sample
		if back = lib.Sample(0, &fresh); back == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if back != nil {
		t.Fatalf("does not come back: %v", back)
	}
	if s != (nvml.Sample{}) || dst[0].PID != -1 {
		t.Errorf("the late call wrote to its caller's memory: %+v, %+v", s, dst)
	}
	if err := lib.Close(); err != nil {
		t.Error(err)
	}
}

// Close returns though calls do not, and NVML is ended when they do.
func TestCloseWhileHung(t *testing.T) {
	in := libsim.Start(t, pair(scenario.Fault{Device: 0, Call: scenario.CallFields, Kind: scenario.Hang, At: 10 * time.Second, For: time.Second}), libsim.Options{})
	in.Setenv(t)
	o := options(in)
	o.Timeout = 300 * time.Millisecond
	lib, err := nvml.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	in.Advance(10 * time.Second)
	expect(t, "sample", lib.Sample(0, new(nvml.Sample)), nvml.ErrHung)
	start := time.Now()
	expect(t, "close", lib.Close(), nvml.ErrHung)
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("close took %v", took)
	}
	in.Advance(time.Second)
}

func TestDeviceLostAndBack(t *testing.T) {
	for _, kind := range []scenario.FaultKind{scenario.Lost, scenario.ResetRequired} {
		lib, in := open(t, pair(scenario.Fault{Device: 0, Kind: kind, At: 10 * time.Second, For: 10 * time.Second}))
		in.Advance(10 * time.Second)
		for range 10 {
			s := nvml.Sample{Counter: 1}
			expect(t, "sample", lib.Sample(0, &s), nvml.ErrLost)
			if s.HasCounter || s.HasInstant || s.HasAverage {
				t.Errorf("a lost device gave %+v", s)
			}
			_, err := lib.Processes(0, nil)
			expect(t, "processes", err, nvml.ErrLost)
			_, err = lib.PowerSamples(0, 0, nil)
			expect(t, "power samples", err, nvml.ErrLost)
			expect(t, "status", lib.Status(0, new(nvml.Status)), nvml.ErrLost)
			if err := lib.Sample(1, new(nvml.Sample)); err != nil {
				t.Fatalf("the other device: %v", err)
			}
		}
		in.Advance(10 * time.Second)
		var s nvml.Sample
		if err := lib.Sample(0, &s); err != nil || !s.HasCounter {
			t.Errorf("back: %+v, %v", s, err)
		}
		if err := lib.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestDriverUnloaded(t *testing.T) {
	lib, in := open(t, pair(scenario.DriverUnloaded(10*time.Second, 10*time.Second)...))
	in.Advance(10 * time.Second)
	for i := range lib.Devices() {
		expect(t, "sample", lib.Sample(i, new(nvml.Sample)), nvml.ErrNoDriver)
	}
	in.Advance(10 * time.Second)
	if err := lib.Sample(0, new(nvml.Sample)); err != nil {
		t.Error(err)
	}
}

func TestDriverUpgraded(t *testing.T) {
	lib, in := open(t, pair(scenario.DriverUpgraded(10*time.Second)...))
	in.Advance(10 * time.Second)
	expect(t, "sample", lib.Sample(0, new(nvml.Sample)), nvml.ErrVersionMismatch)
}

// A device that is not there when the library is opened costs that device.
func TestDeviceLostAtOpen(t *testing.T) {
	lib, _ := open(t, pair(scenario.Fault{Device: 0, Kind: scenario.Lost}))
	if d := lib.Devices(); len(d) != 1 || d[0].UUID != "GPU-1" {
		t.Fatalf("devices %+v", d)
	}
	if w := lib.Warnings(); len(w) != 1 || !errors.Is(w[0], nvml.ErrLost) {
		t.Errorf("warnings %v", w)
	}
	if err := lib.Sample(0, new(nvml.Sample)); err != nil {
		t.Error(err)
	}
}

func TestAllDevicesLostAtOpen(t *testing.T) {
	in := libsim.Start(t, pair(scenario.Fault{Device: 0, Kind: scenario.Lost}, scenario.Fault{Device: 1, Kind: scenario.Lost}), libsim.Options{})
	in.Setenv(t)
	_, err := nvml.Open(t.Context(), options(in))
	expect(t, "open", err, nvml.ErrLost)
}

// A refusal at the start is not believed before it is repeated, and one after
// the first answer never.
func TestRefusalsThatComeAndGo(t *testing.T) {
	lib, in := open(t, pair(
		scenario.Fault{Device: 0, Call: scenario.CallCounter, Kind: scenario.Unsupported, Times: 3},
		scenario.Fault{Device: 0, Call: scenario.CallUtilization, Kind: scenario.Unsupported, Times: 3},
		scenario.Fault{Device: 0, Call: scenario.CallCounter, Kind: scenario.Unsupported, At: 10 * time.Second, For: 10 * time.Second},
	))
	var s nvml.Sample
	if err := lib.Sample(0, &s); err != nil || !s.HasCounter {
		t.Fatalf("at the start: %+v, %v", s, err)
	}
	if _, err := lib.Utilization(0, 0, nil); err != nil {
		t.Errorf("utilization at the start: %v", err)
	}
	in.Advance(10 * time.Second)
	for range 20 {
		expect(t, "refused", lib.Sample(0, &s), nvml.ErrTransient)
		if s.HasCounter || !s.HasInstant || !s.HasAverage {
			t.Fatalf("what was answered is missing: %+v", s)
		}
	}
	in.Advance(10 * time.Second)
	if err := lib.Sample(0, &s); err != nil || !s.HasCounter {
		t.Errorf("afterwards: %+v, %v", s, err)
	}
}

// A counter that is refused for good is taken from the older call, and is absent
// where that refuses as well.
func TestRefusedForGood(t *testing.T) {
	lib, _ := open(t, pair(
		scenario.Fault{Device: 0, Call: scenario.CallFields, Kind: scenario.Unsupported},
		scenario.Fault{Device: 1, Call: scenario.CallPower, Kind: scenario.Unsupported},
	))
	var s nvml.Sample
	if err := lib.Sample(0, &s); err != nil || !s.HasCounter || s.HasInstant || !s.HasAverage {
		t.Errorf("without fields: %+v, %v", s, err)
	}
	if err := lib.Sample(1, &s); err != nil || !s.HasCounter || s.HasInstant || s.HasAverage {
		t.Errorf("without power: %+v, %v", s, err)
	}

	if err := lib.Close(); err != nil { // the scenario is read by the first start only
		t.Fatal(err)
	}

	nothing, _ := open(t, pair(
		scenario.Fault{Device: 0, Call: scenario.CallCounter, Kind: scenario.Unsupported},
		scenario.Fault{Device: 0, Call: scenario.CallPower, Kind: scenario.Unsupported},
		scenario.Fault{Device: 0, Call: scenario.CallProcesses, Kind: scenario.Unsupported},
	))
	expect(t, "sample", nothing.Sample(0, &s), nvml.ErrUnsupported)
	_, err := nothing.Processes(0, nil)
	expect(t, "processes", err, nvml.ErrUnsupported)
}

func TestGarbageIsHandedOnOrRefused(t *testing.T) {
	lib, in := open(t, pair(
		scenario.Fault{Device: 0, Call: scenario.CallCounter, Kind: scenario.Garbage, Value: 1<<64 - 2, At: 10 * time.Second},
		scenario.Fault{Device: 0, Call: scenario.CallPower, Kind: scenario.Garbage, Value: 1<<32 - 1, At: 10 * time.Second},
		scenario.Fault{Device: 0, Call: scenario.CallSamples, Kind: scenario.Garbage, Value: 588_000, At: 10 * time.Second},
	))
	in.Advance(10 * time.Second)
	var s nvml.Sample
	expect(t, "a counter beyond its type", lib.Sample(0, &s), nvml.ErrTransient)
	if s.HasCounter || s.Instant != (1<<32-1)*energy.Milliwatt {
		t.Errorf("%+v", s)
	}
	ring, err := lib.PowerSamples(0, 0, nil)
	if err != nil || len(ring) == 0 || ring[0].Power != 588*energy.Watt {
		t.Errorf("%v, %v", ring, err)
	}
}

// The list grows while it is asked for: tried again, but not for ever.
func TestListThatGrows(t *testing.T) {
	lib, in := open(t, pair(
		scenario.Fault{Device: 0, Call: scenario.CallProcesses, Kind: scenario.Growing, Times: 5, At: 10 * time.Second},
		scenario.Fault{Device: 1, Call: scenario.CallProcesses, Kind: scenario.Growing, Times: 16, At: 10 * time.Second},
	))
	in.Advance(10 * time.Second)
	list, err := lib.Processes(0, nil)
	if err != nil || len(list) != 1 {
		t.Errorf("five times: %v, %v", list, err)
	}
	list, err = lib.Processes(1, nil)
	expect(t, "sixteen times", err, nvml.ErrTransient)
	if len(list) != 0 {
		t.Errorf("half a list: %v", list)
	}
}

// Errors of one list leave dst as it was.
func TestPermissionIsAsked(t *testing.T) {
	lib, in := open(t, pair(scenario.Fault{Device: 0, Call: scenario.CallProcesses, Kind: scenario.NoPermission, At: 10 * time.Second}))
	in.Advance(10 * time.Second)
	dst, err := lib.Processes(0, []nvml.Process{{PID: -1}})
	expect(t, "processes", err, nvml.ErrPermission)
	if len(dst) != 1 || dst[0].PID != -1 {
		t.Errorf("dst became %v", dst)
	}
}

func TestConcurrentUse(t *testing.T) {
	lib, in := open(t, pair())
	var callers sync.WaitGroup
	for i := range 4 {
		callers.Go(func() {
			device := i % 2
			for range 50 {
				var s nvml.Sample
				if err := lib.Sample(device, &s); err != nil || !s.HasCounter {
					t.Errorf("%+v, %v", s, err)
				}
				if list, err := lib.Processes(device, nil); err != nil || len(list) != 1 {
					t.Errorf("%v, %v", list, err)
				}
				in.Advance(time.Millisecond)
			}
		})
	}
	callers.Wait()
}
