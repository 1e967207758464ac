//go:build linux && cgo

package nvml_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/scenario"
)

// cut returns a board of two instances with a process on the second.
func cut(d scenario.Device) scenario.Device {
	d.Instances = []scenario.Instance{
		{UUID: "MIG-a", GPUInstance: 1, ComputeInstance: 0, Slices: 3, Memory: 40 << 30},
		{UUID: "MIG-b", GPUInstance: 5, ComputeInstance: 1, Slices: 2, GPUSlices: 4, Memory: 40 << 30},
	}
	d.Loads = []scenario.Load{{PID: 7, Instance: "MIG-b", Memory: 1 << 30, SM: 60, Power: scenario.Steady(100 * energy.Watt)}}
	return d
}

func TestInstances(t *testing.T) {
	lib, in := open(t, scenario.Node{Devices: []scenario.Device{cut(scenario.Hopper("GPU-0")), scenario.Hopper("GPU-1")}})
	in.Advance(time.Second)
	want := []nvml.Instance{
		{UUID: "MIG-a", GPUInstance: 1, ComputeInstance: 0, Slices: 3, GPUSlices: 3, Memory: 40 << 30},
		{UUID: "MIG-b", GPUInstance: 5, ComputeInstance: 1, Slices: 2, GPUSlices: 4, Memory: 40 << 30},
	}
	if d := cmp.Diff(want, lib.Devices()[0].Instances); d != "" {
		t.Error(d)
	}
	list, err := lib.Processes(0, nil)
	if err != nil || len(list) != 1 || list[0].GPUInstance != 5 || list[0].ComputeInstance != 1 {
		t.Errorf("processes: %+v, %v", list, err)
	}
	_, err = lib.Utilization(0, 0, nil)
	expect(t, "utilization under MIG", err, nvml.ErrUnsupported)
	if lib.Devices()[1].Instances != nil {
		t.Errorf("without MIG: %+v", lib.Devices()[1].Instances)
	}
	_, err = lib.Activity(1, nil)
	expect(t, "activity without MIG", err, nvml.ErrUnsupported)
	var p nvml.Partition
	if err := lib.Partition(1, &p); err != nil || p.Enabled || p.Slices != 0 {
		t.Errorf("without MIG: %+v, %v", p, err)
	}
}

// TestListsByInstance: who may not list the processes of a whole device may list
// those of its instances.
func TestListsByInstance(t *testing.T) {
	d := cut(scenario.Hopper("GPU-0"))
	d.Private = true
	d.Loads = append(d.Loads, scenario.Load{PID: 8, Instance: "MIG-a", Memory: 2 << 30, Kinds: scenario.Graphics | scenario.Compute})
	lib, in := open(t, scenario.Node{Devices: []scenario.Device{d}})
	in.Advance(time.Second)
	want := []nvml.Process{
		{PID: 7, Kinds: nvml.Compute, Memory: 1 << 30, GPUInstance: 5, ComputeInstance: 1},
		{PID: 8, Kinds: nvml.Compute | nvml.Graphics, Memory: 2 << 30, GPUInstance: 1},
	}
	got, err := lib.Processes(0, nil)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
}

func partition(t *testing.T, lib *nvml.Library) (uuids []string) {
	t.Helper()
	var p nvml.Partition
	if err := lib.Partition(0, &p); err != nil || !p.Enabled || p.Slices != 7 {
		t.Fatalf("%+v, %v", p, err)
	}
	for _, in := range p.Instances {
		uuids = append(uuids, in.UUID)
	}
	return uuids
}

// TestReconfiguration cuts a device anew while it is open. Instances are told by
// UUID; what was counted of one is not taken for another's that has its id.
func TestReconfiguration(t *testing.T) {
	d := cut(scenario.Hopper("GPU-0"))
	d.Instances[1].To = 10 * time.Second
	d.Loads[0].To = 9 * time.Second
	d.Instances = append(d.Instances,
		scenario.Instance{UUID: "MIG-c", GPUInstance: 5, ComputeInstance: 1, Slices: 2, Memory: 20 << 30, From: 10 * time.Second},
		scenario.Instance{UUID: "MIG-d", GPUInstance: 6, Slices: 1, Memory: 10 << 30, From: 10 * time.Second})
	lib, in := open(t, scenario.Node{Devices: []scenario.Device{d}})
	if got := partition(t, lib); !slices.Equal(got, []string{"MIG-a", "MIG-b"}) {
		t.Errorf("at first: %q", got)
	}
	active := func() []nvml.InstanceActivity {
		t.Helper()
		got, err := lib.Activity(0, nil)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	in.Advance(time.Second)
	want := []nvml.InstanceActivity{
		{GPUInstance: 1, Over: time.Second},
		{GPUInstance: 5, SM: 300_000, Over: time.Second}, // 60 % of half of it
	}
	if d := cmp.Diff(want, active()); d != "" {
		t.Error(d)
	}
	in.Advance(10 * time.Second)
	if got := active(); len(got) != 1 || got[0].GPUInstance != 1 || got[0].Over != 10*time.Second {
		t.Errorf("of new instances that were not there before, something is told: %+v", got)
	}
	if got := partition(t, lib); !slices.Equal(got, []string{"MIG-a", "MIG-c", "MIG-d"}) {
		t.Errorf("afterwards: %q", got)
	}
	in.Advance(time.Second)
	if got := active(); len(got) != 3 {
		t.Errorf("a second later: %+v", got)
	}
	if got := lib.Devices()[0].Instances; len(got) != 2 || got[1].UUID != "MIG-b" {
		t.Errorf("what the library was opened with has changed: %+v", got)
	}
}

func TestActivityIsNotAskedTooOften(t *testing.T) {
	lib, in := open(t, scenario.Node{Devices: []scenario.Device{cut(scenario.Hopper("GPU-0"))}})
	var covered time.Duration
	for range 40 {
		in.Advance(30 * time.Millisecond)
		got, err := lib.Activity(0, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range got {
			if a.Over < 100*time.Millisecond {
				t.Errorf("%+v", a)
			}
			if a.GPUInstance == 5 {
				covered += a.Over
			}
		}
	}
	if covered != 1200*time.Millisecond {
		t.Errorf("answers cover %v of 1.2 s", covered)
	}
}

func TestActivityWithoutGPM(t *testing.T) {
	old, in := open(t, scenario.Node{Devices: []scenario.Device{cut(scenario.GA100("GPU-0"))}})
	in.Advance(time.Second)
	_, err := old.Activity(0, nil)
	expect(t, "activity of an A100's instances", err, nvml.ErrUnsupported)
	if got := partition(t, old); len(got) != 2 {
		t.Errorf("instances: %q", got)
	}
}

func TestActivityFails(t *testing.T) {
	lib, in := open(t, scenario.Node{Devices: []scenario.Device{cut(scenario.Hopper("GPU-0"))}, Faults: []scenario.Fault{
		{Call: scenario.CallActivity, Kind: scenario.NoPermission, At: 2 * time.Second, For: time.Second},
		{Call: scenario.CallActivity, Kind: scenario.Unsupported, At: 5 * time.Second, For: time.Second},
		{Kind: scenario.Lost, At: 8 * time.Second, For: time.Second},
	}})
	for now := 1; now <= 10; now++ {
		in.Advance(time.Second)
		got, err := lib.Activity(0, nil)
		want, failed := map[int]error{2: nvml.ErrPermission, 5: nvml.ErrTransient, 8: nvml.ErrLost}[now]
		// After a failure there is nothing to compare with.
		first := now == 3 || now == 6 || now == 9
		switch {
		case failed:
			expect(t, fmt.Sprint(now, " s"), err, want)
		case err != nil || first != (len(got) == 0):
			t.Errorf("%d s: %+v, %v", now, got, err)
		}
	}
}

// TestSamplesAreFreed: libsim says at its shutdown how many are not.
func TestSamplesAreFreed(t *testing.T) {
	const variable = "GREENAGENT_NVML_SAMPLES"
	if os.Getenv(variable) == "" {
		run := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSamplesAreFreed$", "-test.v")
		run.Env = append(os.Environ(), variable+"=1")
		out, err := run.CombinedOutput()
		if err != nil || strings.Contains(string(out), "not freed") || !strings.Contains(string(out), "2 instances\n") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	d := cut(scenario.Hopper("GPU-0"))
	d.Instances[0].To = 3 * time.Second
	d.Instances = append(d.Instances, scenario.Instance{UUID: "MIG-c", GPUInstance: 1, Slices: 1, From: 3 * time.Second})
	lib, in := open(t, scenario.Node{Devices: []scenario.Device{d}})
	for range 6 {
		in.Advance(time.Second)
		got, err := lib.Activity(0, nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(len(got), "instances")
	}
}

// TestOldGPM has a driver that lacks one of the functions.
func TestOldGPM(t *testing.T) {
	if !child(t) {
		return
	}
	lib, in := open(t, scenario.Node{Devices: []scenario.Device{cut(scenario.Hopper("GPU-0"))}, MissingSymbols: []string{"nvmlGpmMetricsGet"}})
	in.Advance(time.Second)
	_, err := lib.Activity(0, nil)
	expect(t, "activity", err, nvml.ErrUnsupported)
}

func TestActivityAllocatesNothing(t *testing.T) {
	lib, in := open(t, scenario.Node{Devices: []scenario.Device{cut(scenario.Hopper("GPU-0"))}})
	var active []nvml.InstanceActivity
	var p nvml.Partition
	read := func() {
		in.Advance(time.Second)
		var err error
		if active, err = lib.Activity(0, active[:0]); err != nil {
			t.Fatal(err)
		}
		if err := lib.Partition(0, &p); err != nil {
			t.Fatal(err)
		}
	}
	read()
	if n := testing.AllocsPerRun(100, read); n != 0 || len(active) != 2 {
		t.Errorf("%v allocations for %d instances", n, len(active))
	}
}

func TestConcurrentUseOfInstances(t *testing.T) {
	lib, in := open(t, scenario.Node{Devices: []scenario.Device{cut(scenario.Hopper("GPU-0"))}})
	var callers sync.WaitGroup
	for range 3 {
		callers.Go(func() {
			var p nvml.Partition
			for range 30 {
				in.Advance(70 * time.Millisecond)
				active, err := lib.Activity(0, nil)
				if err != nil || len(active) > 2 {
					t.Errorf("%+v, %v", active, err)
				}
				if err := lib.Partition(0, &p); err != nil || len(p.Instances) != 2 {
					t.Errorf("%+v, %v", p, err)
				}
			}
		})
	}
	callers.Wait()
}
