package scenario

import (
	"time"

	"greenagent/energy"
)

// ClockDomain is the clock of the driver's µs stamps.
type ClockDomain uint8

// The domains seen in the wild.
const (
	SinceBoot ClockDomain = iota
	SinceEpoch
)

// Scopes is a set of power scopes.
type Scopes uint8

// The scopes of NVML's power fields; bit n stands for scopeId n.
const (
	ScopeGPU Scopes = 1 << iota
	ScopeModule
	ScopeMemory
)

// Sensor is how a device's power is measured and shown by its driver. Nothing
// changes between two ticks; ticks fall on Phase + n·Tick.
type Sensor struct {
	// Counter: GetTotalEnergyConsumption and field 83 work.
	Counter                   bool
	CounterTick, CounterPhase time.Duration

	// InstantWindow is the time before the tick that "instant" power averages.
	InstantTick, InstantPhase, InstantWindow time.Duration

	// AverageWindow is that of "average" power; 0 where the sensor has none.
	// GetPowerUsage shows the average where there is one and the instant otherwise.
	AverageTick, AveragePhase, AverageWindow time.Duration

	// Lag is the time constant of a first-order low pass before everything but the
	// counter (Kepler, Maxwell); it replaces the windows.
	Lag time.Duration

	// Gain is the sensor's error in parts per million of the true value, Offset
	// what it adds. The counter has both, too. Readings below 0 show as 0.
	Gain   int64
	Offset energy.Power

	// RingTick is the cadence of the driver's ring of readings of instant power, 0
	// where GetSamples does not work, and RingLength its size, 0 for 120.
	RingTick   time.Duration
	RingLength int
	// Clock is that of the ring and of utilization samples.
	Clock ClockDomain

	// Fields: GetFieldValues knows the power fields (185, 186) for these scopes.
	// 0: it does not know them at all.
	Fields Scopes
}

// tickAt returns the last tick at or before t.
func tickAt(t, tick, phase time.Duration) time.Duration {
	if tick <= 0 {
		return t
	}
	since := (t - phase) % tick
	if since < 0 {
		since += tick
	}
	return t - since
}

// Counter returns what the energy counter shows at t, in whole millijoules, and
// whether there is one. uptime is for how long the driver had been loaded at the
// origin, with the device idle.
func (d *Device) Counter(t, uptime time.Duration) (energy.Energy, bool) {
	if !d.Sensor.Counter {
		return 0, false
	}
	t = tickAt(t, d.Sensor.CounterTick, d.Sensor.CounterPhase)
	start := -uptime
	for _, reset := range d.Resets {
		if reset <= t {
			start = reset
		}
	}
	if t <= start {
		return 0, true
	}
	e := d.Energy(start, t)
	e += energy.Energy(energy.MulDiv(int64(e), d.Sensor.Gain, 1e6)) + d.Sensor.Offset.For(t-start)
	for _, leap := range d.Leaps {
		if start < leap.At && leap.At <= t {
			e += leap.By
		}
	}
	return max(e, 0) / energy.Millijoule * energy.Millijoule, true
}

// InstantPower returns what "instant" power shows at t, in whole milliwatts.
func (d *Device) InstantPower(t time.Duration) energy.Power {
	t = tickAt(t, d.Sensor.InstantTick, d.Sensor.InstantPhase)
	return d.shown(t, d.Sensor.InstantWindow)
}

// AveragePower returns what "average" power shows at t, in whole milliwatts, and
// whether the sensor has it.
func (d *Device) AveragePower(t time.Duration) (energy.Power, bool) {
	if d.Sensor.AverageWindow == 0 {
		return 0, false
	}
	t = tickAt(t, d.Sensor.AverageTick, d.Sensor.AveragePhase)
	return d.shown(t, d.Sensor.AverageWindow), true
}

// PowerUsage returns what GetPowerUsage shows at t, and whether it works: not
// where the fields reject the GPU's scope.
func (d *Device) PowerUsage(t time.Duration) (energy.Power, bool) {
	if d.Sensor.Fields != 0 && d.Sensor.Fields&ScopeGPU == 0 {
		return 0, false
	}
	if p, ok := d.AveragePower(t); ok {
		return p, true
	}
	return d.InstantPower(t), true
}

// InScope returns what a reading p of the device shows in another scope.
func (d *Device) InScope(p energy.Power, scope Scopes) energy.Power {
	switch scope {
	case ScopeModule:
		return p + d.Module
	case ScopeMemory:
		return p / 5 / energy.Milliwatt * energy.Milliwatt
	default:
		return p
	}
}

// RingEntry is a reading in the driver's ring.
type RingEntry struct {
	At    time.Duration
	Power energy.Power
}

// Ring appends to dst what the ring holds at t of readings taken after since, the
// oldest first.
func (d *Device) Ring(dst []RingEntry, since, t time.Duration) []RingEntry {
	if d.Sensor.RingTick <= 0 {
		return dst
	}
	length := d.Sensor.RingLength
	if length == 0 {
		length = 120
	}
	newest := tickAt(t, d.Sensor.RingTick, 0)
	for i := length - 1; i >= 0; i-- {
		if at := newest - time.Duration(i)*d.Sensor.RingTick; at > since {
			dst = append(dst, RingEntry{at, d.InstantPower(at)})
		}
	}
	return dst
}

// shown returns the mean over the window before t as the sensor displays it.
func (d *Device) shown(t, window time.Duration) energy.Power {
	var p energy.Power
	if d.Sensor.Lag > 0 {
		p = d.lagged(t)
	} else {
		p = d.mean(t-max(window, 1), t)
	}
	p += energy.Power(energy.MulDiv(int64(p), d.Sensor.Gain, 1e6)) + d.Sensor.Offset
	return max(p+energy.Milliwatt/2, 0) / energy.Milliwatt * energy.Milliwatt
}

// lagged returns the power behind a first-order low pass: means over eighths of
// the time constant, each weighted by e^(-1/8) less than the next newer, back to
// ten time constants. Fixed point, so that libsim can do the same to the bit.
func (d *Device) lagged(t time.Duration) energy.Power {
	const (
		decay = 3790323485 // 2^32 · e^(-1/8)
		steps = 80
	)
	h := max(d.Sensor.Lag/8, 1)
	weight, sum := uint64(1<<32-decay), wide{}
	left := uint64(1 << 32)
	for k := range steps {
		if k == steps-1 {
			weight = left
		}
		m := d.mean(t-time.Duration(k+1)*h, t-time.Duration(k)*h)
		sum = sum.add(product(uint64(m), weight))
		left -= weight
		weight = weight * decay >> 32
	}
	return energy.Power(sum.over(1 << 32))
}
