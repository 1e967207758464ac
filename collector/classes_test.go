package collector_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestUncertaintyCoversEachClass holds what is stated of counters to the truth where
// the ends weigh most: in runs shorter than a second, in longer ones, and where the
// GPU works from the first instant, before its sensor is open. Wide bounds would hold
// as well: stated and true errors must be of one size.
func TestUncertaintyCoversEachClass(t *testing.T) {
	between := func(random *rand.Rand, lo, hi time.Duration) time.Duration { // evenly in its logarithm
		return time.Duration(float64(lo) * math.Pow(float64(hi)/float64(lo), random.Float64()))
	}
	for _, class := range []struct {
		name              string
		shortest, longest time.Duration
		opening           time.Duration // at most
		atOnce            bool
		median            float64 // of what is stated, relative to the truth, at most
		ratio             float64 // of its median to the RMS of the error, at most
	}{
		{"short", 100 * ms, time.Second, 300 * ms, false, 0.08, 3},
		{"long", time.Second, 30 * time.Second, 300 * ms, false, 0.003, 3},
		{"at once", 200 * ms, 4 * time.Second, 200 * ms, true, 0.02, 3},
	} {
		t.Run(class.name, func(t *testing.T) {
			const n = 600
			random := rand.New(rand.NewPCG(8, 9))
			var inside int
			var widths []float64
			var off float64
			for range n {
				m := draw(random, true)
				m.length, m.opening = between(random, class.shortest, class.longest), between(random, ms, class.opening)
				m.device.Loads = nil
				if class.atOnce {
					l := drawLoad(random, 1, m.start, m.length, m.device.MaxLimit/3)
					l.From, l.To = m.start, 0
					m.device.Loads = append(m.device.Loads, l)
				}
				for pid := range random.IntN(3) {
					l := drawLoad(random, pid+2, m.start, m.length, m.device.MaxLimit/3)
					m.device.Loads = append(m.device.Loads, l)
				}
				order(m.device.Loads)
				b := newBench(m.device, m.start, m.seed)
				b.jitter, b.gain = m.jitter, 0
				got, u := b.run(m.opening, m.length, graceOf(m.length))
				want := b.truth(m.length)
				e, w := got.Joules()/want.Joules()-1, u.Expanded().Joules()/want.Joules()
				if math.Abs(e) <= w {
					inside++
				}
				off += e * e / n
				widths = append(widths, w)
			}
			median, _ := middle(widths)
			coverage, ratio := float64(inside)/n, median/math.Sqrt(off)
			t.Logf("%.1f %% inside; stated ± %.2f %% (median), %.1f times the error's RMS", 100*coverage, 100*median, ratio)
			if coverage < 0.95 {
				t.Errorf("the truth is inside in %.1f %% of the measurements, want 95 %%", 100*coverage)
			}
			if median > class.median || ratio > class.ratio {
				t.Errorf("stated ± %.2f %% (median), %.1f times the error, want at most %.2f and %.1f", 100*median, ratio, 100*class.median, class.ratio)
			}
		})
	}
}
