//go:build linux && cgo

package meter_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"greenagent/attribution"
	"greenagent/energy"
	"greenagent/meter"
	"greenagent/nvml"
	"greenagent/nvml/libsim"
	"greenagent/scenario"
)

// The tests of this file go through the real binding and the dynamic linker to the
// simulated library, in the virtual time of a bubble.

// life is a stage on libsim.
type life struct {
	*stage
	in   *libsim.Instance
	wall time.Duration // what the wall clock is off by
	sys  string
}

// live plays a node, whose loads are processes of the run.
func live(t *testing.T, node scenario.Node, play func(*life)) {
	t.Helper()
	node.Processes = append(node.Processes, scenario.Process{PID: self, PPID: 1, Start: -time.Second, Command: []string{"greenagent"}})
	for _, d := range node.Devices {
		for _, l := range d.Loads {
			node.Processes = append(node.Processes, scenario.Process{PID: l.PID, PPID: self, Start: l.From, End: l.To, Command: []string{"worker"}})
		}
	}
	in := libsim.Start(t, node, libsim.Options{})
	in.Setenv(t)
	synctest.Test(t, func(t *testing.T) {
		l := &life{stage: newStage(t), in: in}
		l.node = in.Node
		l.follow = func() {
			if d := l.now() - in.Elapsed(); d > 0 {
				in.Advance(d)
			}
		}
		l.start(meter.Config{})
		play(l)
		synctest.Wait()
	})
}

// open opens NVML and adds it to the meter.
func (l *life) open() *nvml.Library {
	l.t.Helper()
	l.write()
	lib, err := nvml.Open(l.t.Context(), nvml.Options{
		Path: l.in.Path, Clock: l.stage, Sys: l.sys,
		Wall: func() time.Time { return l.node.WallClock(l.now()).Add(l.wall) },
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.meter.Add(l.gpus(lib, lib))
	return lib
}

// end finishes the measurement and checks that the accounts add up.
func (l *life) end() attribution.Snapshot {
	l.t.Helper()
	l.finish(150 * ms)
	for i := range l.last.Domains {
		sums(l.t, &l.last, i)
	}
	return l.last
}

// covered checks that no energy was created, that what is missing is no more than
// what may have been used in the time said to be unobserved, and that this time is
// about as long as it was.
func (l *life) covered(d *attribution.DomainState, unobserved time.Duration) {
	l.t.Helper()
	truth := l.truth(d, l.last.Interval)
	l.t.Logf("%s: %v ± %v of %v, %v unobserved, %q", d.ID, d.Energy, d.Uncertainty.Expanded(), truth, d.Unobserved, d.Warnings)
	if d.Energy > truth+truth/200 {
		l.t.Errorf("%s: %v of %v: energy was created", d.ID, d.Energy, truth)
	}
	if most := d.Limit.For(d.Unobserved); d.Energy+most+truth/200 < truth {
		l.t.Errorf("%s: %v of %v, and at most %v unobserved: energy was lost", d.ID, d.Energy, truth, most)
	}
	if u := d.Uncertainty.Expanded(); d.Energy+u < truth || d.Energy > truth+u {
		l.t.Errorf("%s: %v ± %v does not cover %v", d.ID, d.Energy, u, truth)
	}
	const slack = 700 * ms
	if d.Unobserved < unobserved-slack || d.Unobserved > unobserved+slack {
		l.t.Errorf("%s: unobserved for %v, want %v", d.ID, d.Unobserved, unobserved)
	}
	if unobserved > 0 && (len(d.Warnings) == 0 || !strings.Contains(strings.Join(d.Warnings, "\n"), "(its limit) may have been used")) {
		l.t.Errorf("%s: no bounds are told: %q", d.ID, d.Warnings)
	}
}

// twoBusy is a node of a GPU with a counter and one without, at work.
func twoBusy(faults ...scenario.Fault) scenario.Node {
	node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0"), scenario.Pascal("GPU-1")}, Faults: faults}
	for i := range node.Devices {
		d := &node.Devices[i]
		d.Loads = []scenario.Load{{PID: 42 + i, From: -time.Second, Memory: 1 << 30, Power: scenario.Steady(d.MaxLimit / 2)}}
	}
	return node
}

func warned(s attribution.Snapshot, words string) bool {
	return strings.Contains(strings.Join(s.Warnings, "\n"), words)
}

func TestReloadThroughTheBinding(t *testing.T) {
	node := twoBusy()
	node.Reload(5*time.Second, 2*time.Second, "")
	live(t, node, func(l *life) {
		l.open()
		time.Sleep(15 * time.Second)
		s := l.end()
		for i := range s.Domains {
			l.covered(&s.Domains[i], 2*time.Second)
		}
		if s.Domains[0].Resets != 1 || !warned(s, "NVIDIA driver is not loaded (for ") {
			t.Errorf("%d resets, warnings %q", s.Domains[0].Resets, s.Warnings)
		}
	})
}

func TestUpgradeThroughTheBinding(t *testing.T) {
	node := twoBusy()
	node.Reload(5*time.Second, 2*time.Second, "580.82.07")
	live(t, node, func(l *life) {
		l.open()
		time.Sleep(10 * time.Second)
		s := l.end()
		for i := range s.Domains {
			l.covered(&s.Domains[i], 5*time.Second)
		}
		if !warned(s, "differ in version (for ") {
			t.Errorf("warnings %q", s.Warnings)
		}
	})
}

func TestNeverBackThroughTheBinding(t *testing.T) {
	live(t, twoBusy(scenario.Fault{Device: 0, Kind: scenario.ResetRequired, At: 5 * time.Second}), func(l *life) {
		l.open()
		time.Sleep(10 * time.Second)
		s := l.end()
		l.covered(&s.Domains[0], 5*time.Second)
		l.covered(&s.Domains[1], 0)
		if !warned(s, "GPU is lost (for 5") {
			t.Errorf("warnings %q", s.Warnings)
		}
	})
}

func TestCounterResetThroughTheBinding(t *testing.T) {
	node := twoBusy()
	node.Devices[0].Resets = []time.Duration{5 * time.Second}
	live(t, node, func(l *life) {
		l.open()
		time.Sleep(10 * time.Second)
		s := l.end()
		l.covered(&s.Domains[0], 0)
		l.covered(&s.Domains[1], 0)
		if s.Domains[0].Resets != 1 {
			t.Errorf("%d resets", s.Domains[0].Resets)
		}
	})
}

// TestRefusalThroughTheBinding: NOT_SUPPORTED of what was supported is a gap.
func TestRefusalThroughTheBinding(t *testing.T) {
	live(t, twoBusy(scenario.Fault{Device: scenario.AllDevices, Kind: scenario.Unsupported, At: 5 * time.Second, For: 3 * time.Second}), func(l *life) {
		l.open()
		time.Sleep(12 * time.Second)
		s := l.end()
		l.covered(&s.Domains[0], 0) // its counter went on
		l.covered(&s.Domains[1], 3*time.Second)
	})
}

func TestBogusThroughTheBinding(t *testing.T) {
	live(t, twoBusy(
		scenario.Fault{Device: scenario.AllDevices, Call: scenario.CallPower, Kind: scenario.Garbage, At: 5 * time.Second, Times: 5, Value: 4_000_000},
		scenario.Fault{Device: 0, Call: scenario.CallCounter, Kind: scenario.Garbage, At: 6 * time.Second, Times: 2, Value: 1 << 50},
		scenario.Fault{Device: 0, Call: scenario.CallCounter, Kind: scenario.Garbage, At: 7 * time.Second, Times: 2, Value: 1},
	), func(l *life) {
		l.open()
		time.Sleep(12 * time.Second)
		s := l.end()
		rejected := 0
		for i := range s.Domains {
			l.covered(&s.Domains[i], 0)
			rejected += s.Domains[i].Rejected
			if s.Domains[i].Peak > s.Domains[i].Limit {
				t.Errorf("%s: a peak of %v", s.Domains[i].ID, s.Domains[i].Peak)
			}
		}
		if rejected < 8 || s.Domains[0].Resets > 0 {
			t.Errorf("%d readings were rejected, %d resets", rejected, s.Domains[0].Resets)
		}
	})
}

// TestWallStepsThroughTheBinding: an hour this way or that changes no joule.
func TestWallStepsThroughTheBinding(t *testing.T) {
	var first []energy.Energy
	for _, step := range []time.Duration{0, time.Hour, -time.Hour} {
		live(t, twoBusy(), func(l *life) {
			l.open()
			time.Sleep(3 * time.Second)
			l.wall = step
			time.Sleep(3 * time.Second)
			l.wall = -step
			time.Sleep(4 * time.Second)
			s := l.end()
			for i := range s.Domains {
				l.covered(&s.Domains[i], 0)
				if step == 0 {
					first = append(first, s.Domains[i].Energy)
				} else if s.Domains[i].Energy != first[i] {
					t.Errorf("a step of %v: %v became %v", step, first[i], s.Domains[i].Energy)
				}
			}
		})
	}
}

// TestSleepThroughTheBinding: the machine is suspended, and its clock stands still.
// Whether the counter went on meanwhile or not, that is no energy of the run.
func TestSleepThroughTheBinding(t *testing.T) {
	for name, prepare := range map[string]func(*scenario.Device){
		"counter goes on":      func(d *scenario.Device) { d.Leaps = []scenario.Leap{{At: 5 * time.Second, By: 36 * energy.Kilojoule}} },
		"counter starts anew":  func(d *scenario.Device) { d.Resets = []time.Duration{5 * time.Second} },
		"counter stands still": func(*scenario.Device) {},
	} {
		t.Run(name, func(t *testing.T) {
			node := twoBusy()
			prepare(&node.Devices[0])
			live(t, node, func(l *life) {
				l.open()
				time.Sleep(10 * time.Second)
				s := l.end()
				l.covered(&s.Domains[0], 0)
				l.covered(&s.Domains[1], 0)
			})
		})
	}
}

// TestAsleepThroughTheBinding: of a GPU that slept, the counter tells afterwards; of
// one without a counter, the time is unobserved.
func TestAsleepThroughTheBinding(t *testing.T) {
	node := twoBusy()
	node.Devices[0].BusID, node.Devices[1].BusID = "00000000:01:00.0", "00000000:65:00.0"
	sys := newPCI(t, "0000:01:00.0", "0000:65:00.0")
	live(t, node, func(l *life) {
		l.sys = sys.root
		l.open()
		time.Sleep(4 * time.Second)
		sys.set("suspended")
		calls := l.in.Calls(0) + l.in.Calls(1)
		time.Sleep(5 * time.Second)
		if n := l.in.Calls(0) + l.in.Calls(1) - calls; n != 0 {
			t.Errorf("%d calls woke them", n)
		}
		sys.set("active")
		time.Sleep(4 * time.Second)
		s := l.end()
		l.covered(&s.Domains[0], 0)
		l.covered(&s.Domains[1], 5*time.Second)
		if !warned(s, "GPU is asleep (for 5") {
			t.Errorf("warnings %q", s.Warnings)
		}
	})
}
