package energy_test

import (
	"testing"

	"greenagent/energy"
)

func TestGainDoesNotAverageAway(t *testing.T) {
	// A hundred windows of 100 J, each with a systematic 3 J and an independent
	// 4 J: the systematic part grows with the total, the other with its root.
	var sum energy.Uncertainty
	for range 100 {
		sum = sum.Accumulate(energy.Systematic(3 * energy.Joule)).Accumulate(energy.Independent(4 * energy.Joule))
	}
	if got, want := sum.Systematic, 300e6; got != want {
		t.Errorf("systematic part %g µJ, want %g", got, want)
	}
	if got, want := sum.Variance, 1600e12; got != want {
		t.Errorf("variance %g µJ², want %g", got, want)
	}
	if got, want := sum.Standard(), energy.FromJoules(302.654919); got != want {
		t.Errorf("standard uncertainty %d, want √(300²+40²) J = %d", got, want)
	}
	if got, want := sum.Expanded(), energy.FromJoules(605.309838); got < want-1 || got > want+1 {
		t.Errorf("expanded uncertainty %d, want twice that, %d", got, want)
	}
}

func TestUnrelatedSensorsCombineAsSquares(t *testing.T) {
	u := energy.Systematic(3 * energy.Joule).Combine(energy.Systematic(4 * energy.Joule))
	if got := u.Standard(); got != 5*energy.Joule {
		t.Errorf("3 J and 4 J of two sensors combine to %v, want 5 J", got)
	}
	if got := u.Scale(0.5).Standard(); got != energy.FromJoules(2.5) {
		t.Errorf("half of it is uncertain by %v, want 2.5 J", got)
	}
}
