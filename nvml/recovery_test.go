//go:build linux && cgo

package nvml_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"greenagent/nvml"
	"greenagent/nvml/libsim"
	"greenagent/scenario"
)

// TestDriverReloaded: the library lets go of a driver that is unloaded, starts NVML
// again when it is back, and says that the counters have started anew.
func TestDriverReloaded(t *testing.T) {
	node := pair()
	node.Reload(10*time.Second, 5*time.Second, "")
	lib, in := open(t, node)
	var before, s nvml.Sample
	if err := lib.Sample(0, &before); err != nil || before.Epoch != 0 {
		t.Fatalf("%+v, %v", before, err)
	}
	in.Advance(10 * time.Second)
	for range 500 {
		for i := range lib.Devices() {
			expect(t, "unloaded", lib.Sample(i, &s), nvml.ErrNoDriver)
		}
		_, err := lib.Processes(0, nil)
		expect(t, "unloaded", err, nvml.ErrNoDriver)
		if s.HasCounter || s.HasInstant {
			t.Fatalf("without a driver: %+v", s)
		}
		in.Advance(9 * time.Millisecond)
	}
	calls := in.Calls(0)
	in.Advance(10 * time.Second)
	for i := range lib.Devices() {
		if err := lib.Sample(i, &s); err != nil || !s.HasCounter || s.Epoch == before.Epoch || s.Counter >= before.Counter {
			t.Errorf("device %d, loaded again: %+v after %+v, %v", i, s, before, err)
		}
	}
	if in.Calls(0) == calls {
		t.Error("no call counted: what counts none while a GPU sleeps proves nothing")
	}
	if w := lib.Warnings(); len(w) != 0 {
		t.Errorf("warnings %v", w)
	}
}

// TestDriverFlaps: a driver that comes and goes is tried at intervals that grow.
func TestDriverFlaps(t *testing.T) {
	node := pair()
	for i := range 50 {
		node.Reload(10*time.Second+time.Duration(i)*200*time.Millisecond, 100*time.Millisecond, "")
	}
	lib, in := open(t, node)
	in.Advance(10 * time.Second)
	good := 0
	var s nvml.Sample
	for range 1000 {
		if lib.Sample(0, &s) == nil {
			good++
		}
		in.Advance(10 * time.Millisecond)
	}
	if starts := s.Epoch; starts > 10 || good == 0 {
		t.Errorf("started %d times in 10 s, with %d answers", starts, good)
	}
	in.Advance(time.Minute)
	if err := lib.Sample(0, &s); err != nil {
		t.Errorf("at rest again: %v", err)
	}
}

// TestDriverReplaced: by another version, the library stays what it is; only a new
// process can go on.
func TestDriverReplaced(t *testing.T) {
	node := pair()
	node.Reload(10*time.Second, 5*time.Second, "580.82.07")
	lib, in := open(t, node)
	in.Advance(10 * time.Second)
	expect(t, "unloaded", lib.Sample(0, new(nvml.Sample)), nvml.ErrNoDriver)
	in.Advance(time.Minute)
	for range 3 {
		expect(t, "replaced", lib.Sample(1, new(nvml.Sample)), nvml.ErrVersionMismatch)
		in.Advance(time.Minute)
	}
}

// TestKernelDriverReplaced: as the kernel tells, before NVML is asked.
func TestKernelDriverReplaced(t *testing.T) {
	proc := t.TempDir()
	version := filepath.Join(proc, "driver", "nvidia", "version")
	write := func(number string) {
		text := "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  " + number + "  Release Build\nGCC version: gcc 13.2.0\n"
		if err := errors.Join(os.MkdirAll(filepath.Dir(version), 0o755), os.WriteFile(version, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write("570.124.06")
	in := libsim.Start(t, pair(scenario.DriverUnloaded(10*time.Second, 5*time.Second)...), libsim.Options{})
	in.Setenv(t)
	o := options(in)
	o.Proc = proc
	lib, err := nvml.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	in.Advance(10 * time.Second)
	expect(t, "unloaded", lib.Sample(0, new(nvml.Sample)), nvml.ErrNoDriver)
	write("580.82.07")
	in.Advance(time.Minute)
	expect(t, "replaced", lib.Sample(0, new(nvml.Sample)), nvml.ErrVersionMismatch)
}

// TestDevicesAfterReload: they are found by UUID; one does not come back, and one
// was not there before.
func TestDevicesAfterReload(t *testing.T) {
	node := pair(scenario.Fault{Device: 1, Kind: scenario.Lost, At: 10 * time.Second})
	added := busy(scenario.Hopper("GPU-2"))
	added.Added = 12 * time.Second
	node.Devices = append(node.Devices[:1:1], added, node.Devices[1])
	node.Faults[0].Device = 2
	node.Reload(10*time.Second, 5*time.Second, "")
	lib, in := open(t, node)
	if d := lib.Devices(); len(d) != 2 || d[0].UUID != "GPU-0" || d[1].UUID != "GPU-1" {
		t.Fatalf("devices %+v", d)
	}
	in.Advance(10 * time.Second)
	expect(t, "unloaded", lib.Sample(0, new(nvml.Sample)), nvml.ErrNoDriver)
	in.Advance(time.Minute)
	var s nvml.Sample
	if err := lib.Sample(0, &s); err != nil || !s.HasCounter {
		t.Errorf("the one that came back: %+v, %v", s, err)
	}
	expect(t, "the one that did not", lib.Sample(1, &s), nvml.ErrLost)
	if len(lib.Devices()) != 2 {
		t.Errorf("devices %+v", lib.Devices())
	}
	if w := lib.Warnings(); len(w) != 1 || !errors.Is(w[0], nvml.ErrTransient) {
		t.Errorf("warnings %v", w)
	}
}

// TestReloadOfOldDriver: one that cannot find a device by its UUID.
func TestReloadOfOldDriver(t *testing.T) {
	if !child(t) {
		return
	}
	node := pair()
	node.MissingSymbols = []string{"nvmlDeviceGetHandleByUUID"}
	node.Reload(10*time.Second, 5*time.Second, "")
	lib, in := open(t, node)
	in.Advance(10 * time.Second)
	expect(t, "unloaded", lib.Sample(1, new(nvml.Sample)), nvml.ErrNoDriver)
	in.Advance(time.Minute)
	var s nvml.Sample
	if err := lib.Sample(1, &s); err != nil || !s.HasCounter {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestDeviceHangsAgainAndAgain: each hang costs the others a timeout, so the device
// is left alone for longer each time.
func TestDeviceHangsAgainAndAgain(t *testing.T) {
	var faults []scenario.Fault
	for i := range 40 {
		faults = append(faults, scenario.Fault{Device: 0, Call: scenario.CallFields, Kind: scenario.Hang,
			At: 10*time.Second + time.Duration(i)*time.Second, For: 990 * time.Millisecond})
	}
	in := libsim.Start(t, pair(faults...), libsim.Options{})
	in.Setenv(t)
	o := options(in)
	o.Timeout = 50 * time.Millisecond
	lib, err := nvml.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	in.Advance(10 * time.Second)
	hangs := 0
	for range 40 {
		start := time.Now()
		if err := lib.Sample(0, new(nvml.Sample)); errors.Is(err, nvml.ErrHung) && time.Since(start) > o.Timeout/2 {
			hangs++
		}
		if err := lib.Sample(1, new(nvml.Sample)); err != nil {
			t.Fatalf("the other: %v", err)
		}
		in.Advance(time.Second)
		for deadline := time.Now().Add(20 * time.Second); lib.Stuck() > 0 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	}
	// The first two at once, then after 1, 2, 4, 8 and 16 s.
	if hangs < 3 || hangs > 8 {
		t.Errorf("hung %d times in 40 s", hangs)
	}
	in.Advance(10 * time.Minute)
	if err := lib.Sample(0, new(nvml.Sample)); err != nil {
		t.Errorf("well again: %v", err)
	}
	if err := lib.Close(); err != nil {
		t.Error(err)
	}
}

// TestWallClockSteps: the wall clock dates the driver's ring, and nothing else. After
// a step of an hour either way no reading is of the future, and the newest is now.
func TestWallClockSteps(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		node := pair()
		node.Devices[0].Sensor.Clock = scenario.SinceEpoch
		in := libsim.Start(t, node, libsim.Options{})
		in.Setenv(t)
		o := options(in)
		stepped := time.Duration(0)
		o.Wall = func() time.Time { return in.Node.WallClock(in.Elapsed()).Add(stepped) }
		lib, err := nvml.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		in.Advance(20 * time.Second)
		before, err := lib.PowerSamples(0, 0, nil)
		if err != nil || len(before) < 100 || in.Now().Sub(before[len(before)-1].At) > time.Second {
			t.Fatalf("before the step: %d readings, %v", len(before), err)
		}
		var s, after nvml.Sample
		if err := lib.Sample(0, &s); err != nil {
			t.Fatal(err)
		}
		// The driver has stamped its readings before the step.
		stepped = step
		ring, err := lib.PowerSamples(0, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range ring {
			if p.At > in.Now().Add(time.Second) {
				t.Fatalf("a step of %v: a reading %v from now", step, p.At.Sub(in.Now()))
			}
		}
		if err := lib.Sample(0, &after); err != nil || after.Before != s.Before || after.Counter != s.Counter || after.Epoch != s.Epoch {
			t.Errorf("a step of %v: %+v became %+v, %v", step, s, after, err)
		}
		if err := lib.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestStartHangsAgainAndAgain: a new start of NVML that hangs is left behind and tried
// again once it has returned, however often.
func TestStartHangsAgainAndAgain(t *testing.T) {
	node := pair()
	for i := range 3 {
		node.Faults = append(node.Faults, scenario.Fault{Device: scenario.AllDevices, Call: scenario.CallInit, Kind: scenario.Hang,
			At: 12*time.Second + time.Duration(i)*20*time.Second, For: 10 * time.Second})
	}
	node.Reload(10*time.Second, 2*time.Second, "")
	in := libsim.Start(t, node, libsim.Options{})
	in.Setenv(t)
	o := options(in)
	o.InitTimeout = time.Second
	lib, err := nvml.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	in.Advance(10 * time.Second)
	expect(t, "unloaded", lib.Sample(0, new(nvml.Sample)), nvml.ErrNoDriver)
	in.Advance(3 * time.Second)
	for range 3 {
		expect(t, "hangs", lib.Sample(0, new(nvml.Sample)), nvml.ErrHung)
		in.Advance(20 * time.Second)
		for deadline := time.Now().Add(20 * time.Second); lib.Stuck() > 0 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	}
	in.Advance(time.Minute)
	if err := lib.Sample(0, new(nvml.Sample)); err != nil {
		t.Errorf("it does not hang any more: %v", err)
	}
}
