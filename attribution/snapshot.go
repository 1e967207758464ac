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

	Mean, Peak energy.Power
	Unobserved time.Duration
	Rejected   int
	Resets     int
	// Floor is the idle power that dynamic energy stands above, 0 unknown: then
	// idle energy is contained in dynamic.
	Floor energy.Power
	// Method divided most of the dynamic energy.
	Method   collector.Method
	Warnings []string
}

// OwnerState is what one owner was charged with for a domain.
type OwnerState struct {
	Owner       collector.Owner
	Dynamic     energy.Energy
	Idle        energy.Energy
	Uncertainty energy.Uncertainty // of Dynamic + Idle
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
		into := &p.Entries[domain+i]
		into.Dynamic += e.Dynamic
		into.Idle += e.Idle
		into.Variance += e.Variance
	}
}

// OwnerStates returns an owner's figures for each owner of a domain. The
// uncertainty of a share is the domain's in proportion, with that of the share
// itself.
func (l *Ledger) OwnerStates(domain int, whole energy.Uncertainty) []OwnerState {
	var states []OwnerState
	at := map[collector.Owner]int{}
	for _, a := range l.rows {
		e := a.Entries[domain]
		if e == (Entry{}) {
			continue
		}
		i, ok := at[a.Owner]
		if !ok {
			i = len(states)
			at[a.Owner] = i
			states = append(states, OwnerState{Owner: a.Owner})
		}
		s := &states[i]
		s.Dynamic += e.Dynamic
		s.Idle += e.Idle
		s.Uncertainty.Variance += e.Variance
	}
	total := l.balances[domain].Energy
	for i := range states {
		s := &states[i]
		if total > 0 {
			share := float64(s.Dynamic+s.Idle) / float64(total)
			s.Uncertainty = s.Uncertainty.Combine(whole.Scale(share))
		}
	}
	return states
}
