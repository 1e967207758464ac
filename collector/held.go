package collector

import (
	"slices"
	"time"

	"greenagent/energy"
)

// Ticks are held back before they go into the curve: the latest always, as the
// power that follows helps to place what happened before it, and all of them
// while a counter's period is looked for, as that helps to place the ticks.

// tick is a tick of a sensor to a value of its counter, or of its integral.
type tick struct {
	bracket bracket
	value   energy.Energy
}

// hold takes a tick that was seen, and books the one before.
func (g *Integrator) hold(t tick) {
	g.held = append(g.held, t)
	g.drain()
}

// drain moves the ticks that have a successor into the curve.
func (g *Integrator) drain() {
	for len(g.held) > 1 {
		t, next := g.held[0], g.held[1]
		after := unknownPower
		if d := next.bracket.middle().Sub(t.bracket.middle()); d > 0 {
			after = g.advanced(t, next).Over(d)
		}
		g.held = slices.Delete(g.held, 0, 1)
		g.book(t, after)
	}
}

// flush moves all ticks into the curve, whatever might still be learnt of them.
func (g *Integrator) flush() {
	if g.counter.searching {
		g.place()
	}
	g.drain()
	if len(g.held) > 0 {
		t := g.held[0]
		g.held = g.held[:0]
		g.book(t, unknownPower)
	}
}

func (g *Integrator) book(t tick, after energy.Power) {
	if g.counter.opening {
		g.counter.opening = false
		g.enter(t)
	} else {
		g.extend(t, after)
	}
}

// enter starts the curve, or resumes it in a new epoch.
func (g *Integrator) enter(t tick) {
	at := t.bracket.middle()
	g.levels = [2]energy.Power{unknownPower, g.remember(at)}
	switch {
	case g.begun:
		g.skip(at)
	case !g.bridged(t):
		g.begin(at)
	}
	g.worth = worth{tick: t}
	g.base = -g.curve.At(g.curve.Span().End)
	g.reached(t)
	g.placed = t.bracket.half()
	if !g.edge.known {
		g.edge.placed = g.placed
	}
}

// extend carries the curve on to a tick. after is the power that followed, which
// tells when within the tick it changed.
func (g *Integrator) extend(t tick, after energy.Power) {
	end := g.curve.Span().End
	// Estimates may put two ticks into one place; the later carries both.
	at := max(t.bracket.middle(), end+1)
	start, e, d := g.curve.At(end), g.due(t), at.Sub(end)
	if x, ok := step(d, e, g.levels[1], after); ok && d <= 2*g.tau() {
		g.curve.Append(end.Add(x), start+g.levels[1].For(x))
	}
	g.curve.Append(at, start+e)
	g.worth = worth{t, g.valueOf(t)}
	g.reached(t)
	g.levels, g.placed = [2]energy.Power{g.levels[1], e.Over(d)}, t.bracket.half()
	if g.past.first.At == 0 && !g.domain.Fresh {
		g.note(PowerPoint{at, g.levels[1]}) // for want of a power sensor
	}
}

// due returns the energy between the end of the curve and a tick.
func (g *Integrator) due(t tick) energy.Energy {
	return max(g.valueOf(t)-g.base-g.curve.At(g.curve.Span().End), 0)
}

// worth is what a counter's value at a tick amounts to, calibrated, since the
// beginning of its epoch.
type worth struct {
	tick   tick
	energy energy.Energy
}

// valueOf returns what a tick's value amounts to. Each tick is calibrated once,
// on top of those before it.
func (g *Integrator) valueOf(t tick) energy.Energy {
	return g.worth.energy + g.advanced(g.worth.tick, t)
}

// advanced returns the energy from one tick to another. What is integrated was
// calibrated as power.
func (g *Integrator) advanced(t, next tick) energy.Energy {
	e := next.value - t.value
	if g.gauging() {
		return e
	}
	return g.domain.Calibration.energy(e, max(0, next.bracket.middle().Sub(t.bracket.middle())))
}

// conclude moves the ticks held back into the curve. The last of them usually
// fell after the end of what is asked for, and the command with all it did ended
// there: how the tick's energy divides is worth a thought.
func (g *Integrator) conclude(at energy.Instant) {
	if g.counter.searching {
		g.place()
	}
	g.drain()
	if len(g.held) > 0 && !g.counter.opening {
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

// carry carries the curve on to the end at the power of the latest reading, or
// else of the last second.
func (g *Integrator) carry(at energy.Instant) {
	end := g.curve.Span().End
	p, swing := g.power.Power, g.peak-max(g.lowest, 0)
	if g.power.At == 0 {
		p = g.curve.Energy(energy.Interval{Start: end.Add(-time.Second), End: end}).Over(time.Second)
		swing = p
	}
	off := float64(max(swing, p/4).For(at.Sub(end)))
	g.tail += off * off / 3
	g.curve.Append(at, g.curve.At(end)+p.For(at.Sub(end)))
}
