package collector_test

import (
	"math"
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/scenario"
)

// shapes are loads of a 700 W board and when they run, from and to since the
// start of a measurement of 2.6 s; to 0 is on after its end.
var shapes = []struct {
	name     string
	power    scenario.PowerCurve
	from, to time.Duration
	level    bool // at the start and at the end of the measurement
}{
	{"steady", scenario.Steady(350 * energy.Watt), -time.Second, 0, true},
	{"inside", scenario.Steady(350 * energy.Watt), 200 * ms, 2200 * ms, true},
	{"from the start", scenario.Steady(350 * energy.Watt), 0, 2600 * ms, false},
	{"to the end", scenario.Steady(350 * energy.Watt), 200 * ms, 2600 * ms, false},
	{"square", scenario.Square(50*energy.Watt, 400*energy.Watt, 700*ms, 0.4, 0), 200 * ms, 2200 * ms, true},
	{"square to the end", scenario.Square(50*energy.Watt, 400*energy.Watt, 700*ms, 0.4, 0), 200 * ms, 2600 * ms, false},
	{"fast square", scenario.Square(50*energy.Watt, 400*energy.Watt, 70*ms, 0.4, 0), -time.Second, 0, false},
	{"ramp", scenario.Ramp(0, 500*energy.Watt, 2*time.Second), 200 * ms, 2200 * ms, true},
	{"ramp to the end", scenario.Ramp(0, 500*energy.Watt, 2*time.Second), 600 * ms, 2600 * ms, false},
}

// bound is the relative error allowed for a device and a shape over 2.6 s.
//
// With a counter the energy between ticks is exact, and what came before the first
// and after the last is inferred. What goes up and down faster than ticks of 100 ms
// cannot be: up to a quarter of a cycle's swing is lost, 0.9 % of 2 s. A Grace
// Hopper's readings are of the whole module and tell nothing of the GPU's levels.
//
// Without a counter, Pascal's sensor sees 10 of each 20 ms: each step is placed
// to ±5 ms, 0.2 % of 2 s, and some of those of a square wave add up. Maxwell's is
// a low pass, read every 100 ms: its area is known, its shape is not, and each
// step is off by up to 8 ms.
func bound(d *scenario.Device, level bool, shape string) float64 {
	switch {
	case d.Architecture == "Maxwell" && shape != "steady" && shape != "inside" && shape != "to the end":
		return 0.02
	case !d.Sensor.Counter && (shape == "fast square" || shape == "square to the end"):
		return 0.008
	case d.Sensor.Fields == scenario.ScopeModule && shape == "fast square":
		return 0.012
	case d.Sensor.Fields == scenario.ScopeModule && shape == "square to the end":
		return 0.007
	case d.Sensor.CounterTick == 100*ms && shape == "fast square":
		return 0.009
	case d.Sensor.Counter && level && shape != "steady":
		return 0.001
	}
	return 0.005
}

// TestDeviceEnergy holds every sensor model to its bound over 2 s of load,
// whatever the phases of its ticks, and each figure to its own uncertainty.
func TestDeviceEnergy(t *testing.T) {
	const length, phases = 2600 * ms, 40
	for _, device := range scenario.Presets() {
		for _, shape := range shapes {
			t.Run(device.UUID+"/"+shape.name, func(t *testing.T) {
				var worst, mean, width float64
				for phase := range uint64(phases) {
					d := device
					start := time.Duration(phase) * 13 * ms
					to := start + shape.to
					if shape.to == 0 {
						to = scenario.Forever
					}
					d.Loads = []scenario.Load{{PID: 42, From: start + shape.from, To: to, Power: scaled(shape.power, d.MaxLimit)}}
					b := newBench(d, start, phase)
					got, u := b.run(5*ms, length, graceOf(length))
					want := b.truth(length)
					off := got.Joules()/want.Joules() - 1
					worst, mean = max(worst, math.Abs(off)), mean+off/phases
					width += u.Expanded().Joules() / want.Joules() / phases
					if got-want > u.Expanded() || want-got > u.Expanded() {
						t.Errorf("phase %d: %v for a truth of %v: outside ± %v", phase, got, want, u.Expanded())
					}
				}
				t.Logf("worst %.3f %%, mean %+.3f %%, stated ± %.1f %%", 100*worst, 100*mean, 100*width)
				if most := bound(&device, shape.level, shape.name); worst > most {
					t.Errorf("off by %.3f %% in the worst phase, want at most %.2f %%", 100*worst, 100*most)
				}
			})
		}
	}
}

// scaled returns a load of a 700 W board for one with another limit.
func scaled(c scenario.PowerCurve, limit energy.Power) scenario.PowerCurve {
	by := float64(limit) / float64(700*energy.Watt)
	s := c
	s.Segments = nil
	for _, g := range c.Segments {
		g.From = energy.Power(float64(g.From) * by)
		g.To = energy.Power(float64(g.To) * by)
		s.Segments = append(s.Segments, g)
	}
	return s
}

// TestResetBeforeTheEnd: of a counter that starts anew just before the end, nothing is
// inferred from the difference between then and before.
func TestResetBeforeTheEnd(t *testing.T) {
	g := collector.NewIntegrator(collector.Domain{Basis: energy.Counted, Counter: true}, at(0))
	const both = collector.HasCounter | collector.HasAverage
	g.Add(collector.Reading{At: at(14 * ms), Has: both, Counter: energy.Kilojoule, Average: 48 * energy.Watt})
	g.Add(collector.Reading{At: at(62 * ms), Has: both, Epoch: 1, Counter: 1000 * energy.Kilojoule, Average: 48 * energy.Watt})
	g.Finish(at(62 * ms))
	if got := g.Curve().Energy(energy.Interval{Start: at(0), End: at(62 * ms)}); got > 10*energy.Joule {
		t.Errorf("%v in 62 ms at 48 W", got)
	}
}
