package scenario

import (
	"fmt"
	"time"
)

// Process is a process of the node during [Start, End).
type Process struct {
	PID, PPID  int
	Start, End time.Duration // End 0: Forever
	Command    []string      // argv; empty for a kernel thread
	Name       string        // /proc/<pid>/comm; "" means the base name of Command[0]
	UID        int
	Cgroup     string // cgroup v2 path, or the whole content of /proc/<pid>/cgroup; "" means "/"
	Resident   int64  // bytes of memory
	// CPU is its use of logical CPUs as a function of the time since Start.
	CPU Curve[Cores]
}

// Alive reports whether the process exists at t.
func (p *Process) Alive(t time.Duration) bool { return p.Start <= t && t < endOf(p.End) }

// CPUTime returns the CPU time that the process used over [from, to), in whole
// microseconds.
func (p *Process) CPUTime(from, to time.Duration) time.Duration {
	return time.Duration(p.area(to).over(1e9)-p.area(from).over(1e9)) * time.Microsecond
}

func (p *Process) area(t time.Duration) wide {
	t = min(t, endOf(p.End))
	if t <= p.Start {
		return wide{}
	}
	return p.CPU.area(t - p.Start)
}

func (n *Node) validateProcesses() error {
	for i := range n.Processes {
		p := &n.Processes[i]
		if p.PID <= 0 || p.PPID < 0 || p.Start < -n.Since() || endOf(p.End) < p.Start {
			return fmt.Errorf("process %d: PID %d, parent %d, from %v to %v (up for %v)", i, p.PID, p.PPID, p.Start, p.End, n.Since())
		}
		if err := p.CPU.validate(); err != nil {
			return fmt.Errorf("process %d: %w", i, err)
		}
		for j := range i {
			q := &n.Processes[j]
			if p.PID == q.PID && p.Start < endOf(q.End) && q.Start < endOf(p.End) {
				return fmt.Errorf("processes %d and %d have PID %d at once", j, i, p.PID)
			}
		}
	}
	return n.CPU.validate()
}
