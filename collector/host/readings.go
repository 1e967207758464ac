// Package host finds the power of everything on a node but its accelerators:
// CPUs, memory, and the node as a whole.
//
// There are three sources, in order of trust: hwmon meters (Hwmon), RAPL
// counters (Powercap), and where nothing can be read a model (Model). Each is a
// concrete type with the same three methods: Domains says what there is, Read
// appends the present readings, Close lets go. They overlap: a collector picks
// one source for each Type, and says which.
//
// Roots (/sys, /proc) and the clock are arguments, so that a container can look
// at its host's and a test at its own.
package host

import (
	"errors"
	"fmt"
	"time"

	"greenagent/energy"
)

// Why a source cannot be opened or read. Errors of this package match at most
// one of these with errors.Is; each has a remedy of its own.
var (
	// ErrAbsent: the platform has no such source.
	ErrAbsent = errors.New("not available here")
	// ErrPermission: it is there, and this user may not read it. RAPL is
	// readable by root only since Linux 5.10 (CVE-2020-8694).
	ErrPermission = errors.New("no permission")
	// ErrMasked: it is listed, and a container runtime put something empty
	// over it; the host's /sys, mounted at another place, has it.
	ErrMasked = errors.New("masked by the container runtime")
	// ErrMalformed: the file does not hold what its documentation says.
	ErrMalformed = errors.New("malformed")
	// ErrVanished: it was there when the source was opened. Opening the
	// source again finds out what is left.
	ErrVanished = errors.New("vanished")
)

// Type is the part of a node that a domain covers.
type Type uint8

// The types. Memory is not part of CPU; Module and Host contain other types.
const (
	// Unknown: a sensor that nobody could place. It is listed, not read.
	Unknown Type = iota
	CPU
	Memory
	// Module is a superchip: CPU, GPU, and the memory of both.
	Module
	// Host is the whole node, accelerators included.
	Host
)

var typeNames = [...]string{Unknown: "unknown", CPU: "cpu", Memory: "memory", Module: "module", Host: "host"}

// String returns the name used in metric attributes.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// Kind says which of its two figures a reading carries. It is a property of the
// sensor, never guessed from a value.
type Kind uint8

// The kinds.
const (
	// Counter: energy since some moment, growing.
	Counter Kind = iota
	// Gauge: power now, or over the sensor's own window.
	Gauge
)

// NoParent is the Parent of a domain that no other of its type contains.
const NoParent = -1

// Domain is something whose power is known. Domains are addressed by their
// index in their source's Domains.
type Domain struct {
	ID   string // unique in its source, the same after a restart: "intel-rapl:0:2"
	Name string // what the platform calls it: "package-0/dram"
	Type Type
	// Parent is the domain of the same type that contains this one, or
	// NoParent. Only domains without a parent may be added up, and only
	// within their type.
	Parent int
	// Includes is another type whose energy is in this domain's figure as
	// well, and must not be added from another source; Unknown if there is
	// none.
	Includes Type
	Kind     Kind
	Basis    energy.Basis
	// Window is what a Gauge averages over, 0 if the sensor does not say.
	Window time.Duration
	// Longest is the time between two readings of a Counter beyond which a
	// whole turn of it may go unseen, 0 if it does not turn over.
	Longest time.Duration
	// Resolution is how long a Counter, or what a model derives it from, may
	// stand still between two steps; 0 if that is too short to matter.
	Resolution time.Duration
	// Idle is what the domain draws at rest and Full what under full load. Only
	// the model knows; 0 is unknown.
	Idle, Full energy.Power
	// Uncertainty is the relative standard uncertainty (k = 1) of the
	// domain's energy, common to all its readings.
	Uncertainty float64
	// Note says in a sentence what a reader should know, "" if nothing.
	Note string
}

// Additive reports whether the domain's energy may be added to that of the
// other additive domains of its type.
func (d *Domain) Additive() bool { return d.Parent == NoParent && d.Type != Unknown }

// Reading is one look at a domain.
type Reading struct {
	Domain int
	Kind   Kind
	// Energy is a Counter's total. It never decreases within an epoch, and
	// only differences mean anything.
	Energy energy.Energy
	// Power is a Gauge's value.
	Power energy.Power
	// Epoch is raised when a Counter lost its place: between readings of
	// different epochs, nobody knows what was used.
	Epoch uint32
	// Before and After bracket the look on the source's clock.
	Before, After energy.Instant
}

// At returns the middle of the look.
func (r Reading) At() energy.Instant { return r.Before + (r.After-r.Before)/2 }
