package attribution

import (
	"time"

	"greenagent/collector"
	"greenagent/energy"
)

// Snapshot is the state of the accounts at one moment: what every report and
// exporter renders. It is never changed after it was taken.
type Snapshot struct {
	Interval energy.Interval
	Policy   Policy
	Domains  []DomainState
	// Processes has every process that was charged, by domain as in Domains.
	Processes []ProcessState
	// Warnings are doubts about the whole: sources that failed, not one domain.
	Warnings []string
}

// DomainState is one domain over the snapshot's interval. The parts of Energy
// sum to it exactly:
//
//	Energy = Σ Owners (Dynamic + Idle) + Idle + Unattributed
type DomainState struct {
	collector.Domain
	Basis        energy.Basis // as obtained, which may be less than the domain promises
	Energy       energy.Energy
	Uncertainty  energy.Uncertainty
	Owners       []OwnerState
	Idle         energy.Energy
	Unattributed energy.Energy
	// Unallocated is the part of Idle that is of no MIG instance.
	Unallocated energy.Energy

	Mean, Peak energy.Power
	Unobserved time.Duration
	// Away is for how long nobody measured, as between two processes, and AwayEnergy
	// what of Unattributed was used meanwhile.
	Away       time.Duration
	AwayEnergy energy.Energy
	// Check is how the energy counter compares with the power sensor.
	Check    collector.Check
	Rejected int
	Resets   int
	// Floor is the idle power that dynamic energy stands above, 0 unknown: then
	// idle energy is contained in dynamic.
	Floor energy.Power
	// Context is what it draws on top of that while contexts are held and nobody is
	// active, 0 unknown: then that is divided by use.
	Context energy.Power
	// Method divided most of the dynamic energy.
	Method collector.Method
	// Concurrent is what of it was divided among processes that ran at one moment.
	Concurrent energy.Energy
	Warnings   []string
}

// OwnerState is what one owner was charged with for a domain.
type OwnerState struct {
	Owner       collector.Owner
	Dynamic     energy.Energy
	Context     energy.Energy // part of Dynamic, see Entry
	Idle        energy.Energy
	Uncertainty energy.Uncertainty // of Dynamic + Idle
	Confidence  Confidence         // in the division
}

// Of returns what an owner was charged with, the zero state if nothing.
func (d *DomainState) Of(owner collector.Owner) OwnerState {
	for _, o := range d.Owners {
		if o.Owner == owner {
			return o
		}
	}
	return OwnerState{Owner: owner}
}

// ProcessState is what one process was charged with.
type ProcessState struct {
	Process collector.Process
	Owner   collector.Owner
	Command string
	Entries []Entry // as Snapshot.Domains
}

// Add adds entries for the domains from an index on.
func (p *ProcessState) Add(domain int, entries []Entry) {
	for len(p.Entries) < domain+len(entries) {
		p.Entries = append(p.Entries, Entry{})
	}
	for i, e := range entries {
		p.Entries[domain+i].add(e)
	}
}

// OwnerStates returns the figures of each owner that was charged for a domain. The
// uncertainty of a share is the domain's in proportion, with that of the division.
func (l *Ledger) OwnerStates(domain int, whole energy.Uncertainty) []OwnerState {
	var states []OwnerState
	b := &l.balances[domain]
	for _, t := range l.owners {
		if e := t.entries[domain]; e != (Entry{}) {
			states = append(states, OwnerState{
				Owner: t.owner, Dynamic: e.Dynamic, Context: e.Context, Idle: e.Idle,
				Uncertainty: e.Uncertainty(b.Energy, whole), Confidence: e.confidence(b, b.Method()),
			})
		}
	}
	return states
}

// Uncertainty returns that of an entry of a domain which used so much, with that
// uncertainty.
func (e *Entry) Uncertainty(used energy.Energy, whole energy.Uncertainty) energy.Uncertainty {
	u := e.Doubt()
	if used > 0 {
		u = u.Combine(whole.Scale(float64(e.Dynamic+e.Idle) / float64(used)))
	}
	return u
}
