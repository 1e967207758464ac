package energy

import "math"

// Coverage is the factor between a standard uncertainty and the one greenagent
// publishes: k = 2, which covers about 95 % of outcomes (JCGM 100:2008, 6.2).
const Coverage = 2

// Uncertainty is a standard uncertainty (k = 1) of an energy, kept in two parts
// because they add up differently over time. The zero value is certainty.
type Uncertainty struct {
	// Systematic, in µJ, has the same sign in every window of one sensor (its
	// gain and offset): windows add linearly, so longer runs do not average it
	// away.
	Systematic float64
	// Variance, in µJ², is independent from window to window (edges, statistics
	// of a sampler): windows add as squares.
	Variance float64
}

// Independent returns an uncertainty of standard deviation u that is independent
// of every other.
func Independent(u Energy) Uncertainty {
	return Uncertainty{Variance: float64(u) * float64(u)}
}

// Systematic returns an uncertainty of standard deviation u shared by all
// windows of one sensor.
func Systematic(u Energy) Uncertainty {
	return Uncertainty{Systematic: math.Abs(float64(u))}
}

// Accumulate returns the uncertainty of the sum of two windows of one sensor.
func (u Uncertainty) Accumulate(v Uncertainty) Uncertainty {
	return Uncertainty{Systematic: u.Systematic + v.Systematic, Variance: u.Variance + v.Variance}
}

// Combine returns the uncertainty of the sum of figures of two unrelated
// sensors, whose systematic errors are independent of each other.
func (u Uncertainty) Combine(v Uncertainty) Uncertainty {
	return Uncertainty{Systematic: math.Hypot(u.Systematic, v.Systematic), Variance: u.Variance + v.Variance}
}

// Scale returns the uncertainty of a fixed fraction of the figure.
func (u Uncertainty) Scale(fraction float64) Uncertainty {
	return Uncertainty{Systematic: u.Systematic * math.Abs(fraction), Variance: u.Variance * fraction * fraction}
}

// Standard returns the combined standard uncertainty, k = 1.
func (u Uncertainty) Standard() Energy {
	return Energy(saturate(math.Sqrt(u.Systematic*u.Systematic + u.Variance)))
}

// Expanded returns the uncertainty as published, k = Coverage.
func (u Uncertainty) Expanded() Energy {
	return Energy(saturate(Coverage * math.Sqrt(u.Systematic*u.Systematic+u.Variance)))
}
