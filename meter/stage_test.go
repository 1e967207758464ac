package meter_test

import (
	"io"
	"math"
	"sync"
	"testing"
	"time"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/collector/host"
	"greenagent/collector/procfs"
	"greenagent/energy"
	"greenagent/meter"
	"greenagent/nvml"
	"greenagent/nvml/sim"
	"greenagent/scenario"
)

const (
	ms = time.Millisecond
	// self is the PID of the process whose descendants are the run.
	self = 10
	// theRun is the owner of self's descendants.
	theRun collector.Owner = 1
)

// stage is a described node, played in the virtual time of a synctest bubble, and
// the meter that watches it.
type stage struct {
	t       testing.TB
	mu      sync.Mutex // guards node and its /proc: loads come and go while feeds read
	node    scenario.Node
	zero    time.Time // the scenario's origin on the bubble's clock
	root    string    // of /proc and /sys
	started time.Duration
	meter   *meter.Meter
	last    attribution.Snapshot
	// follow, if not nil, brings a clock outside of the bubble up to the present.
	follow func()
}

func newStage(t testing.TB) *stage { return &stage{t: t, zero: time.Now(), root: t.TempDir()} }

// Now implements energy.Clock.
func (s *stage) Now() energy.Instant { return s.at(time.Since(s.zero)) }

func (s *stage) at(t time.Duration) energy.Instant { return energy.Instant(s.node.Since() + t) }

func (s *stage) now() time.Duration { return time.Since(s.zero) }

// start starts the meter at the present.
func (s *stage) start(c meter.Config) {
	s.started = s.now()
	c.Clock, c.From, c.Reserved = s, s.Now(), theRun
	s.meter = meter.New(c)
	s.write()
	if s.node.CPU.LogicalCPUs > 0 {
		tree := collector.NewTree(procfs.New(s.root), self, theRun, nil)
		s.meter.Add(meter.Feed{Name: "host", Source: staged{s, s.host()}, Observer: observed{s, tree}})
	}
}

// open opens the GPUs' sensors, if there are any.
func (s *stage) open() {
	if len(s.node.Devices) > 0 {
		lib := sim.New(s.node, s, s.at(0))
		s.meter.Add(s.gpus(lib, lib))
	}
}

// gpus returns the feed of a GPU library.
func (s *stage) gpus(lib library, opened io.Closer) meter.Feed {
	descendants := collector.NewTree(procfs.New(s.root), self, theRun, nil)
	users := collector.NewGPUUsers(lib, procfs.New(s.root), func(pid int) collector.Owner {
		if descendants.Has(pid) {
			return theRun
		}
		return 0
	})
	users.Past = descendants
	return meter.Feed{Name: "NVML", Source: stagedGPUs{staged{s, collector.NewGPUs(lib, nil)}}, Observer: observed{s, users}, Look: s.looked(descendants), Close: opened.Close}
}

// library is what *sim.Library and *nvml.Library have in common.
type library interface {
	Devices() []nvml.Device
	Sample(device int, dst *nvml.Sample) error
	PowerSamples(device int, since uint64, dst []nvml.PowerSample) ([]nvml.PowerSample, error)
	Processes(device int, dst []nvml.Process) ([]nvml.Process, error)
	Utilization(device int, since uint64, dst []nvml.Utilization) ([]nvml.Utilization, error)
	Partition(device int, dst *nvml.Partition) error
	Activity(device int, dst []nvml.InstanceActivity) ([]nvml.InstanceActivity, error)
	Status(device int, dst *nvml.Status) error
}

// host opens RAPL where the node has packages, and else the model.
func (s *stage) host() *collector.Hosts {
	if len(s.node.CPU.Packages) > 0 {
		rapl, err := host.OpenPowercap(s.root, s)
		if err != nil {
			s.t.Fatal(err)
		}
		return collector.NewHosts(rapl)
	}
	facts := host.Facts{CPUModel: s.node.CPU.Model, Vendor: s.node.CPU.Vendor, LogicalCPUs: s.node.CPU.LogicalCPUs, Packages: 1, Memory: s.node.CPU.MemoryBytes}
	model, err := host.OpenModel(facts, procfs.New(s.root), s)
	if err != nil {
		s.t.Fatal(err)
	}
	return collector.NewHosts(model)
}

// write brings /proc and /sys up to date. The caller holds mu, or nothing runs.
func (s *stage) write() {
	t := s.now()
	if s.follow != nil {
		s.follow()
	}
	if err := s.node.WriteProc(s.root, t); err != nil {
		s.t.Error(err)
	}
	if len(s.node.CPU.Packages) > 0 {
		if err := s.node.WritePowercap(s.root, t); err != nil {
			s.t.Error(err)
		}
	}
}

// staged is a source that sees the node as it is now.
type staged struct {
	stage *stage
	collector.Source
}

func (f staged) Read(dst []collector.Reading) ([]collector.Reading, error) {
	f.stage.mu.Lock()
	defer f.stage.mu.Unlock()
	if _, files := f.Source.(*collector.Hosts); files {
		f.stage.write()
	} else if f.stage.follow != nil {
		f.stage.follow()
	}
	return f.Source.Read(dst)
}

// stagedGPUs remembers power, too.
type stagedGPUs struct{ staged }

func (f stagedGPUs) Recall(domain int, dst []collector.PowerPoint) ([]collector.PowerPoint, error) {
	return f.Source.(*collector.GPUs).Recall(domain, dst)
}

// observed is an observer that sees the node as it is now.
type observed struct {
	stage    *stage
	observer collector.Observer
}

func (f observed) Observe(now energy.Instant, dst []collector.Activity) error {
	f.stage.mu.Lock()
	defer f.stage.mu.Unlock()
	f.stage.write()
	return f.observer.Observe(now, dst)
}

// looked looks at the processes as they are now.
func (s *stage) looked(tree *collector.Tree) func(energy.Instant) {
	var last energy.Instant
	return func(now energy.Instant) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if now.Sub(last) >= 100*ms {
			s.write()
			last = now
		}
		tree.Look(now)
	}
}

// load is what a process does on a device and on the CPUs.
type load struct {
	pid, parent int
	name        string
	gpu         int // -1: none
	power       scenario.PowerCurve
	memory      int64
	sm          int
	kinds       scenario.Kind
	instance    string // MIG
	cpu         scenario.Curve[scenario.Cores]
	resident    int64
}

// spawn starts a process now.
func (s *stage) spawn(l load) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.node.Processes = append(s.node.Processes, scenario.Process{
		PID: l.pid, PPID: l.parent, Start: now, Command: []string{l.name}, CPU: l.cpu, Resident: l.resident,
	})
	if l.gpu >= 0 {
		d := &s.node.Devices[l.gpu]
		d.Loads = append(d.Loads, scenario.Load{PID: l.pid, From: now, Power: l.power, Memory: l.memory, SM: l.sm, Kinds: l.kinds, Instance: l.instance})
	}
}

// kill ends a process now.
func (s *stage) kill(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for i := range s.node.Processes {
		if p := &s.node.Processes[i]; p.PID == pid && p.End == 0 {
			p.End = now
		}
	}
	for i := range s.node.Devices {
		for j := range s.node.Devices[i].Loads {
			if l := &s.node.Devices[i].Loads[j]; l.PID == pid && l.To == 0 {
				l.To = now
			}
		}
	}
}

// finish ends the measurement now.
func (s *stage) finish(grace time.Duration) {
	s.last = s.meter.Finish(s.Now(), grace)
}

// snapshot returns the present state, or the final one.
func (s *stage) snapshot() attribution.Snapshot {
	if s.last.Domains == nil {
		return s.meter.Snapshot()
	}
	return s.last
}

// within checks a figure against the truth.
func within(t *testing.T, what string, got, want energy.Energy, relative float64) {
	t.Helper()
	off := got.Joules()/want.Joules() - 1
	t.Logf("%s: %v of %v, %+.3f %%", what, got, want, 100*off)
	if math.Abs(off) > relative {
		t.Errorf("%s: %v, want %v within %.1f %%: off by %+.3f %%", what, got, want, 100*relative, 100*off)
	}
}
