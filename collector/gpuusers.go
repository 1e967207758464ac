package collector

import (
	"errors"
	"slices"
	"time"

	"greenagent/collector/procfs"
	"greenagent/energy"
	"greenagent/nvml"
)

const (
	// listEvery is how often it is asked who is on a shared device. The lists cost
	// the driver milliseconds.
	listEvery = time.Second
	// idleTags is after how long without a tag a device counts as having been idle.
	idleTags = time.Second
)

// gpuUsage is the part of NVML that tells who uses a device.
type gpuUsage interface {
	Devices() []nvml.Device
	Processes(device int, dst []nvml.Process) ([]nvml.Process, error)
	Utilization(device int, since uint64, dst []nvml.Utilization) ([]nvml.Utilization, error)
	Partition(device int, dst *nvml.Partition) error
	Activity(device int, dst []nvml.InstanceActivity) ([]nvml.InstanceActivity, error)
}

// gpuStates is the part of NVML that tells a device's performance state.
type gpuStates interface {
	Status(device int, dst *nvml.Status) error
}

// Past remembers processes for a while after they ended.
type Past interface {
	// Recall returns the process that had a PID last.
	Recall(pid int) (procfs.Process, bool)
}

// GPUUsers observes the processes on GPUs: who holds a context, by the driver's
// lists, and who was active, by its sampler. It is used by one goroutine.
type GPUUsers struct {
	// Past, if not nil, tells who had a PID that the sampler names and /proc has no
	// more. To be set before the first Observe.
	Past Past
	// Suspended is for how long the machine has been suspended since it booted, by
	// which the start times of /proc are ahead of instants.
	Suspended time.Duration

	// Abroad says that proc is not of the PID namespace whose ids the driver's sampler
	// tells: whom it names and no list shows may be anybody, those listed included.
	Abroad bool

	lib     gpuUsage
	states  gpuStates // nil where the library does not tell
	proc    *procfs.FS
	owner   func(pid int) Owner
	devices []gpuUsers
	listed  []nvml.Process
	sampled []nvml.Utilization
	status  nvml.Status
}

// gpuUsers is what is remembered of one device between observations.
type gpuUsers struct {
	residents  []Usage        // as last listed, Busy 0
	listed     energy.Instant // when that was
	concurrent bool           // some of them share it by MPS
	until      energy.Instant // up to where what it has told is divided
	tags       tags
	instances  instances
}

// NewGPUUsers returns an observer of all devices of a library. PIDs are looked up
// in proc; owner resolves each once, when it is first seen on a device.
func NewGPUUsers(lib gpuUsage, proc *procfs.FS, owner func(pid int) Owner) *GPUUsers {
	states, _ := lib.(gpuStates)
	return &GPUUsers{lib: lib, states: states, proc: proc, owner: owner, devices: make([]gpuUsers, len(lib.Devices()))}
}

// Observe implements Observer. A process that was on the device at the previous
// observation counts as having been there until this one: it may have worked up
// to its end. So does one that the sampler names and no list has shown.
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
	d.forget()
	cut, failed := o.cut(device, now)
	*a = Activity{Until: now, Usage: append(a.Usage[:0], d.residents...), Places: a.Places[:0], Method: ByMemory}
	var err error
	if cut {
		err = o.observeInstances(device, now, a)
	} else {
		err = o.observeTags(device, now, a)
	}
	// What is divided alone comes after what was.
	a.Until = max(a.Until, d.until+1)
	if !a.Open {
		d.until = a.Until
	}
	if failed == nil {
		failed = err // one is enough: what fails one call mostly fails the other
	}
	return failed
}

// observeTags tells who was on a device, and how often the sampler named them.
func (o *GPUUsers) observeTags(device int, now energy.Instant, a *Activity) error {
	d := &o.devices[device]
	sampled, failed := o.sample(device, now)
	var err error
	if len(d.residents) < 2 || now.Sub(d.listed) >= listEvery || !o.Abroad && strange(a.Usage, sampled) {
		// Without a list, those who were there are taken to be there still.
		err = o.list(device, now, a)
	}
	for _, s := range sampled {
		o.credit(a, s, d.tags.slots)
	}
	a.Concurrent = d.concurrent
	if len(a.Usage) == 0 {
		a.State = o.state(device)
	}
	d.tags.describe(a, now, failed)
	if failed == nil {
		failed = err
	}
	return failed
}

// state returns a device's performance state. It is a refinement: that it cannot be
// told is no failure.
func (o *GPUUsers) state(device int) State {
	if o.states == nil {
		return 0
	}
	if err := o.states.Status(device, &o.status); err != nil || o.status.PerformanceState < 0 || o.status.PerformanceState >= States-1 {
		return 0
	}
	return State(o.status.PerformanceState + 1)
}

// strange reports whether the sampler names somebody who is not known to be there.
func strange(usage []Usage, sampled []nvml.Utilization) bool {
	return slices.ContainsFunc(sampled, func(s nvml.Utilization) bool { return latestOf(usage, s.PID) < 0 })
}

// list merges those who are on the device now into a, and remembers them.
func (o *GPUUsers) list(device int, now energy.Instant, a *Activity) error {
	d := &o.devices[device]
	listed, err := o.lib.Processes(device, o.listed[:0])
	o.listed = listed
	if err != nil {
		return err
	}
	d.residents, d.concurrent, d.listed = d.residents[:0], false, now
	for _, p := range listed {
		u := o.resident(a.Usage, p)
		u.Place = d.instances.place(p)
		d.residents = append(d.residents, u)
		d.concurrent = d.concurrent || p.Kinds&nvml.MPS != 0
		if i, known := slices.BinarySearchFunc(a.Usage, u, Compare); known {
			a.Usage[i] = u
		} else {
			a.Usage = slices.Insert(a.Usage, i, u)
			d.tags.awaited = now
		}
	}
	slices.SortFunc(d.residents, Compare)
	return nil
}

// resident returns the usage of a listed process. Its owner is taken over from
// before if it was known.
func (o *GPUUsers) resident(known []Usage, p nvml.Process) Usage {
	u := o.identify(known, p.PID)
	u.Memory = max(p.Memory, 0)
	return u
}

// identify returns who a PID of the driver's is.
func (o *GPUUsers) identify(known []Usage, pid int) Usage {
	u := Usage{Process: Process{PID: pid}}
	var stat procfs.Process
	if err := o.proc.Read(pid, &stat); err == nil {
		u.Process, u.Command = stat.ID, stat.Comm
	} else if i := latestOf(known, pid); i >= 0 {
		// It has ended, and the driver has not cleared up after it yet.
		u.Process, u.Command = known[i].Process, known[i].Command
	} else if o.Past != nil {
		if stat, ok := o.Past.Recall(pid); ok {
			u.Process, u.Command = stat.ID, stat.Comm
		}
	}
	// Of a PID that nobody has seen, as one of another PID namespace, the start
	// stays zero.
	if i, ok := slices.BinarySearchFunc(known, u, Compare); ok {
		u.Owner, u.From = known[i].Owner, known[i].From
		return u
	}
	if u.Process.Start > 0 {
		u.From = u.Process.Started(o.Suspended)
	}
	u.Owner = o.owner(pid)
	return u
}

// latestOf returns where the latest process with a PID is in usage, -1 if nowhere.
// Where a PID was used twice in one interval, the driver means the later: it is
// there now.
func latestOf(usage []Usage, pid int) int {
	i, _ := slices.BinarySearchFunc(usage, pid+1, func(u Usage, pid int) int { return u.Process.PID - pid })
	if i > 0 && usage[i-1].Process.PID == pid {
		return i - 1
	}
	return -1
}
