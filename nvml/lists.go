//go:build linux && cgo

package nvml

/*
typedef unsigned long long stamp;

static unsigned processes(void *f, void *device, unsigned *count, void *infos) {
	return ((unsigned (*)(void *, unsigned *, void *))f)(device, count, infos);
}
static unsigned utilization(void *f, void *device, void *samples, unsigned *count, stamp since) {
	return ((unsigned (*)(void *, void *, unsigned *, stamp))f)(device, samples, count, since);
}
static unsigned samples(void *f, void *device, unsigned type, stamp since, unsigned *valueType, unsigned *count, void *samples) {
	return ((unsigned (*)(void *, unsigned, stamp, unsigned *, unsigned *, void *))f)(device, type, since, valueType, count, samples);
}
*/
import "C"

import (
	"reflect"
	"unsafe"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"
)

// The calls of this file bypass go-nvml, whose wrappers size their buffers by
// what the driver claims, grow them without bound, and allocate on every call.
// These reuse their buffers, grow them to a bound, and believe no count beyond
// what they handed out.

const (
	// maxEntries bounds a list; 10,000 processes on one device have been planned for.
	maxEntries = 1 << 16
	// maxGrowth bounds the tries, against a driver whose need grows with every one.
	maxGrowth = 8
)

// buffers is the memory the driver writes lists to.
type buffers struct {
	processes   []driver.ProcessInfo
	short       []driver.ProcessInfo_v1
	utilization []driver.ProcessUtilizationSample
	samples     []driver.Sample
	count       C.uint
	valueType   C.uint
}

// rawHandle returns the nvmlDevice_t in a go-nvml device: the exported field of
// a type that is not. nil, should go-nvml change, means lists are unsupported.
func rawHandle(handle driver.Device) unsafe.Pointer {
	v := reflect.ValueOf(handle)
	if v.Kind() != reflect.Struct {
		return nil
	}
	v = v.FieldByName("Handle")
	if !v.IsValid() || v.Kind() != reflect.Pointer {
		return nil
	}
	return v.UnsafePointer()
}

// grow calls the driver with a buffer, until it is large enough. What the
// driver says it needs is a hint: the list may be longer at the next call.
func grow[T any](buffer *[]T, count *C.uint, call func(first unsafe.Pointer) driver.Return) ([]T, driver.Return) {
	if len(*buffer) == 0 {
		*buffer = make([]T, 128)
	}
	for range maxGrowth {
		size := len(*buffer)
		*count = C.uint(size)
		ret := call(unsafe.Pointer(&(*buffer)[0]))
		if ret == driver.SUCCESS {
			return (*buffer)[:min(int(*count), size)], driver.SUCCESS
		}
		if ret != driver.ERROR_INSUFFICIENT_SIZE {
			return nil, ret
		}
		if size >= maxEntries {
			break
		}
		need := int(*count)
		*buffer = make([]T, min(max(2*size, need+need/8), maxEntries))
	}
	return nil, driver.ERROR_INSUFFICIENT_SIZE
}

// processList lists those on a device or MIG device.
func (g *gpu) processList(f, raw unsafe.Pointer) ([]driver.ProcessInfo, driver.Return) {
	return grow(&g.buffers.processes, &g.buffers.count, func(first unsafe.Pointer) driver.Return {
		return driver.Return(C.processes(f, raw, &g.buffers.count, first))
	})
}

// shortProcessList is processList for entries without instance ids.
func (g *gpu) shortProcessList(f unsafe.Pointer) ([]driver.ProcessInfo_v1, driver.Return) {
	return grow(&g.buffers.short, &g.buffers.count, func(first unsafe.Pointer) driver.Return {
		return driver.Return(C.processes(f, g.raw, &g.buffers.count, first))
	})
}

func (g *gpu) utilizationList(f unsafe.Pointer, since uint64) ([]driver.ProcessUtilizationSample, driver.Return) {
	return grow(&g.buffers.utilization, &g.buffers.count, func(first unsafe.Pointer) driver.Return {
		return driver.Return(C.utilization(f, g.raw, first, &g.buffers.count, C.stamp(since)))
	})
}

// powerSampleList also returns the type of the samples' values.
//
// It asks for the length first: given a buffer shorter than its ring, the driver
// fills it with what fits and says nothing of the rest.
func (g *gpu) powerSampleList(f unsafe.Pointer, since uint64) ([]driver.Sample, uint32, driver.Return) {
	b := &g.buffers
	b.count = 0
	ret := driver.Return(C.samples(f, g.raw, C.uint(driver.TOTAL_POWER_SAMPLES), C.stamp(since), &b.valueType, &b.count, nil))
	switch {
	case ret != driver.SUCCESS && ret != driver.ERROR_INSUFFICIENT_SIZE:
		return nil, 0, ret
	case b.count == 0:
		return nil, 0, driver.SUCCESS
	}
	if need := min(int(b.count), maxEntries); need > len(b.samples) {
		b.samples = make([]driver.Sample, need)
	}
	list, ret := grow(&b.samples, &b.count, func(first unsafe.Pointer) driver.Return {
		return driver.Return(C.samples(f, g.raw, C.uint(driver.TOTAL_POWER_SAMPLES), C.stamp(since), &b.valueType, &b.count, first))
	})
	return list, uint32(b.valueType), ret
}
