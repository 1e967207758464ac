package attribution

import (
	"greenagent/collector"
	"greenagent/collector/procfs"
	"greenagent/energy"
)

// Entry is what one process, or one owner, was charged with for one domain. Its
// energies never fall.
type Entry struct {
	Dynamic energy.Energy // above the idle floor
	// Context is the part of Dynamic that a GPU drew for having contexts on it
	// while nobody worked: charged in equal parts to those who held one.
	Context energy.Energy
	Idle    energy.Energy // allocated to it by the policy
	// What the division adds to the uncertainty, beside that of the sensor: the
	// variance, in µJ², of what is independent from interval to interval, and the
	// standard uncertainty, in µJ, of what is not.
	Variance   float64
	Systematic float64
}

// add adds what another entry was charged with.
func (e *Entry) add(f Entry) {
	e.Dynamic += f.Dynamic
	e.Context += f.Context
	e.Idle += f.Idle
	e.Variance += f.Variance
	e.Systematic += f.Systematic
}

// Doubt returns what the division adds to the uncertainty.
func (e *Entry) Doubt() energy.Uncertainty {
	return energy.Uncertainty{Systematic: e.Systematic, Variance: e.Variance}
}

// Account is a process's row in the ledger.
type Account struct {
	Process collector.Process
	Owner   collector.Owner
	Command procfs.Comm // as last seen
	// Entries has one Entry per domain, in the ledger's order.
	Entries []Entry
	booked  uint64 // the round in which it was last charged
	owner   *tally
}

// total returns what the account was charged with in all domains.
func (a *Account) total() energy.Energy {
	var sum energy.Energy
	for _, e := range a.Entries {
		sum += e.Dynamic + e.Idle
	}
	return sum
}

// tally is what an owner's processes were charged with together. Its doubt is not
// the sum of theirs: what one of them was charged for another is none.
type tally struct {
	owner   collector.Owner
	entries []Entry
	merged  *Account // its row without a process, nil before it is needed
	portion portion  // of the interval at hand
	round   uint64   // in which that is
}

// Balance is the state of one domain.
type Balance struct {
	Energy       energy.Energy // of the domain: the sum of everything below and the processes
	Idle         energy.Energy // allocated to nobody
	Unallocated  energy.Energy // the part of Idle that is of no MIG instance
	Unattributed energy.Energy // above idle, and nobody known was there
	// Methods counts the energy divided by each method.
	Methods [ByMethods]energy.Energy
	// Concurrent is what was divided among processes that ran at the same time.
	Concurrent energy.Energy
}

// Method returns by what most of the energy was divided.
func (b *Balance) Method() (most collector.Method) {
	for m, e := range b.Methods {
		if e > b.Methods[most] {
			most = collector.Method(m)
		}
	}
	return most
}

// ByMethods is the number of methods.
const ByMethods = int(collector.Methods)

// Cut is one interval of one domain, ready to be divided.
type Cut struct {
	Interval energy.Interval
	Energy   energy.Energy
	// Floor is what of it the device would have used idle; it is capped at Energy.
	Floor energy.Energy
	// Limit is the highest power of the domain, 0 unknown.
	Limit    energy.Power
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
	sharings []sharing // of each domain
	rows     []*Account
	index    map[collector.Process]*Account
	owners   []*tally
	tallies  map[collector.Owner]*tally
	round    uint64
	full     int // rows at which to merge next

	division
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
		sharings: make([]sharing, c.Domains),
		index:    make(map[collector.Process]*Account),
		tallies:  make(map[collector.Owner]*tally),
	}
}

// Balance returns the state of a domain.
func (l *Ledger) Balance(domain int) Balance { return l.balances[domain] }

// Context returns what a domain was seen to draw above its idle floor while
// contexts were held and nobody was active, 0 unknown.
func (l *Ledger) Context(domain int) energy.Power { return l.sharings[domain].context.known }

// Accounts returns the rows in the order in which they were opened. They belong
// to the ledger and change with the next Book.
func (l *Ledger) Accounts() []*Account { return l.rows }

// Owned returns what an owner was charged with for a domain.
func (l *Ledger) Owned(owner collector.Owner, domain int) Entry {
	if t, ok := l.tallies[owner]; ok {
		return t.entries[domain]
	}
	return Entry{}
}

// Book divides an interval of a domain. A negative energy is refused with a
// panic: the curve it comes from never falls.
func (l *Ledger) Book(domain int, c Cut) {
	if c.Energy < 0 {
		panic("attribution: negative energy")
	}
	l.round++
	l.balances[domain].Energy += c.Energy
	idle := max(0, min(c.Floor, c.Energy))
	l.bookIdle(domain, idle, &c)
	l.bookDynamic(domain, c.Energy-idle, &c)
	if len(l.rows) > l.full {
		l.merge()
	}
}

// charge adds to a row and to its owner; the owner's doubt is not that of its rows
// and is added by who knows it.
func (l *Ledger) charge(a *Account, domain int, e Entry) {
	a.Entries[domain].add(e)
	e.Variance, e.Systematic = 0, 0
	a.owner.entries[domain].add(e)
}

// account returns the row of a process, opening one at its first charge.
func (l *Ledger) account(u *collector.Usage) *Account {
	a, ok := l.index[u.Process]
	if !ok {
		a = l.open(u.Process, l.tally(u.Owner))
		l.index[u.Process] = a
	}
	a.booked, a.Command = l.round, u.Command
	return a
}

func (l *Ledger) open(p collector.Process, t *tally) *Account {
	a := &Account{Process: p, Owner: t.owner, Entries: make([]Entry, len(l.balances)), owner: t}
	l.rows = append(l.rows, a)
	return a
}

// tally returns the sums of an owner.
func (l *Ledger) tally(owner collector.Owner) *tally {
	t, ok := l.tallies[owner]
	if !ok {
		t = &tally{owner: owner, entries: make([]Entry, len(l.balances))}
		l.tallies[owner] = t
		l.owners = append(l.owners, t)
	}
	return t
}

// remainder returns an owner's row without a process, for what is charged to the
// owner as a whole.
func (l *Ledger) remainder(t *tally) *Account {
	if t.merged == nil {
		t.merged = l.open(collector.Process{}, t)
	}
	return t.merged
}
