package collector_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/nvml/sim"
	"greenagent/scenario"
)

// TestHintedTick: a period that an earlier run has found shortens the dense search,
// and does no harm if it is wrong.
func TestHintedTick(t *testing.T) {
	for _, test := range []struct {
		name string
		hint time.Duration
		most int // readings in the first half second
	}{
		{"none", 0, 220}, {"right", 100 * ms, 130}, {"near", 101 * ms, 130},
		{"half", 50 * ms, 220}, {"twice", 200 * ms, 220}, {"another", 20 * ms, 220}, {"absurd", time.Hour, 220},
	} {
		t.Run(test.name, func(t *testing.T) {
			for phase := range time.Duration(20) {
				d := scenario.GraceHopper("GPU-1") // its counter is all there is
				d.Sensor.CounterPhase = phase * 5 * ms
				d.Loads = []scenario.Load{{PID: 1, From: 300 * ms, Power: scenario.Steady(300 * energy.Watt)}}
				clock := sim.NewClock(at(0))
				source := collector.NewGPUs(sim.New(scenario.Node{Devices: []scenario.Device{d}}, clock, at(0)), map[string]collector.Known{
					d.UUID: {CounterTick: test.hint},
				})
				g := collector.NewIntegrator(source.Domains()[0], at(0))
				var buffer []collector.Reading
				early := 0
				for clock.Now() < at(2*time.Second) {
					buffer, _ = source.Read(buffer[:0])
					for _, r := range buffer {
						g.Add(r)
					}
					if clock.Now() < at(500*ms) {
						early++
					}
					clock.Advance(g.Cadence(clock.Now()))
				}
				g.Finish(at(2 * time.Second))
				got := g.Curve().Energy(energy.Interval{Start: at(0), End: at(2 * time.Second)}).Joules()
				want := d.Energy(0, 2*time.Second).Joules()
				if off := got/want - 1; math.Abs(off) > 0.005 {
					t.Errorf("phase %d: off by %.2f %%", phase, 100*off)
				}
				if early > test.most {
					t.Errorf("phase %d: %d readings in half a second, want at most %d", phase, early, test.most)
				}
			}
		})
	}
}

// TestSearchIsBounded: a counter that keeps no time is not read densely for ever.
func TestSearchIsBounded(t *testing.T) {
	g := collector.NewIntegrator(collector.Domain{Counter: true, Basis: energy.Counted, Limit: 400 * energy.Watt, Tick: 100 * ms, Window: 1}, at(0))
	random := rand.New(rand.NewPCG(1, 2))
	var next time.Duration
	var value energy.Energy
	dense := 0
	const minutes = 5
	for now := time.Duration(0); now < minutes*time.Minute; {
		if now >= next {
			next = now + time.Duration(random.Int64N(int64(200*ms)))
			value += 10 * energy.Joule
		}
		g.Add(collector.Reading{At: at(now), Counter: value, Has: collector.HasCounter})
		step := g.Cadence(at(now))
		if step <= 2*ms {
			dense++
		}
		now += step
	}
	// Three searches of a second in each minute.
	if most := minutes * 3 * 500; dense > most {
		t.Errorf("%d dense readings in %d minutes, want at most %d", dense, minutes, most)
	}
}
