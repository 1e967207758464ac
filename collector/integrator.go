package collector

import (
	"time"

	"greenagent/energy"
)

const (
	// curveKnots is how many knots a domain's curve remembers: 40 s of a counter
	// that ticks every 20 ms, several times what accounting lags behind.
	curveKnots = 4096
	// plausible bounds a reading by the hardware's limit. Boards overshoot for
	// milliseconds; nothing averages half above its limit.
	plausible = 1.5
	// outlandish stands in for a limit that is not known: no node draws so much.
	outlandish = 100 * energy.Kilowatt
	// sensorTick is assumed where a sensor's own tick is not known: the slowest of
	// power sensors, 100 ms on current parts.
	sensorTick = 100 * time.Millisecond
	// latestInstant is half of what an Instant holds, so that differences fit.
	latestInstant = energy.Instant(1 << 62)
)

// Integrator turns the readings of one domain into its energy curve. Counters
// are differenced between their ticks; where there is no counter, power is
// integrated. It rejects what cannot be, survives resets, and keeps account of
// the time it saw nothing.
//
// An Integrator has one writer and no lock. Add allocates nothing.
type Integrator struct {
	domain Domain
	from   energy.Instant // where the energy asked for begins
	curve  *Curve
	begun  bool // the curve has knots

	source  source // of the energy
	counter counter
	gauge   gauge
	average average
	check   crosscheck
	unseen  unseen
	held    []tick
	base    energy.Energy   // the counter's value where the curve is 0
	worth   worth           // of the counter's value at the last tick booked
	levels  [2]energy.Power // the means of the curve's last two ticks
	placed  time.Duration   // how well its last tick is, ±
	past    past
	edge    edge // of the start

	booked      [recentTicks]tick // the latest on the curve: a ring
	bookedCount int               // ever put into it
	until       energy.Instant    // where the energy asked for ends, 0 while not known
	instant     shown             // the power now
	second      shown             // that of the last second

	resumption resumption

	power   PowerPoint    // the latest
	updated bracket       // when the sensor came to show it
	recent  [8]PowerPoint // the latest that differed from the one before
	powers  int           // ever put into recent
	peak    energy.Power
	lowest  energy.Power

	rejected   int
	resets     int
	unobserved time.Duration
	tail       float64 // µJ², of what was carried on after the last reading
	ended      bool    // the end is inferred: tail is the variance there
}

// NewIntegrator returns an integrator for a domain whose energy is wanted from
// an instant on. Sensors are usually opened a little later than that; Recall
// and the first readings serve to cover the time between.
func NewIntegrator(d Domain, from energy.Instant) *Integrator {
	return &Integrator{
		domain: d, from: from, curve: NewCurve(curveKnots), source: sourceOf(d),
		gauge: gauge{past: NewCurve(ticksKept)}, average: average{past: NewCurve(ticksKept)},
		held: make([]tick, 0, maxHeld), lowest: unknownPower,
	}
}

// source is what the energy is taken from.
type source uint8

const (
	byCounter source = iota
	byAverage        // a gapless average of power
	byPower          // power as it is read
)

func sourceOf(d Domain) source {
	switch {
	case d.Counter:
		return byCounter
	case d.Average > 0:
		return byAverage
	}
	return byPower
}

// gauging reports whether power is what is integrated.
func (g *Integrator) gauging() bool { return g.source != byCounter }

// Domain returns what the integrator integrates.
func (g *Integrator) Domain() Domain { return g.domain }

// Basis returns how the energy until an instant was obtained. It is unknown
// where nothing was seen, or the time is too short for the source to tell; a
// counter that never moved while it was watched has counted nothing.
func (g *Integrator) Basis(until energy.Instant) energy.Basis {
	span := g.curve.Span()
	switch {
	case span.Duration() <= g.unobserved, until.Sub(g.from) < 2*g.domain.Resolution:
		return energy.Unknown
	case g.domain.Basis == energy.Counted && (g.gauging() || !g.counter.counted):
		return energy.Integrated
	}
	return g.domain.Basis
}

// Curve returns the energy so far. It belongs to the integrator.
func (g *Integrator) Curve() *Curve { return g.curve }

// Peak returns the highest power seen.
func (g *Integrator) Peak() energy.Power { return g.peak }

// Power returns the latest power seen, and when; the zero PowerPoint before.
func (g *Integrator) Power() PowerPoint { return g.power }

// Rejected returns how many readings could not be and were not used.
func (g *Integrator) Rejected() int { return g.rejected }

// Resets returns how often the counter started anew.
func (g *Integrator) Resets() int { return g.resets }

// Unobserved returns for how much of the time nothing was measured. No energy is
// booked for it; Uncertainty allows for what it may have been.
func (g *Integrator) Unobserved() time.Duration { return g.unobserved }

// End says that no energy after an instant will be asked for. Readings after it
// still tell about the time before.
func (g *Integrator) End(at energy.Instant) { g.until = at }

// Settled reports whether further readings will tell nothing more about the
// energy before an instant, or none are to be expected.
func (g *Integrator) Settled(at energy.Instant) bool {
	c := &g.counter
	latest, answering := c.at, c.known
	switch g.source {
	case byPower:
		latest, answering = g.gauge.at, g.begun
	case byAverage:
		latest, answering = g.average.at, g.begun
	}
	switch {
	case g.begun && g.curve.Span().End >= at, !answering, latest.Add(4*sensorTick) < at:
		return true
	case !g.begun, c.searching, len(g.held) == 0:
		return false
	}
	last, end := g.held[len(g.held)-1], g.curve.Span().End
	if last.bracket.middle() < at {
		return false
	}
	// The tick that ends the interval was seen. Is it known how to divide it?
	if !g.gauging() && !g.domain.Fresh {
		return g.seesAfter(at)
	}
	_, _, known := g.afterwards(at)
	return known || g.levels[1] == unknownPower ||
		alike(g.due(last).Over(last.bracket.middle().Sub(end)), g.levels[1], sameLevel)
}

// seesAfter reports whether the power after an instant was seen: in a window of its
// sensor, or else in a tick of the counter.
func (g *Integrator) seesAfter(at energy.Instant) bool {
	if g.instant.count > 0 {
		window := time.Duration(g.domain.Window * float64(g.domain.Tick))
		return g.instant.latest().bracket.middle().Add(-window) >= at
	}
	return len(g.held) > 1 && g.held[len(g.held)-2].bracket.middle() > at
}

// Recall gives the integrator the sensor's own memory of the past, in the order
// of time. It serves for the time before the first reading and must be called
// before the first Add; points are copied.
func (g *Integrator) Recall(points []PowerPoint) {
	g.past.points = g.past.points[:0]
	for _, p := range points {
		if g.canBe(p.Power) && 0 < p.At && p.At < latestInstant {
			p.Power = g.domain.Calibration.power(p.Power)
			g.past.points = append(g.past.points, p)
			g.see(p.Power)
		}
	}
}

// Add takes the domain's next reading. Readings come in the order of time;
// others are ignored.
func (g *Integrator) Add(r Reading) {
	if r.At <= 0 || r.At >= latestInstant {
		return
	}
	r = g.sift(r)
	if r.Has&HasAverage != 0 && g.past.average.At == 0 {
		g.past.average = PowerPoint{r.At, r.Average}
	}
	if r.Has&HasPower != 0 && g.past.first.At == 0 {
		g.past.first = PowerPoint{r.At, r.Power}
	}
	if r.Has&HasPower != 0 {
		g.instant.add(r.At, r.Power, g.domain.Tick)
	}
	if r.Has&HasAverage != 0 {
		g.second.add(r.At, r.Average, g.domain.Tick)
	}
	if r.Has&HasCounter != 0 && !g.gauging() {
		g.addCounter(r)
	}
	if r.Has&HasPower != 0 {
		g.addPower(r)
		g.note(PowerPoint{r.At, r.Power})
	}
	if r.Has&HasAverage != 0 && g.domain.Average > 0 {
		g.addAverage(r)
	}
	g.fallBack(r)
	g.compare(r)
	g.judge(r)
	g.findEdge()
}

// sift removes the quantities of a reading that cannot be, by what the sensor
// shows, and calibrates its powers. The counter is calibrated tick by tick.
func (g *Integrator) sift(r Reading) Reading {
	if r.Has&HasPower == 0 && r.Has&HasAverage != 0 && g.source == byPower {
		r.Power, r.Has = r.Average, r.Has|HasPower
	}
	for _, q := range [...]struct {
		has Quantity
		ok  bool
	}{
		{HasPower, g.canBe(r.Power)},
		{HasAverage, g.canBe(r.Average)},
		{HasCounter, 0 <= r.Counter && r.Counter < 1<<62},
	} {
		if r.Has&q.has != 0 && !q.ok {
			r.Has &^= q.has
			g.rejected++
		}
	}
	r.Power, r.Average = g.domain.Calibration.power(r.Power), g.domain.Calibration.power(r.Average)
	r.Spread = min(max(r.Spread, 0), maxGap)
	return r
}

func (g *Integrator) canBe(p energy.Power) bool {
	return p >= 0 && float64(p) <= plausible*float64(g.limit())
}

func (g *Integrator) limit() energy.Power {
	if g.domain.Limit > 0 {
		return g.domain.Limit
	}
	return outlandish
}

// see takes down how low the power can be.
func (g *Integrator) see(p energy.Power) {
	if g.lowest == unknownPower || p < g.lowest {
		g.lowest = p
	}
}

// note takes down a power.
func (g *Integrator) note(p PowerPoint) {
	if p.At <= g.power.At {
		return
	}
	p.Power = min(p.Power, energy.FromWatts(plausible*g.limit().Watts()))
	g.peak = max(g.peak, p.Power)
	g.see(p.Power)
	if p.Power != g.power.Power || g.powers == 0 {
		g.updated = bracket{g.power.At, p.At}
		g.recent[g.powers%len(g.recent)] = p
		g.powers++
	}
	g.power = p
}

// Finish settles the curve up to an instant at which the last readings were
// taken or shortly before: the part of a tick that no reading covers is carried
// on at the last power. What is too long for that stays unobserved.
func (g *Integrator) Finish(at energy.Instant) {
	g.End(at)
	g.conclude(at)
	if g.source == byPower && g.domain.sees() < 1 {
		g.judgeUntil(at)
	}
	switch {
	case g.begun:
		g.cover(at)
	case at > g.from:
		g.curve.Append(g.from, 0)
		g.begun = true
		g.skip(at)
	}
	// The first reading may have come after the end.
	g.unobserved = min(g.unobserved, max(0, at.Sub(g.from)))
}

// cover carries the curve on to the end.
func (g *Integrator) cover(at energy.Instant) {
	missing := at.Sub(g.curve.Span().End)
	reach := maxGap
	if g.domain.Counter && !g.domain.Fresh && !g.gauging() {
		reach = 2 * max(g.counter.ticks.period, sensorTick)
	}
	switch {
	case missing <= 0:
	case missing > reach:
		g.skip(at)
	default:
		g.carry(at)
	}
}

// skip carries the curve over time in which nothing was seen: no energy.
func (g *Integrator) skip(to energy.Instant) {
	end := g.curve.Span().End
	if to <= end {
		return
	}
	g.unobserved += max(0, to.Sub(max(end, g.from)))
	g.curve.Append(to, g.curve.At(end))
}
