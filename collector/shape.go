package collector

import (
	"time"

	"greenagent/energy"
)

// A counter tells the energy of a tick, not when in it the power changed. What
// it was before and afterwards tells that: of a change from one level to another
// there is exactly one moment at which the energy comes out right.

// unknownPower stands for a level nobody knows.
const unknownPower energy.Power = -1

const (
	// sameLevel is the relative difference below which two levels are one: the
	// moment of such a small change is noise, and the energy hardly depends on it.
	sameLevel = 0.05
	// unsteady is that above which they are of a load that goes up and down, of
	// which one level does not tell the next.
	unsteady = 0.15
)

// step returns when, after the start of a stretch that lasted d and took e, the
// power changed from before to after; false where one such change does not
// explain the energy.
func step(d time.Duration, e energy.Energy, before, after energy.Power) (time.Duration, bool) {
	if before == unknownPower || after == unknownPower || alike(before, after, sameLevel) {
		return 0, false
	}
	x := time.Duration(energy.MulDiv(int64(e-after.For(d)), int64(time.Second), int64(before-after)))
	return x, 0 < x && x < d && before.For(x) <= e
}

// alike reports whether two levels differ by no more than a part of the larger.
func alike(p, q energy.Power, part float64) bool {
	return float64(max(p, q)-min(p, q)) <= part*float64(max(p, q))
}

// early returns the most that can have come in the first y of a stretch that
// lasted d and took e, where the power fell from before to no less than lowest.
// It is exact if the power fell at that very moment: when a command ends, so
// does what it did.
func early(d, y time.Duration, e energy.Energy, before, lowest energy.Power) energy.Energy {
	return max(0, min(before.For(y), e-lowest.For(d-y), e))
}
