package collector

import (
	"time"

	"greenagent/energy"
)

// An end falls inside a tick. The ticks that are held back by then, and what comes
// after it, tell how the energy divides.

// conclude moves the ticks held back into the curve, up to the end. The last tick
// usually comes after it, and the command with all it did ended there: how the
// tick's energy divides is inferred.
func (g *Integrator) conclude(at energy.Instant) {
	if g.counter.searching {
		g.place()
	}
	switch {
	case g.gauging():
		g.concludeGauge(at)
		return
	case g.domain.Fresh || !g.counter.known:
		g.flush()
		return
	case g.counter.opening && !g.begun && !g.resumption.known && g.within(at):
		return
	case g.counter.opening:
		g.enter()
	}
	g.drain()
	g.take(at)
}

// within books an interval in which no tick fell, as a whole.
func (g *Integrator) within(at energy.Instant) bool {
	if k := g.firstAfter(g.from); at <= g.from || k >= 0 && g.held[k].bracket.middle() < at {
		return false
	}
	c := g.beginning(g.held)
	known := g.reach(&c, at)
	e, variance, ok := c.infer(energy.Interval{Start: known, End: at})
	if !ok {
		return false
	}
	g.begun, g.counter.opening = true, false
	g.curve.Append(g.from, 0)
	g.skip(known)
	g.curve.Append(at, e)
	g.tail, g.ended = variance, true
	return true
}

// concludeGauge is conclude for integrated power, whose last tick is divided by
// the levels around it.
func (g *Integrator) concludeGauge(at energy.Instant) {
	g.drain()
	if len(g.held) > 0 {
		last, end := g.held[0], g.curve.Span().End
		if tickAt := last.bracket.middle(); end < at && at < tickAt {
			if part, ok := g.divide(g.due(last), at.Sub(end), tickAt.Sub(at)); ok {
				g.curve.Append(at, g.curve.At(end)+part)
			}
		}
	}
	g.flush()
}

// divide returns what part of the last tick's energy e came in the time y until
// the end rather than in the time z that followed, where that can be told: the
// power was level, and then it was not.
func (g *Integrator) divide(e energy.Energy, y, z time.Duration) (energy.Energy, bool) {
	at := g.curve.Span().End.Add(y)
	before, mean := g.levels[1], e.Over(y+z)
	if before == unknownPower || alike(before, mean, sameLevel) || !g.levelUntil(at) {
		return 0, false
	}
	if after, whole, ok := g.afterwards(at); ok {
		part := e - min(after.For(z), e)
		if whole || alike(part.Over(y), before, unsteady) {
			return part, true
		}
	}
	// Nothing tells the power after the end. If it fell, then at the end.
	return early(y+z, y, e, before, max(g.lowest, 0)), mean < before
}

// levelUntil reports whether the power was much the same for a tick and more
// before an instant, by all that the sensor showed then, or else by the tick before.
func (g *Integrator) levelUntil(at energy.Instant) bool {
	since, shown := g.curve.Span().End.Add(-g.tau()), false
	for _, p := range g.recent[:min(g.powers, len(g.recent))] {
		if since < p.At && p.At <= at {
			if !alike(p.Power, g.levels[1], unsteady) {
				return false
			}
			shown = true
		}
	}
	return shown || g.levels[0] == unknownPower || alike(g.levels[0], g.levels[1], unsteady)
}

// afterwards returns the power after an instant, if its sensor was updated since,
// and whether its whole window was after it. If not, what the window saw before is
// taken to have been as before, which is not to be relied on.
func (g *Integrator) afterwards(at energy.Instant) (p energy.Power, whole, ok bool) {
	tick := g.domain.Tick
	if tick == 0 {
		tick = sensorTick
	}
	window := time.Duration(g.domain.Window * float64(tick))
	seen := g.updated.middle().Sub(at)
	switch {
	case g.domain.Lag > 0 || g.updated.lo < at || seen < window/4 || g.updated.width() > tick/2:
		return 0, false, false
	case seen >= window:
		return g.power.Power, true, true
	}
	rest := g.power.Power.For(window) - g.levels[1].For(window-seen)
	return max(rest, 0).Over(seen), false, true
}

// carry carries the curve on from the last tick to the end, as is inferred from
// what is known around it, or else at the power of the latest reading.
func (g *Integrator) carry(at energy.Instant) {
	end := g.curve.Span().End
	if !g.domain.Fresh && !g.gauging() {
		c := g.ending(at)
		if e, variance, ok := c.infer(energy.Interval{Start: end, End: at}); ok {
			if len(g.held) > 0 {
				e = min(e, g.due(g.held[0]))
			}
			g.tail, g.ended = variance+g.misplaced(e.Over(at.Sub(end))), true
			g.curve.Append(at, g.curve.At(end)+e)
			return
		}
	}
	p, swing := g.power.Power, g.peak-max(g.lowest, 0)
	if g.power.At == 0 {
		p = g.curve.Energy(energy.Interval{Start: end.Add(-time.Second), End: end}).Over(time.Second)
		swing = p
	}
	off := float64(max(swing, p/4).For(at.Sub(end)))
	g.tail += off * off / 3
	g.curve.Append(at, g.curve.At(end)+p.For(at.Sub(end)))
}

// misplaced is the variance of the energy up to the latest tick by where it is, at
// such a power, in µJ².
func (g *Integrator) misplaced(p energy.Power) float64 {
	return square(float64(p.For(max(g.placed, latency)))) / 3
}
