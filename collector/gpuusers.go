package collector

import (
	"errors"
	"slices"
	"time"

	"greenagent/collector/procfs"
	"greenagent/energy"
	"greenagent/nvml"
)

// The driver's utilization sampler takes 72 tags in 10 s, each naming the one
// process that was active at that moment, and remembers them for as long.
const (
	tagsPerSecond = 7.2
	samplerMemory = 10 * time.Second
	// tagEvery is the time from one tag to the next. Where several processes share
	// a device, each tag is fetched as it comes: then it divides the energy of its
	// own moment, and what a process drew in its turn stays with it.
	tagEvery = 139 * time.Millisecond
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
	residents []Usage        // as last listed, Busy 0
	listed    energy.Instant // when that was
	tagged    energy.Instant // when the latest tag was read
	since     uint64         // the driver's stamp of the newest statistic
	sampled   energy.Instant // when that was read
	blind     bool           // the driver has no utilization per process here
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
	*a = Activity{Until: now, Usage: append(a.Usage[:0], d.residents...), Method: ByMemory}
	if len(d.residents) < 2 || now.Sub(d.listed) >= listEvery {
		if err := o.list(device, a); err != nil {
			// Without a list, those who were there are taken to be there still.
			return err
		}
		d.listed = now
	}
	if d.blind {
		return nil
	}
	sampled, err := o.lib.Utilization(device, d.since, o.sampled[:0])
	o.sampled = sampled
	if errors.Is(err, nvml.ErrUnsupported) {
		d.blind = true
		return nil
	}
	if err != nil {
		return err // the next answer goes back to d.since, and covers this interval
	}
	first := d.sampled == 0
	if !first {
		a.Method, a.Samples = ByUtilization, tagsPerSecond*min(now.Sub(d.sampled), samplerMemory).Seconds()
	}
	d.sampled = now
	if len(a.Usage) > 1 {
		a.Again = tagEvery
	}
	before := d.since
	for _, s := range sampled {
		d.since = max(d.since, s.Stamp)
		if first {
			continue // it tells of the time before, too
		}
		if i := latestOf(a.Usage, s.PID); i >= 0 {
			a.Usage[i].Busy = uint64(s.SM)
		}
	}
	if d.since > before {
		d.tagged = now
	}
	a.Open = a.Again > 0 && !first && d.tagged < now && now.Sub(d.tagged) < idleTags
	return nil
}

// list merges those who are on the device now into a, and remembers them.
func (o *GPUUsers) list(device int, a *Activity) error {
	d := &o.devices[device]
	listed, err := o.lib.Processes(device, o.listed[:0])
	o.listed = listed
	if err != nil {
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
	return nil
}

// resident returns the usage of a listed process. Its owner is taken over from
// before if it was known.
func (o *GPUUsers) resident(known []Usage, p nvml.Process) Usage {
	u := Usage{Process: Process{PID: p.PID}, Memory: max(p.Memory, 0)}
	var stat procfs.Process
	if err := o.proc.Read(p.PID, &stat); err == nil {
		u.Process, u.Command = stat.ID, stat.Comm
	} else if i := latestOf(known, p.PID); i >= 0 {
		// It has ended, and the driver has not cleared up after it yet.
		u.Process, u.Command = known[i].Process, known[i].Command
	}
	// Of a PID that /proc has never shown, as one of another PID namespace, the
	// start stays zero.
	if i, ok := slices.BinarySearchFunc(known, u, Compare); ok {
		u.Owner = known[i].Owner
		return u
	}
	u.Owner = o.owner(p.PID)
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
