package collector_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/scenario"
)

// listen looks at a sensor every 2 ms or later for a time.
func listen(length time.Duration, late func(look int) time.Duration, shows func(t time.Duration) int64) collector.Tempo {
	var r collector.Rhythm
	last := int64(0)
	look := 0
	for now := time.Duration(0); now < length; now += 2*ms + late(look) {
		v := shows(now)
		r.Look(at(now), ms/20, v != last && look > 0)
		last = v
		look++
	}
	return r.Tempo()
}

func punctual(int) time.Duration { return 0 }

// hurried is late by up to a millisecond, and now and then, as on a busy machine, by
// more than a tick.
func hurried(seed uint64) func(int) time.Duration {
	random := rand.New(rand.NewPCG(seed, 1))
	return func(int) time.Duration {
		d := time.Duration(random.Int64N(int64(ms)))
		if random.IntN(100) == 0 {
			d += time.Duration(random.Int64N(int64(60 * ms)))
		}
		return d
	}
}

// TestRhythmOfEachBoard: their counters' and power sensors' ticks are found to a
// thousandth, punctual looks or not.
func TestRhythmOfEachBoard(t *testing.T) {
	t.Parallel()
	for _, d := range scenario.Presets() {
		d.Loads = []scenario.Load{{PID: 1, Power: scenario.Square(20*energy.Watt, d.MaxLimit/3, 730*ms, 0.4, 0)}}
		for name, late := range map[string]func(int) time.Duration{"punctual": punctual, "hurried": hurried(7)} {
			check := func(what string, want time.Duration, got collector.Tempo) {
				t.Logf("%-9s %-8s %s: %v ± %v, median %v ± %v, off by %v, %d ticks", d.Architecture, name, what, got.Period, got.Within, got.Median, got.Spread, got.Jitter, got.Seen)
				if off := (got.Period - want).Abs(); off > want/1000 || off > got.Within || got.Within > want/200 {
					t.Errorf("%s, %s: %s ticks every %v ± %v, want %v", d.Name, name, what, got.Period, got.Within, want)
				}
				if !got.Even || got.Jitter > 3*ms/2 || (got.Median-want).Abs() > 2*ms || got.Spread > 3*ms {
					t.Errorf("%s, %s: %s: %+v", d.Name, name, what, got)
				}
			}
			if d.Sensor.Counter {
				check("counter", d.Sensor.CounterTick, listen(8*time.Second, late, func(t time.Duration) int64 {
					e, _ := d.Counter(t, uptime)
					return int64(e)
				}))
			}
			// A ramp, so that a sensor with a window shows another value at each tick.
			d.Loads = []scenario.Load{{PID: 1, Power: scenario.Ramp(20*energy.Watt, d.MaxLimit, 10*time.Second)}}
			check("power", d.Sensor.InstantTick, listen(8*time.Second, late, func(t time.Duration) int64 { return int64(d.InstantPower(t)) }))
		}
	}
}

// TestRhythmOfFewValues: a sensor that shows the same value at most of its ticks.
func TestRhythmOfFewValues(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 3))
	values := make([]int64, 1000)
	for i := range values {
		values[i] = random.Int64N(2)
	}
	got := listen(10*time.Second, hurried(5), func(t time.Duration) int64 { return values[(t+13*ms)/(100*ms)] })
	if (got.Period-100*ms).Abs() > ms/10 || !got.Even {
		t.Errorf("%+v", got)
	}
}

// TestNoRhythm: what does not tick, ticks too fast to be seen, too seldom, or at
// random, has none.
func TestNoRhythm(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(4, 4))
	var moments []time.Duration
	for m := time.Duration(0); m < 11*time.Second; m += 20*ms + time.Duration(random.Int64N(int64(160*ms))) {
		moments = append(moments, m)
	}
	for name, shows := range map[string]func(time.Duration) int64{
		"still":    func(time.Duration) int64 { return 7 },
		"too fast": func(t time.Duration) int64 { return int64(t / (3 * ms)) },
		"current":  func(t time.Duration) int64 { return int64(t) },
		"once":     func(t time.Duration) int64 { return int64(t / (3 * time.Second)) },
		"at random": func(t time.Duration) (n int64) {
			for _, m := range moments {
				if m <= t {
					n++
				}
			}
			return n
		},
	} {
		if got := listen(10*time.Second, punctual, shows); got.Even {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
