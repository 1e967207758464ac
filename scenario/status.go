package scenario

import (
	"time"

	"greenagent/energy"
)

// Status is what a device shows beside its power.
type Status struct {
	Limit            energy.Power
	Temperature      int // °C
	SMClock          int // MHz
	MemoryClock      int // MHz
	SMUtilization    int // percent
	MemoryUsed       int64
	PerformanceState int
}

// EnforcedLimit returns the power limit in force.
func (d *Device) EnforcedLimit() energy.Power {
	if d.Limit == 0 {
		return d.MaxLimit
	}
	return d.Limit
}

// Status returns the device's state at t: in P0 with clocks up while a load is
// resident and in P8 otherwise, 30 °C at rest and 80 °C at the
// maximum limit.
func (d *Device) Status(t time.Duration) Status {
	s := Status{Limit: d.EnforcedLimit(), Temperature: 30, SMClock: 345, MemoryClock: 405, PerformanceState: 8}
	if d.MaxLimit > 0 {
		s.Temperature += int(50 * d.mean(t-time.Second, t) / d.MaxLimit)
	}
	for i := range d.Loads {
		if d.Loads[i].Resident(t) {
			s.SMClock, s.MemoryClock, s.PerformanceState = 1755, 2619, 0
			s.MemoryUsed += d.Loads[i].Memory
		}
	}
	s.SMUtilization = d.busy(t)
	return s
}

// busy returns the percentage of the last seven tags, the last second, that name
// anybody.
func (d *Device) busy(t time.Duration) int {
	const tags = 7
	newest, sum := tagBefore(t), 0
	for n := newest; n > newest-tags; n-- {
		if d.tagged(n) != 0 {
			sum++
		}
	}
	return sum * 100 / tags
}
