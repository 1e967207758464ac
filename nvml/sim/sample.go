package sim

import (
	"errors"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/scenario"
)

// Sample reads a device's power sensor. What the device does not have is absent;
// any other failure is returned, and dst then holds what could be read before it.
func (l *Library) Sample(device int, dst *nvml.Sample) error {
	*dst = nvml.Sample{Before: l.clock.Now()}
	err := l.sample(device, dst)
	dst.After = l.clock.Now()
	return err
}

func (l *Library) sample(device int, dst *nvml.Sample) error {
	t := dst.Before.Sub(l.origin)
	d := &l.node.Devices[device]
	fields := !l.node.Missing("nvmlDeviceGetFieldValues")
	if fields {
		switch _, err := l.strike(device, scenario.CallFields, t); {
		case errors.Is(err, nvml.ErrUnsupported):
			fields = false
		case err != nil:
			return err
		}
	}
	if fields || !l.node.Missing("nvmlDeviceGetTotalEnergyConsumption") {
		fault, err := l.strike(device, scenario.CallCounter, t)
		if err != nil && !errors.Is(err, nvml.ErrUnsupported) {
			return err
		}
		if err == nil {
			dst.Counter, dst.HasCounter = d.Counter(t, l.node.Since())
			if fault != nil && dst.HasCounter {
				dst.Counter = energy.Energy(fault.Value) * energy.Millijoule
			}
		}
	}
	fault, err := l.strike(device, scenario.CallPower, t)
	if err != nil {
		if errors.Is(err, nvml.ErrUnsupported) {
			return nil
		}
		return err
	}
	l.power(d, t, fields, dst)
	if fault != nil {
		absurd := energy.Power(fault.Value) * energy.Milliwatt
		if dst.HasInstant {
			dst.Instant = absurd
		}
		if dst.HasAverage {
			dst.Average = absurd
		}
	}
	return nil
}

// power reads average and instant power from the fields, in the GPU's scope or
// else the module's, and without fields from GetPowerUsage.
func (l *Library) power(d *scenario.Device, t time.Duration, fields bool, dst *nvml.Sample) {
	if fields && d.Sensor.Fields != 0 {
		scope := scenario.ScopeGPU
		if d.Sensor.Fields&scenario.ScopeGPU == 0 {
			scope, dst.Scope = scenario.ScopeModule, nvml.ScopeModule
		}
		dst.Instant, dst.HasInstant = d.InScope(d.InstantPower(t), scope), true
		if p, ok := d.AveragePower(t); ok {
			dst.Average, dst.HasAverage = d.InScope(p, scope), true
		}
		return
	}
	p, ok := d.PowerUsage(t)
	switch {
	case !ok || l.node.Missing("nvmlDeviceGetPowerUsage"):
	case d.Sensor.AverageWindow > 0:
		dst.Average, dst.HasAverage = p, true
	default:
		dst.Instant, dst.HasInstant = p, true
	}
}
