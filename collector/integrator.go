package collector

import (
	"math"
	"time"

	"greenagent/energy"
)

const (
	// curveKnots is how many knots a domain's curve remembers: 80 s of a counter
	// that ticks every 20 ms, several times what accounting lags behind.
	curveKnots = 4096
	// plausible bounds a reading by the hardware's limit. Boards overshoot for
	// milliseconds; nothing averages half above its limit.
	plausible = 1.5
	// convinced is how many readings in a row must agree with each other, though
	// not with the past, before the past is given up.
	convinced = 3
	// maxGap is the longest silence a power sensor is integrated across. A
	// counter has no such bound: it counted meanwhile.
	maxGap = 2 * time.Second
	// sensorTick is assumed where a power sensor's own tick is not known: the
	// slowest of measurement, 100 ms on current parts.
	sensorTick = 100 * time.Millisecond
	// blindness is the relative standard uncertainty of power integrated from a
	// sensor that sees next to nothing of the time; see Domain.Window.
	blindness = 0.1
)

// Integrator turns the readings of one domain into its energy curve. Counters
// are differenced between their ticks; where there is no counter, power is
// integrated by trapezoid. It rejects what cannot be, survives resets, and keeps
// account of the time it saw nothing.
//
// An Integrator has one writer and no lock. Add allocates nothing.
type Integrator struct {
	domain Domain
	from   energy.Instant // where the energy asked for begins
	curve  *Curve
	base   energy.Energy // counter = base + curve

	counter  latest
	suspects run
	ticks    ticks
	early    []tick // ticks held back until the period is known; nil afterwards
	power    PowerPoint
	average  PowerPoint
	history  []PowerPoint

	peak       energy.Power
	rejected   int
	resets     int
	unobserved time.Duration
	begun      bool
	counted    bool // the counter has contributed
	lead       lead
}

// latest is the last accepted counter reading.
type latest struct {
	at      energy.Instant // when it was last read
	changed energy.Instant // when it was first read
	value   energy.Energy
	epoch   uint32
	known   bool
}

// run is a series of readings that contradict the past and agree with each other.
type run struct {
	last   Reading
	length int
}

type tick struct {
	bracket bracket
	value   energy.Energy
}

// NewIntegrator returns an integrator for a domain whose energy is wanted from
// an instant on. Sensors are usually opened a little later than that; Recall
// and the first readings serve to cover the time between.
func NewIntegrator(d Domain, from energy.Instant) *Integrator {
	g := &Integrator{domain: d, from: from, curve: NewCurve(curveKnots)}
	if d.Counter && !d.Fresh {
		g.early = make([]tick, 0, maxEarly)
	}
	return g
}

// Domain returns what the integrator integrates.
func (g *Integrator) Domain() Domain { return g.domain }

// Basis returns how the energy was obtained so far: a counter that never moved
// while it was watched has counted nothing.
func (g *Integrator) Basis() energy.Basis {
	switch {
	case g.curve.Empty() || g.curve.Span().Duration() <= g.unobserved:
		return energy.Unknown
	case g.domain.Basis == energy.Counted && !g.counted:
		return energy.Integrated
	}
	return g.domain.Basis
}

// Curve returns the energy so far. It belongs to the integrator.
func (g *Integrator) Curve() *Curve { return g.curve }

// Peak returns the highest power seen.
func (g *Integrator) Peak() energy.Power { return g.peak }

// Power returns the latest power seen, and when.
func (g *Integrator) Power() PowerPoint { return g.power }

// Rejected returns how many readings could not be and were not used.
func (g *Integrator) Rejected() int { return g.rejected }

// Resets returns how often the counter started anew.
func (g *Integrator) Resets() int { return g.resets }

// Unobserved returns for how much of the time nothing was measured. No energy is
// booked for it; Uncertainty allows for what it may have been.
func (g *Integrator) Unobserved() time.Duration { return g.unobserved }

// Tick returns the counter's period, 0 while it is not known.
func (g *Integrator) Tick() time.Duration { return g.ticks.period }

// Settling reports whether the counter's ticks are still being looked for, which
// goes faster the denser the readings are.
func (g *Integrator) Settling() bool { return g.early != nil }

// NextTick returns when the counter's next tick after i is due, and false where
// that is not known.
func (g *Integrator) NextTick(i energy.Instant) (energy.Instant, bool) {
	if !g.ticks.locked() || g.ticks.edge.hi > i {
		return 0, false
	}
	n := int64(i.Sub(g.ticks.edge.hi)/g.ticks.period) + 1
	return g.ticks.predict(n).hi, true
}

// Recall gives the integrator the sensor's own memory of the past, in the order
// of time. It serves for the time before the first reading and must be called
// before the first Add; points are copied.
func (g *Integrator) Recall(points []PowerPoint) { g.history = append(g.history[:0], points...) }

// Add takes the domain's next reading. Readings come in the order of time;
// others are ignored.
func (g *Integrator) Add(r Reading) {
	r = g.sift(r)
	if r.Has&HasAverage != 0 && g.average.At == 0 {
		g.average = PowerPoint{r.At, r.Average}
	}
	switch {
	case g.domain.Counter && r.Has&HasCounter != 0:
		g.addCounter(r)
	case !g.domain.Counter && r.Has&HasPower != 0:
		g.addPower(r)
	}
	if r.Has&HasPower != 0 && r.At > g.power.At {
		g.power = PowerPoint{r.At, r.Power}
		g.peak = max(g.peak, r.Power)
	}
}

// sift removes the quantities of a reading that cannot be.
func (g *Integrator) sift(r Reading) Reading {
	if r.Has&HasPower == 0 && r.Has&HasAverage != 0 && !g.domain.Counter {
		r.Power, r.Has = r.Average, r.Has|HasPower
	}
	if r.Has&HasPower != 0 && !g.canBe(r.Power) {
		r.Has &^= HasPower
		g.rejected++
	}
	if r.Has&HasAverage != 0 && !g.canBe(r.Average) {
		r.Has &^= HasAverage
		g.rejected++
	}
	return r
}

func (g *Integrator) canBe(p energy.Power) bool {
	return p >= 0 && (g.domain.Limit == 0 || float64(p) <= plausible*float64(g.domain.Limit))
}

// Finish settles the curve up to an instant at which the last readings were
// taken or shortly before: the part of a tick that no reading covers is carried
// on at the last power. What is too long for that stays unobserved.
func (g *Integrator) Finish(at energy.Instant) {
	g.release()
	if !g.begun && g.counter.known {
		g.begin(g.counter.changed, g.counter.value)
	}
	if !g.begun {
		if at > g.from {
			g.curve.Append(g.from, 0)
			g.curve.Append(at, 0)
			g.unobserved = at.Sub(g.from)
			g.begun = true
		}
		return
	}
	end := g.curve.Span().End
	missing := at.Sub(end)
	if missing <= 0 {
		return
	}
	reach := maxGap
	if g.domain.Counter && !g.domain.Fresh {
		reach = 2 * max(g.ticks.period, sensorTick)
	}
	if missing > reach {
		g.skip(at)
		return
	}
	g.curve.Append(at, g.curve.At(end)+g.tailPower().For(missing))
}

// tailPower is what to carry the curve on with: the latest reading, else the
// mean of the last segment.
func (g *Integrator) tailPower() energy.Power {
	if g.power.At > 0 {
		return g.power.Power
	}
	span := g.curve.Span()
	return g.curve.Energy(energy.Interval{Start: span.End.Add(-sensorTick), End: span.End}).Over(sensorTick)
}

// skip carries the curve over time in which nothing was seen: no energy.
func (g *Integrator) skip(to energy.Instant) {
	end := g.curve.Span().End
	if to <= end {
		return
	}
	g.unobserved += to.Sub(max(end, g.from))
	g.curve.Append(to, g.curve.At(end))
}

// Uncertainty returns that of the energy of an interval. Its parts: the gain of
// the sensor or model (systematic), the position of the two ends within a tick,
// the time a power sensor does not see, and the time nobody saw, in which the
// power was anything up to the limit.
func (g *Integrator) Uncertainty(v energy.Interval) energy.Uncertainty {
	e := float64(g.curve.Energy(v))
	gain := g.domain.Gain
	if g.domain.Basis == energy.Integrated && g.domain.Window < 1 {
		gain = math.Hypot(gain, blindness*(1-g.domain.Window))
	}
	u := energy.Uncertainty{Systematic: math.Abs(e) * gain}
	u.Variance = g.edgeVariance(v.Start) + g.edgeVariance(v.End) + g.lead.variance
	if g.unobserved > 0 {
		// Uniform between nothing and the limit.
		most := float64(max(g.domain.Limit, g.peak).For(g.unobserved))
		u.Variance += most * most / 3
	}
	return u
}

// edgeVariance bounds what the straight line through a segment can be wrong by
// at an instant inside it.
func (g *Integrator) edgeVariance(i energy.Instant) float64 {
	if g.domain.Fresh || g.domain.Basis == energy.Modelled {
		return 0
	}
	span := g.curve.Span()
	tau := g.ticks.period
	if tau == 0 {
		tau = sensorTick
	}
	mean := func(from, to energy.Instant) float64 {
		v := energy.Interval{Start: max(from, span.Start), End: min(to, span.End)}
		return float64(g.curve.Energy(v).Over(v.Duration()))
	}
	here := mean(i.Add(-tau/2), i.Add(tau/2))
	before, after := mean(i.Add(-3*tau/2), i.Add(-tau/2)), mean(i.Add(tau/2), i.Add(3*tau/2))
	highest, lowest := max(here, before, after), min(here, before, after)
	if g.domain.Basis == energy.Integrated {
		swing := highest * tau.Seconds()
		return swing * swing / 6
	}
	// Within the tick the load may have switched between its neighbours' levels
	// at any moment: at most a quarter of swing × tick off the line.
	swing := max(highest-lowest, 0.02*highest) * tau.Seconds() / 4
	place := here * g.ticks.edge.half().Seconds()
	return (swing*swing + place*place) / 3
}
