package collector

import (
	"time"

	"greenagent/energy"
)

const (
	// maxGap is the longest silence a power sensor is integrated across. A counter
	// has no such bound: it counted meanwhile.
	maxGap = 2 * time.Second
	// ticksKept is how many ticks of a sensor are remembered: over 2 s of 20 ms.
	ticksKept = 128
)

// gauge is what is known of a power sensor. Its integral is a counter that ticks
// when the sensor does. It is the domain's energy where there is nothing better,
// the shape within the seconds of an average, and a counter is checked against it.
type gauge struct {
	at    energy.Instant // when it was last read
	shown energy.Power   // what it showed
	ticks ticks
	// until is up to where total is the integral. Where a lag is corrected it may
	// fall for a moment, which the curve does not.
	until energy.Instant
	total energy.Energy
	past  *Curve // of total, as far as it rose
}

// addPower integrates power.
func (g *Integrator) addPower(r Reading) {
	k := &g.gauge
	switch {
	case k.at == 0, r.At.Sub(k.at) > maxGap:
		g.startGauge(r)
	case r.At <= k.at:
		return
	case g.domain.Tick == 0:
		g.ramp(r.At, r.Power)
	case r.Power != k.shown:
		g.change(r)
	case r.At.Sub(k.until) >= 2*g.domain.Tick:
		// A tick ago at the latest the sensor was updated, to the same.
		g.ramp(r.At.Add(-g.domain.Tick), k.shown)
	}
	k.at, k.shown = r.At, r.Power
}

// beat is the power sensor's tick.
func (g *Integrator) beat() time.Duration {
	if g.domain.Tick > 0 {
		return g.domain.Tick
	}
	return sensorTick
}

// startGauge begins to integrate, or anew after a gap.
func (g *Integrator) startGauge(r Reading) {
	k := &g.gauge
	k.ticks, k.until, k.shown = ticks{}, r.At, r.Power
	k.mark()
	if g.source != byPower {
		return
	}
	if g.begun {
		g.flush()
		g.skip(r.At)
	}
	g.follow(k.past)
}

// follow has the energy follow a sensor's integral, from where it is known to.
func (g *Integrator) follow(past *Curve) {
	if !g.begun {
		g.begin(past.Span().Start)
	}
	end := g.curve.Span().End
	g.levels = [2]energy.Power{unknownPower, g.remember(end)}
	g.base, g.worth = past.At(end)-g.curve.At(end), worth{}
	for i := past.after(end); i < past.count; i++ {
		if k := past.knot(i); k.at > end {
			g.hold(tick{bracket{k.at, k.at}, k.energy})
		}
	}
}

// change takes a new value of the sensor. Since the tick before, the power was
// seen in the window of the new tick only.
func (g *Integrator) change(r Reading) {
	k, d := &g.gauge, &g.domain
	seen := bracket{k.at, r.At}
	if k.ticks.locked() {
		seen = k.ticks.observe(seen)
	} else {
		k.ticks = assume(d.Tick, seen)
	}
	at := max(seen.middle(), k.until+1)
	before := max(min(at.Add(-d.Tick), k.at), k.until)
	window := time.Duration(d.Window * float64(d.Tick))
	if d.Lag > 0 {
		window = 0
	}
	opened := max(at.Add(-window), before)

	g.ramp(before, k.shown)
	g.blind(r.Power-k.shown, opened.Sub(before))
	k.total += ((k.shown + r.Power) / 2).For(opened.Sub(before)) + r.Power.For(at.Sub(opened))
	// Behind a low pass, what was drawn is what is shown and the time constant
	// times its slope.
	k.total += (r.Power - k.shown).For(d.Lag)
	k.until = at
	g.gauged(bracket{at, at}.widen(seen.half()))
}

// ramp integrates while the power went from what was shown to p.
func (g *Integrator) ramp(to energy.Instant, p energy.Power) {
	k := &g.gauge
	d := to.Sub(k.until)
	if d <= 0 {
		return
	}
	g.blind(p-k.shown, d)
	k.total += ((k.shown + p) / 2).For(d)
	k.until = to
	g.gauged(bracket{to, to})
}

// gauged takes the integral up to a tick.
func (g *Integrator) gauged(at bracket) {
	g.gauge.mark()
	if g.source == byPower {
		g.hold(tick{at, g.gauge.total})
	}
}

// mark remembers the integral.
func (k *gauge) mark() {
	if span := k.past.Span(); k.past.Empty() || k.until > span.End && k.total >= k.past.At(span.End) {
		k.past.Append(k.until, k.total)
	}
}

// upTo returns the integral until an instant, carried on at the latest power.
func (k *gauge) upTo(at energy.Instant) energy.Energy {
	if at <= k.until {
		return k.past.At(at)
	}
	return k.total + k.shown.For(at.Sub(k.until))
}
