package energy

// Carbon is a mass of CO2 equivalent in micrograms (µg).
type Carbon int64

// The units of mass greenagent speaks.
const (
	Microgram Carbon = 1
	Milligram        = 1000 * Microgram
	Gram             = 1000 * Milligram
	Kilogram         = 1000 * Gram
)

// Grams returns c in grams.
func (c Carbon) Grams() float64 { return float64(c) / float64(Gram) }

// Intensity is a carbon intensity in grams of CO2 equivalent per kilowatt-hour.
type Intensity float64

// Of returns what using e emits at intensity i, to the nearest microgram.
func (i Intensity) Of(e Energy) Carbon {
	return Carbon(saturate(float64(e) * float64(i) * (float64(Gram) / float64(KilowattHour))))
}
