package collector

import (
	"math"
	"time"

	"greenagent/energy"
)

// A driver's average is a gapless account of the last second, though a late one:
//
//	E(t) = E(t − 1 s) + average(t) × 1 s
//
// at each of the sensor's ticks. What it leaves open is where in the very first
// second its energy came; an error in that comes again every second, and does not
// grow.

// pull is the part by which each tick is drawn towards where instant power, scaled
// to the second's energy, has it. It lets the error of the first second fade, and
// keeps the noise of the ticks from adding up.
const pull = 1. / 16

// average is what is known of a sensor's average power.
type average struct {
	at    energy.Instant // when it was last read
	since energy.Instant // when it was first read, after a gap anew
	shown energy.Power   // what it showed
	ticks ticks
	past  *Curve // the energy that follows from it
}

// addAverage takes a reading of the average.
func (g *Integrator) addAverage(r Reading) {
	a := &g.average
	switch {
	case a.at == 0, r.At.Sub(a.at) > maxGap:
		a.ticks, a.since = ticks{}, r.At
	case r.At <= a.at:
		return
	case r.Average != a.shown:
		// However long nobody looked: the last tick is never older than a tick.
		seen := bracket{max(a.at, r.At.Add(-g.beat())), r.At}
		if a.past.Empty() {
			// The tick's own power is what the second gained and lost by it.
			gain := (r.Average - a.shown) * energy.Power(averageWindow/g.beat())
			g.recollect(seen.middle().Add(-g.beat()), a.shown, gain)
		}
		g.tell(a.place(seen, g.beat()), r.Average)
	default:
		if at, ok := a.quiet(r.At, g.beat()); ok && a.past.Empty() {
			g.recollect(at, a.shown, 0)
		} else if ok {
			g.tell(bracket{at, at}, a.shown)
		}
	}
	a.at, a.shown = r.At, r.Average
}

// fallBack integrates power as it is read where no averages come any more.
func (g *Integrator) fallBack(r Reading) {
	since := max(g.average.at, g.past.first.At)
	if g.source != byAverage || since == 0 || r.Has&HasPower == 0 || r.At.Sub(since) <= maxGap {
		return
	}
	g.flush()
	g.source = byPower
	g.unseen.until = r.At
	g.follow(g.gauge.past)
}

// place returns where in a bracket the tick was.
func (a *average) place(seen bracket, tick time.Duration) bracket {
	if a.ticks.locked() {
		return a.ticks.observe(seen)
	}
	a.ticks = assume(tick, seen)
	return seen
}

// quiet returns when the sensor was last updated to what it had shown before, and
// whether that is known.
func (a *average) quiet(now energy.Instant, tick time.Duration) (energy.Instant, bool) {
	at := now.Add(-tick / 2)
	if a.ticks.locked() {
		edge := a.ticks.edge.middle()
		n := now.Add(-tick/4).Sub(edge) / a.ticks.period
		at = edge.Add(n * a.ticks.period)
	}
	if a.past.Empty() {
		return at, now.Sub(a.since) > tick*11/10
	}
	return at, at.Sub(a.past.Span().End) >= tick*9/10
}

// tell takes the mean power of the second before a tick.
func (g *Integrator) tell(at bracket, p energy.Power) {
	a := &g.average
	t := at.middle()
	since := t.Add(-averageWindow)
	if last := a.past.Span().End; t <= last {
		return
	} else if since > last {
		g.span(since, p)
	}
	last := a.past.Span().End
	before := a.past.At(last)
	total := a.past.At(since) + p.For(averageWindow)
	// Each tick is as well placed as it is seen; ten chains of seconds are interleaved.
	gain := math.Abs(float64(p-a.shown)) * averageWindow.Seconds() / g.beat().Seconds()
	off := max(gain, float64(g.peak-max(g.lowest, 0))/4) * max(at.half(), 2*latency).Seconds()
	g.past.variance += off * off / 3 * g.beat().Seconds() / averageWindow.Seconds()
	if want, ok := g.drawn(since, last, t, p); ok {
		total += energy.Energy(pull * float64(before+want-total))
	}
	most := energy.FromWatts(plausible * g.limit().Watts()).For(t.Sub(last))
	total = min(max(total, before), before+most)
	a.past.Append(t, total)
	if g.source == byAverage {
		g.hold(tick{at, total})
	}
}

// drawn returns the energy from last to t as instant power has it, scaled to that
// of the second from since to t.
func (g *Integrator) drawn(since, last, t energy.Instant, p energy.Power) (energy.Energy, bool) {
	k := &g.gauge
	if k.at == 0 || t.Sub(k.at) > g.beat() || k.past.Span().Start > since {
		return 0, false
	}
	end := k.upTo(t)
	whole, part := end-k.upTo(since), end-k.upTo(last)
	if whole <= 0 || part < 0 {
		return 0, false
	}
	return energy.Energy(energy.MulDiv(int64(p.For(averageWindow)), int64(part), int64(whole))), true
}

// span carries the energy over a time that no average covers.
func (g *Integrator) span(to energy.Instant, p energy.Power) {
	a := &g.average
	last := a.past.Span().End
	gap, before := to.Sub(last), a.past.At(last)
	if gap > maxGap {
		a.past.Append(to, before)
		if g.source == byAverage {
			g.flush()
			g.skip(to)
			g.follow(a.past)
		}
		return
	}
	a.past.Append(to, before+((a.shown+p)/2).For(gap))
	if g.source == byAverage {
		off := float64((g.peak - max(g.lowest, 0)).For(gap))
		g.past.variance += off * off / 12
		g.hold(tick{bracket{to, to}, a.past.At(to)})
	}
}

// recollect takes the first average, of the second before an instant. Where in it
// the energy came follows from what the sensor remembers, and from what the power
// gained between the tick a second ago and the tick after.
func (g *Integrator) recollect(to energy.Instant, p, gain energy.Power) {
	a := &g.average
	from, e := to.Add(-averageWindow), p.For(averageWindow)
	a.past.Append(from, 0)
	variance, ok := g.changed(from, e, gain)
	if !ok {
		variance = g.scaled(from, to, e)
	}
	a.past.Append(to, e)
	if g.source == byAverage {
		g.past.variance += variance
		g.follow(a.past)
	}
}

// changed explains the first second by no change of power or by one, as when a
// command starts, if that agrees with all that is remembered.
func (g *Integrator) changed(from energy.Instant, e energy.Energy, gain energy.Power) (variance float64, ok bool) {
	before := unknownPower
	for _, q := range g.past.points {
		if q.At <= from.Add(g.beat()) {
			before = q.Power
		}
	}
	after := before + gain
	if off := float64(e - before.For(averageWindow)); before != unknownPower && math.Abs(off) <= ripple*float64(e) {
		return off * off / 3, true
	}
	x, ok := step(averageWindow, e, before, after)
	if !ok {
		return 0, false
	}
	at := from.Add(x)
	for _, q := range g.past.points {
		earlier := from <= q.At && q.At < at && !alike(q.Power, before, unsteady)
		later := q.At >= at.Add(2*g.beat()) && !alike(q.Power, after, unsteady)
		if earlier || later {
			return 0, false
		}
	}
	g.average.past.Append(at, before.For(x))
	off := float64(gain.For(g.beat())) / 4
	return off * off / 3, true
}

// scaled divides the first second by the powers remembered of it.
func (g *Integrator) scaled(from, to energy.Instant, e energy.Energy) (variance float64) {
	var sum energy.Energy
	last, lowest, highest := from, g.power.Power, g.power.Power
	each := func(take func(at energy.Instant, p energy.Power)) {
		last = from
		for _, q := range g.past.points {
			if last < q.At && q.At < to {
				take(q.At, q.Power)
				last = q.At
			}
		}
		take(to, g.power.Power)
	}
	each(func(at energy.Instant, p energy.Power) {
		sum += p.For(at.Sub(last))
		lowest, highest = min(lowest, p), max(highest, p)
	})
	if sum <= 0 {
		return float64(e) * float64(e) / 12
	}
	var done energy.Energy
	each(func(at energy.Instant, p energy.Power) {
		done += p.For(at.Sub(last))
		if at < to {
			g.average.past.Append(at, energy.Energy(energy.MulDiv(int64(e), int64(done), int64(sum))))
		}
	})
	// Each tick's part may be off by the swing, and so may all of them by as much as
	// they had to be scaled.
	off := float64((highest - lowest).For(g.beat()))
	scale := float64(e-sum) / 4
	return off*off + scale*scale/3
}
