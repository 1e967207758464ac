package collector

import (
	"time"

	"greenagent/energy"
)

// maxGap is the longest silence a power sensor is integrated across. A counter
// has no such bound: it counted meanwhile.
const maxGap = 2 * time.Second

// gauge is what is known of a power sensor that is integrated. Its integral is a
// counter that ticks when the sensor does.
type gauge struct {
	at    energy.Instant // when it was last read
	shown energy.Power   // what it showed
	ticks ticks
	// until is up to where total is the integral. Where a lag is corrected it may
	// fall for a moment, which the curve does not.
	until    energy.Instant
	total    energy.Energy
	variance float64 // µJ², of what the sensor did not see
}

// addPower integrates power.
func (g *Integrator) addPower(r Reading) {
	k := &g.gauge
	switch {
	case !g.begun:
		g.begin(r.At)
		g.resume(PowerPoint{r.At, r.Power})
	case r.At <= k.at:
		return
	case r.At.Sub(k.at) > maxGap:
		g.flush()
		g.skip(r.At)
		g.resume(PowerPoint{r.At, r.Power})
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

// resume starts to integrate from the end of the curve.
func (g *Integrator) resume(p PowerPoint) {
	end := g.curve.Span().End
	g.gauge = gauge{at: p.At, shown: p.Power, until: end, total: g.curve.At(end), variance: g.gauge.variance}
	g.levels = [2]energy.Power{unknownPower, g.remember(end)}
	g.base = 0
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
	blind := float64((r.Power - k.shown).For(opened.Sub(before)))
	k.variance += blind * blind / 12 // it may have changed in one step anywhere
	k.total += ((k.shown + r.Power) / 2).For(opened.Sub(before)) + r.Power.For(at.Sub(opened))
	// Behind a low pass, what was drawn is what is shown and the time constant
	// times its slope.
	k.total += (r.Power - k.shown).For(d.Lag)
	k.until = at
	g.hold(tick{bracket{at, at}.widen(seen.half()), max(k.total, 0)})
}

// ramp integrates while the power went from what was shown to p.
func (g *Integrator) ramp(to energy.Instant, p energy.Power) {
	k := &g.gauge
	d := to.Sub(k.until)
	if d <= 0 {
		return
	}
	blind := float64((p - k.shown).For(d))
	k.variance += blind * blind / 12
	k.total += ((k.shown + p) / 2).For(d)
	k.until = to
	g.hold(tick{bracket{to, to}, max(k.total, 0)})
}
