package collector

import (
	"errors"
	"slices"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
)

// instances is what is remembered of a device's MIG instances between observations.
//
// Under MIG the driver samples no processes, and instances have no power of their
// own. What there is: which instance a process is in, how large that is, and on
// Hopper and newer, by GPM, how busy it was.
type instances struct {
	partition nvml.Partition
	looked    energy.Instant // when it was listed
	places    []instance     // in the order of the Activity's Places
	activity  []nvml.InstanceActivity
	divided   energy.Instant // when it was last told what they did, or would have been
	told      energy.Instant // when GPM last told anything or failed, or was first asked
}

// instance is a MIG device that is there, or was at the last observation.
type instance struct {
	nvml.Instance
	tenant Owner
	gone   bool // since the last observation
	fresh  bool // it was not there then
}

// gpmPatience is how long to wait for GPM to tell something before energy is divided
// without it.
const gpmPatience = 2 * time.Second

// cut brings what is known of a device's instances up to date, and reports whether
// it is under MIG. It is looked at as often as processes are listed.
func (o *GPUUsers) cut(device int, now energy.Instant) (bool, error) {
	m := &o.devices[device].instances
	if m.looked != 0 && now.Sub(m.looked) < listEvery {
		return m.partition.Enabled, nil
	}
	return o.recut(device, now)
}

func (o *GPUUsers) recut(device int, now energy.Instant) (bool, error) {
	m := &o.devices[device].instances
	if err := o.lib.Partition(device, &m.partition); err != nil {
		return m.partition.Enabled, err // as it was
	}
	first := m.looked == 0
	m.looked = now
	for i := range m.places {
		p := &m.places[i]
		k := slices.IndexFunc(m.partition.Instances, func(in nvml.Instance) bool { return in.UUID == p.UUID })
		if p.gone = k < 0; !p.gone {
			p.Instance = m.partition.Instances[k]
		}
	}
	for _, in := range m.partition.Instances {
		if !slices.ContainsFunc(m.places, func(p instance) bool { return p.UUID == in.UUID }) {
			m.places = append(m.places, instance{Instance: in, fresh: !first})
		}
	}
	return m.partition.Enabled, nil
}

// forget leaves out the instances that had gone before the last observation.
func (d *gpuUsers) forget() {
	m := &d.instances
	kept := 0
	for i := range m.places {
		if m.places[i].gone {
			for k := range d.residents {
				if d.residents[k].Place == kept {
					d.residents[k].Place = nowhere
				} else if d.residents[k].Place > kept {
					d.residents[k].Place--
				}
			}
			continue
		}
		m.places[kept] = m.places[i]
		m.places[kept].fresh = false
		kept++
	}
	m.places = m.places[:kept]
}

// place returns where a listed process is.
func (m *instances) place(p nvml.Process) int {
	if p.GPUInstance == nvml.NoInstance {
		return nowhere
	}
	return slices.IndexFunc(m.places, func(in instance) bool {
		return !in.gone && in.GPUInstance == p.GPUInstance &&
			(in.ComputeInstance == p.ComputeInstance || p.ComputeInstance == nvml.NoInstance)
	})
}

// observeInstances tells who was in which instance of a device, and what these did.
func (o *GPUUsers) observeInstances(device int, now energy.Instant, a *Activity) error {
	d := &o.devices[device]
	m := &d.instances
	a.Method = BySlices
	var failed error
	if len(d.residents) < 2 || now.Sub(d.listed) >= listEvery {
		failed = o.list(device, now, a)
	}
	if slices.ContainsFunc(o.listed, func(p nvml.Process) bool { return p.GPUInstance != nvml.NoInstance && m.place(p) < 0 }) {
		// An instance was set up since it was looked for.
		if _, err := o.recut(device, now); err == nil {
			failed = o.list(device, now, a)
		}
	}
	activity, err := o.lib.Activity(device, m.activity[:0])
	m.activity = activity
	if m.told == 0 || err != nil || len(activity) > 0 {
		m.told = now
	}
	if err != nil && !errors.Is(err, nvml.ErrUnsupported) && failed == nil {
		failed = err
	}

	// Instances that came or went did so at some moment since the last observation.
	since := uint64(max(1, now.Sub(m.divided).Microseconds()))
	if m.divided == 0 {
		since = 1
	}
	m.divided = now
	a.Whole = 2 * since * sliceParts * uint64(max(0, m.partition.Slices))
	for i := range m.places {
		p := &m.places[i]
		size := since * m.size(p)
		if !p.gone && !p.fresh {
			size *= 2
		}
		for k := range a.Usage {
			if u := &a.Usage[k]; u.Place == i && (u.Owner != 0 || p.tenant == 0) {
				p.tenant = u.Owner
			}
		}
		a.Places = append(a.Places, Place{ID: p.UUID, Size: size, Tenant: p.tenant})
	}
	m.tell(a, now, err)
	return failed
}

// sliceParts is in how many parts a slice is counted: it divides by as many compute
// instances as a GPU instance can have.
const sliceParts = 5040

// size returns the slices that an instance stands for, in parts: its share of the
// GPU instance it is in, all of which is taken.
func (m *instances) size(in *instance) uint64 {
	var siblings int
	for i := range m.places {
		if m.places[i].GPUInstance == in.GPUInstance && m.places[i].gone == in.gone {
			siblings += max(1, m.places[i].Slices)
		}
	}
	return uint64(sliceParts * max(1, in.GPUSlices) * max(1, in.Slices) / siblings)
}

// tell adds what GPM told of the instances to an activity.
func (m *instances) tell(a *Activity, now energy.Instant, err error) {
	if len(m.activity) == 0 {
		// It takes two answers, and time between them. Better divided with what the
		// next one tells.
		a.Open = err == nil && len(m.places) > 0 && now.Sub(m.told) < gpmPatience
		return
	}
	for i := range m.places {
		_, told := m.busy(i)
		if !told && a.Occupied(i) {
			return // nothing is known of one that counts
		}
	}
	a.Method = ByGPM
	for i := range m.places {
		sm, told := m.busy(i)
		// Of several in one GPU instance, those did the work in which somebody was.
		var siblings, occupied uint64
		for k := range m.places {
			if m.places[k].GPUInstance == m.places[i].GPUInstance && m.places[k].gone == m.places[i].gone {
				siblings += a.Places[k].Size
				if a.Occupied(k) {
					occupied += a.Places[k].Size
				}
			}
		}
		switch {
		case !told || occupied > 0 && !a.Occupied(i):
		case occupied > 0:
			busy := energy.MulDiv(int64(siblings), int64(sm), 1e6)
			a.Places[i].Busy = uint64(energy.MulDiv(busy, int64(a.Places[i].Size), int64(occupied)))
		default:
			a.Places[i].Busy = uint64(energy.MulDiv(int64(a.Places[i].Size), int64(sm), 1e6))
		}
	}
}

// busy returns what GPM told of the instance in a place, in millionths.
func (m *instances) busy(i int) (uint32, bool) {
	k := slices.IndexFunc(m.activity, func(a nvml.InstanceActivity) bool { return a.GPUInstance == m.places[i].GPUInstance })
	if k < 0 || m.places[i].gone {
		return 0, false
	}
	return m.activity[k].SM, true
}
