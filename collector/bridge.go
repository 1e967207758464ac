package collector

import "greenagent/energy"

// An Integrator may go on where another one ended: in a new process, or after the
// sensor was opened anew. Where the counter went on meanwhile, it tells exactly
// what was used while nobody looked.

// Mark is what a domain's counter stood at at the last tick that is on the curve up
// to an instant.
type Mark struct {
	At    energy.Instant // of the tick
	Value energy.Energy  // as the sensor shows it
	// Ahead is what the curve holds beyond the tick: it was carried on at the last
	// power, and comes out of what the counter tells next.
	Ahead energy.Energy
}

// resumption is what is known of where another integrator ended.
type resumption struct {
	mark  Mark
	known bool
	// The latest tick on the curve of this one, and the energy there.
	tick   tick
	energy energy.Energy
}

// reached notes that the curve has come to a tick.
func (g *Integrator) reached(t tick) {
	g.resumption.tick, g.resumption.energy = t, g.curve.At(g.curve.Span().End)
}

// Mark returns what the counter stood at, as far as its energy is on the curve up to
// an instant, and false if no counter is integrated that outlives this process, as
// that of a model.
func (g *Integrator) Mark(at energy.Instant) (Mark, bool) {
	if g.domain.Basis != energy.Counted || g.gauging() || !g.begun || !g.counter.known || g.counter.opening || !g.counter.counted {
		return Mark{}, false
	}
	last := &g.resumption
	return Mark{last.tick.bracket.middle(), last.tick.value, g.curve.At(at) - last.energy}, true
}

// Bridge tells what the counter stood at where another integrator ended, at the
// instant from which energy is wanted, if it has not started anew since. It must be
// called before the first Add.
func (g *Integrator) Bridge(m Mark) { g.resumption.mark, g.resumption.known = m, true }

// bridged starts the curve with a tick if the counter tells what was used between
// the mark and it.
func (g *Integrator) bridged(t tick) bool {
	m := g.resumption.mark
	if !g.resumption.known {
		return false
	}
	g.resumption.known = false
	at := max(t.bracket.middle(), g.from+1)
	shown := t.value - m.Value
	if shown < 0 || !g.canDraw(shown, at.Sub(m.At)) {
		g.resets++
		return false
	}
	e := g.domain.Calibration.energy(shown, at.Sub(m.At))
	g.begun = true
	g.curve.Append(g.from, 0)
	g.curve.Append(at, max(0, e-m.Ahead))
	return true
}
