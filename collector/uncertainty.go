package collector

import (
	"math"
	"time"

	"greenagent/energy"
)

// Uncertainty returns that of e, the energy since the start until an instant
// before the end of the curve. Its parts: the gain of the sensor or model
// (systematic), where the two ends fall within a tick, what the sensor did not
// see, and the time nobody saw, in which the power was anything up to the limit.
func (g *Integrator) Uncertainty(e energy.Energy, until energy.Instant) energy.Uncertainty {
	gain := g.domain.Gain
	if c := g.domain.Calibration; !c.None() {
		gain = c.Uncertainty
	}
	if g.source == byPower {
		gain = math.Hypot(gain, residue*(1-g.domain.sees()))
	}
	// What was unseen, and what the sensors disagreed in, is uniform within bounds.
	bounds := math.Hypot(g.unseen.off(), g.disagreed()) / math.Sqrt(3)
	u := energy.Uncertainty{Systematic: math.Hypot(math.Abs(float64(e))*gain, bounds)}
	u.Variance = g.past.variance + g.unseen.variance + g.tail
	if g.gauging() {
		if !g.edge.known {
			u.Variance += g.edgeVariance(g.from, 0)
		} else {
			u.Variance += g.edge.variance
		}
	}
	if !g.ended {
		u.Variance += g.edgeVariance(until, g.placed)
	}
	if g.source == byPower {
		// A lag's time constant is known to about half of itself.
		lag := float64((g.power.Power - g.past.first.Power).For(g.domain.Lag)) / 2
		u.Variance += lag * lag
	}
	if g.domain.Resolution > 0 {
		step := float64(e.Over(until.Sub(g.from)).For(g.domain.Resolution))
		u.Variance += 2 * step * step / 3
	}
	if g.unobserved > 0 {
		// Uniform between nothing and the limit.
		most := float64(max(g.domain.Limit, g.peak).For(g.unobserved))
		u.Variance += most * most / 3
	}
	return u
}

// edge is the variance of the start, found when the curve has just passed it:
// later, a long run has forgotten it.
type edge struct {
	known    bool
	variance float64
}

func (g *Integrator) findEdge() {
	if !g.edge.known && g.begun && g.curve.Span().End.Sub(g.from) > around*g.tau() {
		g.edge.known, g.edge.variance = true, g.edgeVariance(g.from, 0)
	}
}

// tau is the sensor's tick.
func (g *Integrator) tau() time.Duration {
	switch {
	case !g.gauging() && g.counter.ticks.locked():
		return g.counter.ticks.period
	case g.gauging() && g.domain.Tick > 0:
		return g.domain.Tick
	}
	return sensorTick
}

const (
	// around is how many ticks on either side of an instant tell what the power
	// within its tick may have been.
	around = 4
	// ripple is the part of the power that it varies by within a tick at least.
	ripple = 0.01
	// latency is how well a tick is placed at best: drivers take their time.
	latency = 500 * time.Microsecond
)

// edgeVariance returns what the curve may be off by at an instant within a tick,
// in µJ². Between the levels around it the power may have changed at any moment,
// and the tick itself is placed within ± placed.
func (g *Integrator) edgeVariance(i energy.Instant, placed time.Duration) float64 {
	if g.domain.Fresh {
		return 0
	}
	span, tau := g.curve.Span(), g.tau()
	tick := energy.Interval{Start: max(i.Add(-tau/2), span.Start), End: min(i.Add(tau/2), span.End)}
	here := g.curve.Energy(tick).Over(tick.Duration())
	lowest, highest := here, here
	see := func(p energy.Power) { lowest, highest = min(lowest, p), max(highest, p) }
	if l, h, ok := g.curve.slopes(energy.Interval{Start: i.Add(-around * tau), End: i.Add(around * tau)}); ok {
		see(l)
		see(h)
	}
	for _, p := range g.recent[:min(g.powers, len(g.recent))] {
		see(p.Power)
	}
	if i.Add(-tau) < span.Start {
		see(max(0, g.remember(span.Start))) // of what came before, that or nothing is known
	}
	swing := max(float64(min(here-lowest, highest-here)), ripple*float64(highest)) * tau.Seconds()
	place := float64(here) * max(placed, latency).Seconds()
	// The curve takes one side of what is possible as often as the middle.
	return swing*swing/6 + place*place/3
}
