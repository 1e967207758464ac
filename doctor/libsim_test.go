//go:build linux && cgo

package doctor

import (
	"strings"
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/nvml/libsim"
	"greenagent/scenario"
)

// gpuServer is a server with GPUs, a driver, and what goes wrong.
func gpuServer(t *testing.T, change func(*scenario.Node), gpus ...scenario.Device) (patient, string) {
	t.Helper()
	node := server()
	node.Devices = gpus
	if change != nil {
		change(&node)
	}
	in := libsim.Start(t, node, libsim.Options{})
	p := admit(t, node)
	p.NVML = in.Path
	p.install(t, node.DriverVersion())
	for _, d := range gpus {
		p.plug(t, strings.ToLower(d.BusID[4:]), "nvidia")
	}
	return p, in.Env()
}

func faulty(faults ...scenario.Fault) func(*scenario.Node) {
	return func(n *scenario.Node) { n.Faults = faults }
}

func TestHealthyHopper(t *testing.T) {
	t.Parallel()
	p, env := gpuServer(t, nil, scenario.Hopper("GPU-0"), scenario.Hopper("GPU-1"))
	r := p.apart(t, env)
	lookOver(t, r.Checks)
	for _, c := range r.Checks {
		if c.Status > Pass && c.ID != zoneKnown && c.ID != hwmonMeter {
			t.Errorf("%+v", c)
		}
	}
	if r.Status != Info || r.Status.Exit() != 0 || r.Schema != "greenagent.doctor/1" {
		t.Errorf("%s, %s", r.Status, r.Schema)
	}
	expect(t, find(t, r.Checks, nvmlDriver), Pass, "", "570.124.06")
	expect(t, find(t, r.Checks, gpuDevices), Pass, "", "2 × NVIDIA H100 80GB HBM3")
	expect(t, find(t, r.Checks, "gpu.GPU-1.power"), Pass, "", "instant and average")
	expectDomain(t, r, collector.GPU, Measured, "NVML energy counter")
	if names := known(r, collector.GPU)[0].Names; len(names) != 2 {
		t.Errorf("devices: %q", names)
	}
	expectDomain(t, r, collector.CPU, Measured, "RAPL energy counter")
}

func TestGPUsInAContainer(t *testing.T) {
	t.Parallel()
	p, env := gpuServer(t, nil, scenario.Hopper("GPU-0"))
	p.contain(t)
	r := p.apart(t, env)
	expect(t, find(t, r.Checks, pidNamespace), Warn, "docker run --pid=host --gpus all IMAGE greenagent doctor")
	if r.Status.Exit() != 1 || !r.Host.Container {
		t.Errorf("%s, %+v", r.Status, r.Host)
	}
}

func TestNoCounter(t *testing.T) {
	t.Parallel()
	vgpu := scenario.Ada("GPU-1")
	vgpu.BusID, vgpu.Sensor.Counter = "00000000:42:00.0", false
	p, env := gpuServer(t, nil, scenario.Pascal("GPU-0"), vgpu, scenario.Volta("GPU-2"))
	r := p.apart(t, env)
	expect(t, find(t, r.Checks, "gpu.GPU-0.counter"), Info, "", "integrated")
	expect(t, find(t, r.Checks, "gpu.GPU-1.counter"), Warn, "", "integrated")
	expect(t, find(t, r.Checks, "gpu.GPU-2.counter"), Pass, "")
	gpus := known(r, collector.GPU)
	if len(gpus) != 2 || gpus[0].By != "NVML power" || len(gpus[0].Names) != 2 || gpus[1].By != "NVML energy counter" {
		t.Errorf("%+v", gpus)
	}
}

func TestModuleScope(t *testing.T) {
	t.Parallel()
	p, env := gpuServer(t, nil, scenario.GraceHopper("GPU-0"))
	expect(t, find(t, p.apart(t, env).Checks, "gpu.GPU-0.power"), Info, "", "module")
}

func TestVersionMismatch(t *testing.T) {
	t.Parallel()
	p, env := gpuServer(t, faulty(scenario.DriverUpgraded(0)...), scenario.Hopper("GPU-0"))
	r := p.apart(t, env)
	expect(t, find(t, r.Checks, nvmlVersion), Fail, "sudo reboot", "570.124.06", "rmmod")
	expectDomain(t, r, collector.GPU, Missing, "")
	if r.Status.Exit() != 2 {
		t.Errorf("exit status %d", r.Status.Exit())
	}
	// The rest of the machine is none the worse.
	expectDomain(t, r, collector.CPU, Measured, "RAPL energy counter")
}

func TestNoPermission(t *testing.T) {
	t.Parallel()
	p, env := gpuServer(t, faulty(scenario.Fault{Device: scenario.AllDevices, Call: scenario.CallInit, Kind: scenario.NoPermission}), scenario.Hopper("GPU-0"))
	r := p.apart(t, env)
	if c := find(t, r.Checks, nvmlDriver); c.Status != Fail || !strings.HasPrefix(c.Remedy, "sudo ") || !strings.Contains(c.Detail, "NO_PERMISSION") {
		t.Errorf("%+v", c)
	}
}

func TestDriverNotLoaded(t *testing.T) {
	t.Parallel()
	p, env := gpuServer(t, faulty(scenario.DriverUnloaded(0, 0)...), scenario.Hopper("GPU-0"))
	p.remove(t, "proc/driver")
	r := p.apart(t, env)
	expect(t, find(t, r.Checks, nvmlDriver), Fail, "sudo modprobe nvidia", "0000:1b:00.0 (nvidia)")

	p.remove(t, "sys/bus")
	p.remove(t, "dev")
	r = p.apart(t, env)
	expect(t, find(t, r.Checks, nvmlDriver), Info, "", "no GPU for it")
	if r.Status != Info {
		t.Errorf("%s:\n%s", r.Status, listed(r.Checks))
	}
}

func TestOldLibrary(t *testing.T) {
	t.Parallel()
	p, env := gpuServer(t, func(n *scenario.Node) {
		n.MissingSymbols = []string{
			"nvmlDeviceGetFieldValues", "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetProcessUtilization",
			"nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetComputeRunningProcesses_v2", "nvmlDeviceGetComputeRunningProcesses_v3",
			"nvmlDeviceGetGraphicsRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses_v2", "nvmlDeviceGetGraphicsRunningProcesses_v3",
			"nvmlDeviceGetMPSComputeRunningProcesses", "nvmlDeviceGetMPSComputeRunningProcesses_v2", "nvmlDeviceGetMPSComputeRunningProcesses_v3",
		}
	}, scenario.Volta("GPU-0"))
	r := p.apart(t, env)
	expect(t, find(t, r.Checks, "gpu.GPU-0.counter"), Warn, "", "integrated")
	expect(t, find(t, r.Checks, "gpu.GPU-0.power"), Pass, "", "instant power")
	expect(t, find(t, r.Checks, "gpu.GPU-0.processes"), Warn, "", "lists no processes")
	expect(t, find(t, r.Checks, "gpu.GPU-0.utilization"), Warn, "", "memory")
	expectDomain(t, r, collector.GPU, Measured, "NVML power")
}

func TestMIG(t *testing.T) {
	t.Parallel()
	gpu := scenario.Hopper("GPU-0")
	gpu.Instances = []scenario.Instance{
		{UUID: "MIG-1", GPUInstance: 1, Slices: 3, Memory: 40 << 30},
		{UUID: "MIG-2", GPUInstance: 2, Slices: 4, Memory: 40 << 30},
	}
	older := scenario.GA100("GPU-1")
	older.Instances = []scenario.Instance{{UUID: "MIG-3", GPUInstance: 1, Slices: 7, Memory: 40 << 30}}
	locked := scenario.Hopper("GPU-2")
	locked.BusID = "00000000:43:00.0"
	locked.Instances = []scenario.Instance{{UUID: "MIG-4", GPUInstance: 1, Slices: 7, Memory: 40 << 30}}
	p, env := gpuServer(t, faulty(scenario.Fault{Device: 2, Call: scenario.CallActivity, Kind: scenario.NoPermission}), gpu, older, locked)
	r := p.apart(t, env)
	expect(t, find(t, r.Checks, "gpu.GPU-0.mig"), Info, "", "instances: 2", "GPM")
	expect(t, find(t, r.Checks, "gpu.GPU-1.mig"), Info, "", "instances: 1", "by their size")
	expect(t, find(t, r.Checks, "gpu.GPU-2.mig"), Warn, "", "by their size", "cannot be read")
	expect(t, find(t, r.Checks, "gpu.GPU-0.utilization"), Info, "", "MIG")
	expectDomain(t, r, collector.GPU, Measured, "NVML energy counter")
	if r.Status != Warn {
		t.Errorf("%s:\n%s", r.Status, listed(r.Checks))
	}
}

func TestOneOfTwoIsLost(t *testing.T) {
	t.Parallel()
	second := scenario.Hopper("GPU-1")
	second.BusID = "00000000:43:00.0"
	p, env := gpuServer(t, faulty(scenario.Fault{Device: 1, Call: scenario.AnyCall, Kind: scenario.Lost}), scenario.Hopper("GPU-0"), second)
	r := p.apart(t, env)
	if c := find(t, r.Checks, gpuDevices); c.Status != Fail || !strings.HasPrefix(c.Remedy, "sudo nvidia-smi --gpu-reset") || !strings.Contains(c.Summary, "1 of 2") {
		t.Errorf("%+v", c)
	}
	expect(t, find(t, r.Checks, "gpu.GPU-0.counter"), Pass, "")
	gpus := known(r, collector.GPU)
	if len(gpus) != 2 || gpus[0].State != Measured || gpus[1].State != Missing || gpus[1].Why == "" {
		t.Errorf("%+v", gpus)
	}
}

func TestStartHangs(t *testing.T) {
	t.Parallel()
	p, env := gpuServer(t, faulty(scenario.Fault{Device: scenario.AllDevices, Call: scenario.CallInit, Kind: scenario.Hang}), scenario.Hopper("GPU-0"))
	p.Timeout = 300 * time.Millisecond
	began := time.Now()
	r := p.apart(t, env)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	expect(t, find(t, r.Checks, nvmlDriver), Fail, "sudo reboot", "does not answer", "--timeout")
	expectDomain(t, r, collector.CPU, Measured, "RAPL energy counter")
}

func TestDeviceHangs(t *testing.T) {
	t.Parallel()
	second := scenario.Hopper("GPU-1")
	second.BusID = "00000000:43:00.0"
	p, env := gpuServer(t, faulty(scenario.Fault{Device: 1, Call: scenario.CallFields, Kind: scenario.Hang}), scenario.Hopper("GPU-0"), second)
	p.Timeout = 2 * time.Second
	r := p.apart(t, env)
	expect(t, find(t, r.Checks, gpuDevices), Fail, "sudo reboot", "1 of 2 GPUs do not answer")
	expect(t, find(t, r.Checks, "gpu.GPU-0.counter"), Pass, "")
}
