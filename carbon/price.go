package carbon

import (
	"math"

	"greenagent/energy"
)

// Emissions are the operational, location-based emissions of an amount of
// energy: E × PUE × I.
type Emissions struct {
	Operational energy.Carbon

	// Low and High span what the energy's expanded uncertainty (k = 2) and an
	// assumed PUE leave open. How far the year's average is from the hours of
	// use, and the factor's own error, are not in them: no source states either.
	Low, High energy.Carbon
}

// Price returns what e, known to within u, emitted at a site of that factor and
// PUE.
func Price(e energy.Energy, u energy.Uncertainty, f Factor, pue PUE) Emissions {
	low, high := span(e, u, f.Value, f.Value, pue)
	return Emissions{
		Operational: scaled(f.Value, pue.Value).Of(e),
		Low:         low,
		High:        high,
	}
}

// PriceAnywhere returns the span of what e emitted at an unknown place: the
// lowest and highest of all countries' factors. There is no best guess within.
func PriceAnywhere(e energy.Energy, u energy.Uncertainty, pue PUE) (low, high energy.Carbon, err error) {
	cleanest, dirtiest, err := Range()
	if err != nil {
		return 0, 0, err
	}
	low, high = span(e, u, cleanest.Value, dirtiest.Value, pue)
	return low, high, nil
}

func span(e energy.Energy, u energy.Uncertainty, least, most energy.Intensity, pue PUE) (low, high energy.Carbon) {
	expanded := u.Expanded()
	below := max(0, e-expanded)
	above := e + expanded
	if above < e {
		above = math.MaxInt64
	}
	return scaled(least, pue.Low).Of(below), scaled(most, pue.High).Of(above)
}

// scaled is what reaches the meter of the facility for each kWh of IT.
func scaled(i energy.Intensity, pue float64) energy.Intensity {
	return energy.Intensity(float64(i) * pue)
}
