//go:build linux && cgo

package libsim_test

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"

	"greenagent/energy"
	"greenagent/nvml/libsim"
	"greenagent/scenario"
)

const ms = time.Millisecond

// open starts a node and opens its library through go-nvml.
func open(t *testing.T, node scenario.Node, options libsim.Options) (*libsim.Instance, driver.Interface) {
	t.Helper()
	in := libsim.Start(t, node, options)
	in.Setenv(t)
	lib := driver.New(driver.WithLibraryPath(in.Path))
	if ret := lib.Init(); ret != driver.SUCCESS {
		t.Fatalf("init: %v", ret)
	}
	t.Cleanup(func() {
		if ret := lib.Shutdown(); ret != driver.SUCCESS {
			t.Errorf("shutdown: %v", ret)
		}
	})
	return in, lib
}

// handle returns a device's handle, which must be had.
func handle(t *testing.T, lib driver.Interface, i int) driver.Device {
	t.Helper()
	h, ret := lib.DeviceGetHandleByIndex(i)
	if ret != driver.SUCCESS {
		t.Fatalf("device %d: %v", i, ret)
	}
	return h
}

func TestIdentity(t *testing.T) {
	boards := scenario.Presets()
	boards[1].Serial = ""
	boards[2].Architecture = "Vera"
	_, lib := open(t, scenario.Node{Devices: boards, Driver: "535.183.01"}, libsim.Options{})
	if v, ret := lib.SystemGetDriverVersion(); v != "535.183.01" {
		t.Errorf("driver %q, %v", v, ret)
	}
	if n, ret := lib.DeviceGetCount(); n != len(boards) {
		t.Errorf("%d devices, %v", n, ret)
	}
	for i, d := range boards {
		h := handle(t, lib, i)
		if uuid, ret := h.GetUUID(); uuid != d.UUID {
			t.Errorf("UUID %q, %v, want %q", uuid, ret, d.UUID)
		}
		if name, ret := h.GetName(); name != d.Name {
			t.Errorf("name %q, %v, want %q", name, ret, d.Name)
		}
		if serial, ret := h.GetSerial(); serial != d.Serial || (ret == driver.ERROR_NOT_SUPPORTED) != (d.Serial == "") {
			t.Errorf("serial %q, %v, want %q", serial, ret, d.Serial)
		}
		pci, ret := h.GetPciInfo()
		var bus []byte
		for _, c := range pci.BusId {
			if c != 0 {
				bus = append(bus, byte(c))
			}
		}
		if string(bus) != d.BusID {
			t.Errorf("bus id %q, %v, want %q", bus, ret, d.BusID)
		}
		if memory, ret := h.GetMemoryInfo_v2(); memory.Total != uint64(d.Memory) {
			t.Errorf("memory %+v, %v, want %d", memory, ret, d.Memory)
		}
		if _, high, ret := h.GetPowerManagementLimitConstraints(); energy.Power(high)*energy.Milliwatt != d.MaxLimit {
			t.Errorf("limit %d mW, %v, want %v", high, ret, d.MaxLimit)
		}
		same, ret := lib.DeviceGetHandleByUUID(d.UUID)
		if ret != driver.SUCCESS || same != h {
			t.Errorf("by UUID: %v, %v, want %v", same, ret, h)
		}
	}
	if a, ret := handle(t, lib, 0).GetArchitecture(); a != driver.DEVICE_ARCH_HOPPER {
		t.Errorf("architecture %d, %v", a, ret)
	}
	if a, ret := handle(t, lib, 2).GetArchitecture(); a != driver.DEVICE_ARCH_UNKNOWN {
		t.Errorf("architecture of a later board: %d, %v", a, ret)
	}
	if _, ret := lib.DeviceGetHandleByIndex(len(boards)); ret != driver.ERROR_INVALID_ARGUMENT {
		t.Errorf("device too many: %v", ret)
	}
	if _, ret := lib.DeviceGetHandleByUUID("GPU-none"); ret != driver.ERROR_NOT_FOUND {
		t.Errorf("unknown UUID: %v", ret)
	}
}

// TestMIG checks instances, and that they have no power.
func TestMIG(t *testing.T) {
	d := scenario.Hopper("GPU-1")
	d.Instances = []scenario.Instance{
		{UUID: "MIG-1", GPUInstance: 3, ComputeInstance: 0, Slices: 3, Memory: 40 << 30},
		{UUID: "MIG-2", GPUInstance: 5, ComputeInstance: 1, Slices: 2, Memory: 20 << 30},
	}
	d.Loads = []scenario.Load{
		{PID: 10, Power: scenario.Steady(energy.Watt), Memory: 5, Instance: "MIG-1"},
		{PID: 20, Power: scenario.Steady(energy.Watt), Memory: 7, Instance: "MIG-2"},
	}
	in, lib := open(t, scenario.Node{Devices: []scenario.Device{d, scenario.Hopper("GPU-2"), scenario.Volta("GPU-3")}}, libsim.Options{})
	in.Advance(time.Second)
	for i, want := range []struct {
		mode int
		ret  driver.Return
	}{{1, driver.SUCCESS}, {0, driver.SUCCESS}, {0, driver.ERROR_NOT_SUPPORTED}} {
		if mode, _, ret := handle(t, lib, i).GetMigMode(); mode != want.mode || ret != want.ret {
			t.Errorf("device %d: MIG mode %d, %v", i, mode, ret)
		}
	}
	parent := handle(t, lib, 0)
	for i, instance := range d.Instances {
		h, ret := parent.GetMigDeviceHandleByIndex(i)
		if ret != driver.SUCCESS {
			t.Fatalf("instance %d: %v", i, ret)
		}
		uuid, _ := h.GetUUID()
		gi, _ := h.GetGpuInstanceId()
		ci, _ := h.GetComputeInstanceId()
		attributes, _ := h.GetAttributes()
		got := scenario.Instance{UUID: uuid, GPUInstance: uint32(gi), ComputeInstance: uint32(ci),
			Slices: int(attributes.ComputeInstanceSliceCount), Memory: int64(attributes.MemorySizeMB) << 20}
		if got != instance {
			t.Errorf("instance %+v, want %+v", got, instance)
		}
		if is, ret := h.IsMigDeviceHandle(); !is {
			t.Errorf("instance %d: is none, %v", i, ret)
		}
		if up, ret := h.GetDeviceHandleFromMigDeviceHandle(); up != parent {
			t.Errorf("instance %d: parent %v, %v", i, up, ret)
		}
		if _, ret := h.GetPowerUsage(); ret != driver.ERROR_NOT_SUPPORTED {
			t.Errorf("instance %d: power: %v", i, ret)
		}
		if list, ret := h.GetComputeRunningProcesses(); len(list) != 1 || list[0].Pid != uint32(d.Loads[i].PID) || list[0].GpuInstanceId != instance.GPUInstance {
			t.Errorf("instance %d: processes %+v, %v", i, list, ret)
		}
		if memory, ret := h.GetMemoryInfo(); memory.Used != uint64(d.Loads[i].Memory) || memory.Total != uint64(instance.Memory) {
			t.Errorf("instance %d: memory %+v, %v", i, memory, ret)
		}
	}
	if _, ret := parent.GetMigDeviceHandleByIndex(2); ret != driver.ERROR_NOT_FOUND {
		t.Errorf("instance too many: %v", ret)
	}
	if list, ret := parent.GetComputeRunningProcesses(); len(list) != 2 || list[1].ComputeInstanceId != 1 {
		t.Errorf("parent's processes %+v, %v", list, ret)
	}
	if _, ret := parent.GetProcessUtilization(0); ret != driver.ERROR_NOT_SUPPORTED {
		t.Errorf("utilization under MIG: %v", ret)
	}
	if list, ret := handle(t, lib, 1).GetComputeRunningProcesses(); len(list) != 0 || ret != driver.SUCCESS {
		t.Errorf("the idle device's processes %+v, %v", list, ret)
	}
}

// TestOneAfterTheOther opens two scenarios in one process, and the first again.
func TestOneAfterTheOther(t *testing.T) {
	for _, uuids := range [][]string{{"GPU-a"}, {"GPU-b", "GPU-c"}, {"GPU-a"}} {
		t.Run(strings.Join(uuids, "+"), func(t *testing.T) {
			var node scenario.Node
			for _, uuid := range uuids {
				node.Devices = append(node.Devices, scenario.Ada(uuid))
			}
			_, lib := open(t, node, libsim.Options{})
			var got []string
			n, _ := lib.DeviceGetCount()
			for i := range n {
				uuid, _ := handle(t, lib, i).GetUUID()
				got = append(got, uuid)
			}
			if !slices.Equal(got, uuids) {
				t.Errorf("devices %q, want %q", got, uuids)
			}
		})
	}
}

func TestUninitialized(t *testing.T) {
	in := libsim.Start(t, scenario.Node{Devices: []scenario.Device{scenario.Ada("GPU-1")}}, libsim.Options{})
	in.Setenv(t)
	lib := driver.New(driver.WithLibraryPath(in.Path))
	if ret := lib.Init(); ret != driver.SUCCESS {
		t.Fatal(ret)
	}
	h := handle(t, lib, 0)
	if ret := lib.Shutdown(); ret != driver.SUCCESS {
		t.Fatal(ret)
	}
	if _, ret := h.GetPowerUsage(); ret != driver.ERROR_UNINITIALIZED {
		t.Errorf("after shutdown: %v", ret)
	}
}

func TestMonotonic(t *testing.T) {
	d := scenario.Volta("GPU-1")
	in, lib := open(t, scenario.Node{Devices: []scenario.Device{d}}, libsim.Options{Monotonic: true})
	h := handle(t, lib, 0)
	start := in.Elapsed()
	first, ret := h.GetTotalEnergyConsumption()
	if ret != driver.SUCCESS {
		t.Fatal(ret)
	}
	last := first
	for last == first && in.Elapsed() < time.Minute {
		last, _ = h.GetTotalEnergyConsumption()
	}
	// One tick of 20 ms at 40 W; more, if the machine had other things to do.
	if rise := energy.Energy(last-first) * energy.Millijoule; rise < 800*energy.Millijoule || rise > d.Idle.For(in.Elapsed()-start+20*ms) {
		t.Errorf("counter rose by %v in %v", rise, in.Elapsed()-start)
	}
	// Stamps since boot are CLOCK_MONOTONIC's.
	_, ring, ret := h.GetSamples(driver.TOTAL_POWER_SAMPLES, 0)
	if ret != driver.SUCCESS || len(ring) != 120 {
		t.Fatalf("ring of %d, %v", len(ring), ret)
	}
	newest := energy.Instant(ring[len(ring)-1].TimeStamp) * energy.Instant(time.Microsecond)
	if age := in.Now().Sub(newest); age < 0 || age > time.Minute {
		t.Errorf("newest entry is %v old", age)
	}
}

const childVariable = "GREENAGENT_LIBSIM_TEST_CHILD"

// child runs this test alone in a process of its own with the instance's
// environment, and returns its output.
func child(t *testing.T, in *libsim.Instance, environment ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	command.Env = append(os.Environ(), childVariable+"="+in.Path, in.Env())
	command.Env = append(command.Env, environment...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Run(); err != nil {
		t.Fatalf("child: %v\n%s", err, out.String())
	}
	return out.String()
}

// TestChild shares the clock with another process, whose library lacks symbols.
func TestChild(t *testing.T) {
	if path := os.Getenv(childVariable); path != "" {
		lib := driver.New(driver.WithLibraryPath(path))
		if ret := lib.Init(); ret != driver.SUCCESS {
			t.Fatal(ret)
		}
		e, ret := handle(t, lib, 0).GetTotalEnergyConsumption()
		t.Logf("counter %d, %v", e, ret)
		for _, symbol := range []string{"nvmlDeviceGetPowerUsage", "nvmlDeviceGetFieldValues", "nvmlDeviceGetSamples"} {
			t.Logf("%s: missing %v", symbol, lib.Extensions().LookupSymbol(symbol) != nil)
		}
		return
	}
	d := scenario.Volta("GPU-1")
	in := libsim.Start(t, scenario.Node{Devices: []scenario.Device{d}, MissingSymbols: []string{"nvmlDeviceGetFieldValues", "nvmlDeviceGetSamples"}}, libsim.Options{})
	in.Advance(8*time.Hour + 7*ms)
	out := child(t, in)
	for _, want := range []string{"counter 1296000280, Success\n" /* nine hours and 7 ms at 40 W */, "nvmlDeviceGetPowerUsage: missing false\n",
		"nvmlDeviceGetFieldValues: missing true\n", "nvmlDeviceGetSamples: missing true\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in\n%s", want, out)
		}
	}
}

// TestBrokenScenario has the library refuse files that it cannot read as a whole,
// and say why.
func TestBrokenScenario(t *testing.T) {
	if path := os.Getenv(childVariable); path != "" {
		if ret := driver.New(driver.WithLibraryPath(path)).Init(); ret != driver.ERROR_UNKNOWN {
			t.Fatalf("init: %v", ret)
		}
		return
	}
	d := scenario.Volta("GPU-1")
	d.Loads = []scenario.Load{{PID: 1, Power: scenario.Steady(energy.Watt)}}
	in := libsim.Start(t, scenario.Node{Devices: []scenario.Device{d}}, libsim.Options{})
	path := strings.TrimPrefix(in.Env(), libsim.EnvScenario+"=")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	good := string(content)
	for name, test := range map[string]struct{ content, says string }{
		"empty":          {"", "cut off"},
		"other version":  {strings.Replace(good, "libsim 1", "libsim 2", 1), ":1: not a scenario of this version"},
		"cut off":        {strings.TrimSuffix(good, "end\n"), "cut off"},
		"cut in a line":  {good[:len(good)-2], "cut off"},
		"unknown line":   {strings.Replace(good, "\nend", "\ncolour red\nend", 1), "unknown line colour"},
		"too few":        {strings.Replace(good, "\nend", "\nsegment 1 2\nend", 1), "2 numbers, want 3"},
		"too many":       {strings.Replace(good, "\nend", "\nsegment 1 2 3 4\nend", 1), "4 after 3 numbers"},
		"no number":      {strings.Replace(good, "\nend", "\nreset soon\nend", 1), "0 numbers, want 1"},
		"bad segment":    {strings.Replace(good, "\nend", "\nsegment 0 1 1\nend", 1), "bad segment"},
		"no device":      {"greenagent-libsim 1\nname x\nend\n", "name before any device"},
		"no control":     {"greenagent-libsim 1\ndriver 1\nend\n", "no control file"},
		"other control":  {strings.Replace(good, "\ncontrol /", "\ncontrol /none/", 1), "cannot open /none/"},
		"too long":       {strings.Replace(good, "Tesla", strings.Repeat("Tesla", 50), 1), "is too long"},
		"no instance":    {strings.Replace(good, "\nend", "\nload 1 0 1 100 1 0 4 0 0 0\nend", 1), "no instance 4"},
		"fault of kind":  {strings.Replace(good, "\nend", "\nfault 0 0 99 0 0 0 0\nend", 1), "bad fault"},
		"line of a word": {strings.Replace(good, "\nend", "\nfault\nend", 1), "fault without a value"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := path + ".broken"
			if err := os.WriteFile(broken, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBrokenScenario$")
			command.Env = append(os.Environ(), childVariable+"="+in.Path, libsim.EnvScenario+"="+broken)
			out, err := command.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "libsim: "+broken+":") || !strings.Contains(string(out), test.says) {
				t.Errorf("%v; want %q in\n%s", err, test.says, out)
			}
		})
	}
}

func TestBuildRejectsSymbols(t *testing.T) {
	if _, err := libsim.Build(t.Context(), "nvmlInit; *"); err == nil {
		t.Error("a symbol that would break out of the linker's script passes")
	}
}
