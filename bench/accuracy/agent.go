package main

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"greenagent/collector"
	"greenagent/collector/procfs"
	"greenagent/energy"
	"greenagent/meter"
	"greenagent/nvml/sim"
)

const (
	// jitter is how late a reading may come, as a part of the time since the one
	// before it.
	jitter = 0.2
	// grace is for how long a measurement waits for its sensors at its end, but for
	// no more than a twentieth of it.
	grace = 150 * ms
)

// figure is an energy and what is stated of its uncertainty (k = 2), with and
// without that of the sensor's gain.
type figure struct{ energy, published, bound energy.Energy }

// measure runs greenagent's own meter on a simulated GPU and returns its figure of
// the device, then those of the parties. Files of the simulated /proc go below the
// folder. The meter waits on timers: it runs in a bubble, in which time passes when
// everybody waits.
func measure(in *testing.T, t *trial, folder string) (list []figure) {
	synctest.Test(in, func(in *testing.T) {
		clock := bubble{began: time.Now(), start: at(t.start)}
		proc := tree{node: &t.node, root: folder}
		time.Sleep(t.opening)
		lib := sim.New(t.node, clock, at(0))
		sensor := newSensor(t, lib)
		m := meter.New(meter.Config{Clock: clock, From: clock.start})
		m.Add(meter.Feed{Name: "gpu", Source: sensor, Observer: observer{
			collector.NewGPUUsers(lib, procfs.New(folder), t.owner), &proc,
		}})
		time.Sleep(at(t.end).Sub(clock.Now()))
		snapshot := m.Finish(at(t.end), min((t.end-t.start)/20, grace))
		if proc.failed != nil || len(snapshot.Warnings) > 0 {
			in.Errorf("%v, %v", proc.failed, snapshot.Warnings)
		}
		d := &snapshot.Domains[0]
		list = make([]figure, 1+len(t.parties))
		list[0] = newFigure(d.Energy, d.Uncertainty, sensor.gain)
		for _, o := range d.Owners {
			list[o.Owner] = newFigure(o.Dynamic, o.Uncertainty, sensor.gain)
		}
	})
	return list
}

// owner returns the owner of a process: the number of its party, from 1.
func (t *trial) owner(pid int) collector.Owner {
	return collector.Owner(slices.Index(t.parties, t.party[pid]) + 1)
}

func newFigure(e energy.Energy, u energy.Uncertainty, gain float64) figure {
	whole := u.Combine(energy.Uncertainty{Systematic: gain * float64(e)})
	return figure{e, whole.Expanded(), u.Expanded()}
}

// bubble is the clock of a simulation in a synctest bubble.
type bubble struct {
	began time.Time
	start energy.Instant
}

func (b bubble) Now() energy.Instant { return b.start.Add(time.Since(b.began)) }

// sensor is the GPU as a source that is sometimes late. Its gain is exact here, and
// what is stated of that told apart: it would be larger than everything that is
// compared. The idle power is known, as to the methods compared.
type sensor struct {
	*collector.GPUs
	trial   *trial
	domains []collector.Domain
	gain    float64 // the standard uncertainty of it that was left out
	last    time.Time
}

func newSensor(t *trial, lib *sim.Library) *sensor {
	s := &sensor{GPUs: collector.NewGPUs(lib, nil), trial: t, last: time.Now()}
	s.domains = slices.Clone(s.GPUs.Domains())
	s.gain, s.domains[0].Gain = s.domains[0].Gain, 0
	s.domains[0].Floor = t.device().Idle
	return s
}

func (s *sensor) Domains() []collector.Domain { return s.domains }

func (s *sensor) Read(dst []collector.Reading) ([]collector.Reading, error) {
	time.Sleep(time.Duration(jitter * s.trial.random.Float64() * float64(time.Since(s.last))))
	s.last = time.Now()
	return s.GPUs.Read(dst)
}

// observer brings the simulated /proc up to date before it is looked at.
type observer struct {
	*collector.GPUUsers
	proc *tree
}

func (o observer) Observe(now energy.Instant, dst []collector.Activity) error {
	o.proc.update(now.Sub(at(0)))
	return o.GPUUsers.Observe(now, dst)
}
