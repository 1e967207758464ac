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

// uptime is how long a simulated driver has been counting at the origin.
const uptime = time.Hour

// poller reads a simulated device the way a source does, in virtual time.
type poller struct {
	device scenario.Device
	g      *collector.Integrator
	rng    *rand.Rand
	now    time.Duration // since the scenario's origin
}

func domain(d *scenario.Device) collector.Domain {
	basis := energy.Integrated
	if _, ok := d.Counter(0, uptime); ok {
		basis = energy.Counted
	}
	window := 1.0
	if d.Architecture == "Hopper" || d.Name == "NVIDIA A100-SXM4-80GB" {
		window = 0.25
	}
	return collector.Domain{ID: "gpu:" + d.UUID, Type: collector.GPU, Basis: basis, Counter: basis == energy.Counted, Limit: d.MaxLimit, Gain: 0.029, Window: window}
}

func newPoller(d scenario.Device, from time.Duration, seed uint64) *poller {
	return &poller{
		device: d,
		g:      collector.NewIntegrator(domain(&d), at(from)),
		rng:    rand.New(rand.NewPCG(seed, 7)),
		now:    from,
	}
}

func at(t time.Duration) energy.Instant { return energy.Instant(uptime + t) }

func (p *poller) poll() {
	r := collector.Reading{At: at(p.now)}
	if c, ok := p.device.Counter(p.now, uptime); ok {
		r.Counter, r.Has = c, collector.HasCounter
	}
	r.Power, r.Has = p.device.InstantPower(p.now), r.Has|collector.HasPower
	if a, ok := p.device.AveragePower(p.now); ok {
		r.Average, r.Has = a, r.Has|collector.HasAverage
	}
	p.g.Add(r)
}

// run polls from opening, some time after the start, to the end and one tick on.
func (p *poller) run(opening, length time.Duration) energy.Interval {
	start := p.now
	end := start + length
	p.now += opening
	var points []collector.PowerPoint
	for _, e := range p.device.Ring(nil, 0, p.now) {
		points = append(points, collector.PowerPoint{At: at(e.At), Power: e.Power})
	}
	p.g.Recall(points)
	for p.now < end {
		p.poll()
		step := 45 * time.Millisecond
		if p.g.Settling() {
			step = 2 * time.Millisecond
		} else if tick := p.g.Tick(); tick > 0 {
			step = tick * 45 / 100
		} else if p.device.Sensor.InstantTick > 0 {
			step = p.device.Sensor.InstantTick * 45 / 100
		}
		p.now += step + time.Duration(p.rng.Int64N(int64(step/5)))
	}
	p.now = end
	p.poll()
	if next, ok := p.g.NextTick(at(end)); ok {
		p.now = time.Duration(next) - uptime + time.Millisecond
		p.poll()
	}
	p.g.Finish(at(end))
	return energy.Interval{Start: at(start), End: at(end)}
}

// TestDeviceEnergy holds every sensor model to half a percent over two seconds
// of load, whatever the phase of its ticks.
func TestDeviceEnergy(t *testing.T) {
	loads := map[string]scenario.PowerCurve{
		"steady": scenario.Steady(350 * energy.Watt),
		"square": scenario.Square(50*energy.Watt, 400*energy.Watt, 700*time.Millisecond, 0.4, 0),
		"ramp":   scenario.Ramp(0, 500*energy.Watt, 2*time.Second),
	}
	for _, device := range scenario.Presets() {
		for name, load := range loads {
			t.Run(device.UUID+"/"+name, func(t *testing.T) {
				worst := 0.0
				for seed := range uint64(25) {
					d := device
					start := time.Duration(seed) * 13 * time.Millisecond
					if _, ok := d.Counter(0, uptime); !ok && name != "steady" && d.Architecture == "Maxwell" {
						t.Skip("a lagging sensor without counter tells of a square wave only within its bound")
					}
					scale := float64(d.MaxLimit) / float64(700*energy.Watt)
					curve := scaled(load, scale)
					d.Loads = []scenario.Load{{PID: 42, From: start + 200*time.Millisecond, To: start + 2200*time.Millisecond, Power: curve}}
					p := newPoller(d, start, seed)
					v := p.run(5*time.Millisecond, 2600*time.Millisecond)
					got, want := p.g.Curve().Energy(v), d.Energy(start, start+2600*time.Millisecond)
					worst = max(worst, math.Abs(got.Joules()/want.Joules()-1))
					if u := p.g.Uncertainty(v); (got - want).Joules() > u.Expanded().Joules() {
						t.Errorf("seed %d: %v for a truth of %v: outside ± %v", seed, got, want, u.Expanded())
					}
				}
				if worst > 0.005 {
					t.Errorf("off by %.2f %% in the worst phase", 100*worst)
				}
			})
		}
	}
}

func scaled(c scenario.PowerCurve, by float64) scenario.PowerCurve {
	s := c
	s.Segments = nil
	for _, g := range c.Segments {
		g.From = energy.Power(float64(g.From) * by)
		g.To = energy.Power(float64(g.To) * by)
		s.Segments = append(s.Segments, g)
	}
	return s
}
