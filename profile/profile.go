// Package profile keeps what has been learnt of a GPU, from one run to the next:
// how its sensors tick, what its driver answers and how fast, what it draws when
// nobody uses it.
//
// A profile holds for one GPU under one driver; under another it is learnt anew.
// It saves a run from looking for what was found before, and is never more than a
// guess to start from: whoever uses it verifies it.
package profile

import (
	"slices"
	"time"

	"greenagent/collector"
	"greenagent/energy"
)

// Schema names the form of a profile's JSON. Keys may be added to it; none is
// renamed or changes its meaning.
const Schema = "greenagent.profile/1"

// Profile is what is known of a GPU under a driver. What is nil was not seen.
type Profile struct {
	Schema       string `json:"schema"`
	UUID         string `json:"uuid"`
	Driver       string `json:"driver"`
	Name         string `json:"name"`
	Architecture string `json:"architecture"` // "" where the driver does not say
	// Learnt is when anything here was learnt last.
	Learnt time.Time `json:"learnt"`
	// Characterised says when and how thoroughly the GPU was looked at for its own
	// sake, nil if only runs have seen it.
	Characterised *Observation `json:"characterised"`

	Counter *Counter `json:"counter"`
	Power   *Power   `json:"power"`   // what tells the course of power: of the instant where there is one
	Average *Power   `json:"average"` // the mean of the last second
	Ring    *Ring    `json:"ring"`
	// Activity is the driver's statistic of who was active.
	Activity *Activity `json:"activity"`
	// Processes: the driver lists who holds a context.
	Processes *bool `json:"processes"`
	// Instances is the number of MIG instances; nil where MIG is off.
	Instances *int `json:"mig_instances"`
	// Idle is what the GPU draws with nobody on it, by power state.
	Idle []Idle `json:"idle"`
	// CrossCheck is what the counter advanced by, over the integral of power.
	CrossCheck *float64 `json:"crosscheck"`
	Calls      []Call   `json:"calls"`
	// Missing are the functions that the driver's library lacks, null if not looked at.
	Missing []string `json:"missing_functions"`
}

// Observation is one characterisation.
type Observation struct {
	At     time.Time      `json:"at"`
	For    energy.Seconds `json:"for_s"`
	Looks  int            `json:"looks"`
	Apart  energy.Seconds `json:"look_every_s"` // median time between two looks
	Failed int            `json:"failed"`       // looks that were answered with an error
}

// Tick is how often a sensor moves.
type Tick struct {
	Period energy.Seconds `json:"period_s"`
	Within energy.Seconds `json:"within_s"` // the period is certain to ± this
	Seen   int            `json:"seen"`     // ticks that say so
	// Median and Spread are of the times between two ticks: nine tenths of them are
	// within ± Spread. Jitter is by how much ticks are off an even beat (RMS), the
	// coarseness of the looks included. They are nil where a run has learnt the tick.
	Median *energy.Seconds `json:"median_s"`
	Spread *energy.Seconds `json:"spread_s"`
	Jitter *energy.Seconds `json:"jitter_s"`
	// Even: ticks keep to a beat, so that each can be dated by the others.
	Even bool `json:"even"`
}

// Counter is an energy counter.
type Counter struct {
	Tick *Tick `json:"tick"` // nil if it was not seen to move
	// Step is the largest energy of which all its advances are multiples, nil where
	// they were all alike and do not tell.
	Step *energy.Energy `json:"step_j"`
}

// Power is a power sensor.
type Power struct {
	Field string `json:"field"` // instant or average
	Scope string `json:"scope"` // gpu or module
	Tick  *Tick  `json:"tick"`  // nil if it was not seen to change
	// Window is the time a reading is the mean of, Lag the time constant with which
	// it follows, nil if not known.
	Window *energy.Seconds `json:"window_s"`
	Lag    *energy.Seconds `json:"lag_s"`
	// Source says where Window and Lag are from, SourceTable or SourceMeasured, and
	// WindowWithin how certain a measured window is, ±.
	Source       string          `json:"window_source"`
	WindowWithin *energy.Seconds `json:"window_within_s"`
}

// Where a window is from.
const (
	SourceTable    = "table"    // published for the architecture, not measured here
	SourceMeasured = "measured" // power changed, and was compared to the counter
)

// Ring is the driver's own memory of power.
type Ring struct {
	Length int             `json:"length"` // entries when it was full, or most seen
	Every  *energy.Seconds `json:"every_s"`
	Clock  string          `json:"clock"` // of its stamps: ClockBoot or ClockEpoch
}

// The clocks of a driver's stamps.
const (
	ClockBoot  = "boot"  // µs since the machine was started (CLOCK_MONOTONIC)
	ClockEpoch = "epoch" // µs of the wall clock
)

// Activity is the driver's statistic of who was active.
type Activity struct {
	Every *energy.Seconds `json:"every_s"` // between two of its samples, nil if nobody was active
}

// Idle is what a GPU draws with nobody on it.
type Idle struct {
	State *int           `json:"state"` // performance state, 0 the highest; nil where it was not asked
	Power energy.Power   `json:"power_w"`
	For   energy.Seconds `json:"observed_s"`
	At    time.Time      `json:"at"`
}

// Call is how long a kind of request to the driver takes.
type Call struct {
	Name   string         `json:"name"`
	Count  int            `json:"count"`
	Median energy.Seconds `json:"median_s"`
	P95    energy.Seconds `json:"p95_s"`
	Max    energy.Seconds `json:"max_s"`
}

// New returns the profile of a GPU of which nothing else is known.
func New(uuid, driver, name, architecture string, now time.Time) Profile {
	return Profile{Schema: Schema, UUID: uuid, Driver: driver, Name: name, Architecture: architecture, Learnt: now.UTC().Truncate(time.Second)}
}

// Known returns what a run starts from.
func (p *Profile) Known() collector.Known {
	var k collector.Known
	if p.Counter != nil {
		k.CounterTick = p.Counter.Tick.beat()
	}
	if p.Power != nil && p.Power.Scope == "gpu" {
		k.PowerTick = p.Power.Tick.beat()
	}
	if at := p.latestIdle(); at >= 0 {
		k.Idle = p.Idle[at].Power
	}
	return k
}

// beat is the period of ticks that keep to one, else 0.
func (t *Tick) beat() time.Duration {
	if t == nil || !t.Even {
		return 0
	}
	return time.Duration(t.Period)
}

// latestIdle returns the index of what was seen last: the state that the GPU rests
// in depends on how it is set up.
func (p *Profile) latestIdle() int {
	latest := -1
	for i := range p.Idle {
		if latest < 0 || !p.Idle[i].At.Before(p.Idle[latest].At) {
			latest = i
		}
	}
	return latest
}

// Rest takes what the GPU was seen to draw with nobody on it: what is known of the
// same state gives way. The latest stands last.
func (p *Profile) Rest(seen Idle) {
	p.Idle = slices.DeleteFunc(slices.Clone(p.Idle), func(known Idle) bool { return same(known.State, seen.State) })
	p.Idle = append(p.Idle, seen)
}

func same(a, b *int) bool { return a == b || a != nil && b != nil && *a == *b }
