//go:build linux && cgo

package nvml

/*
static unsigned mig_mode(void *f, void *device, unsigned *current, unsigned *pending) {
	return ((unsigned (*)(void *, unsigned *, unsigned *))f)(device, current, pending);
}
static unsigned most(void *f, void *device, unsigned *count) {
	return ((unsigned (*)(void *, unsigned *))f)(device, count);
}
static unsigned part(void *f, void *device, unsigned index, void **handle) {
	return ((unsigned (*)(void *, unsigned, void **))f)(device, index, handle);
}
static unsigned uuid(void *f, void *device, char *to, unsigned size) {
	return ((unsigned (*)(void *, char *, unsigned))f)(device, to, size);
}

typedef struct { unsigned version, supported; } support;
typedef struct { unsigned id, result; double value; char *names[3]; } metric;
// nvmlGpmMetricsGet_t. The driver is told how many of the array are meant; that it
// leaves the rest alone is not written anywhere.
typedef struct { unsigned version, count; void *first, *second; metric metrics[477]; } metrics;

static unsigned gpm_support(void *f, void *device, support *s) {
	return ((unsigned (*)(void *, support *))f)(device, s);
}
static unsigned gpm_alloc(void *f, void **sample) { return ((unsigned (*)(void **))f)(sample); }
static unsigned gpm_free(void *f, void *sample) { return ((unsigned (*)(void *))f)(sample); }
static unsigned gpm_get(void *f, void *device, unsigned instance, void *sample) {
	return ((unsigned (*)(void *, unsigned, void *))f)(device, instance, sample);
}
static unsigned gpm_metrics(void *f, void *first, void *second, metrics *m) {
	m->first = first;
	m->second = second;
	return ((unsigned (*)(metrics *))f)(m);
}
*/
import "C"

import (
	"slices"
	"unsafe"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"
)

// The calls of this file bypass go-nvml, whose wrappers allocate on every call, and
// twice 23 kB for a metric.

// uuidSize is NVML_DEVICE_UUID_V2_BUFFER_SIZE.
const uuidSize = 96

// parts is the memory the driver writes to what it tells of MIG devices.
type parts struct {
	pointer *unsafe.Pointer
	uuid    [uuidSize]byte
	numbers [2]C.uint
	support C.support
	metrics *C.metrics
}

// result returns the place for a pointer of the driver's, which is nil.
func (b *parts) result() *unsafe.Pointer {
	if b.pointer == nil {
		b.pointer = new(unsafe.Pointer)
	}
	*b.pointer = nil
	return b.pointer
}

func (l *Library) migMode(g *gpu) (enabled bool, ret driver.Return) {
	n := &g.gpm.parts.numbers
	ret = driver.Return(C.mig_mode(l.symbols.migMode, g.raw, &n[0], &n[1]))
	return n[0] == driver.DEVICE_MIG_ENABLE, ret
}

// mostParts returns how many MIG devices there can be.
func (l *Library) mostParts(g *gpu) (int, driver.Return) {
	n := &g.gpm.parts.numbers
	ret := driver.Return(C.most(l.symbols.migCount, g.raw, &n[0]))
	return int(n[0]), ret
}

// part returns the handle of a MIG device, which is good for as long as that is.
func (l *Library) part(g *gpu, index int) (unsafe.Pointer, driver.Return) {
	b := &g.gpm.parts
	at := b.result()
	ret := driver.Return(C.part(l.symbols.migHandle, g.raw, C.uint(index), at))
	return *at, ret
}

// partUUID returns the UUID of the MIG device with a handle, nothing if it has gone.
// It is overwritten by the next.
func (l *Library) partUUID(g *gpu, part unsafe.Pointer) []byte {
	b := &g.gpm.parts
	ret := driver.Return(C.uuid(l.symbols.uuid, part, (*C.char)(unsafe.Pointer(&b.uuid[0])), uuidSize))
	end := slices.Index(b.uuid[:], 0)
	if ret != driver.SUCCESS || end < 0 {
		return nil
	}
	return b.uuid[:end]
}

func (l *Library) hasGPM(g *gpu) (bool, driver.Return) {
	b := &g.gpm.parts
	b.support = C.support{version: driver.GPM_SUPPORT_VERSION}
	ret := driver.Return(C.gpm_support(l.symbols.gpm.support, g.raw, &b.support))
	return b.support.supported != 0, ret
}

// allocateSample returns memory of the driver's, to be given back to releaseSample.
func (l *Library) allocateSample(g *gpu) (unsafe.Pointer, driver.Return) {
	b := &g.gpm.parts
	at := b.result()
	ret := driver.Return(C.gpm_alloc(l.symbols.gpm.alloc, at))
	return *at, ret
}

func (l *Library) releaseSample(sample unsafe.Pointer) {
	if sample != nil {
		C.gpm_free(l.symbols.gpm.free, sample) // of memory that was handed out: cannot fail
	}
}

func (l *Library) takeSample(g *gpu, gpuInstance uint32, sample unsafe.Pointer) driver.Return {
	return driver.Return(C.gpm_get(l.symbols.gpm.get, g.raw, C.uint(gpuInstance), sample))
}

// compareSamples returns how busy the SMs were between two samples, in percent.
func (l *Library) compareSamples(g *gpu, first, second unsafe.Pointer) (float64, driver.Return) {
	b := &g.gpm.parts
	if b.metrics == nil {
		b.metrics = new(C.metrics)
	}
	b.metrics.version, b.metrics.count = driver.GPM_METRICS_GET_VERSION, 1
	m := &b.metrics.metrics[0]
	*m = C.metric{id: C.uint(driver.GPM_METRIC_SM_UTIL), result: C.uint(driver.ERROR_UNKNOWN)}
	ret := driver.Return(C.gpm_metrics(l.symbols.gpm.metrics, first, second, b.metrics))
	if ret == driver.SUCCESS {
		ret = driver.Return(m.result)
	}
	return float64(m.value), ret
}
