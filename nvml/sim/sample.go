package sim

import (
	"errors"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/scenario"
)

// Sample reads a device's energy counter and power. What the device does not have
// is absent; with an error, dst holds the part that could be read nonetheless.
func (l *Library) Sample(device int, dst *nvml.Sample) error {
	*dst = nvml.Sample{Before: l.clock.Now()}
	dst.Epoch = l.node.Loads(dst.Before.Sub(l.origin))
	err := l.sample(device, dst)
	dst.After = l.clock.Now()
	return err
}

func (l *Library) sample(device int, dst *nvml.Sample) error {
	t := dst.Before.Sub(l.origin)
	d := &l.node.Devices[device]
	_, err := l.strike(device, scenario.CallFields, t)
	fields := !errors.Is(err, nvml.ErrUnsupported)
	if fields && err != nil {
		return err
	}
	err = errors.Join(l.counter(device, d, t, fields, dst), l.power(device, d, t, fields, dst))
	if err == nil && !dst.HasCounter && !dst.HasInstant && !dst.HasAverage {
		return failures[scenario.Unsupported]
	}
	return err
}

// counter reads the energy counter, from its field or from
// nvmlDeviceGetTotalEnergyConsumption.
func (l *Library) counter(device int, d *scenario.Device, t time.Duration, fields bool, dst *nvml.Sample) error {
	if !fields && l.node.Missing("nvmlDeviceGetTotalEnergyConsumption") {
		return nil
	}
	fault, err := l.strike(device, scenario.CallCounter, t)
	switch {
	case errors.Is(err, nvml.ErrUnsupported):
		return nil
	case err != nil:
		return err
	}
	dst.Counter, dst.HasCounter = d.Counter(t, l.node.Since())
	if fault != nil && dst.HasCounter {
		dst.Counter = energy.Energy(fault.Value) * energy.Millijoule
	}
	return nil
}

// power reads average and instant power from the fields, in the GPU's scope or
// else the module's, and without such fields from nvmlDeviceGetPowerUsage.
func (l *Library) power(device int, d *scenario.Device, t time.Duration, fields bool, dst *nvml.Sample) error {
	fields = fields && d.Sensor.Fields != 0
	if !fields && l.node.Missing("nvmlDeviceGetPowerUsage") {
		return nil
	}
	fault, err := l.strike(device, scenario.CallPower, t)
	switch {
	case errors.Is(err, nvml.ErrUnsupported):
		return nil
	case err != nil:
		return err
	}
	if fields {
		scope := scenario.ScopeGPU
		if d.Sensor.Fields&scenario.ScopeGPU == 0 {
			scope, dst.Scope = scenario.ScopeModule, nvml.ScopeModule
		}
		dst.Instant, dst.HasInstant = d.InScope(d.InstantPower(t), scope), true
		if dst.Average, dst.HasAverage = d.AveragePower(t); dst.HasAverage {
			dst.Average = d.InScope(dst.Average, scope)
		}
	} else if p, ok := d.PowerUsage(t); ok {
		if d.Sensor.AverageWindow > 0 {
			dst.Average, dst.HasAverage = p, true
		} else {
			dst.Instant, dst.HasInstant = p, true
		}
	}
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
