//go:build linux && cgo

package nvml_test

import (
	"slices"
	"testing"
	"time"

	"greenagent/nvml"
	"greenagent/nvml/libsim"
	"greenagent/scenario"
)

// Each of these needs a process to which no library, or another one, is bound.

func TestNoLibrary(t *testing.T) {
	if !child(t) {
		return
	}
	_, err := nvml.Open(t.Context(), nvml.Options{Path: "/nonexistent/libnvidia-ml.so.1"})
	expect(t, "no library", err, nvml.ErrAbsent)
	_, err = nvml.Open(t.Context(), nvml.Options{Path: "libm.so.6"})
	expect(t, "another library", err, nvml.ErrAbsent)

	// Neither is in the way of the right one, installed since; but that is then
	// the process's for good.
	lib, in := open(t, pair())
	if err := lib.Sample(0, new(nvml.Sample)); err != nil {
		t.Error(err)
	}
	o := options(in)
	o.Path = "/elsewhere/libnvidia-ml.so.1"
	_, err = nvml.Open(t.Context(), o)
	expect(t, "another path", err, nvml.ErrVersionMismatch)
}

// An old driver: no GetFieldValues, so the older calls stand in, whose power is
// an average or an instant by architecture.
func TestWithoutFieldValues(t *testing.T) {
	if !child(t) {
		return
	}
	lib, in := open(t, scenario.Node{
		Devices: []scenario.Device{
			busy(scenario.Hopper("GPU-hopper")), busy(scenario.Ada("GPU-ada")),
			busy(scenario.GA100("GPU-ga100")), busy(scenario.Turing("GPU-turing")), busy(scenario.Pascal("GPU-pascal")),
		},
		MissingSymbols: []string{"nvmlDeviceGetFieldValues"},
	})
	in.Advance(5 * time.Second)
	type parts struct{ counter, instant, average bool }
	for i, want := range []parts{{true, false, true}, {true, false, true}, {true, true, false}, {true, true, false}, {false, true, false}} {
		var s nvml.Sample
		if err := lib.Sample(i, &s); err != nil {
			t.Errorf("%s: %v", lib.Devices()[i].UUID, err)
		}
		if got := (parts{s.HasCounter, s.HasInstant, s.HasAverage}); got != want {
			t.Errorf("%s: %+v, want %+v", lib.Devices()[i].UUID, got, want)
		}
	}
}

// Everything that is not needed to open is missing. What remains must not crash.
func TestBareLibrary(t *testing.T) {
	if !child(t) {
		return
	}
	lib, in := open(t, scenario.Node{
		Devices: []scenario.Device{busy(scenario.Hopper("GPU-0"))},
		MissingSymbols: []string{
			"nvmlErrorString", "nvmlSystemGetDriverVersion", "nvmlDeviceGetHandleByUUID",
			"nvmlDeviceGetName", "nvmlDeviceGetSerial", "nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetArchitecture",
			"nvmlDeviceGetPowerManagementLimitConstraints", "nvmlDeviceGetEnforcedPowerLimit",
			"nvmlDeviceGetMemoryInfo", "nvmlDeviceGetUtilizationRates", "nvmlDeviceGetTemperature",
			"nvmlDeviceGetClockInfo", "nvmlDeviceGetPerformanceState",
			"nvmlDeviceGetFieldValues", "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetPowerUsage",
			"nvmlDeviceGetMigMode", "nvmlDeviceGetAttributes_v2",
			"nvmlDeviceGetProcessUtilization", "nvmlDeviceGetSamples",
			"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2", "nvmlDeviceGetComputeRunningProcesses",
			"nvmlDeviceGetGraphicsRunningProcesses_v3", "nvmlDeviceGetGraphicsRunningProcesses_v2", "nvmlDeviceGetGraphicsRunningProcesses",
			"nvmlDeviceGetMPSComputeRunningProcesses_v3", "nvmlDeviceGetMPSComputeRunningProcesses_v2", "nvmlDeviceGetMPSComputeRunningProcesses",
		},
	})
	missing := lib.Missing()
	for _, name := range []string{"nvmlDeviceGetFieldValues", "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetSamples", "nvmlDeviceGetMPSComputeRunningProcesses", "nvmlDeviceGetProcessUtilization"} {
		if !slices.Contains(missing, name) {
			t.Errorf("%s is not among the missing %q", name, missing)
		}
	}
	in.Advance(time.Second)
	if d := lib.Devices(); len(d) != 1 || d[0].UUID != "GPU-0" {
		t.Fatalf("%+v", d)
	}
	for range 2 {
		expect(t, "sample", lib.Sample(0, new(nvml.Sample)), nvml.ErrUnsupported)
		expect(t, "status", lib.Status(0, new(nvml.Status)), nvml.ErrUnsupported)
		_, err := lib.Processes(0, nil)
		expect(t, "processes", err, nvml.ErrUnsupported)
		_, err = lib.Utilization(0, 0, nil)
		expect(t, "utilization", err, nvml.ErrUnsupported)
		_, err = lib.PowerSamples(0, 0, nil)
		expect(t, "power samples", err, nvml.ErrUnsupported)
	}
}

// The process lists of drivers before 450 have shorter entries.
func TestShortProcessLists(t *testing.T) {
	if !child(t) {
		return
	}
	node := pair()
	for _, list := range []string{"Compute", "Graphics", "MPSCompute"} {
		for _, version := range []string{"_v2", "_v3"} {
			node.MissingSymbols = append(node.MissingSymbols, "nvmlDeviceGet"+list+"RunningProcesses"+version)
		}
	}
	node.Devices[0].Loads = append(node.Devices[0].Loads, scenario.Load{PID: 9999, Memory: 5, Kinds: scenario.Graphics})
	lib, in := open(t, node)
	in.Advance(time.Second)
	list, err := lib.Processes(0, nil)
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	want := nvml.Process{PID: 9999, Kinds: nvml.Graphics, Memory: 5, GPUInstance: nvml.NoInstance, ComputeInstance: nvml.NoInstance}
	if list[0].PID != 4242 || list[1] != want {
		t.Errorf("%+v", list)
	}
}

func TestNotNVML(t *testing.T) {
	if !child(t) {
		return
	}
	in := libsim.Start(t, scenario.Node{MissingSymbols: []string{"nvmlDeviceGetUUID"}}, libsim.Options{})
	in.Setenv(t)
	_, err := nvml.Open(t.Context(), options(in))
	expect(t, "open", err, nvml.ErrAbsent)
}
