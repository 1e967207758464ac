//go:build linux && cgo

package nvml

import driver "github.com/NVIDIA/go-nvml/pkg/nvml"

// maxInstances bounds what a driver may claim; there are seven slices.
const maxInstances = 64

// instances lists a device's MIG instances. It is an empty list with MIG on and
// nothing carved out yet, nil with MIG off or not understood by the driver.
func (l *Library) instances(g *gpu) []Instance {
	s := l.symbols
	if !s.migMode || !s.migCount || !s.migHandle || !s.migGPU || !s.migPart {
		return nil
	}
	mode, _, ret := g.handle.GetMigMode()
	if ret != driver.SUCCESS || mode != driver.DEVICE_MIG_ENABLE {
		return nil
	}
	count, ret := g.handle.GetMaxMigDeviceCount()
	if ret != driver.SUCCESS {
		return nil
	}
	found := make([]Instance, 0, min(count, maxInstances))
	for i := range min(count, maxInstances) {
		part, ret := g.handle.GetMigDeviceHandleByIndex(i)
		if ret != driver.SUCCESS { // NOT_FOUND: a free place
			continue
		}
		if instance, ok := l.instance(part); ok {
			found = append(found, instance)
		}
	}
	return found
}

// instance describes one; one that has gone meanwhile is none.
func (l *Library) instance(part driver.Device) (Instance, bool) {
	uuid, ret := part.GetUUID()
	if ret != driver.SUCCESS || uuid == "" {
		return Instance{}, false
	}
	gpuInstance, ret := part.GetGpuInstanceId()
	if ret != driver.SUCCESS {
		return Instance{}, false
	}
	computeInstance, ret := part.GetComputeInstanceId()
	if ret != driver.SUCCESS {
		return Instance{}, false
	}
	found := Instance{UUID: text(uuid), GPUInstance: uint32(gpuInstance), ComputeInstance: uint32(computeInstance)}
	if l.symbols.attributes {
		if a, ret := part.GetAttributes(); ret == driver.SUCCESS {
			// A compute instance may be less than the GPU instance it is in.
			slices := a.ComputeInstanceSliceCount
			if slices == 0 {
				slices = a.GpuInstanceSliceCount
			}
			found.Slices = max(0, within(slices, maxInstances))
			if a.MemorySizeMB < 1<<40 {
				found.Memory = int64(a.MemorySizeMB) << 20
			}
		}
	}
	return found, true
}
