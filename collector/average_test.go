package collector_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/scenario"
)

// TestAverage: where there is no counter but a gapless average, loads in step with the
// window of instant power, changes and edges come out to 1 % over 10 s, and runs of
// 1 s within their bound; whatever the phases of both ticks.
func TestAverage(t *testing.T) {
	for _, board := range []scenario.Device{scenario.Hopper("GPU-hopper"), scenario.Ada("GPU-ada")} {
		board.Sensor.Counter = false
		high := board.MaxLimit / 2
		for name, load := range map[string]struct {
			power  scenario.PowerCurve
			length time.Duration
			most   float64
		}{
			"steady":     {scenario.Steady(high), 10 * time.Second, 0.005},
			"in step":    {scenario.Square(high/10, high, 100*ms, 0.2, 0), 10 * time.Second, 0.01},
			"fast":       {scenario.Square(high/10, high, 20*ms, 0.5, 0), 10 * time.Second, 0.01},
			"second":     {scenario.Square(high/10, high, time.Second, 0.3, 0), 10 * time.Second, 0.01},
			"ramp":       {scenario.Ramp(0, high, 10*time.Second), 10 * time.Second, 0.01},
			"1 s":        {scenario.Steady(high), time.Second, 0.05},
			"2 s, short": {scenario.Steady(high), 2 * time.Second, 0.02},
		} {
			var worst float64
			for seed := range uint64(20) {
				random := rand.New(rand.NewPCG(seed, 1))
				some := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(int64(d))) }
				d := board
				d.Sensor.InstantPhase, d.Sensor.AveragePhase = some(100*ms), some(100*ms)
				start := some(time.Second)
				from := start
				if seed%2 == 0 {
					from += 150*ms + some(150*ms)
				}
				d.Loads = []scenario.Load{{PID: 1, From: from, To: start + load.length, Power: load.power}}
				b := newBench(d, start, seed)
				b.gain = 0
				got, u := b.run(10*ms+some(190*ms), load.length, graceOf(load.length))
				want := b.truth(load.length)
				off := got.Joules()/want.Joules() - 1
				worst = max(worst, math.Abs(off))
				// Not 95 of 100 but all.
				if limit := 3 * u.Expanded(); load.length < 3*time.Second && (got > want+limit || got < want-limit) {
					t.Errorf("%s, %s: %v of %v, three times ± %v", board.UUID, name, got, want, u.Expanded())
				}
			}
			if worst > load.most {
				t.Errorf("%s, %s: off by %.2f %%, want at most %.1f %%", board.UUID, name, 100*worst, 100*load.most)
			}
		}
	}
}

// TestAverageLost: when averages end, power as it is read takes over, and no time is
// lost or counted twice.
func TestAverageLost(t *testing.T) {
	const lost, length = 8 * time.Second, 20 * time.Second
	d := scenario.Ada("GPU-0")
	d.Sensor.Counter = false
	d.Loads = []scenario.Load{{PID: 1, From: time.Second, Power: scenario.Square(50*energy.Watt, 200*energy.Watt, 3*time.Second, 0.5, 0)}}
	b := newBench(d, 0, 1)
	b.open(5 * ms)
	w := newWatcher(t, b.g.Domain(), at(0))
	w.g, w.first = b.g, at(0)
	for end := at(length); b.clock.Now() < end; b.clock.Advance(b.g.Cadence(b.clock.Now())) {
		b.buffer, _ = b.source.Read(b.buffer[:0])
		r := b.buffer[0]
		if b.clock.Now() > at(lost) {
			r.Has &^= collector.HasAverage
		}
		w.add(r)
	}
	b.g.Finish(at(length))
	w.check(at(length))
	got, want := b.g.Curve().Energy(energy.Interval{Start: at(0), End: at(length)}), b.truth(length)
	if off := got.Joules()/want.Joules() - 1; math.Abs(off) > 0.01 || b.g.Unobserved() != 0 {
		t.Errorf("%v of %v, %+.2f %%, %v unobserved", got, want, 100*off, b.g.Unobserved())
	}
}
