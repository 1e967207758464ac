package energy

import (
	"math"
	"strconv"
)

// scale is a unit for people: amounts of at least from (in millionths of the
// base unit) are shown as multiples of size.
type scale struct {
	from, size float64
	unit       string
}

var (
	energyScales = []scale{
		{1000 * float64(WattHour), float64(KilowattHour), "kWh"},
		{10 * float64(WattHour), float64(WattHour), "Wh"},
		{float64(Kilojoule), float64(Kilojoule), "kJ"},
		{float64(Joule), float64(Joule), "J"},
		{float64(Millijoule), float64(Millijoule), "mJ"},
		{float64(Microjoule), float64(Microjoule), "µJ"},
		{1e-3, 1e-3 * float64(Microjoule), "nJ"},
		{0, 1e-6 * float64(Microjoule), "pJ"},
	}
	powerScales = []scale{
		{float64(Kilowatt), float64(Kilowatt), "kW"},
		{float64(Watt), float64(Watt), "W"},
		{float64(Milliwatt), float64(Milliwatt), "mW"},
		{0, float64(Microwatt), "µW"},
	}
	carbonScales = []scale{
		{1000 * float64(Kilogram), 1000 * float64(Kilogram), "t"},
		{float64(Kilogram), float64(Kilogram), "kg"},
		{float64(Gram), float64(Gram), "g"},
		{float64(Milligram), float64(Milligram), "mg"},
		{float64(Microgram), float64(Microgram), "µg"},
		{1e-3, 1e-3 * float64(Microgram), "ng"},
		{0, 1e-6 * float64(Microgram), "pg"},
	}
)

// String formats e for people, three significant digits in the unit that suits
// its size: mJ, J, kJ up to 36 kJ, then Wh and kWh.
func (e Energy) String() string { return format(float64(e), energyScales) }

// String formats p for people: "412 W".
func (p Power) String() string { return format(float64(p), powerScales) }

// String formats c for people: "12.3 g".
func (c Carbon) String() string { return format(float64(c), carbonScales) }

// PlusMinus formats e and its uncertainty u in one unit, that of the larger:
// "12.34 ± 0.36 kJ". The uncertainty has two significant digits and e is rounded
// to the same place, since further digits would say nothing.
func (e Energy) PlusMinus(u Energy) string {
	if u <= 0 {
		return e.String()
	}
	s := scaleFor(max(math.Abs(float64(e)), float64(u)), energyScales)
	decimals := min(places(float64(u)/s.size, 2), mostDecimals)
	return fixed(float64(e)/s.size, decimals) + " ± " + fixed(float64(u)/s.size, decimals) + " " + s.unit
}

// JoulesFor formats joules for people where they are a quotient that may be far
// below a microjoule: energy per token.
func JoulesFor(j float64) string { return format(j*float64(Joule), energyScales) }

// GramsFor formats grams for people where they are such a quotient.
func GramsFor(g float64) string { return format(g*float64(Gram), carbonScales) }

func format(v float64, scales []scale) string {
	if v == 0 {
		for _, s := range scales {
			if s.size == micro { // the base unit
				return "0 " + s.unit
			}
		}
	}
	s := scaleFor(math.Abs(v), scales)
	return fixed(v/s.size, places(v/s.size, 3)) + " " + s.unit
}

func scaleFor(v float64, scales []scale) scale {
	for _, s := range scales {
		// 999.6 J would print as 1000 J: the next unit's turn.
		if v >= s.from*(1-0.5e-3) {
			return s
		}
	}
	return scales[len(scales)-1]
}

// places returns how many decimals show v with the given significant digits.
func places(v float64, digits int) int {
	if v == 0 {
		return 0
	}
	// 9.996 counts as the 10.0 it is shown as.
	rounded := math.Abs(v) * (1 + 0.5*math.Pow10(-digits))
	magnitude := int(math.Floor(math.Log10(rounded))) + 1
	return max(digits-magnitude, 0)
}

// mostDecimals is where fixed gives up: what needs more is written with an
// exponent.
const mostDecimals = 6

func fixed(v float64, decimals int) string {
	if decimals > mostDecimals {
		return strconv.FormatFloat(v, 'e', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}
