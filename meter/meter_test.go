package meter_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/meter"
	"greenagent/scenario"
)

// virtual is a clock on the bubble's time.
type virtual struct{ zero time.Time }

func newVirtual() virtual { return virtual{time.Now().Add(-time.Hour)} }

func (v virtual) Now() energy.Instant { return energy.Instant(time.Since(v.zero)) }

// counting is a counter of constant power that is current whenever it is read.
type counting struct {
	clock  energy.Clock
	power  energy.Power
	hangs  chan struct{} // a reading waits for it to be closed; nil: none hangs
	closed atomic.Bool
	reads  atomic.Int64
}

func (c *counting) Domains() []collector.Domain {
	return []collector.Domain{{ID: "cpu:0", Type: collector.CPU, Basis: energy.Counted, Counter: true, Fresh: true, Window: 1}}
}

func (c *counting) Read(dst []collector.Reading) ([]collector.Reading, error) {
	if c.reads.Add(1) > 20 && c.hangs != nil {
		<-c.hangs
	}
	now := c.clock.Now()
	return append(dst, collector.Reading{At: now, Has: collector.HasCounter, Counter: c.power.For(time.Duration(now))}), nil
}

func (c *counting) Close() error {
	c.closed.Store(true)
	return nil
}

// TestHungFeed: a source that stops answering costs its own series and nothing
// else. The measurement ends on time, with what was told until then; the source is
// closed when it comes back.
func TestHungFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newVirtual()
		start := clock.Now()
		m := meter.New(meter.Config{Clock: clock, From: start})
		healthy := &counting{clock: clock, power: 100 * energy.Watt}
		hung := &counting{clock: clock, power: 100 * energy.Watt, hangs: make(chan struct{})}
		m.Add(meter.Feed{Name: "healthy", Source: healthy, Close: healthy.Close})
		m.Add(meter.Feed{Name: "hung", Source: hung, Close: hung.Close})
		time.Sleep(10 * time.Second)
		end := clock.Now()
		s := m.Finish(end, 100*ms)
		if late := clock.Now().Sub(end); late > 400*ms {
			t.Errorf("Finish took %v", late)
		}
		if e := s.Domains[0].Energy; e != energy.Kilojoule {
			t.Errorf("the healthy source's energy is %v, want 1 kJ", e)
		}
		d := s.Domains[1]
		if told := (100 * energy.Watt).For(10*time.Second - d.Unobserved); d.Energy > told || d.Energy < told-energy.Joule || d.Unobserved < 7*time.Second {
			t.Errorf("the hung source's energy is %v, %v of the time unobserved", d.Energy, d.Unobserved)
		}
		sums(t, &s, 0)
		sums(t, &s, 1)
		if !healthy.closed.Load() || hung.closed.Load() {
			t.Errorf("closed: the healthy source %t, the hung one %t", healthy.closed.Load(), hung.closed.Load())
		}
		close(hung.hangs)
		synctest.Wait()
		if !hung.closed.Load() {
			t.Error("the hung source came back and was not closed")
		}
		if again := m.Snapshot(); again.Domains[1].Energy != d.Energy {
			t.Errorf("%v after the end, %v later", d.Energy, again.Domains[1].Energy)
		}
	})
}

// TestAddAfterFinish closes a source that was opened too late, and one that has
// nothing to read.
func TestAddAfterFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newVirtual()
		m := meter.New(meter.Config{Clock: clock, From: clock.Now()})
		empty := false
		m.Add(meter.Feed{Source: nothing{}, Close: func() error { empty = true; return nil }})
		if !empty {
			t.Error("a source without domains was not closed")
		}
		time.Sleep(time.Second)
		if s := m.Finish(clock.Now(), 0); len(s.Domains) != 0 {
			t.Errorf("%d domains", len(s.Domains))
		}
		late := &counting{clock: clock}
		m.Add(meter.Feed{Source: late, Close: late.Close})
		if !late.closed.Load() || len(m.Snapshot().Domains) != 0 {
			t.Error("a source added after the end was not closed")
		}
	})
}

type nothing struct{}

func (nothing) Domains() []collector.Domain                                 { return nil }
func (nothing) Read(dst []collector.Reading) ([]collector.Reading, error)   { return dst, nil }
func (failing) Domains() []collector.Domain                                 { return (&counting{}).Domains() }
func (f failing) Read(dst []collector.Reading) ([]collector.Reading, error) { return dst, f.err() }
func (f failing) Observe(_ energy.Instant, _ []collector.Activity) error    { return f.err() }

// failing is a source and an observer that never answer.
type failing struct{ n *int }

func (f failing) err() error {
	*f.n++
	if *f.n%2 == 0 {
		return errors.New("first trouble")
	}
	return errors.New("trouble number " + strings.Repeat("x", *f.n/2%20))
}

// TestFailuresAreTold once each, with how often, and not without end.
func TestFailuresAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newVirtual()
		f := failing{new(int)}
		m := meter.New(meter.Config{Clock: clock, From: clock.Now()})
		m.Add(meter.Feed{Name: "broken", Source: f, Observer: f})
		time.Sleep(10 * time.Second)
		s := m.Finish(clock.Now(), 0)
		if d := s.Domains[0]; d.Basis != energy.Unknown || d.Energy != 0 || len(d.Warnings) == 0 {
			t.Errorf("%+v", d)
		}
		all := strings.Join(s.Warnings, "\n")
		if n := len(s.Warnings); n < 5 || n > 10 || !strings.Contains(all, "broken: first trouble (") || !strings.Contains(all, "more failures") {
			t.Errorf("%d warnings:\n%s", n, all)
		}
	})
}

// TestSnapshots: totals never fall while the meter runs, and its figures always
// sum.
func TestSnapshots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.node.Devices = []scenario.Device{scenario.Hopper("GPU-0"), scenario.Pascal("GPU-1")}
		s.node.Processes = []scenario.Process{{PID: self, PPID: 1, Command: []string{"greenagent"}}}
		s.start(meter.Config{})
		s.open()
		s.spawn(load{pid: 42, parent: self, name: "train", gpu: 0, power: scenario.Square(0, 300*energy.Watt, 700*ms, 0.5, 0)})
		s.spawn(load{pid: 43, parent: self, name: "train", gpu: 1, power: scenario.Steady(100 * energy.Watt)})
		var before [2]energy.Energy
		for range 200 {
			time.Sleep(73 * ms)
			now := s.meter.Snapshot()
			for i := range now.Domains {
				sums(t, &now, i)
				if now.Domains[i].Energy < before[i] {
					t.Fatalf("%s went from %v to %v", now.Domains[i].ID, before[i], now.Domains[i].Energy)
				}
				before[i] = now.Domains[i].Energy
			}
		}
		s.finish(150 * ms)
		for i := range s.last.Domains {
			d := &s.last.Domains[i]
			if off := d.Energy.Joules()/s.truth(d, s.last.Interval).Joules() - 1; off > 0.005 || off < -0.005 {
				t.Errorf("%s: %v for a truth of %v", d.ID, d.Energy, s.truth(d, s.last.Interval))
			}
		}
	})
}
