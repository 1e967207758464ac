package collector

import (
	"time"

	"greenagent/energy"
)

// Type says what kind of hardware a domain is.
type Type string

// The types of domain, named as the OpenTelemetry hardware conventions do.
const (
	GPU    Type = "gpu"
	CPU    Type = "cpu"
	Memory Type = "memory"
	Host   Type = "host" // the whole machine: it contains every other domain
)

// ModuleScope is that of a GPU's figure which covers its superchip's whole module:
// the CPU and the memory beside it are contained in it.
const ModuleScope = "module"

// Domain is a piece of hardware whose energy is told as one figure.
type Domain struct {
	ID     string // stable and unique on the node: "gpu:GPU-…", "cpu:0"
	Type   Type
	Name   string
	Driver string // "" where there is none to name
	Scope  string // what the figure covers where that is not the whole device
	Basis  energy.Basis
	Limit  energy.Power // the highest power the hardware is set to draw, 0 unknown
	// Counter says that readings hold an energy counter to be differenced; without
	// it, their power is integrated.
	Counter bool
	// Fresh says that the counter is current whenever it is read. Otherwise it
	// moves in ticks, and a value is as old as its last tick.
	Fresh bool
	// Resolution is the time in which what drives a fresh figure moves by one step:
	// a clock tick of /proc/stat for a model. An interval of less than two of them
	// has no figure. 0 where edges are placed between ticks, as on GPUs.
	Resolution time.Duration
	// Tick is how often the power sensor is known to be updated, 0 where it is not
	// known; half of it is as often as reading makes sense.
	Tick time.Duration
	// CounterTick is how often the energy counter was once seen to move, 0 unknown.
	CounterTick time.Duration
	// Calibration is applied to everything the sensor shows.
	Calibration Calibration
	// Average is the time that the readings' Average is a gapless mean of, 0 where
	// there is none.
	Average time.Duration
	// Window is the part of each tick, its last, that the power sensor sees: 1 for a
	// sensor without gaps.
	Window float64
	// Lag is the time constant with which the power sensor follows, 0 for one that
	// shows the power of its window.
	Lag time.Duration
	// Gain is the relative standard uncertainty of the sensor or the model. It
	// is systematic: no average shrinks it.
	Gain float64
	// Floor is the idle power where it is known beforehand, from a model or an earlier
	// run, else 0.
	Floor energy.Power
	// Note says in a sentence what was assumed, "" for a plain sensor.
	Note string
}

// Reading is what one domain's sensors said at one moment. Which fields hold a
// value is stated by Has, never guessed from the values.
type Reading struct {
	Domain int            // index in the source's Domains
	At     energy.Instant // the middle of the call
	Spread time.Duration  // half of what the call took: At is uncertain by this
	Has    Quantity
	// Counter is energy since some past moment; only differences mean anything,
	// and only between readings of one Epoch.
	Counter energy.Energy
	Epoch   uint32
	// Power is the power now; Average the mean of the last second.
	Power, Average energy.Power
	// Use is in how many percent of the last second at most something ran.
	Use int
}

// Quantity is a set of the quantities a reading holds.
type Quantity uint8

// The quantities.
const (
	HasCounter Quantity = 1 << iota
	HasPower
	HasAverage
	HasUse
)

// PowerPoint is a past power reading out of a sensor's own memory.
type PowerPoint struct {
	At    energy.Instant
	Power energy.Power
}

// Source is where energy comes from.
type Source interface {
	// Domains lists what the source covers; fixed once opened.
	Domains() []Domain
	// Read appends one reading per domain that answered. It may return both
	// readings and an error that says which domains did not answer and why.
	Read(dst []Reading) ([]Reading, error)
}
