package collector_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/scenario"
)

// boards are the presets whose sensor is not slow to compute.
func boards() []scenario.Device {
	return slices.DeleteFunc(scenario.Presets(), func(d scenario.Device) bool { return d.Sensor.Lag > 0 })
}

// TestFaultsCreateNothing spoils the readings of a described board: some are
// lost, some come twice, some late, some show garbage, the clock stands still, the
// counter is reset. The figure must stay within its uncertainty of the truth, and
// the curve must neither fall nor change where it was settled.
func TestFaultsCreateNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := rapid.SampledFrom(boards()).Draw(rt, "board")
		length := time.Duration(rapid.Int64Range(int64(time.Second), int64(8*time.Second)).Draw(rt, "length"))
		start := time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(rt, "start"))
		d.Loads = []scenario.Load{
			{PID: 1, From: start + 100*ms, Power: scenario.Square(energy.Watt, d.MaxLimit/3, 900*ms, 0.5, 0)},
			{PID: 2, From: start + length/2, Power: scenario.Steady(d.MaxLimit / 4)},
		}
		if rapid.Bool().Draw(rt, "reset") {
			d.Resets = []time.Duration{start + time.Duration(rapid.Int64Range(0, int64(length)).Draw(rt, "reset at"))}
		}
		b := newBench(d, start, 1)
		b.open(5 * ms)
		w := newWatcher(t, b.g.Domain(), at(start))
		w.g, w.first = b.g, at(start)
		end := at(start + length)
		var held []collector.Reading
		const leap = 20 * energy.Kilojoule // more than any board draws in 8 s
		faults := 8                        // in 1 to 8 s: what all readings are wrong about nobody can tell
		for b.clock.Now() < end+energy.Instant(150*ms) {
			b.buffer, _ = b.source.Read(b.buffer[:0])
			r := b.buffer[0]
			fault := -1
			if faults > 0 {
				fault = rapid.IntRange(0, 30).Draw(rt, "fault")
			}
			if fault >= 0 && fault <= 6 {
				faults--
			}
			switch fault {
			case 0: // lost, for some time
				b.clock.Advance(time.Duration(rapid.Int64Range(0, int64(200*ms)).Draw(rt, "lost for")))
				continue
			case 1: // comes later, after those that follow
				held = append(held, r)
				continue
			case 2: // what cannot be; what could be cannot be told from the truth
				r.Power = 2*d.MaxLimit + energy.Power(rapid.Int64Range(0, 1<<61).Draw(rt, "power"))
			case 3: // so far off that it follows no other garbage either
				r.Counter += leap * energy.Energy(rapid.Int64Range(1, 1<<61/int64(leap)).Draw(rt, "counter"))
			case 4:
				r.Has &^= collector.HasCounter
			case 5:
				w.add(r) // and once more below
			case 6: // the clock went back, behind what was read before
				if b.clock.Now().Sub(at(start)) > 600*ms {
					r.At -= energy.Instant(500 * ms)
				}
			}
			w.add(r)
			if len(held) > 0 {
				w.add(held[0])
				held = held[1:]
			}
			b.clock.Advance(b.g.Cadence(b.clock.Now()))
		}
		b.g.Finish(end)
		w.check(end)
		v := energy.Interval{Start: at(start), End: end}
		got, want := b.g.Curve().Energy(v), b.truth(length)
		// Not 95 of 100 but every one, and of faults that are chosen for the worst.
		if u := 3 * b.g.Uncertainty(got, end).Expanded(); got > want+u || got < want-u {
			rt.Fatalf("%v for a truth of %v: outside ± %v (unobserved %v, %d rejected, %d resets)",
				got, want, u, b.g.Unobserved(), b.g.Rejected(), b.g.Resets())
		}
	})
}

// TestCuttingChangesNoTotal: the energy of an interval is that of its parts,
// wherever it is cut.
func TestCuttingChangesNoTotal(t *testing.T) {
	d := scenario.Hopper("GPU-1")
	d.Loads = []scenario.Load{{PID: 1, Power: scenario.Square(energy.Watt, 300*energy.Watt, 730*ms, 0.3, 0)}}
	b := newBench(d, 0, 1)
	whole, _ := b.run(5*ms, 10*time.Second, graceOf(10*time.Second))
	rapid.Check(t, func(rt *rapid.T) {
		cuts := rapid.SliceOf(rapid.Int64Range(0, int64(10*time.Second))).Draw(rt, "cuts")
		slices.Sort(cuts)
		var sum energy.Energy
		last := at(0)
		for _, c := range append(cuts, int64(10*time.Second)) {
			next := at(time.Duration(c))
			part := b.g.Curve().Energy(energy.Interval{Start: last, End: next})
			if part < 0 {
				rt.Fatalf("%v between %d and %d", part, last, next)
			}
			sum, last = sum+part, next
		}
		if sum != whole {
			rt.Fatalf("the parts sum to %d µJ, the whole is %d µJ", sum, whole)
		}
	})
}

// TestConvergence: without a tick of the sensor in the way, the error falls with the
// time between readings, down to the millijoules of the readings.
func TestConvergence(t *testing.T) {
	for name, power := range map[string]scenario.PowerCurve{
		"square": scenario.Square(50*energy.Watt, 350*energy.Watt, 700*ms, 0.4, 0),
		"ramps":  scenario.Cycle(scenario.Segment[energy.Power]{For: 300 * ms, From: 0, To: 300 * energy.Watt}, scenario.Segment[energy.Power]{For: 410 * ms, From: 300 * energy.Watt, To: 20 * energy.Watt}),
	} {
		for _, counter := range []bool{false, true} {
			d := scenario.Device{UUID: "GPU-1", MaxLimit: 700 * energy.Watt, Idle: 50 * energy.Watt, Loads: []scenario.Load{{PID: 1, Power: power}}}
			d.Sensor = scenario.Sensor{Counter: counter}
			off := func(step time.Duration) float64 {
				var worst float64
				for phase := range 10 {
					length := 4*time.Second + time.Duration(phase)*37*ms
					g := collector.NewIntegrator(collector.Domain{Counter: counter, Fresh: counter, Limit: d.MaxLimit, Window: 1}, at(0))
					for now := time.Duration(phase) * step / 10; now < length+step; now += step {
						r := collector.Reading{At: at(now), Power: d.InstantPower(now), Has: collector.HasPower}
						if counter {
							r.Counter, _ = d.Counter(now, uptime)
							r.Has = collector.HasCounter
						}
						g.Add(r)
					}
					g.Finish(at(length))
					got := g.Curve().Energy(energy.Interval{Start: at(0), End: at(length)})
					worst = max(worst, math.Abs((got - d.Energy(0, length)).Joules()))
				}
				return worst
			}
			// A step within the time between two readings is misplaced by half of it.
			most := 150 * energy.Watt
			if counter {
				most = 50 * energy.Watt
			}
			for _, step := range []time.Duration{40 * ms, 10 * ms, 2500 * time.Microsecond} {
				now := off(step)
				t.Logf("%s, counter %t, every %v: off by %.4f J", name, counter, step, now)
				if now > most.For(step).Joules()+0.002 {
					t.Errorf("%s, counter %t, every %v: off by %.4f J, want at most %v of it", name, counter, step, now, most)
				}
			}
		}
	}
}
