// Package runfile is the record of one run, schema greenagent.run/1: its types,
// how they follow from a snapshot, and how they are written.
//
// Energies are JSON numbers in joules, power in watts, mass in grams, durations
// in seconds, each named by its key's suffix. They are decimal forms of whole
// microjoules, microwatts and micrograms, so that what sums exactly inside sums
// exactly in the file. What is not known is null, never 0.
package runfile

import (
	"time"

	"greenagent/energy"
)

// Schema names the version of the format. Keys may be added to it; none is
// renamed or changes its meaning.
const Schema = "greenagent.run/1"

// Run is the record of a run.
type Run struct {
	Schema   string            `json:"schema"`
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Tags     map[string]string `json:"tags"`
	Command  []string          `json:"command"`
	Exit     Exit              `json:"exit"`
	Start    time.Time         `json:"start"`
	End      time.Time         `json:"end"`
	Duration Seconds           `json:"duration_s"`
	// Complete is false for a record recovered after greenagent itself was killed.
	Complete  bool            `json:"complete"`
	Host      Host            `json:"host"`
	Domains   []Domain        `json:"domains"`
	Missing   []Missing       `json:"missing"`
	Processes []Process       `json:"processes"`
	Energy    Total           `json:"energy"`
	Emissions Emissions       `json:"emissions"`
	Units     map[string]Unit `json:"units"`
	Marks     []Mark          `json:"marks"`
	Warnings  []string        `json:"warnings"`
}

// Exit is how the command ended. Code is what a shell shows: 128+n after a
// signal. Signal is its name, null without one.
type Exit struct {
	Code   int     `json:"code"`
	Signal *string `json:"signal"`
}

// Host is the machine the run was on. What is not known is null.
type Host struct {
	Name   *string `json:"name"`
	OS     *string `json:"os"`
	Kernel *string `json:"kernel"`
	CPU    *string `json:"cpu"`
	CPUs   *int    `json:"cpus"`
	Memory *int64  `json:"memory_bytes"`
}

// Domain is one device over the run. Uncertainties are expanded, k = 2: the
// truth is inside in about 95 of 100 cases. The parts of its energy sum to it
// exactly:
//
//	run + run_idle + others + idle + unattributed = energy
type Domain struct {
	ID         string        `json:"id"`
	Type       string        `json:"type"`
	Name       string        `json:"name"`
	Driver     *string       `json:"driver"`
	Scope      *string       `json:"scope"`
	PowerLimit *energy.Power `json:"power_limit_w"`
	Basis      energy.Basis  `json:"basis"`
	// Calibration was applied to all of its figures; null where there is none.
	Calibration *Calibration `json:"calibration"`

	Energy         *energy.Energy `json:"energy_j"`
	Uncertainty    *energy.Energy `json:"uncertainty_j"`
	Run            *energy.Energy `json:"run_j"`
	RunUncertainty *energy.Energy `json:"run_uncertainty_j"`
	RunIdle        *energy.Energy `json:"run_idle_j"`
	// RunContext is the part of Run that the device drew for holding the run's
	// contexts while nobody worked, null where that power is not known.
	RunContext   *energy.Energy `json:"run_context_j"`
	Others       *energy.Energy `json:"others_j"`
	Idle         *energy.Energy `json:"idle_j"`
	Unattributed *energy.Energy `json:"unattributed_j"`
	// Unallocated is the part of Idle that is of no MIG instance.
	Unallocated *energy.Energy `json:"unallocated_j"`

	Mean *energy.Power `json:"mean_w"`
	Max  *energy.Power `json:"max_w"`
	// Method is by what the dynamic energy was divided.
	Method string `json:"method"`
	// Confidence in that division, as far as it concerns the run: high, medium or
	// low; null where nothing was divided.
	Confidence *string  `json:"confidence"`
	Unobserved *Seconds `json:"unobserved_s"`
	// CrossCheck is the counter's energy over the integrated power of the last 30 s
	// or less, null where not checked.
	CrossCheck *float64 `json:"crosscheck"`
	Warnings   []string `json:"warnings"`
}

// Calibration relates what a sensor shows to what an external meter does:
//
//	power = gain × shown + offset
type Calibration struct {
	Gain   float64      `json:"gain"`
	Offset energy.Power `json:"offset_w"`
	// Uncertainty is that of a calibrated figure: relative, standard (k = 1).
	Uncertainty float64 `json:"uncertainty"`
}

// Missing is hardware whose energy could not be told, and why.
type Missing struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

// Process is one process of the run. A PID of 0 stands for processes that were
// too many or too short to be told apart. Energy and its uncertainty, k = 2, are by
// the ids of domains.
type Process struct {
	PID         int                      `json:"pid"`
	Start       *time.Time               `json:"start"`
	Command     string                   `json:"command"`
	Energy      map[string]energy.Energy `json:"energy_j"`
	Uncertainty map[string]energy.Energy `json:"uncertainty_j"`
}

// Total is the run's energy over the domains of Boundary. RunIdle is the idle
// energy that IdlePolicy charges to it, on top of Run; Uncertainty is that of
// the sum of both. They are null where Boundary is empty.
type Total struct {
	Run         *energy.Energy `json:"run_j"`
	RunIdle     *energy.Energy `json:"run_idle_j"`
	Uncertainty *energy.Energy `json:"uncertainty_j"`
	Boundary    string         `json:"boundary"`
	IdlePolicy  string         `json:"idle_policy"`
}

// Emissions are the operational emissions of Total, idle share included.
// Without a zone there is a range and no figure.
type Emissions struct {
	Operational *energy.Carbon    `json:"operational_g"`
	Low         *energy.Carbon    `json:"low_g"`
	High        *energy.Carbon    `json:"high_g"`
	Market      *energy.Carbon    `json:"market_g"`
	Embodied    *energy.Carbon    `json:"embodied_g"`
	Zone        *string           `json:"zone"`
	Intensity   *energy.Intensity `json:"intensity_g_per_kwh"`
	Factor      *Factor           `json:"factor"`
	PUE         *float64          `json:"pue"`
	PUESource   *string           `json:"pue_source"`
}

// Factor says where an intensity comes from.
type Factor struct {
	Source    string `json:"source"`
	Year      int    `json:"year"`
	Basis     string `json:"basis"`
	Kind      string `json:"kind"`
	Estimated bool   `json:"estimated"`
}

// Unit is a unit of work the run did so many of. Energy and emissions per unit
// are of Total, idle share included; null where these are unknown.
type Unit struct {
	Count  float64  `json:"count"`
	Energy *float64 `json:"j_per_unit"`
	Carbon *float64 `json:"g_per_unit"`
}

// Mark is something the program said about itself while it ran.
type Mark struct {
	At     time.Time         `json:"at"`
	Labels map[string]string `json:"labels"`
	Energy *energy.Energy    `json:"energy_j"`
}

// Seconds is a duration whose JSON form is a number of seconds.
type Seconds = energy.Seconds
