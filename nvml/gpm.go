//go:build linux && cgo

package nvml

import (
	"cmp"
	"fmt"
	"slices"
	"time"
	"unsafe"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"

	"greenagent/energy"
)

// gpmInterval is how long two samples of GPM must be apart, by nvml.h: its counters
// are updated as often.
const gpmInterval = 100 * time.Millisecond

// gpm is GPU performance monitoring of one device's instances.
type gpm struct {
	ability   ability
	baselines []baseline
	spare     unsafe.Pointer // sample memory for the next reading, or nil
	activity  []InstanceActivity

	parts parts
}

// baseline is the last sample of a GPU instance.
type baseline struct {
	uuid        string // of a MIG device in it: ids are used again
	gpuInstance uint32
	sample      unsafe.Pointer // the driver's memory
	at          energy.Instant // when it was taken; 0 never
	kept        bool
}

// forget makes the next samples the first ones.
func (m *gpm) forget() {
	for i := range m.baselines {
		m.baselines[i].at = 0
	}
}

// Activity appends how busy each of a device's GPU instances was since the call
// before to dst, by GPM (nvmlGpmMigSampleGet; Hopper and newer). It tells nothing of
// an instance that was not there then, and nothing new within 100 ms of the latest
// answer. Answers are in the order of the instances' ids. On an error dst is returned
// as it came: ErrUnsupported where device or driver have no GPM, and for a device
// without MIG.
func (l *Library) Activity(device int, dst []InstanceActivity) ([]InstanceActivity, error) {
	l.desk.Lock()
	defer l.desk.Unlock()
	g, err := l.request(device, (*Library).readActivity, 0)
	if err != nil {
		return dst, err
	}
	return append(dst, g.gpm.activity...), nil
}

func (l *Library) readActivity(g *gpu, _ uint64) error {
	const what = "instance activity"
	m := &g.gpm
	m.activity = m.activity[:0]
	if !l.symbols.gpm.complete() || g.raw == nil {
		m.ability.preclude()
	}
	if m.ability.absent() {
		return g.without(what)
	}
	if err := l.listPartition(g, 0); err != nil {
		return err
	}
	if !m.ability.settled() {
		supported, ret := l.hasGPM(g)
		if ret == driver.SUCCESS && !supported {
			m.ability.preclude()
		} else if err := m.ability.learn(ret); err != nil {
			return g.mark(g.failure(what, ret, err))
		}
	}
	if m.ability.absent() || !g.partition.Enabled {
		return g.without(what)
	}
	for i := range m.baselines {
		m.baselines[i].kept = false
	}
	failed := driver.SUCCESS
	for _, in := range g.partition.Instances {
		b := m.baseline(in)
		if b.kept { // a second compute instance
			continue
		}
		b.kept = true
		if ret := l.readBaseline(g, b); ret != driver.SUCCESS {
			b.at, failed = 0, ret
		}
	}
	l.drop(g)
	slices.SortFunc(m.activity, func(a, b InstanceActivity) int { return cmp.Compare(a.GPUInstance, b.GPUInstance) })
	// One instance that fails is one that goes; all of them are no such thing.
	if failed != driver.SUCCESS && !slices.ContainsFunc(m.baselines, func(b baseline) bool { return b.at != 0 }) {
		as := sentinel(failed)
		if as == ErrUnsupported { // it said that it has it
			as = ErrTransient
		}
		return g.mark(g.failure(what, failed, as))
	}
	return nil
}

func (g *gpu) without(what string) error {
	return fmt.Errorf("nvml: device %s: %s: %w", g.device.UUID, what, ErrUnsupported)
}

// baseline finds or adds that of the GPU instance in which a MIG device is.
func (m *gpm) baseline(in Instance) *baseline {
	for i := range m.baselines {
		b := &m.baselines[i]
		if b.gpuInstance == in.GPUInstance && (b.kept || b.uuid == in.UUID) {
			return b
		}
	}
	m.baselines = append(m.baselines, baseline{uuid: in.UUID, gpuInstance: in.GPUInstance})
	return &m.baselines[len(m.baselines)-1]
}

// readBaseline takes a sample of a GPU instance, tells what has happened since the
// one before, and keeps it.
func (l *Library) readBaseline(g *gpu, b *baseline) driver.Return {
	m := &g.gpm
	now := l.clock.Now()
	if b.at != 0 && now.Sub(b.at) < gpmInterval {
		return driver.SUCCESS
	}
	if m.spare == nil {
		sample, ret := l.allocateSample(g)
		if ret != driver.SUCCESS {
			return ret
		}
		m.spare = sample
	}
	if ret := l.takeSample(g, b.gpuInstance, m.spare); ret != driver.SUCCESS {
		return ret
	}
	before := b.at
	m.spare, b.sample, b.at = b.sample, m.spare, now
	if before == 0 {
		return driver.SUCCESS
	}
	percent, ret := l.compareSamples(g, m.spare, b.sample)
	if ret != driver.SUCCESS {
		return ret
	}
	// Not a number where nothing was counted, and a little above 100 at times.
	if percent >= 0 && percent <= 101 {
		m.activity = append(m.activity, InstanceActivity{
			GPUInstance: b.gpuInstance, SM: uint32(min(percent, 100)*1e4 + 0.5), Over: now.Sub(before),
		})
	}
	return driver.SUCCESS
}

// drop frees what was kept of instances that have gone.
func (l *Library) drop(g *gpu) {
	m := &g.gpm
	kept := m.baselines[:0]
	for _, b := range m.baselines {
		if b.kept {
			kept = append(kept, b)
		} else {
			l.releaseSample(b.sample)
		}
	}
	clear(m.baselines[len(kept):])
	m.baselines = kept
}

// releaseSamples frees all sample memory of a device.
func (l *Library) releaseSamples(g *gpu) {
	m := &g.gpm
	for _, b := range m.baselines {
		l.releaseSample(b.sample)
	}
	l.releaseSample(m.spare)
	m.baselines, m.spare = nil, nil
}
