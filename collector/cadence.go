package collector

import (
	"time"

	"greenagent/energy"
)

const (
	// dense is the cadence while a counter's ticks are looked for.
	dense = 2 * time.Millisecond
	// closeLook is that while only the phase of a power sensor's ticks is.
	closeLook = 5 * time.Millisecond
	// slowest and fastest bound the cadence that follows from a sensor's tick. It
	// is a little less than half the tick at first, so that no tick passes between
	// two looks, and less than a whole one in long runs.
	slowest = 50 * time.Millisecond
	fastest = 9 * time.Millisecond
	// worthwhile is the part of the time since the start that one look may miss. A
	// counter forgets nothing: a tick that nobody looks at is told by the next, and
	// only when in that time its energy came is not.
	worthwhile = 2000
	// currentCadence is that of counters that are current whenever read.
	currentCadence = 100 * time.Millisecond
)

// Cadence returns how long to wait from now until the next reading is worth
// taking.
func (g *Integrator) Cadence(now energy.Instant) time.Duration {
	tick, ticks := g.domain.Tick, &g.counter.ticks
	switch g.source {
	case byPower:
		ticks = &g.gauge.ticks
	case byAverage:
		ticks = &g.average.ticks
	}
	switch {
	case g.domain.Fresh:
		return currentCadence
	case g.searching():
		return dense
	case g.gauging() && tick > 0 && (!ticks.locked() || ticks.edge.width() > ticks.fine()):
		return closeLook
	case ticks.locked():
		tick = ticks.period
	case tick == 0:
		return slowest
	}
	wait := min(max(tick*9/20, fastest), slowest)
	if g.source == byCounter {
		wait = max(wait, min(now.Sub(g.from)/worthwhile, max(tick*19/20, slowest)))
	}
	if aim, ok := ticks.aim(now); ok {
		wait = min(wait, aim.Sub(now))
	}
	return wait
}

// searching reports whether the counter's ticks are being looked for.
func (g *Integrator) searching() bool { return g.counter.searching && !g.gauging() }
