package scenario

import (
	"math"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"greenagent/energy"
)

// curves generates any curve of up to five segments.
func curves() *rapid.Generator[PowerCurve] {
	return rapid.Custom(func(t *rapid.T) PowerCurve {
		var c PowerCurve
		for range rapid.IntRange(1, 5).Draw(t, "segments") {
			c.Segments = append(c.Segments, Segment[energy.Power]{
				For:  time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "for")),
				From: energy.Power(rapid.Int64Range(0, int64(energy.Kilowatt)).Draw(t, "from")),
				To:   energy.Power(rapid.Int64Range(0, int64(energy.Kilowatt)).Draw(t, "to")),
			})
		}
		c.Repeat = rapid.Bool().Draw(t, "repeat")
		c.Phase = time.Duration(rapid.Int64Range(0, int64(c.pass())-1).Draw(t, "phase"))
		return c
	})
}

// exact integrates a curve in rational arithmetic, trapezoid by trapezoid, pass by
// pass: the same value by other means.
func exact(c PowerCurve, to time.Duration) *big.Rat {
	sum := new(big.Rat)
	for at, end := -c.Phase, time.Duration(0); end < to; {
		for _, s := range c.Segments {
			begin := at
			at += s.For
			lo, hi := max(begin, 0), min(at, to)
			if end = at; lo >= hi {
				continue
			}
			level := func(x time.Duration) *big.Rat {
				slope := big.NewRat(int64(s.To-s.From), int64(s.For))
				return slope.Mul(slope, big.NewRat(int64(x-begin), 1)).Add(slope, big.NewRat(int64(s.From), 1))
			}
			trapezoid := level(lo)
			trapezoid.Add(trapezoid, level(hi))
			sum.Add(sum, trapezoid.Mul(trapezoid, big.NewRat(int64(hi-lo), 2e9)))
		}
		if !c.Repeat {
			break
		}
	}
	return sum
}

func TestIntegralIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := curves().Draw(t, "curve")
		to := time.Duration(rapid.Int64Range(0, int64(min(50*c.pass(), maxDuration))).Draw(t, "to"))
		if c.validate() != nil {
			t.Fatalf("%+v is not valid", c)
		}
		want, _ := exact(c, to).Float64()
		got := float64(c.Integral(0, to))
		if math.Abs(got-want) > 1+want*1e-15 {
			t.Fatalf("integral to %v: %.3f µJ, want %.3f", to, got, want)
		}
	})
}

// TestIntegralFollowsLevel compares with a numeric quadrature of At, which knows
// nothing of the closed form.
func TestIntegralFollowsLevel(t *testing.T) {
	c := Cycle(Segment[energy.Power]{300 * ms, 10 * energy.Watt, 110 * energy.Watt},
		Segment[energy.Power]{200 * ms, 50 * energy.Watt, 0}, Segment[energy.Power]{100 * ms, 7 * energy.Watt, 7 * energy.Watt})
	c.Phase = 123 * ms
	const step = 10 * time.Microsecond
	var sum float64
	for at := step / 2; at < 2*time.Second; at += step {
		sum += c.At(at).Watts() * step.Seconds()
	}
	if got := energy.Energy(c.Integral(0, 2*time.Second)).Joules(); math.Abs(got-sum) > 0.01 {
		t.Errorf("closed form %v J, quadrature %v J", got, sum)
	}
}

func TestIntegralAdds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := curves().Draw(t, "curve")
		times := rapid.Int64Range(-1000, int64(24*time.Hour))
		a, b, d := time.Duration(times.Draw(t, "a")), time.Duration(times.Draw(t, "b")), time.Duration(times.Draw(t, "d"))
		if whole, parts := c.Integral(a, d), c.Integral(a, b)+c.Integral(b, d); whole != parts {
			t.Fatalf("%d in one, %d in two", whole, parts)
		}
	})
}

func TestConstructors(t *testing.T) {
	const w = energy.Watt
	for _, test := range []struct {
		name  string
		curve PowerCurve
		at    map[time.Duration]energy.Power
		total energy.Energy // over the first 10 s
	}{
		{"zero", PowerCurve{}, map[time.Duration]energy.Power{0: 0, time.Second: 0}, 0},
		{"steady", Steady(5 * w), map[time.Duration]energy.Power{-1: 0, 0: 5 * w, time.Hour: 5 * w}, 50 * energy.Joule},
		{"square", Square(1*w, 9*w, time.Second, 0.25, 0),
			map[time.Duration]energy.Power{0: 9 * w, 249 * ms: 9 * w, 250 * ms: 1 * w, 999 * ms: 1 * w, 1000 * ms: 9 * w}, 30 * energy.Joule},
		{"square, shifted", Square(0, 8*w, time.Second, 0.5, 400*ms),
			map[time.Duration]energy.Power{0: 8 * w, 100 * ms: 0, 600 * ms: 8 * w}, 40 * energy.Joule},
		{"always on", Square(0, 8*w, time.Second, 1, 0), map[time.Duration]energy.Power{999 * ms: 8 * w}, 80 * energy.Joule},
		{"never on", Square(2*w, 8*w, time.Second, 0, 0), map[time.Duration]energy.Power{0: 2 * w}, 20 * energy.Joule},
		{"ramp", Ramp(0, 10*w, 4*time.Second), map[time.Duration]energy.Power{0: 0, 2 * time.Second: 5 * w, 4 * time.Second: 0}, 20 * energy.Joule},
		{"down", Ramp(10*w, 0, 4*time.Second), map[time.Duration]energy.Power{0: 10 * w, time.Second: 7500 * energy.Milliwatt}, 20 * energy.Joule},
		{"burst", Burst(3*w, time.Second, 2*time.Second), map[time.Duration]energy.Power{0: 0, time.Second: 3 * w, 3 * time.Second: 0}, 6 * energy.Joule},
		{"burst at once", Burst(3*w, 0, time.Second), map[time.Duration]energy.Power{0: 3 * w, time.Second: 0}, 3 * energy.Joule},
	} {
		if err := test.curve.validate(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		for at, want := range test.at {
			if got := test.curve.At(at); got != want {
				t.Errorf("%s: %v at %v, want %v", test.name, got, at, want)
			}
		}
		if got := energy.Energy(test.curve.Integral(0, 10*time.Second)); got != test.total {
			t.Errorf("%s: %v in 10 s, want %v", test.name, got, test.total)
		}
	}
}

func TestInvalidCurves(t *testing.T) {
	for name, c := range map[string]PowerCurve{
		"no time":     Sequence(Segment[energy.Power]{0, 1, 1}),
		"negative":    Sequence(Segment[energy.Power]{1, -1, 1}),
		"too much":    Sequence(Segment[energy.Power]{1, maxLevel + 1, 1}),
		"too long":    Sequence(Segment[energy.Power]{maxDuration + 1, 1, 1}),
		"phase alone": {Phase: 1},
		"phase":       {Segments: []Segment[energy.Power]{{5, 1, 1}}, Phase: 5},
	} {
		if c.validate() == nil {
			t.Errorf("%s: %+v passes", name, c)
		}
	}
}
