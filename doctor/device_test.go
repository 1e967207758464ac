package doctor

import (
	"fmt"
	"testing"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/nvml"
)

// hopper is a device that answers everything.
func hopper() deviceView {
	return deviceView{
		Device: nvml.Device{UUID: "GPU-1", Name: "NVIDIA H100", Architecture: "Hopper", MaxLimit: 700 * energy.Watt},
		source: collector.Domain{Basis: energy.Counted, Gain: 0.029},
		sample: nvml.Sample{
			HasCounter: true, HasInstant: true, HasAverage: true,
			Counter: energy.Kilojoule, Instant: 300 * energy.Watt, Average: 300 * energy.Watt,
		},
	}
}

func TestDevice(t *testing.T) {
	t.Parallel()
	says := func(sentinel error) error { return fmt.Errorf("nvml: device GPU-1: %w", sentinel) }
	silent := func(err error) func(*deviceView) {
		return func(v *deviceView) { v.sample, v.sampled = nvml.Sample{}, err }
	}
	for name, c := range map[string]struct {
		change func(*deviceView)
		kind   string
		status Status
		remedy string
		words  []string
	}{
		"counter":         {func(*deviceView) {}, gpuCounter, Pass, "", nil},
		"before Volta":    {func(v *deviceView) { v.sample.HasCounter, v.Architecture = false, "Pascal" }, gpuCounter, Info, "", []string{"integrated"}},
		"since Volta":     {func(v *deviceView) { v.sample.HasCounter = false }, gpuCounter, Warn, "", []string{"integrated"}},
		"nothing":         {silent(says(nvml.ErrUnsupported)), gpuCounter, Warn, "", []string{"neither energy nor power"}},
		"lost":            {silent(says(nvml.ErrLost)), gpuCounter, Fail, "sudo nvidia-smi --gpu-reset -i GPU-1", []string{"lost"}},
		"hung":            {silent(says(nvml.ErrHung)), gpuCounter, Fail, "sudo reboot", []string{"does not answer"}},
		"forbidden":       {silent(says(nvml.ErrPermission)), gpuCounter, Fail, "", []string{"no permission"}},
		"driver unloaded": {silent(says(nvml.ErrNoDriver)), gpuCounter, Fail, "sudo modprobe nvidia", nil},
		"in passing":      {silent(says(nvml.ErrTransient)), gpuCounter, Warn, "greenagent doctor", nil},
		"partial":         {func(v *deviceView) { v.sampled = says(nvml.ErrTransient) }, gpuCounter, Pass, "", nil},

		"power":          {func(*deviceView) {}, gpuPower, Pass, "", []string{"instant and average"}},
		"instant":        {func(v *deviceView) { v.sample.HasAverage = false }, gpuPower, Pass, "", []string{"instant power"}},
		"average":        {func(v *deviceView) { v.sample.HasInstant = false }, gpuPower, Pass, "", []string{"average power"}},
		"no power":       {func(v *deviceView) { v.sample.HasInstant, v.sample.HasAverage = false, false }, gpuPower, Warn, "", nil},
		"absurd":         {func(v *deviceView) { v.sample.Average = 1051 * energy.Watt }, gpuPower, Warn, "", []string{"1.05 kW", "700 W", "rejected"}},
		"a high peak":    {func(v *deviceView) { v.sample.Instant = 1050 * energy.Watt }, gpuPower, Pass, "", nil},
		"module":         {func(v *deviceView) { v.sample.Scope = nvml.ScopeModule }, gpuPower, Info, "", []string{"module"}},
		"module, no sum": {func(v *deviceView) { v.sample.Scope, v.sample.HasCounter = nvml.ScopeModule, false }, gpuPower, Warn, "", []string{"CPU included"}},

		"lists":           {func(v *deviceView) { v.processes = 3 }, gpuProcesses, Pass, "", []string{"3 now"}},
		"no lists":        {func(v *deviceView) { v.listed = says(nvml.ErrUnsupported) }, gpuProcesses, Warn, "", []string{"lists no processes"}},
		"lists forbidden": {func(v *deviceView) { v.listed = says(nvml.ErrPermission) }, gpuProcesses, Warn, "", []string{"no permission"}},
		"lists of a lost": {func(v *deviceView) { v.listed = says(nvml.ErrLost) }, gpuProcesses, Warn, "sudo nvidia-smi --gpu-reset -i GPU-1", nil},

		"sampler":        {func(*deviceView) {}, gpuUtilization, Pass, "", nil},
		"no sampler":     {func(v *deviceView) { v.utilization = says(nvml.ErrUnsupported) }, gpuUtilization, Warn, "", []string{"memory"}},
		"sampler, MIG":   {func(v *deviceView) { v.utilization, v.Instances = says(nvml.ErrUnsupported), []nvml.Instance{} }, gpuUtilization, Info, "", []string{"MIG"}},
		"sampler failed": {func(v *deviceView) { v.utilization = says(nvml.ErrTransient) }, gpuUtilization, Warn, "", []string{"temporary"}},

		"MIG off":        {func(*deviceView) {}, gpuMIG, Pass, "", []string{"off"}},
		"MIG, empty":     {func(v *deviceView) { v.Instances = []nvml.Instance{} }, gpuMIG, Info, "", []string{"no instance"}},
		"MIG, instances": {func(v *deviceView) { v.Instances = make([]nvml.Instance, 3) }, gpuMIG, Info, "", []string{"instances: 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := hopper()
			c.change(&v)
			id := check(c.kind, Pass, "", "", "").of("GPU-1").ID
			expect(t, find(t, v.checks(), id), c.status, c.remedy, c.words...)
			if d := v.domain(); (d.State == Missing) != v.silent() || (d.State == Missing) != (d.Uncertainty == nil) {
				t.Errorf("domain: %+v", d)
			}
		})
	}
}

func TestSilentDeviceIsNotAskedForPower(t *testing.T) {
	t.Parallel()
	v := hopper()
	v.sample = nvml.Sample{}
	without(t, v.checks(), "gpu.GPU-1.power")
}
