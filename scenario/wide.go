package scenario

import "math/bits"

// wide is an unsigned 128-bit integer. It carries level × time before division:
// microwatts × nanoseconds are femtojoules, of which an hour of a node has 10^22.
type wide struct{ hi, lo uint64 }

// product returns a·b.
func product(a, b uint64) wide {
	hi, lo := bits.Mul64(a, b)
	return wide{hi, lo}
}

func (w wide) add(v wide) wide {
	lo, carry := bits.Add64(w.lo, v.lo, 0)
	hi, _ := bits.Add64(w.hi, v.hi, carry)
	return wide{hi, lo}
}

// sub returns w − v, which must not be negative.
func (w wide) sub(v wide) wide {
	lo, borrow := bits.Sub64(w.lo, v.lo, 0)
	hi, _ := bits.Sub64(w.hi, v.hi, borrow)
	return wide{hi, lo}
}

// times returns w·k modulo 2^128.
func (w wide) times(k uint64) wide {
	v := product(w.lo, k)
	v.hi += w.hi * k
	return v
}

// over returns w/d rounded down, modulo 2^64.
func (w wide) over(d uint64) uint64 {
	q, _ := bits.Div64(w.hi%d, w.lo, d)
	return q
}
