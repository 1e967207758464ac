package meter_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
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
	return meter.Feed{Name: "NVML", Source: stagedGPUs{staged{s, collector.NewGPUs(lib)}}, Observer: observed{s, users}, Close: opened.Close}
}

// library is what *sim.Library and *nvml.Library have in common.
type library interface {
	Devices() []nvml.Device
	Sample(device int, dst *nvml.Sample) error
	PowerSamples(device int, since uint64, dst []nvml.PowerSample) ([]nvml.PowerSample, error)
	Processes(device int, dst []nvml.Process) ([]nvml.Process, error)
	Utilization(device int, since uint64, dst []nvml.Utilization) ([]nvml.Utilization, error)
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

// load is what a process does on a device and on the CPUs.
type load struct {
	pid, parent int
	name        string
	gpu         int // -1: none
	power       scenario.PowerCurve
	memory      int64
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
		d.Loads = append(d.Loads, scenario.Load{PID: l.pid, From: now, Power: l.power, Memory: l.memory})
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

// truth is a domain's true energy over an interval, 0 where a model has none.
func (s *stage) truth(d *attribution.DomainState, v energy.Interval) energy.Energy {
	from, to := v.Start.Sub(s.at(0)), v.End.Sub(s.at(0))
	for i := range s.node.Devices {
		if d.ID == "gpu:"+s.node.Devices[i].UUID {
			return s.node.Devices[i].Energy(from, to)
		}
	}
	var sum energy.Energy
	for i := range s.node.CPU.Packages {
		switch d.Type {
		case collector.CPU:
			sum += s.node.PackageEnergy(i, from, to)
		case collector.Memory:
			sum += s.node.DRAMEnergy(i, from, to)
		}
	}
	return sum
}

// dynamic is what a process truly used of a domain above idle.
func (s *stage) dynamic(d *attribution.DomainState, id collector.Process, v energy.Interval) energy.Energy {
	from, to := v.Start.Sub(s.at(0)), v.End.Sub(s.at(0))
	is := func(pid int, start time.Duration) bool {
		return pid == id.PID && procfs.Ticks((s.node.Since()+start)/procfs.Tick) == id.Start
	}
	var sum energy.Energy
	for i := range s.node.Devices {
		for j := range s.node.Devices[i].Loads {
			if l := &s.node.Devices[i].Loads[j]; is(l.PID, l.From) && d.ID == "gpu:"+s.node.Devices[i].UUID {
				sum += l.Energy(from, to)
			}
		}
	}
	for i := range s.node.Processes {
		if p := &s.node.Processes[i]; is(p.PID, p.Start) && d.Type == collector.CPU {
			for j := range s.node.CPU.Packages {
				sum += s.node.PackageDynamic(j, p, from, to)
			}
		}
	}
	return sum
}

// ledger renders the accounts, what was true, and fails the test if a domain does
// not sum to the microjoule.
func (s *stage) ledger() string {
	snapshot := s.snapshot()
	var b strings.Builder
	for i := range snapshot.Domains {
		d := &snapshot.Domains[i]
		sums(s.t, &snapshot, i)
		fmt.Fprintf(&b, "%s %s", d.ID, d.Basis)
		if d.Basis != energy.Unknown {
			fmt.Fprintf(&b, " %s", joules(d.Energy))
			if truth := s.truth(d, snapshot.Interval); truth > 0 && len(s.last.Domains) > 0 {
				fmt.Fprintf(&b, " of %s", joules(truth))
			}
			fmt.Fprintf(&b, ", idle %s, unattributed %s, by %s", joules(d.Idle), joules(d.Unattributed), d.Method)
		}
		b.WriteString("\n")
		processes := slices.Clone(snapshot.Processes)
		slices.SortFunc(processes, func(a, b attribution.ProcessState) int { return a.Process.PID - b.Process.PID })
		for _, p := range processes {
			e := p.Entries[i]
			if e.Dynamic == 0 && e.Idle == 0 {
				continue
			}
			owner := "others"
			if p.Owner == theRun {
				owner = "the run"
			}
			fmt.Fprintf(&b, "  %d %s (%s) %s", p.Process.PID, p.Command, owner, joules(e.Dynamic))
			if truth := s.dynamic(d, p.Process, snapshot.Interval); truth > 0 && len(s.last.Domains) > 0 {
				fmt.Fprintf(&b, " of %s", joules(truth))
			}
			if e.Idle > 0 {
				fmt.Fprintf(&b, ", idle %s", joules(e.Idle))
			}
			b.WriteString("\n")
		}
		for _, w := range d.Warnings {
			fmt.Fprintf(&b, "  ! %s\n", w)
		}
	}
	for _, w := range snapshot.Warnings {
		fmt.Fprintf(&b, "! %s\n", w)
	}
	return b.String()
}

func joules(e energy.Energy) string { return fmt.Sprintf("%.1f J", e.Joules()) }

// sums checks that the accounts of a domain sum to its energy, to the microjoule.
func sums(t testing.TB, s *attribution.Snapshot, domain int) {
	d := &s.Domains[domain]
	owners, processes := d.Idle+d.Unattributed, d.Idle+d.Unattributed
	for _, o := range d.Owners {
		owners += o.Dynamic + o.Idle
	}
	for _, p := range s.Processes {
		processes += p.Entries[domain].Dynamic + p.Entries[domain].Idle
	}
	if owners != d.Energy || processes != d.Energy {
		t.Errorf("%s: %d µJ by owner and %d µJ by process of %d µJ", d.ID, owners, processes, d.Energy)
	}
}
