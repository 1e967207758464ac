package collector

import (
	"slices"
	"time"

	"greenagent/energy"
)

const (
	// forgiven is after what time without a search there may be as many again: clocks
	// drift, and an agent runs for months.
	forgiven = time.Minute
	// maxSought is how many ticks are looked at to find their period; patience is for
	// how long it is looked for, and maxSearches how often, as some counters have
	// none.
	maxSought = 9
	// maxHeld is how many ticks are held back at most.
	maxHeld     = 64
	patience    = time.Second
	maxSearches = 3
	// shortestMean is the shortest time over which a counter's difference is
	// taken for a power: below, its resolution shows.
	shortestMean = 10 * time.Millisecond
	// convinced is how many readings in a row must agree with each other, though
	// not with the past, before the past is given up.
	convinced = 3
)

// counter is what is known of a domain's energy counter.
type counter struct {
	known   bool
	at      energy.Instant // when it was last read
	spread  time.Duration  // at is uncertain by ± this
	changed energy.Instant // when its value was first read
	value   energy.Energy
	epoch   uint32
	counted bool           // it has contributed to the curve
	first   energy.Instant // of all readings
	origin  energy.Energy  // total = value − origin, over all epochs

	opening   bool // held begins with the first value of an epoch, not with a tick
	searching bool
	since     energy.Instant // of the search
	searches  int
	sought    int // the tick held back before the first that the search saw
	ticks     ticks

	suspect  Reading // the latest of a series that contradicts the past
	suspects int     // its length
}

// addCounter books what an energy counter has advanced by.
func (g *Integrator) addCounter(r Reading) {
	c := &g.counter
	switch {
	case !c.known:
		g.open(r)
	case r.At <= c.at:
	case r.Epoch != c.epoch:
		g.restart(r)
	case !g.follows(c.value, c.changed, r), !g.affordable(r):
		g.rejected++
		g.doubt(r)
	default:
		g.advance(r)
	}
}

// follows reports whether a reading can come after a value of the counter: it is
// not lower, nor higher than the hardware could have drawn meanwhile.
func (g *Integrator) follows(value energy.Energy, at energy.Instant, r Reading) bool {
	return r.Counter >= value && g.canDraw(r.Counter-value, r.At.Sub(at))
}

// affordable reports whether the hardware could have drawn what the counter says
// since it was first read. Each reading by itself may be plausible, all of them
// together not.
func (g *Integrator) affordable(r Reading) bool {
	return g.canDraw(r.Counter-g.counter.origin, r.At.Sub(g.counter.first))
}

// canDraw reports whether the counter could advance so much between two readings:
// by what was drawn, and in a tick that was pending.
func (g *Integrator) canDraw(e energy.Energy, d time.Duration) bool {
	pending := max(g.counter.ticks.period, 2*sensorTick)
	if g.domain.Fresh {
		pending = 2 * g.domain.Resolution
	}
	return float64(e) <= plausible*float64(g.limit().For(d+pending))
}

// open takes the first reading of an epoch. When its value's tick was will be
// known with the period.
func (g *Integrator) open(r Reading) {
	c := &g.counter
	if c.known {
		c.origin += r.Counter - c.value
	} else {
		c.first, c.origin = r.At, r.Counter
	}
	c.known, c.at, c.spread, c.changed, c.value, c.epoch = true, r.At, r.Spread, r.At, r.Counter, r.Epoch
	g.held = append(g.held[:0], tick{bracket{r.At, r.At}, r.Counter})
	c.opening, c.suspects, c.ticks = true, 0, ticks{}
	if !g.domain.Fresh {
		g.search()
	}
}

// doubt weighs a reading that contradicts the past. One alone is a glitch;
// several that agree with each other are a counter that was reset.
func (g *Integrator) doubt(r Reading) {
	c := &g.counter
	if c.suspects > 0 && g.follows(c.suspect.Counter, c.suspect.At, r) {
		c.suspects++
	} else {
		c.suspects = 1
	}
	c.suspect = r
	if c.suspects >= convinced {
		g.rejected -= convinced // they were right
		g.restart(r)
	}
}

// restart takes a reading as the first of a new epoch. What was used between the
// last tick before it and now is not known.
func (g *Integrator) restart(r Reading) {
	g.flush()
	g.resets++
	g.bookedCount = 0 // no difference to those means anything
	g.open(r)
}

// advance takes a reading that follows the latest.
func (g *Integrator) advance(r Reading) {
	c := &g.counter
	seen := bracket{c.at.Add(-c.spread), r.At.Add(r.Spread)}
	moved := r.Counter != c.value
	c.suspects, c.at, c.spread = 0, r.At, r.Spread
	if moved || g.domain.Fresh {
		c.changed, c.value = r.At, r.Counter
	}
	switch {
	case g.domain.Fresh:
		g.current(r)
	case moved:
		g.tick(seen, r.Counter)
	case c.searching && r.At.Sub(c.since) > patience:
		g.place()
		g.drain()
	}
}

// current books a counter that is current whenever it is read. The first
// readings tell the power before them, as soon as they are far enough apart.
func (g *Integrator) current(r Reading) {
	c := &g.counter
	if c.opening {
		first := g.held[0]
		d := r.At.Sub(first.bracket.hi)
		if d < max(shortestMean, g.domain.Resolution) {
			return
		}
		g.note(PowerPoint{first.bracket.hi, g.advanced(first, tick{bracket{r.At, r.At}, r.Counter}).Over(d)})
		g.flush()
	}
	now := tick{bracket{r.At, r.At}, r.Counter}
	if d := r.At.Sub(g.curve.Span().End); d >= shortestMean {
		g.note(PowerPoint{r.At, g.due(now).Over(d)})
	}
	g.extend(now, unknownPower)
	c.counted = true
}

// tick takes a change of the counter's value.
func (g *Integrator) tick(seen bracket, value energy.Energy) {
	c := &g.counter
	c.counted = true
	// However long nobody looked: the last tick is never older than a period.
	seen.lo = max(seen.lo, seen.hi.Add(-max(c.ticks.period+c.ticks.slack, 2*sensorTick)))
	if !c.searching {
		locked := c.ticks.locked()
		g.hold(tick{c.ticks.observe(seen), value})
		if locked && !c.ticks.locked() {
			g.search()
		}
		return
	}
	g.held = append(g.held, tick{seen, value})
	if g.lock() || len(g.held)-c.sought >= maxSought || len(g.held) == cap(g.held) {
		g.place()
		g.drain()
	}
}

// search starts to look for the period.
func (g *Integrator) search() {
	c := &g.counter
	if c.at.Sub(c.since) > forgiven {
		c.searches = 0
	}
	if c.searches == maxSearches {
		g.place()
		return
	}
	c.searches++
	c.searching, c.since = true, c.at
	c.sought = max(0, len(g.held)-1)
}

// lock tries to find the period from the ticks held back. The first of them is
// the opening value or a tick from before the search.
func (g *Integrator) lock() bool {
	var seen [maxSought]bracket
	n := 0
	for _, t := range g.held[g.counter.sought+1:] {
		seen[n] = t.bracket
		n++
	}
	c := &g.counter
	return c.ticks.confirm(g.domain.CounterTick, seen[:n]) || c.ticks.lock(seen[:n])
}

// place ends a search: it dates the ticks held back as well as is now known.
func (g *Integrator) place() {
	c := &g.counter
	c.searching = false
	if !c.ticks.locked() {
		g.settleOpening()
		return
	}
	if last := len(g.held) - 1; last > 0 {
		g.held[last].bracket = c.ticks.edge
	}
	g.narrow()
}

// narrow places the ticks held back as well as their period is now known,
// counting back from the latest, which is the best placed. The opening value
// belongs to the tick before the first one seen.
func (g *Integrator) narrow() {
	c := &g.counter
	last := len(g.held) - 1
	if !c.ticks.locked() || last < 1 || g.held[last].bracket.middle() != c.ticks.edge.middle() {
		return
	}
	// periods returns how many a tick was before the latest.
	periods := func(t tick) time.Duration {
		return (c.ticks.edge.middle().Sub(t.bracket.middle()) + c.ticks.period/2) / c.ticks.period
	}
	for i := range g.held {
		if i == 0 && !c.opening {
			continue // in its place
		}
		back := periods(g.held[i])
		if i == 0 {
			back = periods(g.held[1]) + 1
		}
		at := c.ticks.edge.shift(-back * c.ticks.period).widen(back * c.ticks.slack)
		if b := &g.held[i].bracket; i == 0 {
			*b = bracket{min(at.lo, b.hi), min(at.hi, b.hi)}
		} else if narrowed, ok := at.intersect(*b); ok {
			*b = narrowed
		}
	}
}

// settleOpening dates the first value of an epoch where the period is not known:
// it may be as old as a tick. If the first tick seen comes soon, that is a better
// beginning.
func (g *Integrator) settleOpening() {
	if !g.counter.opening {
		return
	}
	opening := &g.held[0].bracket
	opening.lo = opening.hi.Add(-sensorTick)
	if len(g.held) > 1 && g.held[1].bracket.hi.Sub(opening.hi) < 2*sensorTick {
		g.held = slices.Delete(g.held, 0, 1)
	}
}
