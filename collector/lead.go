package collector

import (
	"time"

	"greenagent/energy"
)

// The lead is the time between the instant from which energy is asked for and
// the first that the sensor tells about: opening NVML takes longer than starting
// a process. Most of it was measured all the same, by the sensor's own memory.

// lead says how the time before the first knot was accounted for.
type lead struct {
	duration time.Duration
	variance float64 // µJ²
}

const (
	// averageWindow is what NVML's average power covers.
	averageWindow = time.Second
	// carry is how far the first power reading is carried back where a sensor
	// remembers nothing: about as far as its own window reaches.
	carry = 250 * time.Millisecond
)

// begin starts the curve with a first knot, which may lie before or after the
// instant the energy is asked for from. value is the counter's there.
func (g *Integrator) begin(at energy.Instant, value energy.Energy) {
	g.begun = true
	if at <= g.from {
		g.base = value
		g.curve.Append(at, 0)
		return
	}
	known, e := g.before(at)
	g.curve.Append(g.from, 0)
	if known > g.from {
		g.unobserved += known.Sub(g.from)
		if known < at {
			g.curve.Append(known, 0)
		}
	}
	g.curve.Append(at, e)
	g.base = value - e
	// What a sensor remembers places power in time no better than its window.
	g.lead = lead{duration: at.Sub(known), variance: float64(e) * float64(e) / 12}
}

// before returns the energy between an instant, as early as can be told but not
// before g.from, and the first knot at `to`.
func (g *Integrator) before(to energy.Instant) (energy.Instant, energy.Energy) {
	if known, e, ok := g.remembered(to); ok {
		return known, e
	}
	if g.average.At > 0 {
		if known := max(g.from, g.average.At.Add(-averageWindow)); known < to {
			return known, g.average.Power.For(to.Sub(known))
		}
	}
	if first := g.power; first.At > 0 {
		if known := max(g.from, to.Add(-carry)); known < to {
			return known, first.Power.For(to.Sub(known))
		}
	}
	return to, 0
}

// remembered integrates the sensor's memory: each of its points holds since the
// one before.
func (g *Integrator) remembered(to energy.Instant) (energy.Instant, energy.Energy, bool) {
	var known, last energy.Instant
	var e energy.Energy
	var latest energy.Power
	for i, p := range g.history {
		if !g.canBe(p.Power) {
			continue
		}
		start := p.At
		if i > 0 {
			start = g.history[i-1].At
		}
		start, end := max(start, g.from), min(p.At, to)
		if end <= g.from {
			latest, known, last = p.Power, g.from, g.from
			continue
		}
		if start >= to {
			break
		}
		if known == 0 {
			known = start
		}
		e += p.Power.For(max(0, end.Sub(start)))
		latest, last = p.Power, end
	}
	if known == 0 || to.Sub(last) > carry {
		return 0, 0, false
	}
	return known, e + latest.For(to.Sub(last)), true
}
