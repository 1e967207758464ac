package collector_test

import (
	"math"
	"testing"
	"time"

	"greenagent/energy"
	"greenagent/scenario"
)

// lying plays a board for a time whose counter's readings are altered.
func lying(t *testing.T, d scenario.Device, length time.Duration, alter func(since time.Duration, c energy.Energy) energy.Energy) (*bench, *watcher) {
	b := newBench(d, 0, 1)
	b.open(5 * ms)
	w := newWatcher(t, b.g.Domain(), at(0))
	w.g, w.first = b.g, at(0)
	first := energy.Energy(-1)
	for end := at(length); b.clock.Now() < end; b.clock.Advance(b.g.Cadence(b.clock.Now())) {
		b.buffer, _ = b.source.Read(b.buffer[:0])
		for _, r := range b.buffer {
			if first < 0 {
				first = r.Counter
			}
			r.Counter = first + alter(b.clock.Now().Sub(at(0)), r.Counter-first)
			w.add(r)
		}
	}
	b.g.Finish(at(length))
	w.check(at(length))
	return b, w
}

func working(d scenario.Device) scenario.Device {
	d.Loads = []scenario.Load{{PID: 1, From: time.Second, Power: scenario.Square(d.MaxLimit/4, d.MaxLimit/2, 1700*ms, 0.5, 0)}}
	return d
}

// TestCountersThatAgree: on every board with a counter and power beside it, the ratio
// is 1 within what the power sensor sees, and nothing is said against it.
func TestCountersThatAgree(t *testing.T) {
	for _, d := range scenario.Presets() {
		if !d.Sensor.Counter {
			continue
		}
		b, _ := lying(t, working(d), 40*time.Second, func(_ time.Duration, c energy.Energy) energy.Energy { return c })
		c := b.g.Check()
		if module := d.Sensor.Fields == scenario.ScopeModule; module != (c.Ratio == 0) {
			t.Errorf("%s: a ratio of %v", d.UUID, c.Ratio)
		} else if !module && math.Abs(c.Ratio-1) > 0.01 {
			t.Errorf("%s: a ratio of %v, want 1", d.UUID, c.Ratio)
		}
		if c.Worst != 0 || c.Stood || c.Switched || b.g.Basis(at(40*time.Second)) != energy.Counted {
			t.Errorf("%s: %+v", d.UUID, c)
		}
	}
}

// TestCountersThatDoNot runs counters at half their rate, or ahead. The figure is
// flagged, its uncertainty covers the truth, and after three rounds of 30 s power
// takes over: where it sees all.
func TestCountersThatDoNot(t *testing.T) {
	for name, test := range map[string]struct {
		board    scenario.Device
		rate     float64
		switched bool
	}{
		"half, an average beside":  {scenario.Hopper("GPU-0"), 0.5, true},
		"ahead, an average beside": {scenario.Ada("GPU-0"), 1.4, true},
		"half, gapless power":      {scenario.Turing("GPU-0"), 0.5, true},
		"a tenth, a quarter seen":  {scenario.GA100("GPU-0"), 0.1, false},
	} {
		t.Run(name, func(t *testing.T) {
			length := 150 * time.Second
			if !test.switched {
				length = 70 * time.Second // a curve remembers 80 s of such ticks
			}
			b, _ := lying(t, working(test.board), length, func(_ time.Duration, c energy.Energy) energy.Energy {
				return energy.Energy(test.rate * float64(c))
			})
			c := b.g.Check()
			if c.Switched != test.switched || math.Abs(c.Worst-test.rate) > 0.05 {
				t.Errorf("%+v, want it flagged as %v", c, test.rate)
			}
			v := energy.Interval{Start: at(0), End: at(length)}
			got, want := b.g.Curve().Energy(v), b.truth(length)
			if u := b.g.Uncertainty(got, v.End).Expanded(); got > want+u || got < want-u {
				t.Errorf("%v ± %v of %v, %+v, %d rejected", got, u, want, c, b.g.Rejected())
			}
			if !test.switched {
				return
			}
			if basis := b.g.Basis(v.End); basis != energy.Integrated {
				t.Errorf("the basis is %v", basis)
			}
			late := energy.Interval{Start: at(100 * time.Second), End: at(length - time.Second)}
			is := b.g.Curve().Energy(late).Joules() / b.device.Energy(100*time.Second, length-time.Second).Joules()
			if math.Abs(is-1) > 0.01 {
				t.Errorf("after the switch %v of the truth", is)
			}
		})
	}
}

// TestNotWhatTheSensorCannotTell: half of what an A100's power sensor shows may be
// right, as it sees a quarter of the time; and an idle card's sensor has offsets.
func TestNotWhatTheSensorCannotTell(t *testing.T) {
	half := func(_ time.Duration, c energy.Energy) energy.Energy { return c / 2 }
	b, _ := lying(t, working(scenario.GA100("GPU-0")), 100*time.Second, half)
	if c := b.g.Check(); c.Worst != 0 || c.Switched {
		t.Errorf("a quarter seen: %+v", c)
	}
	b, _ = lying(t, scenario.Hopper("GPU-0"), 150*time.Second, half)
	if c := b.g.Check(); c.Worst == 0 || c.Switched || b.g.Basis(at(150*time.Second)) != energy.Counted {
		t.Errorf("an idle card: %+v, want it flagged and no more", c)
	}
}

// TestCounterThatStandsStill: from its last tick on power is integrated, and of the
// time until that was noticed nothing is lost.
func TestCounterThatStandsStill(t *testing.T) {
	const stops, length = 10 * time.Second, 30 * time.Second
	for _, d := range []scenario.Device{scenario.Hopper("GPU-0"), scenario.Turing("GPU-0"), scenario.Volta("GPU-0")} {
		var last energy.Energy
		b, _ := lying(t, working(d), length, func(since time.Duration, c energy.Energy) energy.Energy {
			if since < stops {
				last = c
			}
			return last
		})
		if c := b.g.Check(); !c.Stood {
			t.Errorf("%s: %+v", d.UUID, c)
		}
		got := b.g.Curve().Energy(energy.Interval{Start: at(0), End: at(length)})
		want := b.truth(length)
		if off := got.Joules()/want.Joules() - 1; math.Abs(off) > 0.01 {
			t.Errorf("%s: %v of %v, %+.2f %%", d.Architecture, got, want, 100*off)
		}
		if b.g.Unobserved() != 0 {
			t.Errorf("%s: %v unobserved", d.UUID, b.g.Unobserved())
		}
	}
}
