package energy

import "math/bits"

// Splitter divides whole amounts in proportion to weights by the largest
// remainder: every share is its exact quota rounded down, and the units left
// over go one each to the largest fractions. Shares always sum to the amount,
// and each is within one unit of its quota.
//
// A Splitter keeps its scratch memory between calls; its zero value is ready.
// It must not be used from two goroutines at once.
type Splitter struct{ fractions []fraction }

type fraction struct {
	remainder uint64
	index     int
}

// before orders by the larger remainder, ties by the smaller index.
func (f fraction) before(g fraction) bool {
	if f.remainder != g.remainder {
		return f.remainder > g.remainder
	}
	return f.index < g.index
}

// Split divides total among weights and writes one share for each weight into
// shares, which must be as long as weights. Equal fractions are served in the
// order of their index: callers who want a result that does not depend on order
// pass weights in a canonical one.
//
// It reports false, and writes zeros, when there is nothing to split by (no
// positive weight) or total is negative; total then still awaits an owner.
// Weights must sum to less than 2^64.
func (s *Splitter) Split(total Energy, weights []uint64, shares []Energy) bool {
	clear(shares)
	var sum uint64
	for _, w := range weights {
		sum += w
	}
	if sum == 0 || total < 0 {
		return false
	}
	s.fractions = s.fractions[:0]
	left := uint64(total)
	for i, w := range weights {
		if w == 0 {
			continue
		}
		hi, lo := bits.Mul64(uint64(total), w)
		quota, remainder := bits.Div64(hi, lo, sum) // hi < sum, as w ≤ sum and total < 2^63
		shares[i] = Energy(quota)
		left -= quota
		if remainder > 0 {
			s.fractions = append(s.fractions, fraction{remainder, i})
		}
	}
	// left < len(fractions): each positive remainder is below one unit.
	for _, f := range largest(s.fractions, int(left)) {
		shares[f.index]++
	}
	return true
}

// largest reorders f so that its n first elements in the order of before come
// first, and returns them in no particular order. Selection rather than
// sorting: a node's attribution splits thousands of ways every second.
func largest(f []fraction, n int) []fraction {
	lo, hi := 0, len(f)
	for hi-lo > 1 && n > lo && n < hi {
		pivot := medianOfThree(f[lo], f[lo+(hi-lo)/2], f[hi-1])
		i, j := lo, hi-1
		for i <= j {
			for f[i].before(pivot) {
				i++
			}
			for pivot.before(f[j]) {
				j--
			}
			if i <= j {
				f[i], f[j] = f[j], f[i]
				i++
				j--
			}
		}
		switch {
		case n <= j:
			hi = j + 1
		case n >= i:
			lo = i
		default:
			return f[:n]
		}
	}
	return f[:n]
}

func medianOfThree(a, b, c fraction) fraction {
	switch {
	case a.before(b) != a.before(c):
		return a
	case b.before(a) != b.before(c):
		return b
	default:
		return c
	}
}
