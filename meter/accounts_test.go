package meter_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/collector/procfs"
	"greenagent/energy"
)

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
			if d.Unallocated > 0 {
				fmt.Fprintf(&b, ", unallocated %s", joules(d.Unallocated))
			}
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
			fmt.Fprintf(&b, "  %d %s (%s) %s", p.Process.PID, p.Command, owner, joules(e.Dynamic-e.Context))
			if truth := s.dynamic(d, p.Process, snapshot.Interval); truth > 0 && len(s.last.Domains) > 0 {
				fmt.Fprintf(&b, " of %s", joules(truth))
			}
			if e.Context > 0 {
				fmt.Fprintf(&b, ", context %s", joules(e.Context))
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
	if d.Unallocated < 0 || d.Unallocated > d.Idle {
		t.Errorf("%s: %d µJ unallocated of %d µJ idle", d.ID, d.Unallocated, d.Idle)
	}
	if owners != d.Energy || processes != d.Energy {
		t.Errorf("%s: %d µJ by owner and %d µJ by process of %d µJ", d.ID, owners, processes, d.Energy)
	}
}
