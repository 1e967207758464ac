package energy_test

import (
	"encoding/json"
	"math"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"greenagent/energy"
)

func TestUnits(t *testing.T) {
	if got := energy.KilowattHour; got != 3_600_000_000_000 {
		t.Errorf("a kilowatt-hour is %d µJ, want 3.6e12", got)
	}
	if got := (700 * energy.Watt).For(2 * time.Second); got != 1400*energy.Joule {
		t.Errorf("700 W for 2 s = %v", got)
	}
	if got := (1400 * energy.Joule).Over(2 * time.Second); got != 700*energy.Watt {
		t.Errorf("1400 J over 2 s = %v", got)
	}
	if got := energy.Joule.Over(0); got != 0 {
		t.Errorf("1 J over nothing = %v, want 0", got)
	}
	// A node of 15 kW for nineteen years still fits.
	if got := (15 * energy.Kilowatt).For(19 * 365 * 24 * time.Hour); got <= 0 || got == math.MaxInt64 {
		t.Errorf("15 kW for 19 years overflows: %d", got)
	}
}

func TestFromFloatsSaturates(t *testing.T) {
	for _, c := range []struct {
		joules float64
		want   energy.Energy
	}{
		{1.5, 1_500_000},
		{math.NaN(), 0},
		{math.Inf(1), math.MaxInt64},
		{-1e300, math.MinInt64},
		{0.0000005, 1},
	} {
		if got := energy.FromJoules(c.joules); got != c.want {
			t.Errorf("FromJoules(%g) = %d, want %d", c.joules, got, c.want)
		}
	}
}

func TestMulDivAgreesWithBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b"), rapid.Int64().Draw(t, "c")
		got := energy.MulDiv(a, b, c)
		if c == 0 {
			if got != 0 {
				t.Fatalf("MulDiv(%d, %d, 0) = %d", a, b, got)
			}
			return
		}
		want := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
		want.Quo(want, big.NewInt(c))
		switch {
		case want.IsInt64():
			if got != want.Int64() {
				t.Fatalf("MulDiv(%d, %d, %d) = %d, want %d", a, b, c, got, want)
			}
		case want.Sign() > 0 && got != math.MaxInt64, want.Sign() < 0 && got != math.MinInt64:
			t.Fatalf("MulDiv(%d, %d, %d) = %d, want saturation", a, b, c, got)
		}
	})
}

func TestJSONIsExactJoules(t *testing.T) {
	for _, c := range []struct {
		e    energy.Energy
		want string
	}{
		{0, "0"}, {1, "0.000001"}, {-1_500_000, "-1.5"}, {12_345_678, "12.345678"},
		{math.MaxInt64, "9223372036854.775807"}, {math.MinInt64, "-9223372036854.775808"},
	} {
		got, err := json.Marshal(c.e)
		if err != nil || string(got) != c.want {
			t.Errorf("%d µJ = %s (%v), want %s", int64(c.e), got, err, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		e := energy.Energy(rapid.Int64().Draw(t, "e"))
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back energy.Energy
		if err := json.Unmarshal(text, &back); err != nil || back != e {
			t.Fatalf("%d → %s → %d (%v)", int64(e), text, int64(back), err)
		}
	})
}

func FuzzEnergyJSON(f *testing.F) {
	for _, s := range []string{"1", "1e3", "1e999999999", "-0.0000005", "null", "1/3", `"1"`, "0x10", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var e energy.Energy
		if err := json.Unmarshal([]byte(s), &e); err != nil {
			return
		}
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back energy.Energy
		if err := json.Unmarshal(text, &back); err != nil || back != e {
			t.Fatalf("%q read as %d, which writes %s and reads back as %d (%v)", s, int64(e), text, int64(back), err)
		}
	})
}

func TestPeopleRead(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{energy.Energy(0).String(), "0 J"},
		{energy.Energy(12).String(), "12.0 µJ"},
		{(999_600 * energy.Millijoule).String(), "1.00 kJ"},
		{(12345 * energy.Joule).String(), "12.3 kJ"},
		{(36 * energy.Kilojoule).String(), "10.0 Wh"},
		{(1234 * energy.WattHour).String(), "1.23 kWh"},
		{(-5 * energy.Joule).String(), "-5.00 J"},
		{(412 * energy.Watt).String(), "412 W"},
		{(10200 * energy.Watt).String(), "10.2 kW"},
		{(1500 * energy.Gram).String(), "1.50 kg"},
		{energy.Carbon(0).String(), "0 g"},
		{energy.GramsFor(6.75e-7), "675 ng"},
		{energy.GramsFor(1e-30), "1.00e-18 pg"},
		{energy.JoulesFor(0.042), "42.0 mJ"},
		{(12345 * energy.Joule).PlusMinus(357 * energy.Joule), "12.35 ± 0.36 kJ"},
		{(500 * energy.Joule).PlusMinus(0), "500 J"},
		{(500 * energy.Joule).PlusMinus(1500 * energy.Joule), "0.5 ± 1.5 kJ"},
		{energy.Energy(340).PlusMinus(556826), "0 ± 557 mJ"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestIntensity(t *testing.T) {
	// 2.5 kWh at 44 g/kWh is 110 g.
	if got := energy.Intensity(44).Of(2500 * energy.WattHour); got != 110*energy.Gram {
		t.Errorf("2.5 kWh at 44 g/kWh = %v, want 110 g", got)
	}
}

func TestBasisNames(t *testing.T) {
	for _, b := range []energy.Basis{energy.Unknown, energy.Counted, energy.Integrated, energy.Modelled} {
		text, _ := b.MarshalText()
		var back energy.Basis
		if err := back.UnmarshalText(text); err != nil || back != b {
			t.Errorf("%v does not survive its name: %v, %v", b, back, err)
		}
	}
	var b energy.Basis
	if err := b.UnmarshalText([]byte("guessed")); err == nil {
		t.Error("a basis nobody defined was accepted")
	}
	if energy.Modelled.Measured() || !energy.Counted.Measured() {
		t.Error("a model is not a measurement, a counter is")
	}
}

func TestInterval(t *testing.T) {
	v := energy.Interval{Start: 10, End: 20}
	if !v.Contains(10) || v.Contains(20) {
		t.Error("an interval holds its start and not its end")
	}
	if got := v.Overlap(energy.Interval{Start: 15, End: 99}); got != 5 {
		t.Errorf("overlap %d, want 5", got)
	}
	if got := v.Overlap(energy.Interval{Start: 30, End: 99}); got != 0 {
		t.Errorf("disjoint intervals overlap by %d", got)
	}
}
