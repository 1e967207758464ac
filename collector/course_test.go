package collector

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"greenagent/energy"
)

// told is a mean over a stretch, in ms since the start of a command at 1 s.
func told(from, to int, watts float64) mean {
	at := func(x int) energy.Instant { return energy.Instant(time.Second).Add(time.Duration(x) * ms) }
	return mean{energy.Interval{Start: at(from), End: at(to)}, energy.FromWatts(watts), energy.FromWatts(watts / 200)}
}

// TestInfer: what sensors leave open is told by the simplest history that explains
// what they show, and how much they leave open by its variance.
func TestInfer(t *testing.T) {
	start := energy.Instant(time.Second)
	for _, test := range []struct {
		name        string
		means       []mean
		want        float64 // J, of the first 100 ms
		within      float64
		least, most float64 // the standard uncertainty, J
	}{
		{"level", []mean{told(-200, -100, 300), told(100, 200, 300), told(200, 300, 300)}, 30, 0.3, 0.1, 3},
		{"a step at the start", []mean{told(-200, -100, 100), told(-100, -75, 100), told(75, 100, 300), told(100, 300, 300)}, 30, 0.7, 0.3, 5},
		{"a step within a window", []mean{told(-200, 0, 100), told(0, 50, 100), told(50, 100, 200), told(100, 300, 300)}, 15, 0.3, 0.1, 3},
		{"a gapless second", []mean{told(-500, 500, 220), told(-500, 0, 100), told(100, 500, 350)}, 30, 1.5, 0.1, 5},
		{"nothing near", []mean{told(-400, -300, 100), told(300, 400, 300)}, 20, 11, 4, 45},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := course{means: test.means, turns: []energy.Instant{start}, limit: 700 * energy.Watt, tick: 100 * ms}
			e, variance, ok := c.infer(energy.Interval{Start: start, End: start.Add(100 * ms)})
			u := math.Sqrt(variance) / float64(energy.Joule)
			t.Logf("%v ± %.2f J", e, u)
			if !ok || math.Abs(e.Joules()-test.want) > test.within {
				t.Errorf("%v (%t), want %.1f ± %.1f J", e, ok, test.want, test.within)
			}
			if u < test.least || u > test.most {
				t.Errorf("a standard uncertainty of %.2f J, want %.2f to %.2f", u, test.least, test.most)
			}
		})
	}
	if _, _, ok := (&course{}).infer(energy.Interval{Start: 1, End: 2}); ok {
		t.Error("inferred from nothing")
	}
}

// TestInferAfterGap: however long a gap there was before, what is near is told as if
// there had been none.
func TestInferAfterGap(t *testing.T) {
	for _, gap := range []time.Duration{time.Second, time.Minute, time.Hour, 30 * 24 * time.Hour} {
		g := int(gap / ms)
		start := energy.Instant(time.Second).Add(gap)
		c := course{turns: []energy.Instant{start}, limit: 700 * energy.Watt, tick: 100 * ms, means: []mean{
			told(-500, g-250, 120), told(g-250, g-100, 100), told(g-100, g-75, 100), told(g+75, g+100, 300), told(g+100, g+300, 300),
		}}
		e, variance, ok := c.infer(energy.Interval{Start: start, End: start.Add(100 * ms)})
		if u := math.Sqrt(variance) / float64(energy.Joule); !ok || math.Abs(e.Joules()-30) > 0.7 || !(0.3 < u && u < 5) {
			t.Errorf("after %v: %v ± %.2f J (%t), want 30 J", gap, e, u, ok)
		}
	}
}

// TestInferAnything: means of a nanosecond, that contradict or repeat each other, of
// no power or of megawatts, lead to figures that can be.
func TestInferAnything(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	upTo := func(bits int) int64 { return random.Int64N(1 << random.IntN(bits)) }
	const origin = energy.Instant(time.Hour)
	for i := range 300 {
		c := course{limit: energy.Power(upTo(40)), tick: 100 * ms, turns: []energy.Instant{origin, origin.Add(300 * ms)}[:random.IntN(3)]}
		for range 1 + random.IntN(12) {
			from := origin.Add(time.Duration(upTo(30)))
			m := mean{energy.Interval{Start: from, End: from.Add(time.Duration(1 + upTo(37)))}, energy.Power(upTo(40)), energy.Power(upTo(40))}
			c.means = append(c.means, m, m)
		}
		from := origin.Add(time.Duration(upTo(30)))
		e, variance, ok := c.infer(energy.Interval{Start: from, End: from.Add(time.Duration(1 + upTo(32)))})
		if ok && (e < 0 || !(0 <= variance && variance <= math.MaxFloat64)) {
			t.Errorf("%d: %v, variance %v", i, e, variance)
		}
	}
}

// TestBrownian holds the covariance of integrals against that of their sums.
func TestBrownian(t *testing.T) {
	const d = 1. / 64
	for _, pair := range [][2]stretch{
		{{0, 1}, {0, 1}}, {{0, 1}, {1, 2}}, {{1, 2}, {0, 1}}, {{0, 2}, {1, 3}}, {{0, 3}, {1, 2}}, {{1, 2}, {0, 3}}, {{1, 3}, {1, 2}}, {{0, 1}, {2, 3}},
	} {
		var want float64
		for a := pair[0].from + d/2; a < pair[0].to; a += d {
			for b := pair[1].from + d/2; b < pair[1].to; b += d {
				want += min(a, b) * d * d
			}
		}
		if got := brownian(pair[0], pair[1]); math.Abs(got-want) > d*d {
			t.Errorf("%v: %v, want %v", pair, got, want)
		}
	}
	if short := brownian(stretch{60, 60 + 1e-9}, stretch{60, 60 + 1e-9}); math.Abs(short/60e-18-1) > 1e-4 {
		t.Errorf("of a nanosecond after a minute: %v", short)
	}
}

// TestStepIsAnotherPrior: adding a step by a rank of one is as if the covariance had
// been that from the start.
func TestStepIsAnotherPrior(t *testing.T) {
	c := course{means: []mean{told(-100, 0, 100), told(20, 60, 150), told(60, 90, 260), told(90, 200, 300)}, limit: 500 * energy.Watt}
	start := energy.Instant(time.Second)
	v := energy.Interval{Start: start, End: start.Add(80 * ms)}
	p := newPosterior(&c, v)
	p.tries = []try{{at: 0.13, odds: -1, seen: make([]float64, 4)}}
	p.wander(20)
	plain := p.sum
	// The same step as a turn, which goes through vectors.
	q := newPosterior(&c, v)
	q.tries, q.turns = nil, []try{{at: 0.13, odds: -1, seen: make([]float64, 4)}}
	q.wander(20)
	withTry := q.sum
	a, av := plain.moments()
	b, bv := withTry.moments()
	if math.Abs(a-b) > 1e-9 || math.Abs(av-bv) > 1e-9 || math.Abs(plain.scale+math.Log(plain.weight)-withTry.scale-math.Log(withTry.weight)) > 1e-9 {
		t.Errorf("as a try %.9g ± %.9g, as a turn %.9g ± %.9g", a, av, b, bv)
	}
}
