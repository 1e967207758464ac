package collector

import (
	"errors"
	"slices"

	"greenagent/collector/procfs"
	"greenagent/energy"
	"greenagent/nvml"
)

// tagsPerSecond is the rate of the driver's utilization sampler: 72 tags in 10 s,
// each naming the one process that was active at that moment.
const tagsPerSecond = 7.2

// gpuUsage is the part of NVML that tells who uses a device.
type gpuUsage interface {
	Devices() []nvml.Device
	Processes(device int, dst []nvml.Process) ([]nvml.Process, error)
	Utilization(device int, since uint64, dst []nvml.Utilization) ([]nvml.Utilization, error)
}

// GPUUsers observes the processes on GPUs: who holds a context, by the driver's
// lists, and who was active, by its sampler. It is used by one goroutine.
type GPUUsers struct {
	lib     gpuUsage
	proc    *procfs.FS
	owner   func(pid int) Owner
	devices []gpuUsers
	listed  []nvml.Process
	sampled []nvml.Utilization
}

// gpuUsers is what is remembered of one device between observations.
type gpuUsers struct {
	residents []Usage
	since     uint64
	last      energy.Instant
	blind     bool // the driver has no utilization per process here
}

// NewGPUUsers returns an observer of all devices of a library. PIDs are looked up
// in proc; owner resolves each once, when it is first seen on a device.
func NewGPUUsers(lib gpuUsage, proc *procfs.FS, owner func(pid int) Owner) *GPUUsers {
	return &GPUUsers{lib: lib, proc: proc, owner: owner, devices: make([]gpuUsers, len(lib.Devices()))}
}

// Observe implements Observer. A process that was on the device at the previous
// observation counts as having been there until this one: it may have worked up
// to its end.
func (o *GPUUsers) Observe(now energy.Instant, dst []Activity) error {
	var failed error
	for i := range o.devices {
		if err := o.observe(i, now, &dst[i]); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

func (o *GPUUsers) observe(device int, now energy.Instant, a *Activity) error {
	d := &o.devices[device]
	elapsed := now.Sub(d.last)
	if d.last == 0 {
		elapsed = 0
	}
	d.last = now
	*a = Activity{Until: now, Usage: append(a.Usage[:0], d.residents...), Method: ByUtilization, Samples: tagsPerSecond * elapsed.Seconds()}
	for i := range a.Usage {
		a.Usage[i].Busy = 0
	}

	listed, err := o.lib.Processes(device, o.listed[:0])
	o.listed = listed
	if err != nil {
		// Without a list, those who were there are taken to be there still.
		return err
	}
	d.residents = d.residents[:0]
	for _, p := range listed {
		u := o.resident(a.Usage, p)
		d.residents = append(d.residents, u)
		if i, known := slices.BinarySearchFunc(a.Usage, u, Compare); known {
			a.Usage[i] = u
		} else {
			a.Usage = slices.Insert(a.Usage, i, u)
		}
	}
	slices.SortFunc(d.residents, Compare)

	if d.blind {
		a.Method, a.Samples = ByMemory, 0
		return nil
	}
	sampled, err := o.lib.Utilization(device, d.since, o.sampled[:0])
	o.sampled = sampled
	if errors.Is(err, nvml.ErrUnsupported) {
		d.blind = true
		a.Method, a.Samples = ByMemory, 0
		return nil
	}
	if err != nil {
		return err
	}
	for _, s := range sampled {
		d.since = max(d.since, s.Stamp)
		for i := range a.Usage {
			// Of two processes with one PID in one interval, the later one is
			// meant: it is there now.
			if a.Usage[i].Process.PID == s.PID && (i+1 == len(a.Usage) || a.Usage[i+1].Process.PID != s.PID) {
				a.Usage[i].Busy = uint64(s.SM)
			}
		}
	}
	return nil
}

// resident returns the usage of a listed process. Its owner is taken over from
// before if it was known.
func (o *GPUUsers) resident(known []Usage, p nvml.Process) Usage {
	u := Usage{Process: Process{PID: p.PID}, Memory: max(p.Memory, 0)}
	var stat procfs.Process
	// A PID that /proc does not show belongs to another PID namespace or has
	// just ended; it keeps a start of zero.
	if err := o.proc.Read(p.PID, &stat); err == nil {
		u.Process, u.Command = stat.ID, stat.Comm
	}
	if i, ok := slices.BinarySearchFunc(known, u, Compare); ok {
		u.Owner = known[i].Owner
		return u
	}
	u.Owner = o.owner(p.PID)
	return u
}
