package collector

import (
	"fmt"

	"greenagent/energy"
)

// Curve is the cumulative energy of a domain as a function of time: knots in
// the order of time, energy never falling, straight lines between. It holds the
// latest knots in a ring of fixed size and allocates only when it is made.
//
// A Curve has one writer and no lock.
type Curve struct {
	knots []knot // a ring: len is a power of two
	count uint64 // knots ever appended; the newest is at (count-1) & mask
}

type knot struct {
	at     energy.Instant
	energy energy.Energy
}

// NewCurve returns a curve that remembers its latest knots, at least size of
// them.
func NewCurve(size int) *Curve {
	n := 2
	for n < size {
		n *= 2
	}
	return &Curve{knots: make([]knot, n)}
}

func (c *Curve) knot(i uint64) *knot { return &c.knots[i&uint64(len(c.knots)-1)] }

func (c *Curve) oldest() uint64 {
	if n := uint64(len(c.knots)); c.count > n {
		return c.count - n
	}
	return 0
}

// Append extends the curve to e at the instant at. A knot that is not later
// than the last, or lower, would let energy run backwards: it is a fault of the
// caller and panics.
func (c *Curve) Append(at energy.Instant, e energy.Energy) {
	if c.count > 0 {
		if last := c.knot(c.count - 1); at <= last.at || e < last.energy {
			panic(fmt.Sprintf("collector: knot (%d ns, %d µJ) after (%d ns, %d µJ)",
				at, int64(e), last.at, int64(last.energy)))
		}
	}
	*c.knot(c.count) = knot{at, e}
	c.count++
}

// Empty reports whether the curve has no knot yet.
func (c *Curve) Empty() bool { return c.count == 0 }

// Span returns from where to where the curve is known. Its end is settled: what
// lies before it will not change.
func (c *Curve) Span() energy.Interval {
	if c.count == 0 {
		return energy.Interval{}
	}
	return energy.Interval{Start: c.knot(c.oldest()).at, End: c.knot(c.count - 1).at}
}

// At returns the cumulative energy at an instant. Outside the span it holds the
// value at the nearer end: no energy is known there.
func (c *Curve) At(i energy.Instant) energy.Energy {
	if c.count == 0 {
		return 0
	}
	if first := c.knot(c.oldest()); i <= first.at {
		return first.energy
	}
	if last := c.knot(c.count - 1); i >= last.at {
		return last.energy
	}
	n := c.after(i)
	a, b := c.knot(n-1), c.knot(n)
	return a.energy + energy.Energy(energy.MulDiv(int64(b.energy-a.energy), int64(i-a.at), int64(b.at-a.at)))
}

// after returns the number of the first knot after an instant, but not the
// oldest; count if there is none.
func (c *Curve) after(i energy.Instant) uint64 {
	lo, hi := c.oldest(), c.count // knot(lo) is not after i, or the oldest; knot(hi) is after it, or none
	for hi-lo > 1 {
		if mid := lo + (hi-lo)/2; c.knot(mid).at <= i {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// slopes returns the lowest and the highest mean power between two knots next to
// each other, of those that an interval overlaps; false if it overlaps none.
func (c *Curve) slopes(v energy.Interval) (lowest, highest energy.Power, ok bool) {
	for i := c.after(v.Start); i < c.count; i++ {
		a, b := c.knot(i-1), c.knot(i)
		if a.at >= v.End {
			break
		}
		p := (b.energy - a.energy).Over(b.at.Sub(a.at))
		if !ok || p < lowest {
			lowest = p
		}
		highest, ok = max(highest, p), true
	}
	return lowest, highest, ok
}

// Energy returns the energy of an interval.
func (c *Curve) Energy(v energy.Interval) energy.Energy { return c.At(v.End) - c.At(v.Start) }
