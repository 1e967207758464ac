package attribution

import (
	"math"
	"slices"

	"greenagent/collector"
	"greenagent/collector/procfs"
	"greenagent/energy"
)

// Entry is what one process was charged with for one domain. It never falls.
type Entry struct {
	Dynamic energy.Energy // above the idle floor
	Idle    energy.Energy // allocated to it by the policy
	// Variance, in µJ², is what the sampling of shares adds to the uncertainty; the
	// sensor's own comes on top.
	Variance float64
}

// Account is a process's row in the ledger.
type Account struct {
	Process collector.Process
	Owner   collector.Owner
	Command procfs.Comm // as last seen
	// Entries has one Entry per domain, in the ledger's order.
	Entries []Entry
	booked  uint64 // the round in which it was last charged
}

// total returns what the account was charged with in all domains.
func (a *Account) total() energy.Energy {
	var sum energy.Energy
	for _, e := range a.Entries {
		sum += e.Dynamic + e.Idle
	}
	return sum
}

// Balance is the state of one domain.
type Balance struct {
	Energy       energy.Energy // of the domain: the sum of everything below and the processes
	Idle         energy.Energy // allocated to nobody
	Unattributed energy.Energy // above idle, and nobody known was there
	// Methods counts the energy divided by each method.
	Methods [ByMethods]energy.Energy
}

// ByMethods is the number of methods.
const ByMethods = int(collector.ByMemory) + 1

// Cut is one interval of one domain, ready to be divided.
type Cut struct {
	Energy energy.Energy
	// Floor is what of it the device would have used idle; it is capped at Energy.
	Floor    energy.Energy
	Activity *collector.Activity
}

// Ledger keeps the accounts of a node. Rows of ended processes are kept, up to a
// limit; beyond it the smallest are merged into one row per owner, so that memory
// is bounded and no energy is lost.
//
// A Ledger has one writer and no lock. Book allocates only for new processes.
type Ledger struct {
	policy   Policy
	reserved collector.Owner
	limit    int
	balances []Balance
	rows     []*Account
	index    map[collector.Process]*Account
	merged   map[collector.Owner]*Account
	round    uint64

	splitter energy.Splitter
	weights  []uint64
	shares   []energy.Energy
}

// Config says how a ledger divides.
type Config struct {
	Domains int
	Policy  Policy
	// Reserved is who pays for idle energy under the policy Reserved.
	Reserved collector.Owner
	// Limit is the number of rows to keep before rows of ended processes are
	// merged; 0 means 4096.
	Limit int
}

// NewLedger returns an empty ledger.
func NewLedger(c Config) *Ledger {
	if c.Limit <= 0 {
		c.Limit = 4096
	}
	return &Ledger{
		policy: c.Policy, reserved: c.Reserved, limit: c.Limit,
		balances: make([]Balance, c.Domains),
		index:    make(map[collector.Process]*Account),
		merged:   make(map[collector.Owner]*Account),
	}
}

// Policy returns the policy for idle energy.
func (l *Ledger) Policy() Policy { return l.policy }

// Balance returns the state of a domain.
func (l *Ledger) Balance(domain int) Balance { return l.balances[domain] }

// Accounts returns the rows in the order in which they were opened. They belong
// to the ledger and change with the next Book.
func (l *Ledger) Accounts() []*Account { return l.rows }

// Owned returns what an owner was charged with for a domain.
func (l *Ledger) Owned(owner collector.Owner, domain int) Entry {
	var sum Entry
	for _, a := range l.rows {
		if a.Owner == owner {
			e := &a.Entries[domain]
			sum.Dynamic += e.Dynamic
			sum.Idle += e.Idle
			sum.Variance += e.Variance
		}
	}
	return sum
}

// Book divides an interval of a domain. A negative energy is refused with a
// panic: the curve it comes from never falls.
func (l *Ledger) Book(domain int, c Cut) {
	if c.Energy < 0 {
		panic("attribution: negative energy")
	}
	l.round++
	b := &l.balances[domain]
	b.Energy += c.Energy
	idle := max(0, min(c.Floor, c.Energy))
	l.bookIdle(domain, idle, c.Activity.Usage)
	l.bookDynamic(domain, c.Energy-idle, c.Activity)
	if len(l.rows) > l.limit {
		l.merge()
	}
}

// bookIdle allocates idle energy by the policy.
func (l *Ledger) bookIdle(domain int, amount energy.Energy, present []collector.Usage) {
	ok := false
	switch l.policy {
	case None:
	case Reserved:
		a := l.reserve()
		a.Entries[domain].Idle += amount
		ok = true
	case Equal:
		ok = l.split(amount, present, func(collector.Usage) uint64 { return 1 })
	case Memory:
		ok = l.split(amount, present, func(u collector.Usage) uint64 { return uint64(u.Memory) })
	}
	switch {
	case !ok:
		l.balances[domain].Idle += amount
	case l.policy != Reserved:
		for i, u := range present {
			if l.shares[i] > 0 {
				l.account(u).Entries[domain].Idle += l.shares[i]
			}
		}
	}
}

// bookDynamic divides what is above idle by use.
func (l *Ledger) bookDynamic(domain int, amount energy.Energy, activity *collector.Activity) {
	b := &l.balances[domain]
	present, method := activity.Usage, activity.Method
	ok := false
	switch {
	case len(present) == 0:
	case len(present) == 1 && method != collector.ByCPUTime:
		method = collector.BySole
		ok = l.split(amount, present, func(collector.Usage) uint64 { return 1 })
	case method == collector.ByMemory:
	default:
		ok = l.split(amount, present, func(u collector.Usage) uint64 { return u.Busy })
	}
	if !ok && len(present) > 0 && method != collector.ByCPUTime {
		// Nobody was seen active: a context alone keeps a device out of its lowest
		// state, and memory is what is known of the contexts.
		method = collector.ByMemory
		ok = l.split(amount, present, func(u collector.Usage) uint64 { return uint64(u.Memory) })
	}
	if !ok {
		b.Unattributed += amount
		b.Methods[collector.ByNothing] += amount
		return
	}
	b.Methods[method] += amount
	for i, u := range present {
		if l.weights[i] == 0 {
			continue
		}
		e := &l.account(u).Entries[domain]
		e.Dynamic += l.shares[i]
		e.Variance += variance(amount, l.shares[i], method, activity.Samples)
	}
}

// variance is that of a share found by sampling: of n tags each names the
// process with probability s, so the share's variance is s(1−s)/n. Memory is no
// measure of activity: a share by it may be anything.
func variance(amount, share energy.Energy, method collector.Method, samples float64) float64 {
	if amount == 0 {
		return 0
	}
	s, whole := float64(share)/float64(amount), float64(amount)
	switch method {
	case collector.ByUtilization:
		// A share seen as 0 or 1 in a few tags is not certain to be that: the
		// estimate of Agresti and Coull adds two tags either way.
		n := samples + 4
		p := (s*samples + 2) / n
		return whole * whole * p * (1 - p) / n
	case collector.ByMemory:
		return whole * whole * s * (1 - s)
	}
	return 0
}

// split weighs and divides; the result is in l.shares and l.weights.
func (l *Ledger) split(amount energy.Energy, present []collector.Usage, weight func(collector.Usage) uint64) bool {
	l.weights, l.shares = l.weights[:0], slices.Grow(l.shares[:0], len(present))[:len(present)]
	for _, u := range present {
		l.weights = append(l.weights, min(weight(u), math.MaxUint64/uint64(len(present))))
	}
	return l.splitter.Split(amount, l.weights, l.shares)
}

// account returns the row of a process, opening one at its first charge.
func (l *Ledger) account(u collector.Usage) *Account {
	a, ok := l.index[u.Process]
	if !ok {
		a = l.open(u.Process, u.Owner)
		l.index[u.Process] = a
	}
	a.booked, a.Command = l.round, u.Command
	return a
}

func (l *Ledger) open(p collector.Process, owner collector.Owner) *Account {
	a := &Account{Process: p, Owner: owner, Entries: make([]Entry, len(l.balances))}
	l.rows = append(l.rows, a)
	return a
}

// reserve returns the row that the reserving owner is charged through.
func (l *Ledger) reserve() *Account { return l.remainder(l.reserved) }

// remainder returns an owner's row without a process, for what is charged to the
// owner as a whole.
func (l *Ledger) remainder(owner collector.Owner) *Account {
	a, ok := l.merged[owner]
	if !ok {
		a = l.open(collector.Process{}, owner)
		l.merged[owner] = a
	}
	return a
}

// merge halves the rows: those longest without a charge, and smallest, go into
// their owner's row without a process.
func (l *Ledger) merge() {
	candidates := make([]*Account, 0, len(l.rows))
	for _, a := range l.rows {
		if a.Process != (collector.Process{}) && a.booked+uint64(len(l.balances)) < l.round {
			candidates = append(candidates, a)
		}
	}
	slices.SortStableFunc(candidates, func(a, b *Account) int {
		switch x, y := a.total(), b.total(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	candidates = candidates[:min(len(candidates), l.limit/2)]
	for _, a := range candidates {
		into := l.remainder(a.Owner)
		for i, e := range a.Entries {
			into.Entries[i].Dynamic += e.Dynamic
			into.Entries[i].Idle += e.Idle
			into.Entries[i].Variance += e.Variance
		}
		delete(l.index, a.Process)
	}
	gone := make(map[*Account]bool, len(candidates))
	for _, a := range candidates {
		gone[a] = true
	}
	l.rows = slices.DeleteFunc(l.rows, func(a *Account) bool { return gone[a] })
}
