package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Instance is a MIG device during [From, To): a compute instance in a GPU instance.
type Instance struct {
	UUID            string
	GPUInstance     uint32
	ComputeInstance uint32
	Slices          int   // of the parent's seven compute slices
	GPUSlices       int   // those of the GPU instance; 0: it is filled
	Memory          int64 // bytes
	From, To        time.Duration
}

// Outer returns the compute slices of the GPU instance it is in.
func (in *Instance) Outer() int { return max(in.Slices, in.GPUSlices) }

// Slices is how many compute slices a board has.
const Slices = 7

// Exists reports whether the instance is there at t.
func (in *Instance) Exists(t time.Duration) bool { return in.From <= t && t < endOf(in.To) }

// gpuSlices returns the compute slices of a GPU instance at t, 0 if it is not there.
func (d *Device) gpuSlices(gpuInstance uint32, t time.Duration) int {
	for i := range d.Instances {
		if in := &d.Instances[i]; in.GPUInstance == gpuInstance && in.Exists(t) {
			return in.Outer()
		}
	}
	return 0
}

// GPM reports whether the board has GPU performance monitoring: Hopper and newer.
func (d *Device) GPM() bool { return d.Architecture == "Hopper" || d.Architecture == "Blackwell" }

// GPMTick is how often the counters behind GPM are updated.
const GPMTick = 100 * time.Millisecond

// SMActivity returns how much of a GPU instance's SMs was busy over [from, to), in
// millionths, as GPM shows it: between the updates at or before the two. false if
// there was none in between.
//
// A load keeps its SM percentage of its compute instance busy whenever it draws
// power.
func (d *Device) SMActivity(gpuInstance uint32, from, to time.Duration) (uint32, bool) {
	from, to = tickAt(from, GPMTick, 0), tickAt(to, GPMTick, 0)
	slices := d.gpuSlices(gpuInstance, to)
	if from >= to || slices == 0 {
		return 0, false
	}
	var sum int64 // ns × percent × slices
	for i := range d.Loads {
		l := &d.Loads[i]
		in := d.instance(l.Instance)
		if in == nil || in.GPUInstance != gpuInstance || !in.Exists(to) {
			continue
		}
		sum += int64(l.busy(to)-l.busy(from)) * int64(l.sm()*in.Slices)
	}
	whole := int64(to-from) * int64(slices)
	// Percent to millionths; a day of nanoseconds fits.
	return uint32(min(sum/whole*10_000+sum%whole*10_000/whole, 1_000_000)), true
}

// busy returns for how long until t the load was active.
func (l *Load) busy(t time.Duration) time.Duration {
	t = min(t, endOf(l.To))
	if t <= l.From {
		return 0
	}
	return l.Power.Above(t - l.From)
}

// instance returns the MIG device of a UUID, nil if there is none.
func (d *Device) instance(uuid string) *Instance {
	i := slices.IndexFunc(d.Instances, func(in Instance) bool { return in.UUID == uuid })
	if i < 0 {
		return nil
	}
	return &d.Instances[i]
}

// hosts reports whether the instance a load runs in is there for as long as the
// load is.
func (d *Device) hosts(l *Load) bool {
	in := d.instance(l.Instance)
	return in != nil && in.From <= max(l.From, 0) && endOf(l.To) <= endOf(in.To)
}

func (d *Device) validateInstances(seen map[string]bool) error {
	for i := range d.Instances {
		in := &d.Instances[i]
		if in.UUID == "" || seen[in.UUID] || !plain(in.UUID) || strings.Contains(in.UUID, " ") {
			return fmt.Errorf("instance UUID %q must be a unique word", in.UUID)
		}
		seen[in.UUID] = true
		if in.Slices < 0 || in.GPUSlices < 0 || in.Memory < 0 || in.From < 0 || endOf(in.To) < in.From {
			return fmt.Errorf("instance %s of %d slices and %d bytes from %v to %v", in.UUID, in.Slices, in.Memory, in.From, in.To)
		}
		for j := range d.Instances[:i] {
			other := &d.Instances[j]
			if other.GPUInstance == in.GPUInstance && other.ComputeInstance == in.ComputeInstance &&
				other.From < endOf(in.To) && in.From < endOf(other.To) {
				return fmt.Errorf("instances %s and %s are in one place", other.UUID, in.UUID)
			}
		}
	}
	return nil
}
