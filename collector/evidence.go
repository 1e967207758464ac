package collector

import (
	"math"
	"time"

	"greenagent/energy"
)

// What the sensors said around the start and around the end, as means for a course.

const (
	// vicinity is how far from an instant a tick or a power reading tells about it.
	vicinity = 400 * time.Millisecond
	// unlike is by how much power and counter may differ, as a part of the power:
	// they do not come from the same circuit on every board.
	unlike = 0.01
	// elsewhere is the part of the power's whole swing that is allowed for where it
	// is only seen to be level.
	elsewhere = 0.3
)

// beginning returns what tells about the time before some ticks of the counter
// that are held back, and between them.
func (g *Integrator) beginning(held []tick) course {
	c := course{limit: g.domain.Limit, tick: g.tau(), turns: []energy.Instant{g.from}}
	if g.until > g.from {
		c.turns = append(c.turns, g.until)
	}
	span := energy.Interval{Start: g.from.Add(-vicinity), End: g.from.Add(vicinity)}
	if len(held) > 0 {
		first := max(g.from, held[0].bracket.middle())
		last := 0
		for i := range held {
			if held[i].bracket.middle().Sub(first) <= vicinity {
				last = i
			}
		}
		span.End = max(span.End, held[last].bracket.hi)
		for i := range last {
			g.count(&c, held[i], held[last])
		}
		g.averagesBefore(&c, held, held[last])
	}
	g.glimpses(&c, span)
	return c
}

// ending returns what tells about the time between the latest tick on the curve and
// an instant, with the ticks held back.
func (g *Integrator) ending(at energy.Instant) course {
	c := course{limit: g.domain.Limit, tick: g.tau(), turns: []energy.Instant{at}}
	if g.from > at.Add(-vicinity) {
		c.turns = append(c.turns, g.from)
	}
	booked := min(g.bookedCount, recentTicks)
	ticks := make([]tick, 0, recentTicks+maxHeld)
	for i := range booked {
		ticks = append(ticks, g.booked[(g.bookedCount-booked+i)%recentTicks])
	}
	ticks = append(ticks, g.held...)
	// From one that is near, but at least two.
	for len(ticks) > 2 && at.Sub(ticks[0].bracket.middle()) > vicinity {
		ticks = ticks[1:]
		booked--
	}
	span := energy.Interval{Start: at.Add(-vicinity), End: at.Add(vicinity)}
	if len(ticks) > 0 {
		span.Start = min(span.Start, ticks[0].bracket.lo)
		for i := range ticks[1:] {
			g.count(&c, ticks[0], ticks[i+1])
		}
		if booked > 0 {
			g.averagesAfter(&c, ticks[0])
		}
	}
	g.glimpses(&c, span)
	return c
}

// count adds the mean between two ticks of the counter, of which the second is
// taken to be in its place.
func (g *Integrator) count(c *course, a, b tick) {
	d := b.bracket.middle().Sub(a.bracket.middle())
	if d <= 0 {
		return
	}
	p := g.advanced(a, b).Over(d)
	placed := max(a.bracket.half(), b.bracket.half(), latency)
	c.means = append(c.means, mean{
		energy.Interval{Start: a.bracket.middle(), End: b.bracket.middle()}, p, p.For(placed).Over(d),
	})
}

// glimpses adds what the power sensor showed within a span.
func (g *Integrator) glimpses(c *course, span energy.Interval) {
	tick := g.domain.Tick
	window := max(time.Duration(g.domain.Window*float64(tick)), time.Millisecond)
	if g.domain.Lag > 0 {
		window = 2 * g.domain.Lag
	}
	list := g.instant.history(make([]glimpse, 0, recentTicks+len(g.past.points)), g.past.points, tick)
	if len(list) == 0 {
		return
	}
	lowest, highest := list[0].power, list[0].power
	for _, s := range list {
		lowest, highest = min(lowest, s.power), max(highest, s.power)
	}
	for i := range c.means {
		lowest, highest = min(lowest, c.means[i].power), max(highest, c.means[i].power)
	}
	for i, s := range list {
		if s.bracket.hi < span.Start || s.bracket.lo > span.End {
			continue
		}
		// By how much the power differed a little earlier and later.
		at, low, high := s.bracket.middle(), s.power, s.power
		for _, k := range [...]int{i - 1, i + 1} {
			if k < 0 || k == len(list) || distance(at, list[k].bracket.middle()) > 2*tick {
				low, high = lowest, highest
			} else {
				low, high = min(low, list[k].power), max(high, list[k].power)
			}
		}
		swing := float64(high-low) + elsewhere*float64(highest-lowest)
		misplaced := min(1, float64(max(s.bracket.half(), latency))/float64(window))
		off := math.Sqrt(square(swing*misplaced)/3 + square(unlike*float64(s.power)))
		c.means = append(c.means, mean{energy.Interval{Start: at.Add(-window), End: at}, s.power, energy.Power(off)})
	}
}

// averagesBefore adds what averages say of the time before a tick of the counter,
// which tells the rest of their second; of the first of them, if need be, all of it.
func (g *Integrator) averagesBefore(c *course, held []tick, ref tick) {
	for i, s := range g.seconds() {
		at := s.bracket.middle()
		v := energy.Interval{Start: at.Add(-averageWindow), End: ref.bracket.middle()}
		rest, off, ok := g.interpolate(held, ref, at)
		switch {
		case ok && v.Start < held[0].bracket.middle() && s.bracket.width() <= g.domain.Tick/2:
			c.second(s, v, rest, off)
		case i == 0 && g.second.count <= recentTicks:
			c.second(s, energy.Interval{Start: v.Start, End: at}, 0, 0)
		}
	}
}

// averagesAfter adds what averages say of the time after a tick of the counter; the
// curve tells the rest of their second.
func (g *Integrator) averagesAfter(c *course, ref tick) {
	tau := g.tau()
	for _, s := range g.seconds() {
		at := s.bracket.middle()
		start, v := at.Add(-averageWindow), energy.Interval{Start: ref.bracket.middle(), End: at}
		if v.Duration() <= 0 || start < g.curve.Span().Start || s.bracket.width() > g.domain.Tick/2 {
			continue
		}
		low, high, _ := g.curve.slopes(energy.Interval{Start: start.Add(-tau), End: start.Add(tau)})
		rest := g.curve.Energy(energy.Interval{Start: start, End: v.Start})
		c.second(s, v, rest, (high-low).For(tau)/6+high.For(latency))
	}
}

// seconds returns what the average showed, with its ticks where they must have been.
func (g *Integrator) seconds() []glimpse {
	list := make([]glimpse, 0, recentTicks)
	for _, s := range g.second.recent[:min(g.second.count, recentTicks)] {
		list = append(list, glimpse{g.second.align(s.bracket), s.power})
	}
	return list
}

// second adds the mean over a part of an average's second. The energy of the rest
// is known ± off.
func (c *course) second(s glimpse, part energy.Interval, rest, off energy.Energy) {
	e, d := s.power.For(averageWindow), part.Duration()
	if d <= 0 {
		return
	}
	wrong := math.Sqrt(square(unlike/2*float64(e)) + square(float64(s.power.For(s.bracket.half()))) + square(float64(off)))
	c.means = append(c.means, mean{part, max(0, e-rest).Over(d), energy.Energy(wrong).Over(d)})
}

// interpolate returns the energy from a tick to an instant between two, ± off, or
// less than nothing if that is before it: what the power was before and after tells
// how much it may have changed in between.
func (g *Integrator) interpolate(ticks []tick, ref tick, at energy.Instant) (e, off energy.Energy, ok bool) {
	power := func(i int) energy.Power {
		if i < 1 || i >= len(ticks) || ticks[i].bracket.middle() <= ticks[i-1].bracket.middle() {
			return unknownPower
		}
		return g.advanced(ticks[i-1], ticks[i]).Over(ticks[i].bracket.middle().Sub(ticks[i-1].bracket.middle()))
	}
	for i := 1; i < len(ticks); i++ {
		from, to := ticks[i-1].bracket.middle(), ticks[i].bracket.middle()
		here := power(i)
		if at < from || at > to || here == unknownPower {
			continue
		}
		var swing energy.Power
		for _, k := range [...]int{i - 1, i + 1} {
			if p := power(k); p != unknownPower {
				swing = max(swing, p-here, here-p)
			}
		}
		x, y := at.Sub(from), to.Sub(at)
		return g.advanced(ref, ticks[i-1]) + here.For(x), swing.For(min((x+y)/6, x, y)) + here.For(latency), true
	}
	return 0, 0, false
}

func distance(i, j energy.Instant) time.Duration { return max(i, j).Sub(min(i, j)) }
