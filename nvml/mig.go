//go:build linux && cgo

package nvml

import (
	"slices"
	"unsafe"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"
)

// maxInstances bounds what a driver may claim; there are seven slices.
const maxInstances = 64

// Partition lists a device's MIG instances into dst, as they are now. They come
// and go while the library is open; what names one for good is its UUID, as the
// ids of instances are used again. Where MIG is off, or not known to device or
// driver, the partition is the zero one, without an error. On an error dst is as
// before.
func (l *Library) Partition(device int, dst *Partition) error {
	l.desk.Lock()
	defer l.desk.Unlock()
	g, err := l.request(device, (*Library).listPartition, 0)
	if err != nil {
		return err
	}
	*dst = Partition{g.partition.Enabled, g.partition.Slices, append(dst.Instances[:0], g.partition.Instances...)}
	return nil
}

// listPartition brings g.partition up to date. An instance that it knows costs two
// calls and no allocation: handles go stale, and are found anew each time.
func (l *Library) listPartition(g *gpu, _ uint64) error {
	if err := l.revive(g); err != nil {
		return err
	}
	s, p := l.symbols, &g.partition
	if s.migMode == nil || s.migCount == nil || s.migHandle == nil || !s.migGPU || !s.migPart || g.raw == nil {
		g.mig.preclude()
	}
	if g.mig.absent() {
		return nil
	}
	promised := g.mig.proven
	enabled, ret := l.migMode(g)
	err := g.mig.learn(ret)
	refused := err != nil && !promised && sentinel(ret) == ErrUnsupported
	if err != nil && !refused {
		return g.mark(g.failure("MIG mode", ret, err))
	}
	if refused || !enabled {
		*p = Partition{Instances: p.Instances[:0]}
		return nil
	}
	count, ret := l.mostParts(g)
	if ret != driver.SUCCESS {
		return g.mark(g.failure("MIG device count", ret, sentinel(ret)))
	}
	p.Enabled, p.Slices = true, min(count, maxInstances) // one instance at most on each slice
	n := 0
	for i := range p.Slices {
		part, ret := l.part(g, i)
		if sentinel(ret) == ErrLost || sentinel(ret) == ErrNoDriver {
			return g.mark(g.failure("MIG device", ret, sentinel(ret)))
		}
		if ret != driver.SUCCESS { // NOT_FOUND: a free place
			continue
		}
		n = l.place(g, part, i, n)
	}
	p.Instances = p.Instances[:n]
	return nil
}

// place makes the instance with a handle the n-th of the partition, and returns
// how many there are then: n, if it has gone meanwhile.
func (l *Library) place(g *gpu, part unsafe.Pointer, index, n int) int {
	p := &g.partition
	uuid := l.partUUID(g, part)
	if len(uuid) == 0 {
		return n
	}
	known := slices.IndexFunc(p.Instances[n:], func(in Instance) bool { return in.UUID == string(uuid) })
	if known >= 0 {
		p.Instances[n], p.Instances[n+known] = p.Instances[n+known], p.Instances[n]
		return n + 1
	}
	handle, ret := g.handle.GetMigDeviceHandleByIndex(index)
	if ret != driver.SUCCESS {
		return n
	}
	in, ok := l.instance(handle)
	if !ok {
		return n
	}
	p.Instances = slices.Insert(p.Instances, n, in)
	return n + 1
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
			found.GPUSlices = max(0, within(a.GpuInstanceSliceCount, maxInstances))
			// A compute instance may be less than the GPU instance it is in.
			found.Slices = max(0, within(a.ComputeInstanceSliceCount, maxInstances))
			if found.Slices == 0 {
				found.Slices = found.GPUSlices
			}
			found.GPUSlices = max(found.GPUSlices, found.Slices)
			if a.MemorySizeMB < 1<<40 {
				found.Memory = int64(a.MemorySizeMB) << 20
			}
		}
	}
	return found, true
}
