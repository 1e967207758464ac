package sim

import (
	"slices"
	"time"

	"greenagent/nvml"
	"greenagent/scenario"
)

// Partition lists a device's MIG instances as they are now.
func (l *Library) Partition(device int, dst *nvml.Partition) error {
	t := l.now()
	if _, err := l.strike(device, scenario.AnyCall, t); err != nil {
		return err
	}
	d := &l.node.Devices[device]
	*dst = nvml.Partition{Enabled: len(d.Instances) > 0, Instances: instances(dst.Instances[:0], d, t)}
	if dst.Enabled {
		dst.Slices = scenario.Slices
	}
	return nil
}

// instances appends a device's instances at t.
func instances(dst []nvml.Instance, d *scenario.Device, t time.Duration) []nvml.Instance {
	for i := range d.Instances {
		if in := &d.Instances[i]; in.Exists(t) {
			dst = append(dst, nvml.Instance{UUID: in.UUID, GPUInstance: in.GPUInstance, ComputeInstance: in.ComputeInstance,
				Slices: in.Slices, GPUSlices: in.Outer(), Memory: in.Memory})
		}
	}
	return dst
}

// baseline is when a GPU instance was last sampled.
type baseline struct {
	uuid        string // of a MIG device in it
	gpuInstance uint32
	at          time.Duration
	kept        bool
}

// Activity appends how busy each GPU instance was since the call before, by the
// ids of the instances.
func (l *Library) Activity(device int, dst []nvml.InstanceActivity) ([]nvml.InstanceActivity, error) {
	if l.refused[device][scenario.CallActivity] {
		return dst, failures[scenario.Unsupported]
	}
	t, d, start := l.now(), &l.node.Devices[device], len(dst)
	list := &l.sampled[device]
	for i := range *list {
		(*list)[i].kept = false
	}
	for i := range d.Instances {
		in := &d.Instances[i]
		if !in.Exists(t) {
			continue
		}
		k := slices.IndexFunc(*list, func(b baseline) bool {
			return b.gpuInstance == in.GPUInstance && (b.kept || b.uuid == in.UUID)
		})
		if k >= 0 && ((*list)[k].kept || t-(*list)[k].at < scenario.GPMTick) {
			(*list)[k].kept = true
			continue
		}
		if _, err := l.strike(device, scenario.CallActivity, t); err != nil {
			*list = (*list)[:0]
			return dst[:start], err
		}
		if k < 0 {
			*list = append(*list, baseline{in.UUID, in.GPUInstance, t, true})
			continue
		}
		b := &(*list)[k]
		if sm, ok := d.SMActivity(in.GPUInstance, b.at, t); ok {
			dst = append(dst, nvml.InstanceActivity{GPUInstance: in.GPUInstance, SM: sm, Over: t - b.at})
		}
		b.at, b.kept = t, true
	}
	*list = slices.DeleteFunc(*list, func(b baseline) bool { return !b.kept })
	slices.SortFunc(dst[start:], func(a, b nvml.InstanceActivity) int { return int(a.GPUInstance) - int(b.GPUInstance) })
	return dst, nil
}
