package scenario

import (
	"fmt"
	"time"

	"greenagent/energy"
)

// CPU is the node's processors and memory.
type CPU struct {
	Vendor      string // "GenuineIntel"
	Model       string // as /proc/cpuinfo's "model name"
	LogicalCPUs int    // 0 means 1
	MemoryBytes int64
	// Packages are the sockets, as RAPL shows them. Processes spread evenly.
	Packages []Package
	// Psys, if above 0, is what the platform draws beside packages and DRAM; RAPL
	// then has a psys zone.
	Psys energy.Power
}

// Package is a socket: its power goes linearly from Idle to Max with the share of
// the node's logical CPUs in use.
type Package struct {
	Idle, Max energy.Power
	// Core: there is a subzone for the cores, which draw all but 40 % of Idle.
	Core bool
	// DRAM, if DRAMMax is above 0, is a subzone of its own that is not contained in
	// the package's figure (Intel servers).
	DRAMIdle, DRAMMax energy.Power
	// Wrap is the range of the counters, after which they start again from 0; 0
	// means 262143.328850 J, as on Intel servers.
	Wrap energy.Energy
}

func (p *Package) wrap() energy.Energy {
	if p.Wrap == 0 {
		return 262143328850
	}
	return p.Wrap
}

func (c *CPU) logical() int { return max(c.LogicalCPUs, 1) }

// PackageEnergy returns the true energy of a package over [from, to).
func (n *Node) PackageEnergy(i int, from, to time.Duration) energy.Energy {
	p := &n.CPU.Packages[i]
	return n.linear(p.Idle, p.Max, to) - n.linear(p.Idle, p.Max, from)
}

// DRAMEnergy returns the true energy of a package's memory over [from, to).
func (n *Node) DRAMEnergy(i int, from, to time.Duration) energy.Energy {
	p := &n.CPU.Packages[i]
	return n.linear(p.DRAMIdle, p.DRAMMax, to) - n.linear(p.DRAMIdle, p.DRAMMax, from)
}

// PackageDynamic returns the part of a package's energy above idle that a process
// caused over [from, to).
func (n *Node) PackageDynamic(i int, p *Process, from, to time.Duration) energy.Energy {
	span := n.CPU.Packages[i].Max - n.CPU.Packages[i].Idle
	part := func(t time.Duration) int64 { return n.dynamic(span, p, t) }
	return energy.Energy(part(to) - part(from))
}

// linear returns the energy until t of what draws idle with nothing running and
// limit with every logical CPU in use: exactly the sum of its idle energy and of
// what each process causes.
func (n *Node) linear(idle, limit energy.Power, t time.Duration) energy.Energy {
	e := floorArea(idle, t)
	for i := range n.Processes {
		e += n.dynamic(limit-idle, &n.Processes[i], t)
	}
	return energy.Energy(e)
}

func (n *Node) dynamic(span energy.Power, p *Process, t time.Duration) int64 {
	busy := int64(p.area(t).over(1e9)) // µs of CPU time
	return energy.MulDiv(int64(span), busy, int64(n.CPU.logical())*1e6)
}

func (c *CPU) validate() error {
	if c.LogicalCPUs < 0 || c.MemoryBytes < 0 || c.Psys < 0 {
		return fmt.Errorf("CPU: %d logical, %d bytes, %d µW", c.LogicalCPUs, c.MemoryBytes, c.Psys)
	}
	for i, p := range c.Packages {
		if p.Idle < 0 || p.Max < p.Idle || p.DRAMIdle < 0 || p.DRAMMax < p.DRAMIdle || p.Wrap < 0 {
			return fmt.Errorf("package %d: idle above max, or something negative", i)
		}
	}
	return nil
}
