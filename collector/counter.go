package collector

import (
	"time"

	"greenagent/energy"
)

const (
	// maxEarly is how many readings of a counter are held back at most while its
	// period is looked for.
	maxEarly = 9
	// shortestMean is the shortest time over which a counter's difference is
	// taken for a power: below, its resolution shows.
	shortestMean = 10 * time.Millisecond
)

// addCounter books what an energy counter has advanced by.
func (g *Integrator) addCounter(r Reading) {
	c := &g.counter
	switch {
	case !c.known:
		*c = latestOf(r)
		if g.domain.Fresh {
			return // begin with the second, which tells the power before the first
		}
		// When this value's tick was will be known with the period.
		g.early = append(g.early, tick{bracket{r.At, r.At}, r.Counter})
		return
	case r.At <= c.at:
		return
	case r.Epoch != c.epoch:
		g.restart(r)
		return
	case !g.continues(r):
		g.rejected++
		g.suspect(r)
		return
	}
	g.suspects.length = 0
	if r.Counter == c.value && !g.domain.Fresh {
		c.at = r.At
		return
	}
	if g.domain.Fresh && !g.begun {
		g.power = PowerPoint{c.at, (r.Counter - c.value).Over(r.At.Sub(c.at))}
		g.begin(c.at, c.value)
	}
	seen := bracket{c.at, r.At}
	c.at, c.changed, c.value = r.At, r.At, r.Counter
	if g.domain.Fresh {
		g.extend(r.At, r.Counter)
		return
	}
	if g.early == nil {
		g.extend(g.ticks.observe(seen).middle(), r.Counter)
		return
	}
	g.early = append(g.early, tick{seen, r.Counter})
	if g.lock() || len(g.early) == cap(g.early) {
		g.release()
	}
}

// continues reports whether a counter reading can follow the latest one: not
// lower, and not higher than the hardware could have drawn meanwhile.
func (g *Integrator) continues(r Reading) bool {
	return follows(g.counter.value, g.counter.changed, r, g.domain.Limit, max(g.ticks.period, 2*sensorTick))
}

// follows allows for a tick that was pending at the earlier reading.
func follows(value energy.Energy, at energy.Instant, r Reading, limit energy.Power, pending time.Duration) bool {
	if r.Counter < value {
		return false
	}
	most := limit.For(r.At.Sub(at) + pending)
	return limit == 0 || float64(r.Counter-value) <= plausible*float64(most)
}

// suspect weighs a reading that contradicts the past. One alone is a glitch;
// several that agree with each other are a counter that was reset.
func (g *Integrator) suspect(r Reading) {
	s := &g.suspects
	if s.length > 0 && follows(s.last.Counter, s.last.At, r, g.domain.Limit, 2*sensorTick) {
		s.length++
	} else {
		s.length = 1
	}
	s.last = r
	if s.length < convinced {
		return
	}
	g.rejected -= convinced // they were right
	g.restart(r)
}

// restart takes a reading as the first of a new epoch. What was used between the
// last tick before it and now is not known.
func (g *Integrator) restart(r Reading) {
	g.release()
	g.resets++
	g.suspects = run{}
	g.counter = latestOf(r)
	g.ticks = ticks{}
	if !g.begun {
		g.begin(r.At, r.Counter)
		return
	}
	g.skip(r.At)
	g.base = r.Counter - g.curve.At(r.At)
}

func latestOf(r Reading) latest {
	return latest{at: r.At, changed: r.At, value: r.Counter, epoch: r.Epoch, known: true}
}

// lock tries to find the counter's period from the ticks held back. The first
// of them is no tick, only the value found at the first reading.
func (g *Integrator) lock() bool {
	var seen [maxEarly]bracket
	n := 0
	for ; n+1 < len(g.early); n++ {
		seen[n] = g.early[n+1].bracket
	}
	return g.ticks.lock(seen[:n])
}

// release books the ticks that were held back, placed as well as is now known.
func (g *Integrator) release() {
	early := g.early
	g.early = nil
	switch {
	case len(early) == 0:
		return
	case g.ticks.locked():
		// Count back from the latest, which is the best placed; the value of the
		// first reading belongs to the tick before the first one seen.
		for i := range early {
			back := time.Duration(len(early)-1-i) * g.ticks.period
			at := g.ticks.edge.middle().Add(-back)
			if i > 0 {
				at = min(max(at, early[i].bracket.lo+1), early[i].bracket.hi)
			}
			early[i].bracket = bracket{at, at}
		}
	case len(early) > 1:
		// The first value's age is unknown: begin at the first tick seen.
		early = early[1:]
	}
	g.begin(early[0].bracket.middle(), early[0].value)
	for _, t := range early[1:] {
		g.extend(t.bracket.middle(), t.value)
	}
}

// extend carries the curve on to a tick.
func (g *Integrator) extend(at energy.Instant, value energy.Energy) {
	span := g.curve.Span()
	// Estimates may put two ticks into one place; the later carries both.
	at = max(at, span.End+1)
	before := g.curve.At(span.End)
	after := max(value-g.base, before)
	if d := at.Sub(span.End); g.domain.Fresh && d >= shortestMean {
		p := (after - before).Over(d)
		g.power = PowerPoint{at, p}
		g.peak = max(g.peak, p)
	}
	g.curve.Append(at, after)
	g.counted = true
}
