package attribution_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/energy"
)

// TestSamplingIsCovered draws the tags of the driver's sampler for two processes of
// which one is active for a part of the time. What is stated of the shares must
// cover the truth in 95 of 100 runs, short or long, and not be idle caution.
func TestSamplingIsCovered(t *testing.T) {
	const trials = 2000
	random := rand.New(rand.NewPCG(1, 2))
	for _, share := range []float64{0, 0.03, 0.3, 0.5, 0.9} {
		for _, seconds := range []int{1, 10, 100} {
			inside, width := 0, 0.0
			for range trials {
				l := attribution.NewLedger(attribution.Config{Domains: 1})
				for range seconds {
					// Seven tags in most seconds, eight in some.
					n := 7
					if random.IntN(5) == 0 {
						n = 8
					}
					var tags uint64
					for range n {
						if random.Float64() < share {
							tags++
						}
					}
					l.Book(0, attribution.Cut{Energy: energy.Kilojoule, Activity: &collector.Activity{
						Method: collector.ByUtilization, Samples: 7.2, Usage: []collector.Usage{
							{Process: collector.Process{PID: 1}, Owner: 1, Busy: tags * collector.Tag, Memory: 1},
							{Process: collector.Process{PID: 2}, Owner: 2, Busy: (uint64(n) - tags) * collector.Tag, Memory: 1},
						},
					}})
				}
				e := l.Owned(1, 0)
				u := (energy.Uncertainty{Variance: e.Variance}).Expanded()
				want := energy.FromJoules(1000 * share * float64(seconds))
				if e.Dynamic-u <= want && want <= e.Dynamic+u {
					inside++
				}
				width += u.Joules() / float64(1000*seconds) / trials
			}
			// Twice the standard deviation of 7.2 tags a second, and what two tags
			// more either way make of a share near 0 or 1.
			ideal := 2 * 0.5 / 2.7
			if most := ideal / math.Sqrt(float64(seconds)); width > most*1.12 {
				t.Errorf("share %.2f, %d s: stated ± %.3f, want at most %.3f", share, seconds, width, most)
			}
			if coverage := float64(inside) / trials; coverage < 0.95 {
				t.Errorf("share %.2f, %d s: inside in %.1f %%", share, seconds, 100*coverage)
			}
		}
	}
}

// TestClockTicksAreCovered rounds CPU time to the ticks of /proc and holds what is
// stated of the shares to the truth.
func TestClockTicksAreCovered(t *testing.T) {
	const (
		trials = 2000
		tick   = 1e7 // ns
	)
	random := rand.New(rand.NewPCG(1, 2))
	for _, seconds := range []int{1, 10} {
		inside := 0
		for range trials {
			l := attribution.NewLedger(attribution.Config{Domains: 1})
			mine, rest := random.Float64()*tick, random.Float64()*tick // of a tick before
			rate := 0.02 + random.Float64()/2
			for range seconds {
				count := func(total *float64, d float64) uint64 {
					before := uint64(*total / tick)
					*total += d
					return (uint64(*total/tick) - before) * tick
				}
				l.Book(0, attribution.Cut{Energy: 100 * energy.Joule, Activity: &collector.Activity{
					Method: collector.ByCPUTime, Step: tick, Usage: []collector.Usage{
						{Process: collector.Process{}, Busy: count(&rest, 1e9)},
						{Process: collector.Process{PID: 1}, Owner: 1, Busy: count(&mine, rate*1e9)},
					},
				}})
			}
			e := l.Owned(1, 0)
			u := (energy.Uncertainty{Variance: e.Variance}).Expanded()
			want := energy.FromJoules(100 * float64(seconds) * rate / (1 + rate))
			if e.Dynamic-u <= want && want <= e.Dynamic+u {
				inside++
			}
		}
		if coverage := float64(inside) / trials; coverage < 0.95 {
			t.Errorf("%d s: inside in %.1f %%", seconds, 100*coverage)
		}
	}
}
