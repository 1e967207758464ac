package energy

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Data form: quantities are written as decimal numbers in the SI base unit (J,
// W, g), exactly as many digits as they have. Integers inside, decimals
// outside: what sums exactly here sums exactly for whoever reads it.

// MarshalJSON writes e as a JSON number in joules.
func (e Energy) MarshalJSON() ([]byte, error) { return appendMicro(nil, int64(e)), nil }

// UnmarshalJSON reads a JSON number in joules, to the nearest microjoule.
func (e *Energy) UnmarshalJSON(text []byte) error { return parseMicro(text, (*int64)(e), "joules") }

// MarshalJSON writes p as a JSON number in watts.
func (p Power) MarshalJSON() ([]byte, error) { return appendMicro(nil, int64(p)), nil }

// UnmarshalJSON reads a JSON number in watts, to the nearest microwatt.
func (p *Power) UnmarshalJSON(text []byte) error { return parseMicro(text, (*int64)(p), "watts") }

// MarshalJSON writes c as a JSON number in grams.
func (c Carbon) MarshalJSON() ([]byte, error) { return appendMicro(nil, int64(c)), nil }

// UnmarshalJSON reads a JSON number in grams, to the nearest microgram.
func (c *Carbon) UnmarshalJSON(text []byte) error { return parseMicro(text, (*int64)(c), "grams") }

const micro = 1_000_000

// appendMicro appends v millionths as a decimal without trailing zeros.
func appendMicro(dst []byte, v int64) []byte {
	u := magnitude(v)
	if v < 0 {
		dst = append(dst, '-')
	}
	dst = strconv.AppendUint(dst, u/micro, 10)
	fraction := u % micro
	if fraction == 0 {
		return dst
	}
	dst = append(dst, '.')
	for scale := uint64(micro / 10); fraction > 0; scale /= 10 {
		dst = append(dst, byte('0'+fraction/scale))
		fraction %= scale
	}
	return dst
}

// maxNumber bounds what parseMicro expands: a short text such as 1e999999999
// would otherwise become a number of a billion digits.
const maxNumber = 64

func parseMicro(text []byte, dst *int64, unit string) error {
	s := string(text)
	if s == "null" {
		return nil // as encoding/json does for every value
	}
	if len(s) > maxNumber {
		return fmt.Errorf("%.16s…: %d characters are too many for a number of %s", s, len(s), unit)
	}
	if _, exponent, ok := strings.Cut(strings.ToLower(s), "e"); ok {
		if n, err := strconv.Atoi(exponent); err != nil || n > maxNumber || n < -maxNumber {
			return fmt.Errorf("%s: not a number of %s", s, unit)
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || strings.ContainsAny(s, "/_xXpPoObB") {
		return fmt.Errorf("%s: not a number of %s", s, unit)
	}
	r.Mul(r, big.NewRat(micro, 1))
	// Round half away from zero.
	half := big.NewRat(1, 2)
	if r.Sign() < 0 {
		half.Neg(half)
	}
	r.Add(r, half)
	n := new(big.Int).Quo(r.Num(), r.Denom())
	if !n.IsInt64() {
		return fmt.Errorf("%s %s: out of range", s, unit)
	}
	*dst = n.Int64()
	return nil
}
