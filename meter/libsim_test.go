//go:build linux && cgo

package meter_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/meter"
	"greenagent/nvml"
	"greenagent/nvml/libsim"
	"greenagent/scenario"
)

// boards are sensor models on the far side of the real binding: libsim's C
// library, opened by dlopen, its clock driven by the bubble's.
var boards = []struct {
	name  string
	board func(uuid string) scenario.Device
}{
	{"Hopper", scenario.Hopper},
	{"GA100", scenario.GA100},
	{"Volta", scenario.Volta},
	{"without a counter", scenario.Pascal},
}

// measure plays a node for a time, as a run that starts at the origin and whose
// sensors take a while to open, and returns its stage at the end.
func measure(t *testing.T, node scenario.Node, opening, length time.Duration) (s *stage) {
	t.Helper()
	node.Processes = append(node.Processes, scenario.Process{PID: self, PPID: 1, Start: -time.Second, Command: []string{"greenagent"}})
	for _, d := range node.Devices {
		for _, l := range d.Loads {
			parent := self
			if l.PID%2 == 1 {
				parent = 1 // odd ones are not of the run
			}
			node.Processes = append(node.Processes, scenario.Process{PID: l.PID, PPID: parent, Start: l.From, End: l.To, Command: []string{"worker"}})
		}
	}
	in := libsim.Start(t, node, libsim.Options{})
	in.Setenv(t)
	synctest.Test(t, func(t *testing.T) {
		s = newStage(t)
		s.node = in.Node
		s.follow = func() {
			if d := s.now() - in.Elapsed(); d > 0 {
				in.Advance(d)
			}
		}
		s.start(meter.Config{})
		end := time.Now().Add(length)
		time.Sleep(opening)
		s.write()
		lib, err := nvml.Open(t.Context(), nvml.Options{Path: in.Path, Clock: s, Wall: func() time.Time { return s.node.WallClock(s.now()) }})
		if err != nil {
			t.Fatal(err)
		}
		s.meter.Add(s.gpus(lib, lib))
		time.Sleep(time.Until(end))
		s.finish(min(length/20, 150*ms))
		synctest.Wait()
		for i := range s.last.Domains {
			sums(t, &s.last, i)
		}
	})
	return s
}

// TestDeviceEnergyThroughTheBinding holds the energy of runs of 2 s and longer to
// half a percent, whenever they start and end within the sensor's ticks.
func TestDeviceEnergyThroughTheBinding(t *testing.T) {
	for _, p := range boards {
		t.Run(p.name, func(t *testing.T) {
			for i, length := range []time.Duration{2 * time.Second, 2*time.Second + 37*ms, 3*time.Second + 71*ms, 10*time.Second + 13*ms} {
				d := p.board("GPU-0")
				d.Loads = []scenario.Load{{
					PID: 42, From: 150*ms + time.Duration(i)*29*ms, To: length, Memory: 1 << 30,
					Power: scenario.Square(d.MaxLimit/6, d.MaxLimit/2, 800*ms, 0.5, 0),
				}}
				s := measure(t, scenario.Node{Devices: []scenario.Device{d}}, 20*ms, length)
				got := s.last.Domains[0]
				within(t, length.String(), got.Energy, s.truth(&got, s.last.Interval), 0.005)
				if d.Sensor.Counter != (got.Basis == energy.Counted) {
					t.Errorf("a counter: %t, a basis of %v", d.Sensor.Counter, got.Basis)
				}
			}
		})
	}
}

// TestAlternatingThroughTheBinding lets two processes take turns on one GPU, every
// 2 s. Each is attributed what it used within the bound of the driver's sampler,
// 72 tags in 10 s; one that ended keeps its joules.
func TestAlternatingThroughTheBinding(t *testing.T) {
	for _, p := range boards {
		t.Run(p.name, func(t *testing.T) {
			const length = 26 * time.Second
			d := p.board("GPU-0")
			d.Context = 0
			turns := func(pid int, phase time.Duration, power energy.Power) scenario.Load {
				return scenario.Load{PID: pid, From: 2 * time.Second, To: 22 * time.Second, Memory: 1 << 30, Power: scenario.Square(0, power, 4*time.Second, 0.5, phase)}
			}
			d.Loads = []scenario.Load{turns(42, 0, d.MaxLimit/4), turns(43, 2*time.Second, d.MaxLimit/2)}
			s := measure(t, scenario.Node{Devices: []scenario.Device{d}}, 20*ms, length)
			got := s.last.Domains[0]
			whole := got.Energy - got.Idle
			for _, test := range []struct {
				owner collector.Owner
				load  *scenario.Load
			}{{theRun, &d.Loads[0]}, {0, &d.Loads[1]}} {
				want := test.load.Energy(0, length)
				charged := got.Of(test.owner)
				// In each second 7.2 tags divide its energy; those of seconds in which
				// one of the two worked alone cannot err. Turns change in mid-second.
				share := want.Joules() / whole.Joules()
				bound := math.Sqrt(share * (1 - share) / (7.2 * 20))
				off := (charged.Dynamic - want).Joules() / whole.Joules()
				t.Logf("%v of %v, off by %+.4f of the whole, bound ± %.4f, stated ± %v", charged.Dynamic, want, off, 2*bound, charged.Uncertainty.Expanded())
				if math.Abs(off) > 2*bound {
					t.Errorf("owner %d: %v, want %v: off by %+.4f of the whole, want at most %.4f", test.owner, charged.Dynamic, want, off, 2*bound)
				}
				if u := charged.Uncertainty.Expanded(); charged.Dynamic > want+u || charged.Dynamic < want-u {
					t.Errorf("owner %d: %v for a truth of %v: outside ± %v", test.owner, charged.Dynamic, want, u)
				}
			}
			if got.Method != collector.ByUtilization || got.Unattributed > energy.Joule {
				t.Errorf("by %v, %v unattributed", got.Method, got.Unattributed)
			}
			if n := len(s.last.Processes); n != 2 {
				t.Errorf("%d processes, want the two that ended 4 s before", n)
			}
		})
	}
}

// TestFaultsThroughTheBinding loses a GPU for some seconds and lets its driver
// forget a function: the neighbour is not disturbed, and what the counter knows
// is not lost.
func TestFaultsThroughTheBinding(t *testing.T) {
	const length = 12 * time.Second
	node := scenario.Node{
		Devices: []scenario.Device{scenario.Hopper("GPU-0"), scenario.Volta("GPU-1")},
		Faults:  []scenario.Fault{{Device: 0, Kind: scenario.Lost, At: 5 * time.Second, For: 3 * time.Second}},
	}
	for i := range node.Devices {
		d := &node.Devices[i]
		d.Loads = []scenario.Load{{PID: 42 + 2*i, From: 2 * time.Second, To: 11 * time.Second, Memory: 1 << 30, Power: scenario.Steady(d.MaxLimit / 2)}}
	}
	s := measure(t, node, 20*ms, length)
	for i := range s.last.Domains {
		d := &s.last.Domains[i]
		within(t, d.ID, d.Energy, s.truth(d, s.last.Interval), 0.005)
		if d.Unobserved != 0 || d.Method != collector.BySole {
			t.Errorf("%s: %v unobserved, by %v", d.ID, d.Unobserved, d.Method)
		}
	}
	if len(s.last.Warnings) == 0 {
		t.Error("nobody is told that the GPU was lost")
	}
}

// TestMIGThroughTheBinding cuts a GPU anew while it is measured: the parent's energy
// is what it was, and everybody is charged with what they used in their instances.
func TestMIGThroughTheBinding(t *testing.T) {
	for _, p := range boards[:2] {
		t.Run(p.name, func(t *testing.T) {
			const length = 24 * time.Second
			s := measure(t, scenario.Node{Devices: []scenario.Device{recut(p.board, 12*time.Second, 22*time.Second)}}, 20*ms, length)
			charges(t, s, tolerance(p.board))
			if d := &s.last.Domains[0]; d.Unallocated == 0 || len(s.last.Warnings) > 0 || d.Unattributed > 10*energy.Joule {
				t.Errorf("unallocated %v, unattributed %v, %q", d.Unallocated, d.Unattributed, s.last.Warnings)
			}
		})
	}
}
