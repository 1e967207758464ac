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
	full     int // rows at which to merge next

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
		policy: c.Policy, reserved: c.Reserved, limit: c.Limit, full: c.Limit,
		balances: make([]Balance, c.Domains),
		index:    make(map[collector.Process]*Account),
		merged:   make(map[collector.Owner]*Account),
	}
}

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
	if len(l.rows) > l.full {
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
		ok = l.split(amount, present, once)
	case Memory:
		// Nothing is known of who holds what if it is not of the rest of the node.
		ok = !slices.ContainsFunc(present, func(u collector.Usage) bool {
			return u.Process == collector.Process{} && u.Memory == 0
		}) && l.split(amount, present, memory)
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
		ok = l.split(amount, present, once)
	case method != collector.ByMemory:
		ok = l.split(amount, present, busy)
	}
	if !ok && len(present) > 0 && method != collector.ByCPUTime {
		// Nobody was seen active: a context alone keeps a device out of its lowest
		// state, and memory is what is known of the contexts.
		method = collector.ByMemory
		ok = l.split(amount, present, memory) || l.split(amount, present, once)
	}
	if !ok {
		b.Unattributed += amount
		b.Methods[collector.ByNothing] += amount
		return
	}
	b.Methods[method] += amount
	doubt := l.doubt(amount, method, activity)
	for i, u := range present {
		// Who was there and not seen active may have been.
		if variance := doubt.variance(l.shares[i]); l.shares[i] > 0 || variance > 0 {
			e := &l.account(u).Entries[domain]
			e.Dynamic += l.shares[i]
			e.Variance += variance
		}
	}
}

// split weighs and divides; the result is in l.shares and l.weights.
func (l *Ledger) split(amount energy.Energy, present []collector.Usage, weight func(collector.Usage) uint64) bool {
	l.weights, l.shares = l.weights[:0], slices.Grow(l.shares[:0], len(present))[:len(present)]
	for _, u := range present {
		l.weights = append(l.weights, min(weight(u), math.MaxUint64/uint64(len(present))))
	}
	return l.splitter.Split(amount, l.weights, l.shares)
}

// weight returns the sum of the latest split's weights.
func (l *Ledger) weight() (sum float64) {
	for _, w := range l.weights {
		sum += float64(w)
	}
	return sum
}

// What a split may go by.
func once(collector.Usage) uint64     { return 1 }
func busy(u collector.Usage) uint64   { return u.Busy }
func memory(u collector.Usage) uint64 { return uint64(max(u.Memory, 0)) }

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
