package collector

import (
	"time"

	"greenagent/energy"
)

// The lead is the time between the instant from which energy is asked for and
// the first that the sensor tells about: opening NVML takes longer than starting
// a process. Most of it was measured all the same, by the sensor's own memory.

const (
	// averageWindow is what NVML's average power covers.
	averageWindow = time.Second
	// carryBack is how far the first power reading is carried back where a sensor
	// remembers nothing: about as far as its own window reaches.
	carryBack = 250 * time.Millisecond
	// settling is for how long the beginning is watched at least; sure is the time
	// whose energy at the limit is as much as the lead may be uncertain by without
	// waiting for more.
	settling = 250 * time.Millisecond
	sure     = time.Millisecond
	// steady is how much the power of a device at rest varies at most.
	steady = 0.05
)

// past is what is known of the time before the first knot.
type past struct {
	points   []PowerPoint // the sensor's own memory, oldest first
	average  PowerPoint   // the first average
	first    PowerPoint   // the first power
	variance float64      // µJ², of the lead's energy
	weighed  bool         // whether it can be told without more averages
	clear    bool         // it can
}

// begin starts the curve with a first knot, which may lie before or after the
// instant the energy is asked for from.
func (g *Integrator) begin(at energy.Instant) {
	g.begun = true
	if at <= g.from {
		g.curve.Append(at, 0)
		return
	}
	known, e, variance := g.lead(at)
	g.past.variance = variance
	g.curve.Append(g.from, 0)
	g.skip(known)
	if known < at {
		g.curve.Append(at, e)
	}
}

// lead returns the energy between an instant, as early as can be told but not
// before g.from, and the first knot at to, with its variance in µJ².
func (g *Integrator) lead(to energy.Instant) (known energy.Instant, e energy.Energy, variance float64) {
	if !g.gauging() && !g.domain.Fresh {
		if known, e, variance, ok := g.inferred(to); ok {
			return known, e, variance
		}
	}
	if known, e, variance, ok := g.remembered(to); ok {
		return known, e, variance
	}
	if p := g.past.average; p.At > 0 && to.Sub(p.At) <= carryBack {
		if known := max(g.from, p.At.Add(-averageWindow)); known < to {
			// Where in its second the average's energy came is not known.
			e := p.Power.For(to.Sub(known))
			return known, e, float64(e) * float64(e) / 12
		}
	}
	p := g.past.first
	if p.At == 0 || to.Sub(p.At) > carryBack {
		p = g.power
	}
	if known := max(g.from, to.Add(-carryBack)); p.At > 0 && known < to {
		e := p.Power.For(to.Sub(known))
		return known, e, float64(e) * float64(e) / 3
	}
	return to, 0, 0
}

// inferred is the lead of a counter.
func (g *Integrator) inferred(to energy.Instant) (known energy.Instant, e energy.Energy, variance float64, ok bool) {
	c := g.beginning(g.held)
	known = g.reach(&c, to)
	e, variance, ok = c.infer(energy.Interval{Start: known, End: to})
	if k := g.firstAfter(g.from); k >= 0 {
		g.placed = g.held[k].bracket.half()
		variance += g.misplaced(e.Over(to.Sub(known)))
	}
	return known, e, variance, ok
}

// reach returns from where on something is known: a little before the first that
// a sensor says.
func (g *Integrator) reach(c *course, to energy.Instant) energy.Instant {
	for i := range c.means {
		to = min(to, c.means[i].Start)
	}
	return max(g.from, to.Add(-carryBack))
}

// ripe reports whether the curve may begin: enough is known of the time before the
// first tick, or no more ticks can be held back.
func (g *Integrator) ripe() bool {
	if g.begun || g.resumption.known || g.domain.Fresh || len(g.held) == cap(g.held) {
		return true
	}
	k := g.firstAfter(g.from)
	if k < 0 {
		return false
	}
	first := g.held[k].bracket.middle()
	watched := g.counter.at.Sub(first)
	switch {
	case watched < settling, watched < patience && len(g.held) < k+3:
		return false
	case g.second.at == 0 || g.counter.at.Sub(g.from) > averageWindow+3*sensorTick/2:
		return true
	case !g.past.weighed:
		// An average that begins with the lead comes a second later. Is it needed?
		g.narrow()
		c := g.beginning(g.held)
		_, variance, ok := c.infer(energy.Interval{Start: g.from, End: first})
		g.past.weighed, g.past.clear = true, ok && variance < square(float64(g.limit().For(sure)))
	}
	return g.past.clear
}

// remembered integrates the sensor's memory, and the first reading as the last
// thing in it: each of its points tells the power of a window before it, and what
// came between was between them.
func (g *Integrator) remembered(to energy.Instant) (known energy.Instant, e energy.Energy, variance float64, ok bool) {
	known = to
	last := PowerPoint{}
	take := func(p PowerPoint) {
		if last.At > 0 && p.At > last.At {
			part, v := g.between(last, p, g.from, to)
			e, variance = e+part, variance+v
		}
		known = min(known, max(p.At, g.from))
		last = p
	}
	for _, p := range g.past.points {
		take(p)
	}
	if known == to {
		return 0, 0, 0, false
	}
	if g.past.first.At > last.At {
		take(g.past.first)
	}
	if to.Sub(last.At) > carryBack {
		return 0, 0, 0, false
	}
	e += last.Power.For(max(0, to.Sub(max(last.At, known))))
	unseen := float64(e) * blindness
	return known, e, variance + unseen*unseen, true
}

// between returns the energy between two points of the sensor's memory, as far
// as it lies between two instants, and its variance in µJ²: when each was taken
// is known to a tick, and so is when the power changed.
func (g *Integrator) between(p, q PowerPoint, from, to energy.Instant) (energy.Energy, float64) {
	window := time.Duration(g.domain.Window * float64(g.domain.Tick))
	opened := max(p.At, q.At.Add(-window))
	asked := energy.Interval{Start: from, End: to}
	blind := energy.Interval{Start: p.At, End: opened}.Overlap(asked)
	seen := energy.Interval{Start: opened, End: q.At}.Overlap(asked)
	off := float64((q.Power - p.Power).For(blind + seen))
	return ((p.Power + q.Power) / 2).For(blind) + q.Power.For(seen), off * off / 3
}

// remember returns the power before an instant, as the sensor remembers it or
// still showed it afterwards.
func (g *Integrator) remember(at energy.Instant) energy.Power {
	p := unknownPower
	if first := g.past.first; first.At > 0 && first.At.Sub(at) <= sensorTick {
		p = first.Power
	}
	for _, q := range g.past.points {
		if q.At <= at && at.Sub(q.At) <= carryBack {
			p = q.Power
		}
	}
	return p
}

// Rest returns the power at which the device stayed for the second before its
// first reading, and false if it did not stay at one.
func (g *Integrator) Rest() (energy.Power, bool) {
	first, average := g.past.first, g.past.average
	if first.At == 0 {
		return 0, false
	}
	lowest, highest, sum, n := first.Power, first.Power, first.Power, energy.Power(1)
	for _, p := range g.past.points {
		if first.At.Sub(p.At) <= averageWindow && p.At < first.At {
			lowest, highest, sum, n = min(lowest, p.Power), max(highest, p.Power), sum+p.Power, n+1
		}
	}
	if average.At > 0 {
		lowest, highest, sum, n = min(lowest, average.Power), max(highest, average.Power), sum+average.Power, n+1
	}
	return sum / n, n > 1 && float64(highest-lowest) <= steady*float64(highest)
}
