package collector_test

import (
	"slices"
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/collector/procfs"
	"greenagent/energy"
	"greenagent/nvml/sim"
	"greenagent/scenario"
)

// tagEvery is the time from one tag of the driver's sampler to the next.
const tagEvery = scenario.SamplerWindow / scenario.SamplerTags

// users observes the GPUs of a node.
type users struct {
	t        testing.TB
	node     scenario.Node
	root     string
	clock    *sim.Clock
	observer *collector.GPUUsers
	asked    map[int]int // how often each PID's owner was asked for
	activity []collector.Activity
}

// resident is a load of a process that is in /proc as well.
func resident(node *scenario.Node, device, pid int, from, to time.Duration, power energy.Power, memory int64) {
	d := &node.Devices[device]
	d.Loads = append(d.Loads, scenario.Load{PID: pid, From: from, To: to, Power: scenario.Steady(power), Memory: memory})
	if !slices.ContainsFunc(node.Processes, func(p scenario.Process) bool { return p.PID == pid && p.Start == from }) {
		node.Processes = append(node.Processes, scenario.Process{PID: pid, PPID: 1, Start: from, End: to, Command: []string{"worker"}})
	}
}

func newUsers(t testing.TB, node scenario.Node) *users {
	u := &users{t: t, node: node, root: t.TempDir(), clock: sim.NewClock(at(0)), asked: map[int]int{}}
	lib := sim.New(u.node, u.clock, at(0))
	u.observer = collector.NewGPUUsers(lib, procfs.New(u.root), func(pid int) collector.Owner {
		u.asked[pid]++
		return collector.Owner(pid % 2)
	})
	u.activity = make([]collector.Activity, len(node.Devices))
	return u
}

// look observes at a time since the origin.
func (u *users) look(now time.Duration) ([]collector.Activity, error) {
	u.t.Helper()
	u.clock.Advance(at(now).Sub(u.clock.Now()))
	if err := u.node.WriteProc(u.root, now); err != nil {
		u.t.Fatal(err)
	}
	err := u.observer.Observe(u.clock.Now(), u.activity)
	for i, a := range u.activity {
		if off := a.Until.Sub(at(now)); off > tagEvery/2 || off < -tagEvery/2 || !slices.IsSortedFunc(a.Usage, collector.Compare) {
			u.t.Errorf("device %d: until %d, %v", i, a.Until, a.Usage)
		}
	}
	return u.activity, err
}

func (u *users) must(now time.Duration) []collector.Activity {
	u.t.Helper()
	a, err := u.look(now)
	if err != nil {
		u.t.Error(err)
	}
	return a
}

// present returns who an activity names.
func present(a collector.Activity) (list []collector.Process) {
	for _, u := range a.Usage {
		list = append(list, u.Process)
	}
	return list
}

// TestUsersOfGPUs: who is there is told with its memory, name and owner, which is
// asked for once; one that ended since the last look still counts, and then not.
func TestUsersOfGPUs(t *testing.T) {
	node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0"), scenario.Volta("GPU-1")}}
	resident(&node, 0, 42, time.Second, 4500*ms, 100*energy.Watt, 3<<30)
	resident(&node, 0, 43, 2*time.Second, 0, 0, 1<<30)
	resident(&node, 1, 42, time.Second, 4500*ms, 50*energy.Watt, 2<<30)
	u := newUsers(t, node)
	if a := u.must(500 * ms); len(a[0].Usage) != 0 || len(a[1].Usage) != 0 {
		t.Errorf("before: %+v", a)
	}
	var a []collector.Activity
	for now := time.Second; now <= 4*time.Second; now += time.Second {
		a = u.must(now)
	}
	if got, want := present(a[0]), []collector.Process{id(42, time.Second), id(43, 2*time.Second)}; !slices.Equal(got, want) {
		t.Errorf("on the first: %v, want %v", got, want)
	}
	if got, want := present(a[1]), []collector.Process{id(42, time.Second)}; !slices.Equal(got, want) {
		t.Errorf("on the second: %v, want %v", got, want)
	}
	first := a[0].Usage[0]
	if first.Memory != 3<<30 || first.Owner != 0 || first.Command.String() != "worker" {
		t.Errorf("%+v", first)
	}
	if a := u.must(5 * time.Second); !slices.Contains(present(a[0]), id(42, time.Second)) {
		t.Error("one that ended within the interval does not count")
	}
	for now := 6 * time.Second; now <= 8*time.Second; now += time.Second {
		a = u.must(now)
	}
	if got := present(a[0]); !slices.Equal(got, []collector.Process{id(43, 2*time.Second)}) {
		t.Errorf("long after the end of one: %v", got)
	}
	if u.asked[42] > 2 || u.asked[43] != 1 { // of each on each device
		t.Errorf("owners were asked for: %v", u.asked)
	}
}

// TestSharesOfGPUs: two that are active alike have alike shares over 20 s, and one
// that only resides has none.
func TestSharesOfGPUs(t *testing.T) {
	node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0")}}
	resident(&node, 0, 42, 0, 0, 100*energy.Watt, 1<<30)
	resident(&node, 0, 43, 0, 0, 100*energy.Watt, 1<<30)
	resident(&node, 0, 44, 0, 0, 0, 1<<30)
	u := newUsers(t, node)
	u.must(0)
	busy := map[int]float64{}
	var samples float64
	for now := time.Second; now <= 20*time.Second; now += time.Second {
		a := u.must(now)[0]
		var sum float64
		for _, p := range a.Usage {
			sum += float64(p.Busy)
		}
		for _, p := range a.Usage {
			busy[p.Process.PID] += float64(p.Busy) / max(sum, 1)
		}
		samples += a.Samples
		if a.Method != collector.ByUtilization {
			t.Errorf("at %v: by %v", now, a.Method)
		}
	}
	if share := busy[42] / (busy[42] + busy[43]); share < 0.4 || share > 0.6 || busy[44] != 0 {
		t.Errorf("busy: %v", busy)
	}
	if samples < 120 || samples > 160 {
		t.Errorf("%.1f samples in 20 s of 7.2 each", samples)
	}
}

// TestPIDReuseOnGPUs: who has a PID again is somebody else, with an owner of its own.
func TestPIDReuseOnGPUs(t *testing.T) {
	node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0")}}
	resident(&node, 0, 42, 0, 2500*ms, 100*energy.Watt, 1<<30)
	resident(&node, 0, 42, 2600*ms, 0, 100*energy.Watt, 1<<30)
	u := newUsers(t, node)
	for now := time.Second; now <= 2*time.Second; now += time.Second {
		u.must(now)
	}
	a := u.must(3 * time.Second)[0]
	if got, want := present(a), []collector.Process{id(42, 0), id(42, 2600*ms)}; !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	if u.asked[42] != 2 {
		t.Errorf("asked %d times whose it is", u.asked[42])
	}
	for now := 4 * time.Second; now <= 6*time.Second; now += time.Second {
		a = u.must(now)[0]
	}
	if got := present(a); !slices.Equal(got, []collector.Process{id(42, 2600*ms)}) {
		t.Errorf("%v", got)
	}
}

// TestLingeringOnGPUs: the driver still lists a process that /proc has no more. It
// stays who it was.
func TestLingeringOnGPUs(t *testing.T) {
	node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-0")}}
	resident(&node, 0, 42, 0, 0, 100*energy.Watt, 1<<30)
	node.Processes[0].End = 1500 * ms
	u := newUsers(t, node)
	for now := time.Second; now <= 4*time.Second; now += time.Second {
		if got := present(u.must(now)[0]); !slices.Equal(got, []collector.Process{id(42, 0)}) {
			t.Errorf("at %v: %v", now, got)
		}
	}
	if u.asked[42] != 1 {
		t.Errorf("asked %d times whose it is", u.asked[42])
	}
}

// TestUsersWithoutStatistic: where the driver does not tell who was active, memory
// is what is known; where it does not answer for a moment, those who were there
// are there still.
func TestUsersWithoutStatistic(t *testing.T) {
	node := scenario.Node{
		Devices:        []scenario.Device{scenario.Hopper("GPU-0")},
		MissingSymbols: []string{"nvmlDeviceGetProcessUtilization"},
		Faults:         []scenario.Fault{{Call: scenario.CallProcesses, Kind: scenario.Transient, At: 2500 * ms, For: time.Second}},
	}
	resident(&node, 0, 42, 0, 0, 100*energy.Watt, 1<<30)
	resident(&node, 0, 43, 0, 0, 100*energy.Watt, 3<<30)
	u := newUsers(t, node)
	u.must(0)
	for now := time.Second; now <= 5*time.Second; now += time.Second {
		a, err := u.look(now)
		if (err != nil) != (now == 3*time.Second) {
			t.Errorf("at %v: %v", now, err)
		}
		if len(a[0].Usage) != 2 || a[0].Method != collector.ByMemory || a[0].Usage[1].Memory != 3<<30 {
			t.Errorf("at %v: %+v", now, a[0])
		}
	}
}
