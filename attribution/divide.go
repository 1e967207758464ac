package attribution

import (
	"math"
	"slices"

	"greenagent/collector"
	"greenagent/energy"
)

// division is the scratch memory of dividing one interval.
type division struct {
	splitter energy.Splitter
	weights  []uint64
	shares   []energy.Energy
	contexts []energy.Energy // the part of the shares that is for contexts
	places   places
}

// basis is what a division goes by.
type basis uint8

const (
	byPresence basis = iota
	byBusy
	byMemory
	byClaim
)

// split divides an amount of a cut among those present and appends their shares to
// dst. It reports false if there is nothing to split by.
func (d *division) split(dst []energy.Energy, amount energy.Energy, c *Cut, by basis, s *sharing) ([]energy.Energy, bool) {
	present := c.Activity.Usage
	d.weights = d.weights[:0]
	for i := range present {
		var w uint64
		switch u := &present[i]; by {
		case byPresence:
			w = presence(u, c.Interval)
		case byBusy:
			w = u.Busy
		case byMemory:
			w = uint64(max(u.Memory, 0))
		case byClaim:
			w = s.weight(i)
		}
		d.weights = append(d.weights, min(w, math.MaxUint64/uint64(len(present))))
	}
	dst = slices.Grow(dst[:0], len(present))[:len(present)]
	ok := d.splitter.Split(amount, d.weights, dst)
	return dst, ok
}

// presence returns for how long of an interval somebody was there, in ns, at least 1.
// Who is said to have come after it cannot be dated: start times go wrong where the
// machine is suspended meanwhile.
func presence(u *collector.Usage, v energy.Interval) uint64 {
	from := v.Start
	if u.From < v.End {
		from = max(from, u.From)
	}
	return uint64(max(1, v.End.Sub(from)))
}

// longest returns for how long of a cut anybody was there.
func longest(c *Cut) (d uint64) {
	for i := range c.Activity.Usage {
		d = max(d, presence(&c.Activity.Usage[i], c.Interval))
	}
	return d
}

// bookIdle allocates idle energy by the policy.
func (l *Ledger) bookIdle(domain int, amount energy.Energy, c *Cut) {
	present := c.Activity.Usage
	if len(c.Activity.Places) > 0 {
		l.bookIdlePlaces(domain, amount, c)
		return
	}
	ok := false
	switch l.policy {
	case None:
	case Reserved:
		l.charge(l.remainder(l.tally(l.reserved)), domain, Entry{Idle: amount})
		return
	case Equal:
		l.shares, ok = l.split(l.shares, amount, c, byPresence, nil)
	case Memory:
		// Nothing is known of who holds what if it is not of the rest of the node.
		if !slices.ContainsFunc(present, func(u collector.Usage) bool {
			return u.Process == collector.Process{} && u.Memory == 0
		}) {
			l.shares, ok = l.split(l.shares, amount, c, byMemory, nil)
		}
	}
	if !ok {
		l.balances[domain].Idle += amount
		return
	}
	for i := range present {
		if l.shares[i] > 0 {
			l.charge(l.account(&present[i]), domain, Entry{Idle: l.shares[i]})
		}
	}
}

// bookDynamic divides what is above idle by use.
func (l *Ledger) bookDynamic(domain int, amount energy.Energy, c *Cut) {
	b, s := &l.balances[domain], &l.sharings[domain]
	present, method := c.Activity.Usage, c.Activity.Method
	if len(c.Activity.Places) > 0 && l.bookPlaces(domain, amount, c) {
		return
	}
	if method == collector.ByUtilization {
		s.meet(present)
		s.rest(amount, c)
	}
	if len(present) == 0 {
		b.Unattributed += amount
		b.Methods[collector.ByNothing] += amount
		return
	}
	context := s.contextOf(amount, c)
	l.contexts, _ = l.split(l.contexts, context, c, byPresence, nil)
	method, ok := l.divide(amount-context, method, c, s)
	if !ok {
		b.Unattributed += amount
		b.Methods[collector.ByNothing] += amount
		return
	}
	b.Methods[method] += amount
	if c.Activity.Concurrent && len(present) > 1 {
		b.Concurrent += amount
	}
	l.bookShares(domain, doubt{method: method, amount: float64(amount - context), cut: c, sharing: s, sum: l.weight()})
	s.pay(float64(amount-context), method)
}

// bookShares charges the shares of a division, and states its doubt for each process
// and each owner.
func (l *Ledger) bookShares(domain int, d doubt) {
	present := d.cut.Activity.Usage
	for i := range present {
		p := d.of(i, l.shares[i])
		d.whole.add(p)
		owner := l.tally(present[i].Owner)
		if owner.round != l.round {
			owner.round, owner.portion = l.round, portion{}
		}
		owner.portion.add(p)
	}
	for i := range present {
		u := &present[i]
		e := Entry{Dynamic: l.shares[i] + l.contexts[i], Context: l.contexts[i]}
		e.Variance, e.Systematic = d.stated(d.of(i, l.shares[i]))
		// Who was there and not seen active may have been.
		if e != (Entry{}) {
			l.charge(l.account(u), domain, e)
		}
		if t := l.tally(u.Owner); t.round == l.round {
			variance, systematic := d.stated(t.portion)
			t.entries[domain].Variance += variance
			t.entries[domain].Systematic += systematic
			t.round = 0 // once for each
		}
	}
}

// divide leaves the shares of an amount in l.shares and says by what it went.
func (l *Ledger) divide(amount energy.Energy, method collector.Method, c *Cut, s *sharing) (_ collector.Method, ok bool) {
	switch {
	case method == collector.ByCPUTime:
		l.shares, ok = l.split(l.shares, amount, c, byBusy, nil)
		return method, ok
	case method == collector.ByUtilization && s.quiet(amount, c):
		// Nobody was active: what it draws it draws for being held ready.
		l.shares, ok = l.split(l.shares, amount, c, byPresence, nil)
		if len(l.shares) == 1 {
			return collector.BySole, ok
		}
		return collector.ByPresence, ok
	case len(c.Activity.Usage) == 1:
		if method == collector.ByUtilization {
			s.alone(float64(amount), c)
		}
		l.shares, ok = l.split(l.shares, amount, c, byPresence, nil)
		return collector.BySole, ok
	case method == collector.ByUtilization && s.claim(float64(amount), c):
		l.shares, ok = l.split(l.shares, amount, c, byClaim, s)
		return method, ok
	case method == collector.ByMemory, method == collector.BySlices, method == collector.ByGPM:
	case method != collector.ByUtilization:
		// What was counted is divided by what was counted.
		if l.shares, ok = l.split(l.shares, amount, c, byBusy, nil); ok {
			return method, ok
		}
	}
	if l.shares, ok = l.split(l.shares, amount, c, byMemory, nil); !ok {
		l.shares, ok = l.split(l.shares, amount, c, byPresence, nil)
	}
	return collector.ByMemory, ok
}

// weight returns the sum of the latest split's weights.
func (d *division) weight() (sum float64) {
	for _, w := range d.weights {
		sum += float64(w)
	}
	return sum
}
