package collector_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"greenagent/collector"
	"greenagent/collector/procfs"
	"greenagent/scenario"
)

const (
	self                   = 10
	theRun collector.Owner = 1
)

// forest is a node's processes below self, and a tree that observes them.
type forest struct {
	t      testing.TB
	node   scenario.Node
	root   string
	tree   *collector.Tree
	now    time.Duration
	usage  []collector.Activity
	reaped time.Duration
	busy   map[collector.Process]time.Duration // all that was observed
}

func plant(t testing.TB, processes ...scenario.Process) *forest {
	f := &forest{t: t, root: t.TempDir(), usage: make([]collector.Activity, 1), busy: map[collector.Process]time.Duration{}}
	f.node.CPU = scenario.CPU{LogicalCPUs: 8, MemoryBytes: 64 << 30}
	f.node.Processes = append([]scenario.Process{{PID: self, PPID: 1, Start: -time.Second}}, processes...)
	if err := f.node.Validate(); err != nil {
		t.Fatal(err)
	}
	f.write()
	f.tree = collector.NewTree(procfs.New(f.root), self, theRun, func() time.Duration { return f.reaped })
	return f
}

func (f *forest) write() {
	if err := f.node.WriteProc(f.root, f.now); err != nil {
		f.t.Fatal(err)
	}
}

// observe looks at the forest at a time, and returns who was busy for how long
// since the time before.
func (f *forest) observe(now time.Duration) map[collector.Process]time.Duration {
	f.now = now
	f.write()
	if err := f.tree.Observe(at(now), f.usage); err != nil {
		f.t.Fatal(err)
	}
	m := map[collector.Process]time.Duration{}
	for _, u := range f.usage[0].Usage {
		m[u.Process] = time.Duration(u.Busy)
		f.busy[u.Process] += time.Duration(u.Busy)
		if (u.Process == collector.Process{}) != (u.Owner == 0) {
			f.t.Errorf("%v belongs to %d", u.Process, u.Owner)
		}
	}
	return m
}

// id is the identity of a process started at a time.
func id(pid int, start time.Duration) collector.Process {
	return collector.Process{PID: pid, Start: procfs.Ticks((uptime + start) / procfs.Tick)}
}

func cores(n float64) scenario.Curve[scenario.Cores] {
	return scenario.Steady(scenario.Cores(n * float64(scenario.Core)))
}

// mine sums what the run was observed to do.
func (f *forest) mine() (sum time.Duration) {
	for p, d := range f.busy {
		if p != (collector.Process{}) {
			sum += d
		}
	}
	return sum
}

// near allows for a clock tick at each end.
func near(t testing.TB, what string, got, want time.Duration) {
	t.Helper()
	if got < want-2*procfs.Tick || got > want+2*procfs.Tick {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestTree(t *testing.T) {
	f := plant(t,
		scenario.Process{PID: 42, PPID: self, CPU: cores(1), Resident: 1 << 30},
		scenario.Process{PID: 43, PPID: 42, Start: time.Second, CPU: cores(2)},
		scenario.Process{PID: 44, PPID: 1, CPU: cores(3)},
		scenario.Process{PID: 45, PPID: 44, CPU: cores(0.5)},
	)
	f.observe(500 * ms)
	if got := f.tree.First(); got != id(42, 0) {
		t.Errorf("the command is %v", got)
	}
	got := f.observe(2500 * ms)
	near(t, "the command", got[id(42, 0)], 2*time.Second)
	near(t, "its child", got[id(43, time.Second)], 3*time.Second)
	near(t, "the rest", got[collector.Process{}], 7*time.Second)
	if len(got) != 3 {
		t.Errorf("%d processes", len(got))
	}
	for pid, want := range map[int]bool{42: true, 43: true, 44: false, 45: false, self: false, 1: false, 99: false} {
		if has := f.tree.Has(pid); has != want {
			t.Errorf("has %d: %t", pid, has)
		}
	}
	for _, u := range f.usage[0].Usage {
		if u.Process == id(42, 0) && u.Memory != 1<<30 || u.Process == (collector.Process{}) && u.Memory != 0 {
			t.Errorf("%v holds %d bytes", u.Process, u.Memory)
		}
	}
	// Several domains are shared by the same.
	several := make([]collector.Activity, 3)
	if err := f.tree.Observe(at(3*time.Second), several); err != nil {
		t.Fatal(err)
	}
	for i := range several {
		if len(several[i].Usage) != 3 || several[i].Until != at(3*time.Second) || several[i].Step != uint64(procfs.Tick) {
			t.Errorf("domain %d: %+v", i, several[i])
		}
	}
}

// TestTreeCountsTheShortLived: children that nobody saw are counted when their
// parent has waited for them, those that somebody saw not twice, and of a chain
// that ended at once nothing is lost.
func TestTreeCountsTheShortLived(t *testing.T) {
	f := plant(t,
		scenario.Process{PID: 42, PPID: self, CPU: cores(0.1)},
		scenario.Process{PID: 43, PPID: 42, Start: 100 * ms, End: 400 * ms, CPU: cores(2)},         // seen by nobody
		scenario.Process{PID: 44, PPID: 42, Start: 1300 * ms, End: 3 * time.Second, CPU: cores(1)}, // seen for a while
		scenario.Process{PID: 45, PPID: 44, Start: 1400 * ms, End: 2500 * ms, CPU: cores(1)},       // its child, ended before
		scenario.Process{PID: 46, PPID: 42, Start: 3100 * ms, End: 5500 * ms, CPU: cores(1)},
		scenario.Process{PID: 47, PPID: 46, Start: 3200 * ms, End: 5400 * ms, CPU: cores(1)}, // both end between two looks
		scenario.Process{PID: 44, PPID: 1, Start: 3500 * ms, CPU: cores(1)},                  // another with a PID of before
	)
	for now := time.Second; now <= 7*time.Second; now += time.Second {
		f.observe(now)
	}
	want := f.node.Processes[1].CPUTime(0, f.now)
	for i := 2; i < 7; i++ {
		want += f.node.Processes[i].CPUTime(0, f.now)
	}
	if got := f.mine(); got < want-5*procfs.Tick || got > want+5*procfs.Tick {
		t.Errorf("the run was busy for %v, want %v", got, want)
	}
	if got := f.busy[id(44, 3500*ms)]; got != 0 {
		t.Errorf("%v of another's time", got)
	}
}

// TestTreeCountsWhatRootWaitedFor: re-parented processes end as children of self,
// which alone knows what they used.
func TestTreeCountsWhatRootWaitedFor(t *testing.T) {
	f := plant(t, scenario.Process{PID: 42, PPID: self, CPU: cores(0.1)},
		scenario.Process{PID: 43, PPID: self, Start: 0, End: 1500 * ms, CPU: cores(1)})
	f.observe(time.Second)
	f.reaped = 1500*ms + 700*ms // 43, of which 1 s was seen, and another nobody saw
	f.observe(2 * time.Second)
	f.observe(3 * time.Second)
	near(t, "the run", f.mine(), 300*ms+1500*ms+700*ms)
}

// TestTreeNeverForgets: a tree that cannot be read for a moment is not taken for
// one in which all have ended, to be counted again from the beginning.
func TestTreeNeverForgets(t *testing.T) {
	f := plant(t, scenario.Process{PID: 42, PPID: self, CPU: cores(1)})
	f.observe(time.Second)
	// The list of self's children cannot be read, but the rest can.
	list := filepath.Join(f.root, strconv.Itoa(self), "task", strconv.Itoa(self), "children")
	if err := os.Remove(list); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(list, 0o755); err != nil {
		t.Fatal(err)
	}
	f.now = 2 * time.Second
	if err := f.tree.Observe(at(f.now), f.usage); err == nil || len(f.usage[0].Usage) != 0 {
		t.Errorf("without a list: %v, %+v", err, f.usage[0].Usage)
	}
	if err := os.Remove(list); err != nil {
		t.Fatal(err)
	}
	got := f.observe(3 * time.Second)
	near(t, "after two seconds", got[id(42, 0)], 2*time.Second)
	near(t, "the rest", got[collector.Process{}], 0)
	near(t, "in all", f.mine(), 3*time.Second)
}

// TestTreeProperty: whatever comes and goes below self, its CPU time is counted
// once, and within what the node was busy.
func TestTreeProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		processes := []scenario.Process{{PID: 42, PPID: self, CPU: cores(0.2)}}
		n := rapid.IntRange(1, 6).Draw(rt, "processes")
		for i := range n {
			parent := processes[rapid.IntRange(0, i).Draw(rt, "parent")]
			start := parent.Start + time.Duration(rapid.Int64Range(0, 3000).Draw(rt, "start"))*ms
			p := scenario.Process{PID: 43 + i, PPID: parent.PID, Start: start, CPU: cores(float64(rapid.IntRange(0, 4).Draw(rt, "cores")))}
			p.End = p.Start + time.Duration(rapid.Int64Range(1, 3000).Draw(rt, "length"))*ms
			if parent.End != 0 {
				p.End = min(p.End, parent.End-ms) // none is re-parented: the scenario's init would adopt it
			}
			if p.Start < p.End {
				processes = append(processes, p)
			} else {
				processes = append(processes, processes[0]) // keep the numbering
				processes[len(processes)-1].PID, processes[len(processes)-1].PPID = p.PID, self
			}
		}
		f := plant(t, processes...)
		for now := 200 * ms; f.now < 7*time.Second; now += time.Duration(rapid.Int64Range(50, 4000).Draw(rt, "wait")) * ms {
			f.observe(now)
		}
		var want time.Duration
		for i := range f.node.Processes[1:] {
			want += f.node.Processes[i+1].CPUTime(0, f.now)
		}
		slack := time.Duration(2*len(processes)) * procfs.Tick
		if got := f.mine(); got < want-slack || got > want+slack {
			rt.Fatalf("the run was busy for %v, want %v", got, want)
		}
	})
}
