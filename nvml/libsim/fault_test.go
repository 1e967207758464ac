//go:build linux && cgo

package libsim_test

import (
	"fmt"
	"testing"
	"time"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"

	"greenagent/energy"
	"greenagent/nvml/libsim"
	"greenagent/scenario"
)

// calls are what the groups of scenario.Call stand for.
var calls = map[scenario.Call]func(driver.Device) driver.Return{
	scenario.CallCounter: func(h driver.Device) driver.Return { _, ret := h.GetTotalEnergyConsumption(); return ret },
	scenario.CallPower:   func(h driver.Device) driver.Return { _, ret := h.GetPowerUsage(); return ret },
	scenario.CallFields:  func(h driver.Device) driver.Return { return h.GetFieldValues(make([]driver.FieldValue, 1)) },
	scenario.CallSamples: func(h driver.Device) driver.Return {
		_, _, ret := h.GetSamples(driver.TOTAL_POWER_SAMPLES, 0)
		return ret
	},
	scenario.CallUtilization: func(h driver.Device) driver.Return { _, ret := h.GetProcessUtilization(0); return ret },
	scenario.CallProcesses:   func(h driver.Device) driver.Return { _, ret := h.GetComputeRunningProcesses(); return ret },
	scenario.CallStatus:      func(h driver.Device) driver.Return { _, ret := h.GetEnforcedPowerLimit(); return ret },
}

// pair returns two busy devices, the second of which suffers the faults.
func pair(faults ...scenario.Fault) scenario.Node {
	node := scenario.Node{Faults: faults}
	for _, uuid := range []string{"GPU-1", "GPU-2"} {
		d := scenario.Hopper(uuid)
		d.Loads = []scenario.Load{{PID: 1, From: -time.Minute, Power: scenario.Steady(energy.Watt)}}
		node.Devices = append(node.Devices, d)
	}
	return node
}

func TestFaults(t *testing.T) {
	for kind, want := range map[scenario.FaultKind]driver.Return{
		scenario.Lost:            driver.ERROR_GPU_IS_LOST,
		scenario.ResetRequired:   driver.ERROR_RESET_REQUIRED,
		scenario.Transient:       driver.ERROR_UNKNOWN,
		scenario.Unsupported:     driver.ERROR_NOT_SUPPORTED,
		scenario.NoPermission:    driver.ERROR_NO_PERMISSION,
		scenario.NoDriver:        driver.ERROR_DRIVER_NOT_LOADED,
		scenario.VersionMismatch: driver.ERROR_LIB_RM_VERSION_MISMATCH,
	} {
		for struck := scenario.AnyCall; struck <= scenario.CallStatus; struck++ {
			if struck == scenario.CallInit {
				continue
			}
			t.Run(fmt.Sprintf("%v in call %d", want, struck), func(t *testing.T) { strike(t, kind, struck, want) })
		}
	}
}

// strike has the fault meet the second device in its second second.
func strike(t *testing.T, kind scenario.FaultKind, struck scenario.Call, want driver.Return) {
	in, lib := open(t, pair(scenario.Fault{Device: 1, Call: struck, Kind: kind, At: time.Second, For: time.Second}), libsim.Options{})
	healthy, sick := handle(t, lib, 0), handle(t, lib, 1)
	for second := range 3 {
		for call, do := range calls {
			expected := driver.SUCCESS
			if second == 1 && (struck == scenario.AnyCall || struck == call) {
				expected = want
			}
			if ret := do(sick); ret != expected {
				t.Errorf("call %d in second %d: %v, want %v", call, second, ret, expected)
			}
			if ret := do(healthy); ret != driver.SUCCESS {
				t.Errorf("the healthy device's call %d: %v", call, ret)
			}
		}
		in.Advance(time.Second)
	}
}

// TestFieldFaults strikes single values of one call.
func TestFieldFaults(t *testing.T) {
	_, lib := open(t, pair(scenario.Fault{Device: 1, Call: scenario.CallPower, Kind: scenario.Transient}), libsim.Options{})
	values := []driver.FieldValue{{FieldId: driver.FI_DEV_TOTAL_ENERGY_CONSUMPTION}, {FieldId: driver.FI_DEV_POWER_INSTANT}, {FieldId: 9999}}
	if ret := handle(t, lib, 1).GetFieldValues(values); ret != driver.SUCCESS {
		t.Fatal(ret)
	}
	for i, want := range []driver.Return{driver.SUCCESS, driver.ERROR_UNKNOWN, driver.ERROR_NOT_SUPPORTED} {
		if ret := driver.Return(values[i].NvmlReturn); ret != want {
			t.Errorf("field %d: %v, want %v", values[i].FieldId, ret, want)
		}
	}
}

func TestInitFaults(t *testing.T) {
	node := pair(append(scenario.DriverUnloaded(0, time.Minute), scenario.DriverUpgraded(2*time.Minute)...)...)
	in := libsim.Start(t, node, libsim.Options{})
	in.Setenv(t)
	lib := driver.New(driver.WithLibraryPath(in.Path))
	if ret := lib.Init(); ret != driver.ERROR_DRIVER_NOT_LOADED {
		t.Errorf("init without a driver: %v", ret)
	}
	in.Advance(time.Minute)
	if ret := lib.Init(); ret != driver.SUCCESS {
		t.Fatalf("init with the driver back: %v", ret)
	}
	in.Advance(time.Minute)
	if _, ret := lib.DeviceGetCount(); ret != driver.ERROR_LIB_RM_VERSION_MISMATCH {
		t.Errorf("after the upgrade: %v", ret)
	}
	if ret := lib.Shutdown(); ret != driver.SUCCESS {
		t.Error(ret)
	}
	if ret := lib.Init(); ret != driver.ERROR_LIB_RM_VERSION_MISMATCH {
		t.Errorf("init after the upgrade: %v", ret)
	}
}

// TestHang waits in a call until the fault ends, and until the test lets it go.
func TestHang(t *testing.T) {
	for name, end := range map[string]func(*libsim.Instance){
		"over":     func(in *libsim.Instance) { in.Advance(time.Hour) },
		"released": func(in *libsim.Instance) { in.Release() },
	} {
		t.Run(name, func(t *testing.T) {
			in, lib := open(t, pair(scenario.Fault{Device: 1, Call: scenario.CallPower, Kind: scenario.Hang, At: time.Second, For: time.Hour}), libsim.Options{})
			healthy, sick := handle(t, lib, 0), handle(t, lib, 1)
			in.Advance(time.Second)
			done := make(chan driver.Return, 1)
			go func() { done <- calls[scenario.CallPower](sick) }()
			select {
			case ret := <-done:
				t.Fatalf("did not hang: %v", ret)
			case <-time.After(30 * ms): // real time: the call is in C
			}
			if ret := calls[scenario.CallPower](healthy); ret != driver.SUCCESS {
				t.Errorf("the healthy device, meanwhile: %v", ret)
			}
			end(in)
			if ret := <-done; ret != driver.SUCCESS {
				t.Errorf("after: %v", ret)
			}
		})
	}
}

func TestGarbage(t *testing.T) {
	in, lib := open(t, pair(
		scenario.Fault{Device: 1, Call: scenario.CallPower, Kind: scenario.Garbage, Times: 1, Value: 588_000},
		scenario.Fault{Device: 1, Call: scenario.CallCounter, Kind: scenario.Garbage, At: time.Second, Value: 1 << 60},
		scenario.Fault{Device: 1, Call: scenario.CallSamples, Kind: scenario.Garbage, At: time.Second, Value: 7},
	), libsim.Options{})
	h := handle(t, lib, 1)
	for _, want := range []uint32{588_000, 116_000} {
		if p, ret := h.GetPowerUsage(); p != want {
			t.Errorf("power %d mW, %v, want %d", p, ret, want)
		}
	}
	in.Advance(time.Second)
	if e, ret := h.GetTotalEnergyConsumption(); e != 1<<60 {
		t.Errorf("counter %d, %v", e, ret)
	}
	if _, ring, ret := h.GetSamples(driver.TOTAL_POWER_SAMPLES, 0); len(ring) == 0 || ring[0].SampleValue[0] != 7 {
		t.Errorf("ring %v, %v", ring, ret)
	}
}

// TestGrowing has a list outgrow every buffer a few times.
func TestGrowing(t *testing.T) {
	_, lib := open(t, pair(scenario.Fault{Device: 1, Call: scenario.CallProcesses, Kind: scenario.Growing, Times: 4}), libsim.Options{})
	if list, ret := handle(t, lib, 1).GetComputeRunningProcesses(); ret != driver.SUCCESS || len(list) != 1 {
		t.Errorf("processes %v, %v", list, ret)
	}
}
