package attribution

import (
	"math"
	"slices"

	"greenagent/collector"
	"greenagent/energy"
)

// The energy of a domain with places is divided twice: among its places, and in
// each among those who are in it. Places have no meters of their own, so their
// shares are parts of the domain's energy, and sum to it.

// places is the scratch memory of that.
type places struct {
	weights []uint64
	shares  []energy.Energy // of each place, and of what is in none
	within  []energy.Energy // of those present, in the place at hand
	parts   []float64       // of each place, what one owner has of it
}

// The relative standard uncertainty of what a place draws for its weight.
const (
	// spreadOfActivity: what runs on a busy multiprocessor draws between half and
	// twice of what is usual, uniformly by its logarithm. A prior: how power follows
	// activity depends on the kernels.
	spreadOfActivity = 0.40
	// spreadOfSlices: who is in an instance draws anything between nothing and twice
	// the mean, uniformly. That is 0.58; the quotient of two such has longer tails.
	spreadOfSlices = 0.67
)

// bookIdlePlaces gives each place its part of idle energy, in which those there pay by
// the policy. Nobody pays for what is in no place.
func (l *Ledger) bookIdlePlaces(domain int, amount energy.Energy, c *Cut) {
	a, b, p := c.Activity, &l.balances[domain], &l.places
	free := p.bounded(a.Whole, a)
	p.weights = p.weights[:0]
	for i := range a.Places {
		size := p.bounded(a.Places[i].Size, a)
		p.weights = append(p.weights, size)
		free -= min(free, size)
	}
	p.weights = append(p.weights, free)
	p.shares = slices.Grow(p.shares[:0], len(p.weights))[:len(p.weights)]
	if !l.splitter.Split(amount, p.weights, p.shares) {
		b.Idle += amount
		return
	}
	b.Idle += p.shares[len(a.Places)]
	b.Unallocated += p.shares[len(a.Places)]
	for i := range a.Places {
		share, paid := p.shares[i], false
		switch l.policy {
		case None:
		case Reserved:
			if paid = l.reserves(a, i); paid {
				l.charge(l.remainder(l.tally(l.reserved)), domain, Entry{Idle: share})
			}
		case Equal, Memory:
			by := byPresence
			if l.policy == Memory {
				by = byMemory
			}
			if paid = l.splitPlace(i, share, c, by); paid {
				for k := range a.Usage {
					if p.within[k] > 0 {
						l.charge(l.account(&a.Usage[k]), domain, Entry{Idle: p.within[k]})
					}
				}
			}
		}
		if !paid {
			b.Idle += share
		}
	}
}

// reserves reports whether a place is the reserving owner's: it is in it, or was
// last.
func (l *Ledger) reserves(a *collector.Activity, place int) bool {
	return a.Places[place].Tenant == l.reserved || slices.ContainsFunc(a.Usage, func(u collector.Usage) bool {
		return u.Place == place && u.Owner == l.reserved
	})
}

// splitPlace divides an amount among those in a place; the shares are in
// l.places.within.
func (l *Ledger) splitPlace(place int, amount energy.Energy, c *Cut, by basis) bool {
	present := c.Activity.Usage
	l.weights = l.weights[:0]
	for i := range present {
		w := uint64(0)
		switch u := &present[i]; {
		case u.Place != place:
		case by == byMemory:
			w = uint64(max(u.Memory, 0))
		default:
			w = presence(u, c.Interval)
		}
		l.weights = append(l.weights, min(w, math.MaxUint64/uint64(len(present))))
	}
	within := &l.places.within
	*within = slices.Grow((*within)[:0], len(present))[:len(present)]
	return l.splitter.Split(amount, l.weights, *within)
}

// bounded returns a weight of which there may be as many as places, and one more.
func (*places) bounded(w uint64, a *collector.Activity) uint64 {
	return min(w, math.MaxUint64/uint64(len(a.Places)+1))
}

// weigh sets the weights of places and returns by what, and how many have one.
func (l *Ledger) weigh(c *Cut) (method collector.Method, weighty int) {
	a, p := c.Activity, &l.places
	p.weights = p.weights[:0]
	for i := range a.Places {
		w := uint64(0)
		if a.Method == collector.ByGPM {
			w = p.bounded(a.Places[i].Busy, a)
		}
		p.weights = append(p.weights, w)
	}
	method = collector.ByGPM
	if !slices.ContainsFunc(p.weights, func(w uint64) bool { return w > 0 }) {
		method = collector.BySlices
		for i := range a.Usage {
			u := &a.Usage[i]
			if u.Place < 0 || u.Place >= len(a.Places) {
				continue
			}
			there := float64(presence(u, c.Interval)) / float64(max(1, c.Interval.Duration()))
			w := float64(p.bounded(a.Places[u.Place].Size, a)) * min(there, 1)
			p.weights[u.Place] = max(p.weights[u.Place], uint64(w))
		}
	}
	for _, w := range p.weights {
		if w > 0 {
			weighty++
		}
	}
	return method, weighty
}

// idle reports whether nobody was at work in a place: GPM, which tells of it, shows a
// little at all times.
func idle(a *collector.Activity) bool {
	if a.Method != collector.ByGPM || len(a.Usage) == 0 {
		return false
	}
	var busy, size float64
	for i := range a.Places {
		busy += float64(a.Places[i].Busy)
		size += float64(a.Places[i].Size)
	}
	return busy <= size/1000
}

// bookContexts divides what a device draws for contexts in equal parts among those
// who hold one: all of it while nobody is at work, and as much at other times. It
// returns what is left.
func (l *Ledger) bookContexts(domain int, amount energy.Energy, c *Cut) energy.Energy {
	a, s := c.Activity, &l.sharings[domain]
	context := s.contextOf(amount, c)
	if idle(a) {
		context = amount
		if c.Floor > 0 && c.Interval.Duration() >= quiet {
			s.context.learn(amount.Over(c.Interval.Duration()))
		}
	} else {
		s.context.last = 0
	}
	var ok bool
	if l.contexts, ok = l.split(l.contexts, context, c, byPresence, nil); !ok {
		return amount
	}
	method := collector.ByPresence
	if len(a.Usage) == 1 {
		method = collector.BySole
	}
	l.balances[domain].Methods[method] += context
	for i := range a.Usage {
		if e := (Entry{Dynamic: l.contexts[i]}); e.Dynamic > 0 {
			if c.Floor > 0 && s.context.known > 0 {
				e.Context = e.Dynamic
			}
			l.charge(l.account(&a.Usage[i]), domain, e)
		}
	}
	return amount - context
}

// bookPlaces divides what is above idle by what places did. It reports false if
// nothing is known of that.
func (l *Ledger) bookPlaces(domain int, amount energy.Energy, c *Cut) bool {
	a, b, p := c.Activity, &l.balances[domain], &l.places
	by, weighty := l.weigh(c)
	if weighty == 0 {
		return false
	}
	amount = l.bookContexts(domain, amount, c)
	p.shares = slices.Grow(p.shares[:0], len(a.Places))[:len(a.Places)]
	l.splitter.Split(amount, p.weights, p.shares) // there is a weight
	l.shares = slices.Grow(l.shares[:0], len(a.Usage))[:len(a.Usage)]
	clear(l.shares)
	for i, share := range p.shares {
		method, there := by, 0
		for k := range a.Usage {
			if a.Usage[k].Place == i {
				there++
			}
		}
		switch {
		case there == 0:
			b.Unattributed += share
			method = collector.ByNothing
		case !l.splitPlace(i, share, c, byMemory) && !l.splitPlace(i, share, c, byPresence):
			panic("attribution: somebody there has no weight")
		case there > 1:
			method = collector.ByMemory
		case weighty == 1:
			method = collector.BySole
		}
		b.Methods[method] += share
		for k := range a.Usage {
			if there > 0 && a.Usage[k].Place == i {
				l.shares[k] += p.within[k]
			}
		}
	}
	l.chargePlaces(domain, amount, by, weighty, a)
	return true
}

// chargePlaces charges the shares with their doubt.
func (l *Ledger) chargePlaces(domain int, amount energy.Energy, by collector.Method, weighty int, a *collector.Activity) {
	p := &l.places
	spread := 0.0 // of a single place all is known
	switch {
	case weighty > 1 && by == collector.ByGPM:
		spread = spreadOfActivity
	case weighty > 1:
		spread = spreadOfSlices
	}
	p.parts = slices.Grow(p.parts[:0], len(a.Places))[:len(a.Places)]
	for k := range a.Usage {
		u := &a.Usage[k]
		clear(p.parts)
		p.take(u.Place, l.shares[k])
		if e := (Entry{Dynamic: l.shares[k], Systematic: p.doubt(amount, spread)}); e != (Entry{}) {
			l.charge(l.account(u), domain, e)
		}
		owner := l.tally(u.Owner)
		if owner.round == l.round {
			continue
		}
		owner.round = l.round
		clear(p.parts)
		for i := range a.Usage {
			if a.Usage[i].Owner == u.Owner {
				p.take(a.Usage[i].Place, l.shares[i])
			}
		}
		owner.entries[domain].Systematic += p.doubt(amount, spread)
	}
}

// take notes a share of a place's energy.
func (p *places) take(place int, share energy.Energy) {
	if place >= 0 && place < len(p.shares) && p.shares[place] > 0 {
		p.parts[place] += float64(share) / float64(p.shares[place])
	}
}

// doubt returns the standard uncertainty, in µJ, of what somebody has who has those
// parts of the places. Places err relatively and independently of each other, while
// their sum is known; in a place, memory says nothing of activity, and a share may
// be anything. Neither changes from one interval to the next.
func (p *places) doubt(amount energy.Energy, spread float64) float64 {
	var mine, variance float64
	for i, part := range p.parts {
		mine += part * float64(p.shares[i])
	}
	if amount <= 0 {
		return 0
	}
	for i, part := range p.parts {
		share := float64(p.shares[i])
		between := spread * share * (part - mine/float64(amount))
		variance += between*between + share*share*max(0, part*(1-part))
	}
	return math.Sqrt(variance)
}
