package scenario

import (
	"math"
	"time"

	"greenagent/energy"
)

// Forever is the end of what does not end. A zero To or End means the same.
const Forever = time.Duration(math.MaxInt64)

// Device is a GPU.
type Device struct {
	UUID         string
	Name         string
	Serial       string // "" where the board has none
	BusID        string // PCI, "00000000:65:00.0"
	Architecture string // as NVML names it: "Hopper"
	Sensor       Sensor

	// Idle is what the bare device draws, always.
	Idle energy.Power
	// Context is what it draws on top while at least one load is resident: a
	// process that merely holds a context keeps the device out of its lowest state.
	Context energy.Power
	// Module is what the rest of a superchip's module draws. It is seen only by
	// readings of module scope and is no part of the device's energy.
	Module energy.Power

	MaxLimit energy.Power
	Limit    energy.Power // enforced; 0 means MaxLimit
	Memory   int64        // bytes

	// Loads, ordered by From.
	Loads []Load
	// Private has the driver list the processes of single MIG instances only, as it
	// does for users without privileges.
	Private bool
	// Instances are the MIG instances, present and past; MIG is on if there are any.
	Instances []Instance
	// Resets are the times, ascending, at which the energy counter starts again
	// from zero, as after a driver reload.
	Resets []time.Duration
	// Leaps, ascending, of the energy counter are no energy of the device's: what a
	// counter may show after the machine has slept.
	Leaps []Leap
	// Added is when the device was plugged in: it is found by who initializes NVML
	// from then on. 0: always there.
	Added time.Duration
}

// Leap is a step of an energy counter.
type Leap struct {
	At time.Duration
	By energy.Energy
}

// Kind says in which of the driver's process lists a load stands.
type Kind uint8

// Kinds combine. Their values are those of nvml.Kind.
const (
	Compute Kind = 1 << iota
	Graphics
	MPS
)

// Load is a process's presence on a device during [From, To).
type Load struct {
	PID      int
	From, To time.Duration // To 0: Forever
	// Power above Idle and Context, as a function of the time since From. The load
	// is active, for the utilization sampler, whenever it is above Rest: what it
	// draws between its kernels, while clocks stay up.
	Power PowerCurve
	Rest  energy.Power
	// SM is the percentage of an active moment that the load's kernels run; 0
	// means 100.
	SM int
	// Memory it holds, in bytes.
	Memory int64
	Kinds  Kind // 0 means Compute
	// Instance is the UUID of the MIG instance it runs in, "" outside MIG.
	Instance string
}

func endOf(t time.Duration) time.Duration {
	if t == 0 {
		return Forever
	}
	return t
}

// Resident reports whether the load is on the device at t.
func (l *Load) Resident(t time.Duration) bool { return l.From <= t && t < endOf(l.To) }

// Draw returns the load's power at t.
func (l *Load) Draw(t time.Duration) energy.Power {
	if !l.Resident(t) {
		return 0
	}
	return l.Power.At(t - l.From)
}

// active reports whether one of the load's kernels runs at t.
func (l *Load) active(t time.Duration) bool { return l.Draw(t) > l.Rest }

// Energy returns the load's dynamic energy over [from, to).
func (l *Load) Energy(from, to time.Duration) energy.Energy {
	return energy.Energy(l.area(to).over(1e9)) - energy.Energy(l.area(from).over(1e9))
}

// area returns the femtojoules until t.
func (l *Load) area(t time.Duration) wide {
	t = min(t, endOf(l.To))
	if t <= l.From {
		return wide{}
	}
	return l.Power.area(t - l.From)
}

func (l *Load) sm() int {
	if l.SM == 0 {
		return 100
	}
	return l.SM
}

// Accounts is where a device's energy went.
type Accounts struct{ Idle, Context, Dynamic energy.Energy }

// Total returns the sum of the accounts.
func (a Accounts) Total() energy.Energy { return a.Idle + a.Context + a.Dynamic }

// Accounts returns the device's true energy over [from, to) by account; Dynamic
// is the exact sum of its loads' Energy.
func (d *Device) Accounts(from, to time.Duration) Accounts {
	a := Accounts{
		Idle:    energy.Energy(floorArea(d.Idle, to) - floorArea(d.Idle, from)),
		Context: energy.Energy(floorArea(d.Context, d.occupied(to)) - floorArea(d.Context, d.occupied(from))),
	}
	for i := range d.Loads {
		a.Dynamic += d.Loads[i].Energy(from, to)
	}
	return a
}

// Energy returns the device's true energy over [from, to).
func (d *Device) Energy(from, to time.Duration) energy.Energy { return d.Accounts(from, to).Total() }

// Draw returns the device's true power at t.
func (d *Device) Draw(t time.Duration) energy.Power {
	p, resident := d.Idle, false
	for i := range d.Loads {
		p += d.Loads[i].Draw(t)
		resident = resident || d.Loads[i].Resident(t)
	}
	if resident {
		p += d.Context
	}
	return p
}

// floorArea returns the energy of p since the origin in µJ, rounded down at t and
// negative before the origin.
func floorArea(p energy.Power, t time.Duration) int64 {
	if t < 0 {
		return -floorArea(p, -t)
	}
	return int64(product(uint64(p), uint64(t)).over(1e9))
}

// occupied returns for how long until t at least one load was resident. It relies
// on the loads being ordered.
func (d *Device) occupied(t time.Duration) (sum time.Duration) {
	covered := time.Duration(math.MinInt64)
	for i := range d.Loads {
		start, end := max(d.Loads[i].From, covered), min(endOf(d.Loads[i].To), t)
		if end > start {
			sum += end - start
			covered = end
		}
	}
	return sum
}

// mean returns the device's mean power over [from, to), exactly, rounded down to
// the microwatt.
func (d *Device) mean(from, to time.Duration) energy.Power {
	sum := product(uint64(d.Idle), uint64(to-from))
	sum = sum.add(product(uint64(d.Context), uint64(d.occupied(to)-d.occupied(from))))
	for i := range d.Loads {
		sum = sum.add(d.Loads[i].area(to).sub(d.Loads[i].area(from)))
	}
	return energy.Power(sum.over(uint64(to - from)))
}
