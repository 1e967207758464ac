package meter_test

import (
	"testing"
	"testing/synctest"
	"time"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/energy"
	"greenagent/meter"
	"greenagent/scenario"
)

// recut is a board whose second instance is replaced at a time by two smaller ones,
// one of them under its ids. Everybody's power is as their SM activity and slices.
func recut(board func(string) scenario.Device, at, end time.Duration) scenario.Device {
	d := board("GPU-0")
	d.Context = 0
	d.Instances = []scenario.Instance{
		{UUID: "MIG-a", GPUInstance: 1, Slices: 3},
		{UUID: "MIG-b", GPUInstance: 2, Slices: 3, To: at},
		{UUID: "MIG-c", GPUInstance: 2, Slices: 1, From: at},
		{UUID: "MIG-d", GPUInstance: 3, Slices: 1, From: at},
	}
	power := func(slices, sm int) scenario.PowerCurve {
		return scenario.Steady(d.MaxLimit / 1000 * energy.Power(slices*sm))
	}
	d.Loads = []scenario.Load{
		{PID: 42, Instance: "MIG-a", From: 2 * time.Second, To: end, SM: 80, Memory: 1 << 30, Power: power(3, 80)},
		{PID: 43, Instance: "MIG-b", From: 3 * time.Second, To: at - 1200*ms, SM: 80, Memory: 1 << 30, Power: power(3, 80)},
		{PID: 45, Instance: "MIG-c", From: at + 500*ms, To: end, SM: 80, Memory: 1 << 30, Power: power(1, 80)},
		{PID: 44, Instance: "MIG-d", From: at + 700*ms, To: end, SM: 80, Memory: 1 << 30, Power: power(1, 80)},
	}
	return d
}

// tolerance is what may be charged wrong of a board's instances: without GPM, whoever
// leaves counts until the next look.
func tolerance(board func(string) scenario.Device) energy.Energy {
	if d := board(""); d.GPM() {
		return 30 * energy.Joule
	}
	return 100 * energy.Joule
}

// charges checks what processes were charged with against what they used.
func charges(t *testing.T, s *stage, tolerance energy.Energy) {
	t.Helper()
	d := &s.last.Domains[0]
	within(t, "the device", d.Energy, s.truth(d, s.last.Interval), 0.005)
	charged := energy.Energy(0)
	for _, l := range s.node.Devices[0].Loads {
		want, got := l.Energy(0, s.last.Interval.Duration()), energy.Energy(0)
		for _, p := range s.last.Processes {
			if p.Process.PID == l.PID {
				got += p.Entries[0].Dynamic
			}
		}
		charged += got
		t.Logf("%d: %v of %v", l.PID, got, want)
		if off := got - want; off > tolerance || off < -tolerance {
			t.Errorf("%d: %v, want %v", l.PID, got, want)
		}
	}
	if charged > d.Energy {
		t.Errorf("the instances' %v exceed the device's %v: counted twice", charged, d.Energy)
	}
	for _, o := range d.Owners {
		var want energy.Energy
		for _, l := range s.node.Devices[0].Loads {
			if (l.PID%2 == 0) == (o.Owner == theRun) {
				want += l.Energy(0, s.last.Interval.Duration())
			}
		}
		if u := o.Uncertainty.Expanded(); o.Dynamic > want+u || o.Dynamic < want-u {
			t.Errorf("owner %d: %v ± %v for a truth of %v", o.Owner, o.Dynamic, u, want)
		}
	}
}

// TestNothingFallsOverAReconfiguration takes snapshots all the time while a GPU is
// cut anew.
func TestNothingFallsOverAReconfiguration(t *testing.T) {
	for name, board := range map[string]func(string) scenario.Device{"GPM": scenario.Hopper, "slices": scenario.GA100} {
		for policy := attribution.None; policy <= attribution.Reserved; policy++ {
			t.Run(name+", "+policy.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStage(t)
					s.node.Devices = []scenario.Device{recut(board, 10*time.Second, 19*time.Second)}
					s.node.Processes = []scenario.Process{{PID: self, PPID: 1, Command: []string{"greenagent"}}}
					for _, l := range s.node.Devices[0].Loads {
						s.node.Processes = append(s.node.Processes, scenario.Process{PID: l.PID, PPID: 1 + (1-l.PID%2)*(self-1), Start: l.From, End: l.To, Command: []string{"worker"}})
					}
					s.start(meter.Config{Policy: policy})
					s.open()
					type figures struct {
						energy, idle, unallocated, unattributed energy.Energy
						owners                                  [2]energy.Energy
					}
					var before figures
					for range 300 {
						time.Sleep(73 * ms)
						now := s.meter.Snapshot()
						sums(t, &now, 0)
						d := &now.Domains[0]
						f := figures{d.Energy, d.Idle, d.Unallocated, d.Unattributed, [2]energy.Energy{}}
						for _, o := range d.Owners {
							f.owners[o.Owner] = o.Dynamic + o.Idle
						}
						if f.energy < before.energy || f.idle < before.idle || f.unallocated < before.unallocated ||
							f.unattributed < before.unattributed || f.owners[0] < before.owners[0] || f.owners[1] < before.owners[1] {
							t.Fatalf("%+v became %+v", before, f)
						}
						before = f
					}
					s.finish(150 * ms)
					charges(t, s, tolerance(board))
					// One slice was free for 10 s, then two; and the floor had to be learnt.
					d := &s.last.Domains[0]
					want := s.node.Devices[0].Idle.For(10*time.Second)/7 + 2*s.node.Devices[0].Idle.For(11900*ms)/7
					if d.Unallocated > want*105/100 || d.Unallocated < want*8/10 {
						t.Errorf("unallocated %v, want about %v", d.Unallocated, want)
					}
					if policy != attribution.None {
						return
					}
					method := map[string]collector.Method{"GPM": collector.ByGPM, "slices": collector.BySlices}[name]
					if d.Method != method && d.Method != collector.BySole {
						t.Errorf("by %v", d.Method)
					}
				})
			})
		}
	}
}
