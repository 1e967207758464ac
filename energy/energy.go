package energy

import (
	"math"
	"math/bits"
	"time"
)

// Energy is an amount of energy in microjoules (µJ).
//
// An int64 of microjoules holds 9.2 TJ: nineteen years of a 15 kW node.
type Energy int64

// The units of energy greenagent speaks.
const (
	Microjoule   Energy = 1
	Millijoule          = 1000 * Microjoule
	Joule               = 1000 * Millijoule
	Kilojoule           = 1000 * Joule
	WattHour            = 3600 * Joule
	KilowattHour        = 1000 * WattHour
)

// Joules returns e in joules. Above 2^53 µJ (9 GJ) the last digits are rounded.
func (e Energy) Joules() float64 { return float64(e) / float64(Joule) }

// FromJoules returns the energy nearest to j joules. NaN becomes 0 and values
// out of range saturate, so that a bad reading cannot wrap around to a negative.
func FromJoules(j float64) Energy { return Energy(saturate(j * float64(Joule))) }

// Over returns the mean power of e spent over d, rounded toward zero, and 0
// when d is not positive.
func (e Energy) Over(d time.Duration) Power {
	if d <= 0 {
		return 0
	}
	return Power(MulDiv(int64(e), int64(time.Second), int64(d)))
}

// Power is a rate of energy in microwatts (µW).
type Power int64

// The units of power greenagent speaks.
const (
	Microwatt Power = 1
	Milliwatt       = 1000 * Microwatt
	Watt            = 1000 * Milliwatt
	Kilowatt        = 1000 * Watt
)

// Watts returns p in watts.
func (p Power) Watts() float64 { return float64(p) / float64(Watt) }

// FromWatts returns the power nearest to w watts; see FromJoules for the edges.
func FromWatts(w float64) Power { return Power(saturate(w * float64(Watt))) }

// For returns the energy of p held for d, rounded toward zero.
func (p Power) For(d time.Duration) Energy {
	return Energy(MulDiv(int64(p), int64(d), int64(time.Second)))
}

// MulDiv returns a·b/c rounded toward zero with a 128-bit intermediate product.
// It saturates where the quotient does not fit, and returns 0 for c = 0.
func MulDiv(a, b, c int64) int64 {
	if c == 0 {
		return 0
	}
	negative := (a < 0) != (b < 0) != (c < 0)
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	m := magnitude(c)
	if hi >= m {
		return limit(negative)
	}
	q, _ := bits.Div64(hi, lo, m)
	if q > math.MaxInt64 {
		return limit(negative)
	}
	if negative {
		return -int64(q)
	}
	return int64(q)
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v) // correct for MinInt64 too: two's complement
	}
	return uint64(v)
}

func limit(negative bool) int64 {
	if negative {
		return math.MinInt64
	}
	return math.MaxInt64
}

func saturate(v float64) int64 {
	switch {
	case math.IsNaN(v):
		return 0
	case v >= math.MaxInt64:
		return math.MaxInt64
	case v <= math.MinInt64:
		return math.MinInt64
	}
	return int64(math.Round(v))
}
