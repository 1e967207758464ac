package collector

import (
	"slices"

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

// hold takes a tick that was seen, and books those of which no more will be learnt.
func (g *Integrator) hold(t tick) {
	if len(g.held) == cap(g.held) {
		g.drain()
	}
	if len(g.held) < cap(g.held) { // or else the end has long been seen
		g.held = append(g.held, t)
	}
	g.drain()
}

// drain moves the ticks that have a successor into the curve, but none after the
// end: they help to tell how the tick divides in which it falls.
func (g *Integrator) drain() {
	if g.counter.opening {
		if !g.ripe() {
			return
		}
		g.enter()
	}
	for len(g.held) > 1 {
		t, next := g.held[0], g.held[1]
		if g.until > 0 && !g.gauging() && t.bracket.middle() > g.until {
			return
		}
		after := unknownPower
		if d := next.bracket.middle().Sub(t.bracket.middle()); d > 0 {
			after = g.advanced(t, next).Over(d)
		}
		g.held = slices.Delete(g.held, 0, 1)
		g.extend(t, after)
	}
}

// flush moves all ticks into the curve, whatever might still be learnt of them.
func (g *Integrator) flush() {
	if g.counter.searching {
		g.place()
	}
	if g.counter.opening {
		g.enter()
	}
	g.drain()
	g.take(latestInstant)
}

// take moves the ticks up to an instant into the curve.
func (g *Integrator) take(until energy.Instant) {
	for len(g.held) > 0 && g.held[0].bracket.middle() <= until {
		t := g.held[0]
		g.held = slices.Delete(g.held, 0, 1)
		g.extend(t, unknownPower)
	}
}

// enter starts the curve with the ticks held back, or resumes it in a new epoch.
func (g *Integrator) enter() {
	g.counter.opening = false
	if len(g.held) == 0 {
		return
	}
	k := 0
	if !g.begun && !g.domain.Fresh {
		g.narrow()
		// The first after the start; those before it tell what was before.
		if k = g.firstAfter(g.from); k < 0 {
			k = len(g.held) - 1
		}
	}
	t := g.held[k]
	at := t.bracket.middle()
	g.levels = [2]energy.Power{unknownPower, g.remember(at)}
	switch {
	case g.begun:
		g.skip(at)
	case !g.bridged(t):
		g.begin(at)
	}
	g.held = slices.Delete(g.held, 0, k+1)
	g.worth = worth{tick: t}
	g.base = -g.curve.At(g.curve.Span().End)
	g.record(t)
}

// firstAfter returns the first of the ticks held back that comes after an instant,
// negative if there is none.
func (g *Integrator) firstAfter(i energy.Instant) int {
	return slices.IndexFunc(g.held, func(t tick) bool { return t.bracket.middle() > i })
}

// record takes note of a tick that is on the curve.
func (g *Integrator) record(t tick) {
	g.booked[g.bookedCount%recentTicks] = t
	g.bookedCount++
	g.placed = t.bracket.half()
	g.reached(t)
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
	g.record(t)
	g.levels = [2]energy.Power{g.levels[1], e.Over(d)}
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
