package doctor

import (
	"context"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/nvml/sim"
	"greenagent/profile"
	"greenagent/scenario"
)

const ms = time.Millisecond

// bubble is the clock of a synctest bubble, with the scenario's origin at its start.
type bubble struct {
	zero   time.Time
	origin energy.Instant
}

func (b bubble) Now() energy.Instant { return b.origin.Add(time.Since(b.zero)) }

// slow is a library whose readings take their time.
type slow struct {
	*sim.Library
	takes time.Duration
}

func (s slow) Sample(device int, dst *nvml.Sample) error {
	time.Sleep(s.takes / 2)
	err := s.Library.Sample(device, dst)
	time.Sleep(s.takes - s.takes/2)
	dst.Before, dst.After = dst.Before.Add(-s.takes/2), dst.After.Add(s.takes-s.takes/2)
	return err
}

// characterised looks at the devices of a node in virtual time.
func characterised(t *testing.T, node scenario.Node, length, takes time.Duration) (trials []*trial, profiles []profile.Profile) {
	t.Helper()
	node.Uptime = time.Hour
	synctest.Test(t, func(t *testing.T) {
		clock := bubble{time.Now(), energy.Instant(node.Since())}
		lib := slow{sim.New(node, clock, clock.Now()), takes}
		sources := collector.NewGPUs(lib, nil).Domains()
		for i, d := range lib.Devices() {
			trials = append(trials, newTrial(i, d, sources[i]))
		}
		watch(t.Context(), lib, clock, trials, length, func(string) {})
		for _, r := range trials {
			p := profile.New(r.UUID, r.Driver, r.Name, r.Architecture, time.Now())
			if r.answered() {
				r.describe(&p, time.Now())
			}
			profiles = append(profiles, p)
		}
	})
	return trials, profiles
}

// TestCharacterisePresets: what is derived of each board is what the scenario says,
// ticks to a hundredth.
func TestCharacterisePresets(t *testing.T) {
	t.Parallel()
	node := scenario.Node{Devices: scenario.Presets()}
	for i := range node.Devices {
		d := &node.Devices[i]
		// Power that rises all the time shows every tick of its sensors.
		d.Loads = []scenario.Load{{PID: 1, Memory: 1 << 30, Power: scenario.Ramp(d.MaxLimit/10, d.MaxLimit/2, 20*time.Second)}}
	}
	trials, profiles := characterised(t, node, 8*time.Second, 100*time.Microsecond)
	for i, p := range profiles {
		d := &node.Devices[i]
		s := d.Sensor
		tick := func(what string, got *profile.Tick, want time.Duration) {
			t.Helper()
			if got == nil {
				t.Errorf("%s: %s: no tick", d.Name, what)
				return
			}
			if off := (time.Duration(got.Period) - want).Abs(); off > want/100 || off > time.Duration(got.Within) || !got.Even {
				t.Errorf("%s: %s ticks every %v, learnt %+v", d.Name, what, want, *got)
			}
		}
		if (p.Counter != nil) != s.Counter {
			t.Errorf("%s: a counter: %t", d.Name, p.Counter != nil)
		} else if s.Counter {
			tick("counter", p.Counter.Tick, s.CounterTick)
			if p.Counter.Step == nil || *p.Counter.Step != energy.Millijoule {
				t.Errorf("%s: the counter's step is %v, want 1 mJ", d.Name, p.Counter.Step)
			}
			if known := p.Known(); (known.CounterTick - s.CounterTick).Abs() > s.CounterTick/100 {
				t.Errorf("%s: a run starts from %+v", d.Name, known)
			}
		}
		tick("power", p.Power.Tick, s.InstantTick)
		scope := "gpu"
		if s.Fields == scenario.ScopeModule {
			scope = "module"
		}
		if p.Power.Field != "instant" || p.Power.Scope != scope || (p.Average != nil) != (s.AverageWindow > 0) {
			t.Errorf("%s: power %+v, average %+v", d.Name, p.Power, p.Average)
		}
		if p.Average != nil {
			tick("average", p.Average.Tick, s.AverageTick)
		}
		if s.Lag > 0 && (p.Power.Lag == nil || time.Duration(*p.Power.Lag) != s.Lag || p.Power.Window != nil) {
			t.Errorf("%s: %+v", d.Name, p.Power)
		}
		if s.Lag == 0 && p.Power.Source == profile.SourceTable && time.Duration(*p.Power.Window) != s.InstantWindow {
			t.Errorf("%s: a window of %v, want %v", d.Name, p.Power.Window, s.InstantWindow)
		}
		clock := profile.ClockBoot
		if s.Clock == scenario.SinceEpoch {
			clock = profile.ClockEpoch
		}
		if p.Ring == nil || p.Ring.Length != 120 || time.Duration(*p.Ring.Every) != s.RingTick {
			t.Errorf("%s: ring %+v", d.Name, p.Ring)
		} else if p.Ring.Clock != clock {
			t.Errorf("%s: the ring's clock is %q, want %q", d.Name, p.Ring.Clock, clock)
		}
		if p.Activity == nil || p.Activity.Every == nil || (time.Duration(*p.Activity.Every)-139*ms).Abs() > 5*ms {
			t.Errorf("%s: activity %+v", d.Name, p.Activity)
		}
		if p.Processes == nil || !*p.Processes || p.Instances != nil || len(p.Idle) != 0 {
			t.Errorf("%s: processes %v, instances %v, idle %v", d.Name, p.Processes, p.Instances, p.Idle)
		}
		if len(p.Calls) != requests || p.Calls[0].Name != "sample" || p.Calls[0].Median != energy.Seconds(100*time.Microsecond) {
			t.Errorf("%s: calls %+v", d.Name, p.Calls)
		}
		if s.Counter && scope == "gpu" {
			if p.CrossCheck == nil || math.Abs(*p.CrossCheck-1) > 0.02 {
				t.Errorf("%s: cross-check %v", d.Name, p.CrossCheck)
			}
		} else if p.CrossCheck != nil {
			t.Errorf("%s: cross-check %v of what cannot be compared", d.Name, *p.CrossCheck)
		}
		checks := trials[i].checks()
		lookOver(t, checks)
		for _, c := range checks {
			if c.Status > Info || c.Status == Info && scope == "gpu" {
				t.Errorf("%s: %+v", d.Name, c)
			}
		}
		if err := profile.Open(t.TempDir()).Save(p); err != nil {
			t.Error(err)
		}
	}
}

// TestCharacteriseAtRest: what a board draws with nobody on it, and how it ticks
// although its power never changes.
func TestCharacteriseAtRest(t *testing.T) {
	t.Parallel()
	node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0"), scenario.Pascal("GPU-1"), scenario.GA100("GPU-2")}}
	// The third one is left in the middle.
	node.Devices[2].Loads = []scenario.Load{{PID: 1, To: 4 * time.Second, Power: scenario.Steady(300 * energy.Watt)}}
	_, profiles := characterised(t, node, 10*time.Second, 100*time.Microsecond)
	for i, want := range []struct {
		power energy.Power
		least time.Duration
	}{{70 * energy.Watt, 8 * time.Second}, {26 * energy.Watt, 8 * time.Second}, {50 * energy.Watt, 3 * time.Second}} {
		p := profiles[i]
		if len(p.Idle) != 1 {
			t.Errorf("%s: idle %+v", p.Name, p.Idle)
			continue
		}
		if got := p.Idle[0]; math.Abs(float64(got.Power-want.power)) > 0.01*float64(want.power) || time.Duration(got.For) < want.least || got.State == nil {
			t.Errorf("%s: idle %+v, want %v", p.Name, got, want.power)
		}
		if k := p.Known(); k.Idle != p.Idle[0].Power {
			t.Errorf("%s: known %+v", p.Name, k)
		}
	}
	p := profiles[0]
	if p.Counter.Tick == nil || (time.Duration(p.Counter.Tick.Period)-100*ms).Abs() > ms/2 {
		t.Errorf("the counter's tick: %+v", p.Counter.Tick)
	}
	// A constant power shows neither the sensor's tick nor its window, nor what the
	// counter resolves; none of it is made up.
	if p.Power.Tick != nil || p.Counter.Step != nil || p.Power.Source != profile.SourceTable {
		t.Errorf("%+v, %+v", p.Power, p.Counter)
	}
	if p.Activity == nil || p.Activity.Every != nil {
		t.Errorf("activity %+v", p.Activity)
	}
	// What was known before stays.
	if p = profiles[1]; p.Counter != nil {
		t.Errorf("%+v", p.Counter)
	}
}

// TestWindow: where power varies and the counter is fast enough, the window is
// measured.
func TestWindow(t *testing.T) {
	t.Parallel()
	load := func(d scenario.Device) scenario.Device {
		// Steps of all lengths, so that none is in time with a sensor.
		var segments []scenario.Segment[energy.Power]
		for i, length := range []time.Duration{130, 410, 70, 290, 170, 530, 90, 230, 370, 110} {
			p := d.MaxLimit / 10 * energy.Power(1+(i*7)%6)
			segments = append(segments, scenario.Segment[energy.Power]{For: length * ms, From: p, To: p})
		}
		d.Loads = []scenario.Load{{PID: 1, Power: scenario.Cycle(segments...)}}
		return d
	}
	wide := scenario.GA100("GPU-wide")
	wide.Sensor.InstantWindow = 100 * ms
	node := scenario.Node{Devices: []scenario.Device{load(scenario.GA100("GPU-quarter")), load(wide), load(scenario.Hopper("GPU-hopper"))}}
	_, profiles := characterised(t, node, 20*time.Second, 200*time.Microsecond)
	for i, c := range []struct {
		power *profile.Power
		want  time.Duration
	}{{profiles[0].Power, 25 * ms}, {profiles[1].Power, 100 * ms}, {profiles[2].Average, time.Second}} {
		if c.power.Source != profile.SourceMeasured || c.power.WindowWithin == nil {
			t.Errorf("%d: not measured: %+v", i, c.power)
			continue
		}
		window, within := time.Duration(*c.power.Window), time.Duration(*c.power.WindowWithin)
		t.Logf("%s, %s: %v ± %v, is %v", profiles[i].Name, c.power.Field, window, within, c.want)
		if (window-c.want).Abs() > within || within > max(c.want*3/4, 20*ms) {
			t.Errorf("%d: a window of %v ± %v, want %v", i, window, within, c.want)
		}
	}
	// A counter as slow as the sensor cannot tell the sensor's window.
	if p := profiles[2].Power; p.Source != profile.SourceTable || time.Duration(*p.Window) != 25*ms {
		t.Errorf("%+v", p)
	}
}

// TestContradictions: what a driver says that cannot be, or not together, is found.
func TestContradictions(t *testing.T) {
	t.Parallel()
	// Power that shows 30 % too much beside a counter that does not.
	off := scenario.Volta("GPU-off")
	off.Sensor.Gain = 0
	still := scenario.Volta("GPU-still")
	still.Sensor.CounterTick = time.Hour
	uneven := scenario.Volta("GPU-falls")
	uneven.Resets = []time.Duration{3 * time.Second}
	lost := scenario.Volta("GPU-lost")
	sometimes := scenario.Volta("GPU-sometimes")
	slightly := scenario.Volta("GPU-slightly")
	slightly.Sensor.Gain = 0
	node := scenario.Node{
		Devices: []scenario.Device{off, still, uneven, lost, sometimes, slightly},
		Faults: []scenario.Fault{
			{Device: 0, Call: scenario.CallPower, Kind: scenario.Garbage, Value: 60_000},
			{Device: 3, Kind: scenario.Lost, At: ms},
			{Device: 4, Kind: scenario.Transient, At: time.Second, Times: 7},
			{Device: 5, Call: scenario.CallPower, Kind: scenario.Garbage, Value: 42_000},
		},
	}
	trials, profiles := characterised(t, node, 6*time.Second, 100*time.Microsecond)
	var all []Check
	for _, r := range trials {
		all = append(all, r.checks()...)
	}
	lookOver(t, all)
	expect(t, find(t, all, "gpu.GPU-off.crosscheck"), Warn, "greenagent doctor characterise --duration 1m", "0.667", "contradicts itself")
	expect(t, find(t, all, "gpu.GPU-slightly.crosscheck"), Info, "", "0.952", "usually agree")
	expect(t, find(t, all, "gpu.GPU-still.tick"), Warn, "", "stands still")
	expect(t, find(t, all, "gpu.GPU-still.crosscheck"), Info, "", "could not be compared")
	expect(t, find(t, all, "gpu.GPU-falls.monotone"), Warn, "", "fell 1 times")
	expect(t, find(t, all, "gpu.GPU-lost.answers"), Fail, "sudo nvidia-smi --gpu-reset -i GPU-lost", "does not answer")
	without(t, all, "gpu.GPU-lost.tick", "gpu.GPU-lost.latency")
	expect(t, find(t, all, "gpu.GPU-sometimes.answers"), Warn, "", "readings failed")
	if p := profiles[4]; p.Characterised == nil || p.Characterised.Failed < 5 || p.Characterised.Failed > 7 || p.Counter.Tick == nil {
		t.Errorf("%+v", p.Characterised)
	}
	if looks := trials[3].looks; looks > resigned+10 {
		t.Errorf("a lost GPU was asked %d times", looks)
	}
}

// TestSlowDriver: ticks are found by slow readings too, as far as they can.
func TestSlowDriver(t *testing.T) {
	t.Parallel()
	node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0"), scenario.Volta("GPU-1")}}
	trials, profiles := characterised(t, node, 10*time.Second, 12*ms)
	if tick := profiles[0].Counter.Tick; tick == nil || (time.Duration(tick.Period)-100*ms).Abs() > 100*ms/100 {
		t.Errorf("%+v", tick)
	}
	// Two readings of 12 ms in turn: a tick of 20 ms hides.
	if tick := profiles[1].Counter.Tick; tick != nil && (time.Duration(tick.Period)-20*ms).Abs() > 20*ms/100 {
		t.Errorf("%+v", tick)
	}
	expect(t, find(t, trials[0].checks(), "gpu.GPU-0.latency"), Pass, "", "12 ms")
	_, profiles = characterised(t, node, 5*time.Second, 30*ms)
	if tick := profiles[1].Counter.Tick; tick != nil && (time.Duration(tick.Period)-20*ms).Abs() > 20*ms/100 {
		t.Errorf("%+v", tick)
	}
}

// TestCancelled: it ends with its context, and tells what was seen until then.
func TestCancelled(t *testing.T) {
	t.Parallel()
	node := scenario.Node{Devices: []scenario.Device{scenario.Volta("GPU-0")}, Uptime: time.Hour}
	synctest.Test(t, func(t *testing.T) {
		clock := bubble{time.Now(), energy.Instant(node.Since())}
		lib := sim.New(node, clock, clock.Now())
		gpu := newTrial(0, lib.Devices()[0], collector.NewGPUs(lib, nil).Domains()[0])
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		begun := time.Now()
		watch(ctx, lib, clock, []*trial{gpu}, time.Minute, func(string) {})
		if took := time.Since(begun); took > 2100*ms {
			t.Errorf("it took %v", took)
		}
		p := profile.New("GPU-0", "1", "", "", time.Now())
		gpu.describe(&p, time.Now())
		if p.Counter == nil || p.Counter.Tick == nil || (time.Duration(p.Counter.Tick.Period)-20*ms).Abs() > ms/5 {
			t.Errorf("%+v", p.Counter)
		}
	})
}

// TestAsleep: GPUs that sleep are nothing to mend.
func TestAsleep(t *testing.T) {
	t.Parallel()
	asleep := fmt.Errorf("nvml: device #1: not looked at: %w", nvml.ErrAsleep)
	v := gpuView{devices: []deviceView{{Device: nvml.Device{Name: "A"}}}}
	v.warn([]error{asleep})
	cards := driverView{cards: []card{{"0000:1b:00.0", "nvidia"}, {"0000:43:00.0", "nvidia"}}}
	expect(t, v.inventory(&cards), Info, "", "1 × A, and 1 asleep", "not woken")
	v = gpuView{err: asleep}
	checks := v.failure(&cards)
	expect(t, find(t, checks, gpuDevices), Info, "", "all GPUs are asleep", "0000:43:00.0")
	if len(checks) != 1 {
		t.Errorf("more is said than was looked at: %+v", checks)
	}
	device := deviceView{sampled: asleep, Device: nvml.Device{UUID: "GPU-0"}}
	if checks := device.checks(); len(checks) != 1 {
		t.Errorf("%+v", checks)
	} else {
		expect(t, checks[0], Info, "", "asleep")
	}
	trial := newTrial(0, nvml.Device{UUID: "GPU-0"}, collector.Domain{})
	trial.looks, trial.failures, trial.failed = 20, 20, asleep
	expect(t, trial.checks()[0], Info, "", "not woken")
}
