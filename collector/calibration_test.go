package collector_test

import (
	"math"
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/scenario"
)

// calibrated measures a board whose sensor errs, with a calibration that undoes it.
func calibrated(d scenario.Device, c collector.Calibration, length time.Duration) (*bench, energy.Energy, energy.Uncertainty) {
	b := newBench(d, 0, 3)
	b.calibration = c
	got, u := b.run(20*ms, length, graceOf(length))
	return b, got, u
}

// TestCalibration: a sensor of which gain and offset are known tells the truth, in
// all that it shows and once: by counter, average and power.
func TestCalibration(t *testing.T) {
	const length = 20 * time.Second
	for _, d := range scenario.Presets() {
		if d.Sensor.Fields == scenario.ScopeModule {
			continue // its average is of another scope than its counter
		}
		for _, counter := range []bool{true, false} {
			d := working(d)
			if !d.Sensor.Counter && counter {
				continue
			}
			d.Sensor.Counter = counter
			d.Sensor.Gain, d.Sensor.Offset = -60_000, 4*energy.Watt // shown = 0.94 × true + 4 W
			b, got, u := calibrated(d, collector.Calibration{Gain: 1 / 0.94, Offset: energy.FromWatts(-4 / 0.94), Uncertainty: 0.005}, length)
			want := b.truth(length)
			most := 0.005
			if !counter {
				most = 0.015 // of what is unseen no calibration knows
			}
			if off := got.Joules()/want.Joules() - 1; math.Abs(off) > most {
				t.Errorf("%s, counter %t: %v of %v, %+.2f %%", d.UUID, counter, got, want, 100*off)
			}
			if counter && math.Abs(u.Systematic/float64(got)-0.005) > 1e-6 {
				t.Errorf("%s: a systematic part of %.3f %%, want the calibration's", d.UUID, 100*u.Systematic/float64(got))
			}
			if top := d.Idle + d.Context + d.MaxLimit/2; math.Abs(b.g.Peak().Watts()/top.Watts()-1) > 0.05 {
				t.Errorf("%s, counter %t: a peak of %v, want %v", d.UUID, counter, b.g.Peak(), top)
			}
		}
	}
}

// TestCalibrationNeverTakesBack: an offset larger than what the device draws makes
// its energy stand still, not fall; what is drawn later counts in full.
func TestCalibrationNeverTakesBack(t *testing.T) {
	d := scenario.Hopper("GPU-0")
	d.Loads = []scenario.Load{{PID: 1, From: 10 * time.Second, Power: scenario.Steady(300 * energy.Watt)}}
	for _, counter := range []bool{true, false} {
		d.Sensor.Counter = counter
		b, _, _ := calibrated(d, collector.Calibration{Offset: -100 * energy.Watt}, 20*time.Second)
		curve := b.g.Curve()
		if e := curve.Energy(energy.Interval{Start: at(time.Second), End: at(9 * time.Second)}); e != 0 {
			t.Errorf("counter %t: %v of 70 W less 100 W", counter, e)
		}
		late := energy.Interval{Start: at(12 * time.Second), End: at(19 * time.Second)}
		want := (d.Idle + d.Context + 200*energy.Watt).For(late.Duration())
		if e := curve.Energy(late); math.Abs(e.Joules()/want.Joules()-1) > 1e-3 {
			t.Errorf("counter %t: %v, want %v", counter, e, want)
		}
	}
}

// TestGainDoesNotAverageOut: ten times as long, the uncertainty of the gain is ten
// times as large, and windows add it up.
func TestGainDoesNotAverageOut(t *testing.T) {
	d := scenario.Hopper("GPU-0")
	for _, c := range []collector.Calibration{{}, {Gain: 1.01, Uncertainty: 0.01}} {
		_, short, a := calibrated(d, c, 3*time.Second)
		_, long, b := calibrated(d, c, 30*time.Second)
		if x, y := a.Systematic/float64(short), b.Systematic/float64(long); x <= 0 || math.Abs(x/y-1) > 1e-9 {
			t.Errorf("%v: %.4f of 3 s, %.4f of 30 s", c, x, y)
		}
		var sum energy.Uncertainty
		for range 10 {
			sum = sum.Accumulate(a)
		}
		if math.Abs(sum.Systematic/(10*a.Systematic)-1) > 1e-9 {
			t.Errorf("%v: ten windows have %v of ten times one's", c, sum.Systematic/(10*a.Systematic))
		}
	}
}

// TestImplausibleIsJudgedRaw: what the sensor shows is held to the limit before it is
// calibrated.
func TestImplausibleIsJudgedRaw(t *testing.T) {
	g := collector.NewIntegrator(collector.Domain{Basis: energy.Integrated, Limit: 100 * energy.Watt, Window: 1,
		Calibration: collector.Calibration{Gain: 0.5}}, at(0))
	g.Add(collector.Reading{At: at(ms), Has: collector.HasPower, Power: 180 * energy.Watt})
	if g.Rejected() != 1 {
		t.Error("180 W of 100 W were taken, as half of it could be")
	}
}
