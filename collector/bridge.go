package collector

import "greenagent/energy"

// An Integrator may go on where another one ended: in a new process, or after the
// sensor was opened anew. Where the counter went on meanwhile, it tells exactly
// what was used while nobody looked.

// Mark is what a domain's counter stood at at an instant, as far as its energy is
// on the curve.
type Mark struct {
	At    energy.Instant
	Value energy.Energy
}

// Mark returns what the counter stood at at an instant within the curve, and false
// if no counter is integrated that outlives this process, as that of a model.
func (g *Integrator) Mark(at energy.Instant) (Mark, bool) {
	if g.domain.Basis != energy.Counted || g.gauging || !g.begun || !g.counter.known || g.counter.opening || !g.counter.counted {
		return Mark{}, false
	}
	return Mark{at, g.base + g.curve.At(at)}, true
}

// Bridge tells what the counter stood at at the instant from which energy is
// wanted, if it has not started anew since. It must be called before the first Add.
func (g *Integrator) Bridge(m Mark) { g.bridge, g.bridging = m, true }

// bridged starts the curve with a tick if the counter tells what was used between
// the mark and it.
func (g *Integrator) bridged(t tick) bool {
	if !g.bridging {
		return false
	}
	g.bridging = false
	at := max(t.bracket.middle(), g.from+1)
	e := t.value - g.bridge.Value
	if e < 0 || !g.canDraw(e, at.Sub(g.bridge.At)) {
		g.resets++
		return false
	}
	g.begun = true
	g.curve.Append(g.from, 0)
	g.curve.Append(at, e)
	return true
}
