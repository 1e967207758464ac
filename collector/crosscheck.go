package collector

import (
	"math"
	"time"

	"greenagent/energy"
)

// A counter and a power sensor tell the same energy, and normally agree within a
// percent. Where they do not, one of them is wrong, and the figure says so.
//
// If that lasts, power is believed: it is what the board's own limiter goes by, and
// the sensors were held against external meters (see sensorOf); counters have been
// seen to stand still. But only if it was seen without gaps, moves, and is well above
// idle: there, offsets of some watts make for large ratios.

const (
	// checkEvery is the time from one comparison to the next, and checks how many of
	// them are looked at together.
	checkEvery = time.Second
	checks     = 30
	// fewestChecks is how many tell anything.
	fewestChecks = 5
	// tolerance is the relative difference that needs no mention.
	tolerance = 0.1
	// convicted is how many times in a row, each over another time, the counter must
	// have disagreed before power is integrated in its place.
	convicted = 3
	// stuck is how long a counter may stand still beside a power reading before
	// that is integrated instead.
	stuck = 2 * time.Second
)

// Check is how a domain's energy counter compares with its power.
type Check struct {
	// Ratio is the counter's energy over the integrated power in the last 30 s, 0
	// where there is nothing to compare or not enough.
	Ratio float64
	// Worst is that ratio of the time in which they disagreed most, 0 if they never
	// did by more than the power sensor can tell.
	Worst float64
	// Stood and Switched say that the counter was given up, as it stood still or as
	// it went on disagreeing, and power was integrated from then on.
	Stood, Switched bool
}

// Then returns the check of a time and of one that followed.
func (c Check) Then(d Check) Check {
	if d.Worst == 0 {
		d.Worst = c.Worst
	} else if c.Worst != 0 {
		d.Worst = worse(c.Worst, d.Worst)
	}
	d.Stood, d.Switched = d.Stood || c.Stood, d.Switched || c.Switched
	return d
}

// account is what both tell of some time.
type account struct {
	length              time.Duration
	counted, integrated energy.Energy
}

// moment is an instant up to which both are known, or will be.
type moment struct {
	at                  energy.Instant
	counted, integrated energy.Energy
	past                *Curve // the power sensor's account that integrated is of
	unobserved          time.Duration
	resets              int
}

// crosscheck compares counter and power.
type crosscheck struct {
	ring            [checks]account // the latest, each of about checkEvery
	count           int
	last            moment       // until which they were compared
	next            moment       // at which they will be: the counter's curve is not there yet
	shown           energy.Power // by the power sensor
	moved           bool         // it was something else, since the last verdict
	against         int          // verdicts in a row against the counter
	off             float64      // µJ in which they disagreed
	worst           float64      // see Check, and so
	stood, switched bool
}

// Check returns how counter and power compare.
func (g *Integrator) Check() Check {
	c := &g.check
	r := Check{Worst: c.worst, Stood: c.stood, Switched: c.switched}
	if n := min(c.count, checks); n >= fewestChecks && !g.gauging() {
		if sum := c.sum(n); sum.integrated > 0 {
			r.Ratio = sum.counted.Joules() / sum.integrated.Joules()
		}
	}
	if _, k := g.disagreement(c.sum(c.count % checks)); k != 0 && c.count%checks >= fewestChecks {
		r.Worst = worse(r.Worst, k)
	}
	return r
}

// sum adds the latest n comparisons.
func (c *crosscheck) sum(n int) (sum account) {
	for i := range n {
		a := &c.ring[(c.count-1-i)%checks]
		sum.length += a.length
		sum.counted += a.counted
		sum.integrated += a.integrated
	}
	return sum
}

// reference is the power sensor's own account of the energy.
func (g *Integrator) reference() *Curve {
	if !g.average.past.Empty() && g.power.At.Sub(g.average.at) <= maxGap {
		return g.average.past
	}
	return g.gauge.past
}

// compare holds the counter against power.
func (g *Integrator) compare(r Reading) {
	c := &g.check
	if g.gauging() || g.domain.Fresh || r.Has&(HasPower|HasAverage) == 0 {
		return
	}
	if g.stands(r) {
		c.stood = true
		g.distrust()
		return
	}
	c.moved = c.moved || c.shown != g.power.Power
	c.shown = g.power.Power
	if past := g.reference(); c.next.at == 0 && !past.Empty() {
		if at := past.Span().End; at.Sub(c.last.at) >= checkEvery {
			c.next = moment{at: at, integrated: past.At(at), past: past}
		}
	}
	if c.next.at == 0 || g.curve.Span().End < c.next.at {
		return
	}
	last, now := c.last, c.next
	now.counted, now.unobserved, now.resets = g.curve.At(now.at), g.unobserved, g.resets
	c.last, c.next = now, moment{}
	if a, ok := last.until(now); ok && last.at >= g.curve.Span().Start {
		c.ring[c.count%checks] = a
		if c.count++; c.count%checks == 0 {
			g.verdict(c.sum(checks))
		}
	}
}

// until returns the account of the time between two moments, false if one of the
// two missed a part of it.
func (m moment) until(n moment) (account, bool) {
	a := account{n.at.Sub(m.at), n.counted - m.counted, n.integrated - m.integrated}
	return a, m.at > 0 && a.length < 2*checkEvery && a.integrated >= 0 &&
		m.past == n.past && m.unobserved == n.unobserved && m.resets == n.resets
}

// stands reports whether the counter stands still though power is drawn, or turns
// out not to be there.
func (g *Integrator) stands(r Reading) bool {
	since := g.past.first.At
	if g.counter.known {
		since = g.counter.changed
	}
	return since > 0 && r.Has&HasPower != 0 && r.Power >= energy.Watt && r.At.Sub(since) >= stuck
}

// verdict judges the counter by a whole round of comparisons.
func (g *Integrator) verdict(sum account) {
	c := &g.check
	off, k := g.disagreement(sum)
	moved := c.moved
	c.moved = false
	if k == 0 {
		c.against = 0
		return
	}
	c.off += off
	c.worst = worse(c.worst, k)
	mean := sum.integrated.Over(sum.length)
	busy := mean >= 2*max(g.lowest, 0) || g.domain.Limit > 0 && mean >= g.domain.Limit/5
	if !busy || !moved || !g.domain.gapless() {
		c.against = 0
		return
	}
	if c.against++; c.against == convicted {
		c.switched = true
		g.distrust()
	}
}

// disagreement returns by how much counter and power differ, in µJ, and their ratio;
// 0 if they agree as far as the sensor can tell: what it does not see may have been
// anything between the floor and the limit.
func (g *Integrator) disagreement(sum account) (off, k float64) {
	least := float64(sum.integrated)
	most := least
	if !g.domain.gapless() {
		d, sees := sum.length, g.domain.sees()
		floor := float64(max(g.lowest, 0).For(d))
		limit := float64(max(g.domain.Limit, g.peak).For(d))
		least, most = sees*least+(1-sees)*min(floor, least), sees*most+(1-sees)*max(limit, most)
	}
	counted := float64(sum.counted)
	switch {
	case sum.integrated <= 0:
		return 0, 0
	case counted < (1-tolerance)*least:
		off = least - counted
	case counted > (1+tolerance)*most:
		off = counted - most
	default:
		return 0, 0
	}
	// Now that it is known to be wrong, what the sensor showed is the best there is.
	return max(off, math.Abs(counted-float64(sum.integrated))), counted / float64(sum.integrated)
}

// worse returns which of two ratios is farther from 1; 0 is none.
func worse(a, b float64) float64 {
	if a == 0 || max(b-1, 1-b) > max(a-1, 1-a) {
		return b
	}
	return a
}

// disagreed returns what the two ever disagreed in, in µJ.
func (g *Integrator) disagreed() float64 {
	c := &g.check
	off := 0.
	if n := c.count % checks; n >= fewestChecks && !g.gauging() {
		off, _ = g.disagreement(c.sum(n))
	}
	return c.off + off
}

// distrust gives the counter up: from its last tick on, power is integrated.
// What was drawn while it stood still is in the power sensor's account.
func (g *Integrator) distrust() {
	g.flush()
	g.source = byPower
	if past := g.reference(); past == g.average.past {
		g.source = byAverage
	}
	g.unseen.until = g.curve.Span().End
	g.follow(g.reference())
}
