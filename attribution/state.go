package attribution

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"greenagent/collector"
	"greenagent/collector/procfs"
	"greenagent/energy"
)

// State is what a ledger holds, to be written down and gone on from.
type State struct {
	Balances []Balance // by domain
	Rows     []Row
	Owners   []OwnerDoubt
}

// Row is an account in a State.
type Row struct {
	Process collector.Process
	Owner   collector.Owner
	Command []byte // may be any bytes
	Entries []Entry
}

// OwnerDoubt is what the division adds to the uncertainty of an owner's energy, by
// domain, in a State. It is not the sum of that of its rows.
type OwnerDoubt struct {
	Owner  collector.Owner
	Doubts []energy.Uncertainty
}

// ErrImbalance means that accounts do not add up, or hold what no account can.
var ErrImbalance = errors.New("the accounts do not add up")

// State returns a copy of what the ledger holds.
func (l *Ledger) State() State {
	s := State{Balances: append([]Balance{}, l.balances...), Rows: []Row{}, Owners: []OwnerDoubt{}}
	for _, a := range l.rows {
		s.Rows = append(s.Rows, Row{a.Process, a.Owner, []byte(a.Command.String()), append([]Entry{}, a.Entries...)})
	}
	for _, t := range l.owners {
		o := OwnerDoubt{Owner: t.owner}
		for i := range t.entries {
			o.Doubts = append(o.Doubts, t.entries[i].Doubt())
		}
		s.Owners = append(s.Owners, o)
	}
	return s
}

// Check returns ErrImbalance unless every domain's parts sum to its energy, to the
// microjoule, and nothing is negative.
func (s *State) Check() error {
	for i, b := range s.Balances {
		sum, err := add(0, b.Idle, b.Unattributed)
		if err != nil {
			return err
		}
		for _, r := range s.Rows {
			if len(r.Entries) != len(s.Balances) {
				return fmt.Errorf("%w: a row of %d entries for %d domains", ErrImbalance, len(r.Entries), len(s.Balances))
			}
			e := r.Entries[i]
			if u := e.Doubt(); e.Context < 0 || e.Context > e.Dynamic || !finite(u) {
				return fmt.Errorf("%w: %+v", ErrImbalance, e)
			}
			if sum, err = add(sum, e.Dynamic, e.Idle); err != nil {
				return err
			}
		}
		if b.Unallocated < 0 || b.Unallocated > b.Idle {
			return fmt.Errorf("%w: %v unallocated of %v idle", ErrImbalance, b.Unallocated, b.Idle)
		}
		for _, e := range append(b.Methods[:], b.Concurrent) {
			if e < 0 {
				return fmt.Errorf("%w: %v by a method", ErrImbalance, e)
			}
		}
		if sum != b.Energy {
			return fmt.Errorf("%w: parts of domain %d sum to %v of %v", ErrImbalance, i, sum, b.Energy)
		}
	}
	for _, o := range s.Owners {
		if len(o.Doubts) != len(s.Balances) || slices.ContainsFunc(o.Doubts, func(u energy.Uncertainty) bool { return !finite(u) }) {
			return fmt.Errorf("%w: doubt of owner %d: %+v", ErrImbalance, o.Owner, o.Doubts)
		}
	}
	return nil
}

func finite(u energy.Uncertainty) bool {
	return u.Variance >= 0 && u.Variance <= math.MaxFloat64 && u.Systematic >= 0 && u.Systematic <= math.MaxFloat64
}

// add sums energies that are not negative.
func add(sum energy.Energy, parts ...energy.Energy) (energy.Energy, error) {
	for _, e := range parts {
		if e < 0 || e > math.MaxInt64-sum {
			return 0, fmt.Errorf("%w: an energy of %d µJ", ErrImbalance, int64(e))
		}
		sum += e
	}
	return sum, nil
}

// Resume returns a ledger that goes on from a state that has passed Check. to says
// for each of its domains which of the ledger's it is; strangers is set where
// process ids of the state may by now be of others, as after a reboot: its rows
// are then joined by owner.
func Resume(c Config, s State, to []int, strangers bool) *Ledger {
	l := NewLedger(c)
	for i, b := range s.Balances {
		l.balances[to[i]] = b
	}
	for _, r := range s.Rows {
		var a *Account
		if strangers || r.Process == (collector.Process{}) {
			a = l.remainder(l.tally(r.Owner))
		} else {
			a = l.index[r.Process]
			if a == nil {
				a = l.open(r.Process, l.tally(r.Owner))
				l.index[r.Process] = a
			}
			a.Command = procfs.MakeComm(string(r.Command))
		}
		for i, e := range r.Entries {
			doubt := e.Doubt()
			e.Variance, e.Systematic = 0, 0
			l.charge(a, to[i], e)
			a.Entries[to[i]].add(Entry{Variance: doubt.Variance, Systematic: doubt.Systematic})
		}
	}
	for _, o := range s.Owners {
		for i, u := range o.Doubts {
			l.tally(o.Owner).entries[to[i]].add(Entry{Variance: u.Variance, Systematic: u.Systematic})
		}
	}
	return l
}
