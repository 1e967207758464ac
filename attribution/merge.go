package attribution

import (
	"cmp"
	"slices"

	"greenagent/collector"
)

// merge halves the rows: those longest without a charge, and smallest, go into
// their owner's row without a process.
func (l *Ledger) merge() {
	candidates := make([]*Account, 0, len(l.rows))
	for _, a := range l.rows {
		if a.Process != (collector.Process{}) && a.booked+uint64(len(l.balances)) < l.round {
			candidates = append(candidates, a)
		}
	}
	slices.SortStableFunc(candidates, func(a, b *Account) int { return cmp.Compare(a.total(), b.total()) })
	candidates = candidates[:min(len(candidates), l.limit/2)]
	for _, a := range candidates {
		into := l.remainder(a.owner)
		for i, e := range a.Entries {
			into.Entries[i].add(e) // its owner's are as they were
		}
		delete(l.index, a.Process)
	}
	gone := make(map[*Account]bool, len(candidates))
	for _, a := range candidates {
		gone[a] = true
	}
	l.rows = slices.DeleteFunc(l.rows, func(a *Account) bool { return gone[a] })
	// Where most are alive there is little to merge: not again at every Book.
	l.full = max(l.limit, len(l.rows)+l.limit/2)
}
