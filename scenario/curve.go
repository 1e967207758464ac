package scenario

import (
	"errors"
	"fmt"
	"time"

	"greenagent/energy"
)

// Level is what a curve plots: a quantity counted in millionths of its unit, such
// as energy.Power (µW) or Cores (millionths of a logical CPU).
type Level interface{ ~int64 }

// Cores is a rate of CPU use in millionths of one logical CPU.
type Cores int64

// Core is one logical CPU, fully used.
const Core Cores = 1_000_000

// PowerCurve is power over time.
type PowerCurve = Curve[energy.Power]

// Curve is a piecewise linear function of time from its own start, never
// negative. Before its start and after its end it is 0; a repeating curve has no
// end. The zero Curve is 0 everywhere.
type Curve[Q Level] struct {
	Segments []Segment[Q]
	Repeat   bool
	// Phase is how far into the first pass the curve starts, within one pass.
	Phase time.Duration
}

// Segment goes straight from one level to another. Neighbours need not meet.
type Segment[Q Level] struct {
	For      time.Duration
	From, To Q
}

// Steady is a constant level without end.
func Steady[Q Level](level Q) Curve[Q] {
	return Curve[Q]{Segments: []Segment[Q]{{time.Second, level, level}}, Repeat: true}
}

// Square alternates without end: high for duty (0…1) of the period, then low. It
// starts phase into its period.
func Square[Q Level](low, high Q, period time.Duration, duty float64, phase time.Duration) Curve[Q] {
	on := min(max(time.Duration(duty*float64(period)), 0), period)
	c := Curve[Q]{Repeat: true, Phase: phase % max(period, 1)}
	if on > 0 {
		c.Segments = append(c.Segments, Segment[Q]{on, high, high})
	}
	if on < period {
		c.Segments = append(c.Segments, Segment[Q]{period - on, low, low})
	}
	return c
}

// Ramp goes from one level to the other within d and then drops to 0.
func Ramp[Q Level](from, to Q, d time.Duration) Curve[Q] {
	return Sequence(Segment[Q]{d, from, to})
}

// Burst is 0 for the time after, then level for d, then 0.
func Burst[Q Level](level Q, after, d time.Duration) Curve[Q] {
	if after == 0 {
		return Sequence(Segment[Q]{d, level, level})
	}
	return Sequence(Segment[Q]{after, 0, 0}, Segment[Q]{d, level, level})
}

// Sequence passes through the segments once.
func Sequence[Q Level](segments ...Segment[Q]) Curve[Q] { return Curve[Q]{Segments: segments} }

// Cycle passes through the segments over and over.
func Cycle[Q Level](segments ...Segment[Q]) Curve[Q] {
	return Curve[Q]{Segments: segments, Repeat: true}
}

// pass returns the length of one pass.
func (c Curve[Q]) pass() (d time.Duration) {
	for _, s := range c.Segments {
		d += s.For
	}
	return d
}

// At returns the level at t, rounded toward the segment's start. At a step it is
// the level after it.
func (c Curve[Q]) At(t time.Duration) Q {
	pass := c.pass()
	if t < 0 || pass == 0 {
		return 0
	}
	t += c.Phase
	if c.Repeat {
		t %= pass
	}
	for _, s := range c.Segments {
		if t < s.For {
			if s.To >= s.From {
				return s.From + Q(product(uint64(s.To-s.From), uint64(t)).over(uint64(s.For)))
			}
			return s.From - Q(product(uint64(s.From-s.To), uint64(t)).over(uint64(s.For)))
		}
		t -= s.For
	}
	return 0
}

// Integral returns the exact area under the curve from one time to a later one
// in whole millionths of the level's unit × second (µJ for power, µs of CPU time
// for cores): the difference of the areas since the start, each rounded down.
func (c Curve[Q]) Integral(from, to time.Duration) int64 {
	return int64(c.area(to).over(1e9)) - int64(c.area(from).over(1e9))
}

// area returns the area from the curve's start to t in millionths × nanoseconds,
// exact but for the fraction of a unit that each sloped segment drops.
func (c Curve[Q]) area(t time.Duration) wide {
	if t <= 0 {
		return wide{}
	}
	return c.raw(t + c.Phase).sub(c.raw(c.Phase))
}

// Above returns for how long the curve is above 0 until t.
func (c Curve[Q]) Above(t time.Duration) time.Duration {
	if t <= 0 {
		return 0
	}
	return c.rawAbove(t+c.Phase) - c.rawAbove(c.Phase)
}

// rawAbove is Above from the beginning of the first pass.
func (c Curve[Q]) rawAbove(t time.Duration) (sum time.Duration) {
	pass := c.pass()
	if pass == 0 {
		return 0
	}
	if c.Repeat {
		var whole time.Duration
		for _, s := range c.Segments {
			if s.From > 0 || s.To > 0 {
				whole += s.For
			}
		}
		sum = whole * (t / pass)
		t %= pass
	}
	for _, s := range c.Segments {
		if t <= 0 {
			break
		}
		if s.From > 0 || s.To > 0 {
			sum += min(t, s.For)
		}
		t -= s.For
	}
	return sum
}

// raw is the area from the beginning of the first pass, phase disregarded.
func (c Curve[Q]) raw(t time.Duration) (sum wide) {
	pass := c.pass()
	if pass == 0 {
		return sum
	}
	if c.Repeat {
		var whole wide
		for _, s := range c.Segments {
			whole = whole.add(s.area(s.For))
		}
		sum = whole.times(uint64(t / pass))
		t %= pass
	}
	for _, s := range c.Segments {
		if t <= 0 {
			break
		}
		sum = sum.add(s.area(min(t, s.For)))
		t -= s.For
	}
	return sum
}

// area returns From·x ± |To−From|·x²/(2·For) in millionths × nanoseconds; the
// second term is rounded down.
func (s Segment[Q]) area(x time.Duration) wide {
	base := product(uint64(s.From), uint64(x))
	if s.To >= s.From {
		return base.add(triangle(uint64(s.To-s.From), uint64(x), uint64(s.For)))
	}
	return base.sub(triangle(uint64(s.From-s.To), uint64(x), uint64(s.For)))
}

// triangle returns h·x²/(2·d) rounded down, for x ≤ d.
func triangle(h, x, d uint64) wide {
	hx := product(h, x)
	q := hx.over(2 * d)             // at most h/2
	r := hx.sub(product(q, 2*d)).lo // below 2d
	return product(q, x).add(wide{0, product(r, x).over(2 * d)})
}

// Levels and times are bounded so that no intermediate overflows: 1 GW, 100 years.
const (
	maxLevel    = 1_000_000_000_000_000
	maxDuration = 100 * 366 * 24 * time.Hour
)

var errCurve = errors.New("bad curve")

func (c Curve[Q]) validate() error {
	pass := c.pass()
	for i, s := range c.Segments {
		switch {
		case s.For <= 0 || s.For > maxDuration:
			return fmt.Errorf("%w: segment %d lasts %v", errCurve, i, s.For)
		case s.From < 0 || s.To < 0 || s.From > maxLevel || s.To > maxLevel:
			return fmt.Errorf("%w: segment %d goes from %d to %d", errCurve, i, s.From, s.To)
		}
	}
	if c.Phase < 0 || c.Phase > 0 && c.Phase >= pass {
		return fmt.Errorf("%w: phase %v outside a pass of %v", errCurve, c.Phase, pass)
	}
	return nil
}
