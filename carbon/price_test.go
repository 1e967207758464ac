package carbon

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"greenagent/energy"
)

func TestPriceByHand(t *testing.T) {
	f := Factor{Value: 500}
	given, err := GivenPUE(1.2)
	if err != nil {
		t.Fatal(err)
	}
	// 2 kWh × 1.2 × 500 g/kWh; ± 0.1 kWh at k = 2.
	u := energy.Independent(energy.KilowattHour / 20)
	got := Price(2*energy.KilowattHour, u, f, given)
	if want := (Emissions{1200 * energy.Gram, 1140 * energy.Gram, 1260 * energy.Gram}); got != want {
		t.Errorf("given PUE: %+v, want %+v", got, want)
	}
	// The same with the assumed PUE: 1.56, from 1.0 to 2.0.
	got = Price(2*energy.KilowattHour, u, f, AssumedPUE())
	if want := (Emissions{1560 * energy.Gram, 950 * energy.Gram, 2100 * energy.Gram}); got != want {
		t.Errorf("assumed PUE: %+v, want %+v", got, want)
	}
}

func TestPriceEdges(t *testing.T) {
	f := Factor{Value: 500}
	if got := Price(0, energy.Uncertainty{}, f, AssumedPUE()); got != (Emissions{}) {
		t.Errorf("no energy: %+v", got)
	}
	// An uncertainty larger than the energy cannot lead below nothing.
	if got := Price(energy.Joule, energy.Independent(5*energy.Joule), f, AssumedPUE()); got.Low != 0 {
		t.Errorf("low %v, want 0", got.Low)
	}
	got := Price(math.MaxInt64, energy.Independent(math.MaxInt64/2), f, AssumedPUE())
	if got.High < got.Operational || got.Operational <= 0 {
		t.Errorf("at the end of the range: %+v", got)
	}
}

func TestPriceProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := energy.Energy(rapid.Int64Range(0, int64(1e6*energy.KilowattHour)).Draw(t, "energy"))
		u := energy.Independent(energy.Energy(rapid.Int64Range(0, int64(energy.KilowattHour)).Draw(t, "uncertainty")))
		f := Factor{Value: energy.Intensity(rapid.Float64Range(0.1, MaxIntensity).Draw(t, "intensity"))}
		pue := AssumedPUE()
		if rapid.Bool().Draw(t, "given") {
			var err error
			if pue, err = GivenPUE(rapid.Float64Range(1, 5).Draw(t, "pue")); err != nil {
				t.Fatal(err)
			}
		}
		p := Price(e, u, f, pue)
		if p.Low < 0 || p.Low > p.Operational || p.Operational > p.High {
			t.Fatalf("%+v is not in order", p)
		}
		if more := Price(e+energy.Joule, u, f, pue); more.Operational < p.Operational {
			t.Fatalf("more energy, less carbon: %+v after %+v", more, p)
		}
		low, high, err := PriceAnywhere(e, u, pue)
		if err != nil || low > high {
			t.Fatalf("anywhere: %v to %v, %v", low, high, err)
		}
	})
}

func TestPriceAnywhereContainsEveryCountry(t *testing.T) {
	e, u, pue := 3*energy.KilowattHour, energy.Independent(energy.WattHour), AssumedPUE()
	low, high, err := PriceAnywhere(e, u, pue)
	if err != nil {
		t.Fatal(err)
	}
	for zone := range check {
		f, err := Lookup(zone)
		if err != nil {
			t.Fatal(err)
		}
		if p := Price(e, u, f, pue); p.Low < low || p.High > high {
			t.Errorf("%s: %v to %v outside %v to %v", zone, p.Low, p.High, low, high)
		}
	}
}

func TestPUE(t *testing.T) {
	if p := AssumedPUE(); p.Value != 1.56 || p.Source != PUEAssumed || p.Low >= p.Value || p.High <= p.Value {
		t.Errorf("assumed: %+v", p)
	}
	for text, want := range map[string]float64{"1": 1, "1.09": 1.09, "\t1.2\n": 1.2, "5": 5} {
		p, err := ParsePUE(text)
		if err != nil || p != (PUE{want, want, want, PUEGiven}) {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	}
	for text, remedy := range map[string]string{
		"0.9":                    "facility energy over IT energy",
		"0":                      "below 1",
		"-1":                     "below 1",
		"120":                    "not a percentage",
		"Inf":                    "not a percentage",
		"NaN":                    "NaN",
		"":                       "such as 1.2",
		"1,2":                    "such as 1.2",
		strings.Repeat("9x", 99): "such as 1.2",
	} {
		_, err := ParsePUE(text)
		if !errors.Is(err, ErrPUE) || !strings.Contains(err.Error(), remedy) || len(err.Error()) > 200 {
			t.Errorf("%.20q: error %v, want one that says %q", text, err, remedy)
		}
	}
}

func FuzzParsePUE(f *testing.F) {
	for _, seed := range []string{"1.2", "0x1p0", "1e0", "NaN", "-0", "", "1_0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePUE(text)
		switch {
		case err != nil && !errors.Is(err, ErrPUE):
			t.Fatalf("%q: %v", text, err)
		case err == nil && !(p.Value >= 1 && p.Value <= 5):
			t.Fatalf("%q: accepted as %v", text, p.Value)
		}
	})
}
