package collector_test

import (
	"testing"
	"time"

	"greenagent/energy"
	"greenagent/scenario"
)

// TestLearnt: what a run has found out in passing is so, and what it has not, it does
// not claim.
func TestLearnt(t *testing.T) {
	t.Parallel()
	for _, d := range scenario.Presets() {
		d.Loads = []scenario.Load{{PID: 1, Power: scenario.Ramp(20*energy.Watt, d.MaxLimit/2, 20*time.Second)}}
		b := newBench(d, 0, 1)
		b.run(50*ms, 5*time.Second, 0)
		counter, power := b.g.Learnt()
		t.Logf("%-9s counter %v ± %v, power %v ± %v", d.Architecture, counter.Period, counter.Within, power.Period, power.Within)
		if got, want := counter.Period, d.Sensor.CounterTick; d.Sensor.Counter && (!counter.Even || (got-want).Abs() > min(want/100, counter.Within+ms/20)) {
			t.Errorf("%s: the counter ticks every %v, learnt %+v", d.Name, want, counter)
		}
		if !d.Sensor.Counter && counter.Even {
			t.Errorf("%s: a counter: %+v", d.Name, counter)
		}
		if power.Even && (power.Period-d.Sensor.InstantTick).Abs() > d.Sensor.InstantTick/50 {
			t.Errorf("%s: the sensor ticks every %v, learnt %+v", d.Name, d.Sensor.InstantTick, power)
		}
		// Of a moment, nothing is claimed.
		b = newBench(d, 0, 1)
		b.run(50*ms, 60*ms, 0)
		if counter, power := b.g.Learnt(); counter.Even && (counter.Period-d.Sensor.CounterTick).Abs() > d.Sensor.CounterTick/50 || power.Even && power.Seen > 10 {
			t.Errorf("%s: of 60 ms: %+v, %+v", d.Name, counter, power)
		}
	}
}
