// Package carbon prices energy in grams of CO2 equivalent.
//
// A price needs to know where the energy was used. This package answers with
// country averages from a table embedded in the binary, so it works offline; it
// never asks the network where it is, and it says so when a place is unknown:
// Range spans what the energy could have emitted anywhere.
//
// Every figure is a Factor that carries its provenance. Factors of different
// Basis are never mixed inside one total, nor average with marginal.
package carbon

import (
	"fmt"

	"greenagent/energy"
)

// Basis says which emissions a factor counts.
type Basis string

// The bases, as written in run files.
const (
	// Lifecycle counts fuel supply, construction and decommissioning as well.
	Lifecycle Basis = "lifecycle"
	// Direct counts combustion at the power station only.
	Direct Basis = "direct"
)

// Kind says what question a factor answers.
type Kind string

// The kinds, as written in run files.
const (
	// Average is what the grid's mix emitted per kilowatt-hour: for inventories.
	Average Kind = "average"
	// Marginal is what one kilowatt-hour more or less would change: for shifting load.
	Marginal Kind = "marginal"
)

// Boundary says whose electricity a factor describes.
type Boundary string

// The boundaries, as written in run files.
const (
	// Production is what was generated within the zone.
	Production Boundary = "production"
	// Consumption is what was used there, imports and exports accounted for.
	Consumption Boundary = "consumption"
)

// Factor is the carbon intensity of a zone's electricity and where it is from.
type Factor struct {
	Value energy.Intensity // g CO2e per kWh at the generator, before any PUE

	Zone string // ISO 3166 alpha-2 ("FR"), or an aggregate's name ("WORLD", "EU")
	Name string // English name, "France"
	Year int    // the calendar year the figure describes

	Basis     Basis
	Kind      Kind
	Boundary  Boundary
	Source    string // whose figure it is, and by which package it came
	Licence   string
	Estimated bool // the source calls it an estimate
}

// String describes f in one line: "FR 44 g/kWh (2024, lifecycle average, Ember …)".
func (f Factor) String() string {
	return fmt.Sprintf("%s %.0f g/kWh (%d, %s %s, %s)", f.Zone, float64(f.Value), f.Year, f.Basis, f.Kind, f.Source)
}
