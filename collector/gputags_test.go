package collector_test

import (
	"slices"
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/collector/procfs"
	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/nvml/sim"
	"greenagent/scenario"
)

// busy returns what an activity says a PID did.
func busy(a collector.Activity, pid int) (sum uint64) {
	for _, u := range a.Usage {
		if u.Process.PID == pid {
			sum += u.Busy
		}
	}
	return sum
}

// TestBetweenLooks: one that came and went between two looks is charged by its tags,
// as who it was if it is remembered, and in its own name if not; it is not there
// afterwards. One whose tags an earlier look was told of is not charged again.
func TestBetweenLooks(t *testing.T) {
	node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0")}}
	resident(&node, 0, 42, 1100*ms, 1800*ms, 100*energy.Watt, 1<<30)
	resident(&node, 0, 43, 3100*ms, 3800*ms, 100*energy.Watt, 1<<30)
	node.Processes[0].PPID = self
	node.Processes = append(node.Processes, scenario.Process{PID: self, PPID: 1})
	u := newUsers(t, node)
	tree := collector.NewTree(procfs.New(u.root), self, 1, nil)
	u.observer.Past = tree
	u.must(0)
	u.must(time.Second)
	if err := u.node.WriteProc(u.root, 1500*ms); err != nil {
		t.Fatal(err)
	}
	tree.Look(at(1500 * ms))
	a := u.must(2 * time.Second)[0]
	if got := present(a); !slices.Equal(got, []collector.Process{id(42, 1100*ms)}) || a.Usage[0].From != at(1100*ms) || a.Usage[0].Command.String() != "worker" {
		t.Errorf("one that the tree has seen: %v, %+v", got, a)
	}
	if n := busy(a, 42); n < 4*collector.Tag || n > 6*collector.Tag {
		t.Errorf("%d thousandths of a tag in 0.7 s of 7.2 a second", n)
	}
	if a := u.must(3 * time.Second)[0]; len(a.Usage) != 0 {
		t.Errorf("long after its end: %+v", a)
	}
	a = u.must(4 * time.Second)[0]
	if got := present(a); !slices.Equal(got, []collector.Process{{PID: 43}}) {
		t.Errorf("one that nobody has seen: %v", got)
	}
	if a := u.must(5 * time.Second)[0]; len(a.Usage) != 0 {
		t.Errorf("after its end: %+v", a)
	}
	if !tree.Has(42) || tree.Has(43) {
		t.Error("who was of the tree is not remembered, or somebody else is")
	}
	tree.Look(at(20 * time.Second))
	if _, ok := tree.Recall(42); ok {
		t.Error("remembered for good")
	}
}

// TestTagsAreDated: where a device is shared, an activity tells up to the middle
// between its tag and the next, and each tag is in one.
func TestTagsAreDated(t *testing.T) {
	node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0")}}
	resident(&node, 0, 42, 0, 0, 100*energy.Watt, 1<<30)
	resident(&node, 0, 43, 0, 0, 100*energy.Watt, 1<<30)
	u := newUsers(t, node)
	var tags uint64
	last := at(0) - 1
	for now := time.Duration(0); now < 20*time.Second; now += tagEvery + 7*ms {
		a := u.must(now)[0]
		tags += busy(a, 42) + busy(a, 43)
		if a.Open {
			continue
		}
		if now > 2*time.Second {
			phase := a.Until.Sub(at(0)) % tagEvery
			if off := phase - tagEvery/2; off > ms || off < -ms {
				t.Errorf("at %v: until %v past a tag, want %v", now, phase, tagEvery/2)
			}
		}
		if a.Until <= last {
			t.Errorf("at %v: until %d after %d", now, a.Until, last)
		}
		last = a.Until
		if want := tagEvery + 7*ms; a.Again <= 0 || a.Again > want {
			t.Errorf("at %v: again after %v", now, a.Again)
		}
	}
	if n := float64(tags) / collector.Tag; n < 142 || n > 144 {
		t.Errorf("%v tags in 20 s of 72 in 10 s", n)
	}
}

// reset is a library whose driver stamps by a wall clock that was set.
type reset struct {
	*sim.Library
	by time.Duration
}

func (r *reset) Utilization(device int, since uint64, dst []nvml.Utilization) ([]nvml.Utilization, error) {
	if since > 0 {
		since = uint64(max(1, int64(since)-r.by.Microseconds()))
	}
	dst, err := r.Library.Utilization(device, since, dst)
	for i := range dst {
		dst[i].Stamp = uint64(int64(dst[i].Stamp) + r.by.Microseconds())
	}
	return dst, err
}

// TestStampsOfAClockThatIsSet: where the driver's clock is set, tags go on to count,
// each once, and nobody's energy is divided as if nobody had been active.
func TestStampsOfAClockThatIsSet(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, 5 * time.Second, -500 * ms, -5 * time.Second, -time.Hour} {
		node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0")}}
		node.Devices[0].Sensor.Clock = scenario.SinceEpoch
		resident(&node, 0, 42, 0, 0, 100*energy.Watt, 1<<30)
		resident(&node, 0, 43, 0, 0, 100*energy.Watt, 1<<30)
		u := newUsers(t, node)
		lib := &reset{Library: sim.New(node, u.clock, at(0))}
		u.observer = collector.NewGPUUsers(lib, procfs.New(u.root), func(int) collector.Owner { return 0 })
		var tags uint64
		for now := time.Duration(0); now < 30*time.Second; now += tagEvery + 7*ms {
			if now > 10*time.Second {
				lib.by = by
			}
			a := u.must(now)[0]
			n := busy(a, 42) + busy(a, 43)
			if n == 0 && !a.Open && now > time.Second {
				t.Errorf("set by %v: nobody was active up to %v", by, now)
			}
			if n > 3*collector.Tag {
				t.Errorf("set by %v: %d thousandths of a tag at %v", by, n, now)
			}
			tags += n
		}
		if n := float64(tags) / collector.Tag; n < 216-10 || n > 216+1 {
			t.Errorf("set by %v: %v tags in 30 s of 72 in 10 s", by, n)
		}
	}
}

// strange is a library whose sampler says more than the simulated one does.
type strange struct {
	*sim.Library
	says []nvml.Utilization
}

func (s *strange) Utilization(_ int, _ uint64, dst []nvml.Utilization) ([]nvml.Utilization, error) {
	return append(dst, s.says...), nil
}

// TestTagsThatCannotBe: stale ones, of more than all the time, or of nobody, charge
// nobody. Who only encodes counts.
func TestTagsThatCannotBe(t *testing.T) {
	node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0")}}
	resident(&node, 0, 42, 0, 0, 100*energy.Watt, 1<<30)
	root, clock := t.TempDir(), sim.NewClock(at(0))
	lib := &strange{Library: sim.New(node, clock, at(0))}
	if err := node.WriteProc(root, 0); err != nil {
		t.Fatal(err)
	}
	users := collector.NewGPUUsers(lib, procfs.New(root), func(int) collector.Owner { return 0 })
	activity := make([]collector.Activity, 1)
	look := func(says ...nvml.Utilization) collector.Activity {
		lib.says = says
		if err := users.Observe(clock.Advance(time.Second), activity); err != nil {
			t.Fatal(err)
		}
		return activity[0]
	}
	look(nvml.Utilization{PID: 42, Stamp: 1000, SM: 50})
	for name, says := range map[string]nvml.Utilization{
		"stale":          {PID: 77, Stamp: 1000, SM: 50},
		"more than all":  {PID: 77, Stamp: 3000, SM: 101},
		"nobody":         {PID: 0, Stamp: 3000, SM: 50},
		"nothing":        {PID: 42, Stamp: 2000},
		"encoding a lot": {PID: 77, Stamp: 3000, Encoder: 200},
		"of the future":  {PID: 77, Stamp: 1 << 62, At: at(time.Hour), SM: 50},
	} {
		if a := look(says); len(a.Usage) != 1 || a.Usage[0].Busy != 0 {
			t.Errorf("%s: %+v", name, a.Usage)
		}
	}
	if a := look(nvml.Utilization{PID: 42, Stamp: 1_002_000, Encoder: 50}); a.Usage[0].Busy != 7*collector.Tag/2 {
		t.Errorf("half of a second's encoding: %+v", a.Usage)
	}
}

// TestListsOfOneProcess: one with compute and graphics contexts counts once; MPS
// clients are told to run at one moment.
func TestListsOfOneProcess(t *testing.T) {
	node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0"), scenario.Volta("GPU-1")}}
	resident(&node, 0, 42, 0, 0, 100*energy.Watt, 1<<30)
	resident(&node, 1, 43, 0, 0, 100*energy.Watt, 1<<30)
	resident(&node, 1, 44, 0, 0, 100*energy.Watt, 1<<30)
	node.Devices[0].Loads[0].Kinds = scenario.Compute | scenario.Graphics
	for i := range node.Devices[1].Loads {
		node.Devices[1].Loads[i].Kinds = scenario.MPS
	}
	u := newUsers(t, node)
	u.must(0)
	a := u.must(time.Second)
	if len(a[0].Usage) != 1 || a[0].Usage[0].Memory != 1<<30 || a[0].Concurrent {
		t.Errorf("compute and graphics: %+v", a[0])
	}
	if len(a[1].Usage) != 2 || !a[1].Concurrent {
		t.Errorf("MPS: %+v", a[1])
	}
}

// TestTagsAbroad: in another PID namespace than the driver's, nobody is made up for an
// id that no list shows. That somebody was active is known: the device was not idle, and
// those listed may have been who was.
func TestTagsAbroad(t *testing.T) {
	node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0")}}
	resident(&node, 0, 42, 1100*ms, 1800*ms, 100*energy.Watt, 1<<30)
	resident(&node, 0, 44, 2500*ms, 0, 0, 1<<30)
	resident(&node, 0, 43, 3100*ms, 3800*ms, 100*energy.Watt, 1<<30)
	u := newUsers(t, node)
	u.observer.Abroad = true
	u.must(0)
	u.must(time.Second)
	if a := u.must(2 * time.Second)[0]; len(a.Usage) != 0 || a.Present() != 1 {
		t.Errorf("nobody listed: %+v", a)
	}
	u.must(3 * time.Second)
	if a := u.must(4 * time.Second)[0]; len(a.Usage) != 1 || a.Usage[0].Busy != 0 || a.Method != collector.ByMemory {
		t.Errorf("one listed, another tagged: %+v", a)
	}
	if a := u.must(5 * time.Second)[0]; len(a.Usage) != 1 || a.Method != collector.ByUtilization || a.Present() != 1 {
		t.Errorf("nobody tagged: %+v", a)
	}
}
