package collector_test

import (
	"math/rand/v2"
	"slices"
	"time"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/nvml/sim"
	"greenagent/scenario"
)

// uptime is how long a simulated driver has been counting at the origin.
const (
	uptime = time.Hour
	ms     = time.Millisecond
)

// at returns the instant of a time since the scenario's origin.
func at(t time.Duration) energy.Instant { return energy.Instant(uptime + t) }

// bench reads one simulated device the way a meter does, in virtual time.
type bench struct {
	device *scenario.Device
	clock  *sim.Clock
	source *collector.GPUs
	g      *collector.Integrator
	random *rand.Rand
	start  time.Duration
	buffer []collector.Reading
	// jitter is how late a reading may come, as a part of the cadence.
	jitter float64
	// every, if above 0, replaces the cadence.
	every time.Duration
	// gain, if not negative, replaces the stated uncertainty of the sensor's gain.
	gain        float64
	calibration collector.Calibration
}

func newBench(d scenario.Device, start time.Duration, seed uint64) *bench {
	b := &bench{device: &d, start: start, random: rand.New(rand.NewPCG(seed, 7)), jitter: 0.2, gain: -1}
	b.clock = sim.NewClock(at(start))
	return b
}

// open opens the sensor some time after the start.
func (b *bench) open(after time.Duration) {
	b.clock.Advance(after)
	b.source = collector.NewGPUs(sim.New(scenario.Node{Devices: []scenario.Device{*b.device}}, b.clock, at(0)), nil)
	domain := b.source.Domains()[0]
	if b.gain >= 0 {
		domain.Gain = b.gain
	}
	domain.Calibration = b.calibration
	b.g = collector.NewIntegrator(domain, at(b.start))
	points, err := b.source.Recall(0, nil)
	if err != nil {
		panic(err)
	}
	b.g.Recall(points)
}

func (b *bench) read() {
	b.buffer, _ = b.source.Read(b.buffer[:0]) // without a reading there is nothing to add
	for _, r := range b.buffer {
		b.g.Add(r)
	}
}

// run reads until the end, and then as long as grace allows for what settles the
// last tick.
func (b *bench) run(opening, length, grace time.Duration) (got energy.Energy, u energy.Uncertainty) {
	b.open(opening)
	end := at(b.start + length)
	for {
		b.read()
		step := b.g.Cadence(b.clock.Now())
		if b.every > 0 {
			step = b.every
		}
		step += time.Duration(b.jitter * b.random.Float64() * float64(step))
		if b.clock.Now().Add(step) >= end {
			break
		}
		b.clock.Advance(step)
	}
	b.clock.Advance(end.Sub(b.clock.Now()))
	b.read()
	b.g.End(end)
	for deadline := end.Add(grace); !b.g.Settled(end) && b.clock.Now() < deadline; {
		b.clock.Advance(2 * time.Millisecond)
		b.read()
	}
	b.g.Finish(end)
	got = b.g.Curve().Energy(energy.Interval{Start: at(b.start), End: end})
	return got, b.g.Uncertainty(got, end)
}

// truth is what the device used over the first d of the run.
func (b *bench) truth(d time.Duration) energy.Energy { return b.device.Energy(b.start, b.start+d) }

// graceOf is what a run of a length allows its sensors to settle.
func graceOf(length time.Duration) time.Duration { return min(length/20, 150*time.Millisecond) }

// middle returns the median and the mean.
func middle(values []float64) (median, mean float64) {
	sorted := slices.Sorted(slices.Values(values))
	for _, v := range values {
		mean += v / float64(len(values))
	}
	return sorted[len(sorted)/2], mean
}
