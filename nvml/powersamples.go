//go:build linux && cgo

package nvml

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"

	"greenagent/energy"
)

// PowerSamples appends the entries of the driver's own ring of power readings
// that are newer than since, oldest first, to dst (nvmlDeviceGetSamples of
// NVML_TOTAL_POWER_SAMPLES; since = 0 for all). Their cadence is the driver's:
// 20 ms to 1 s.
//
// Drivers stamp them in µs since boot or since the epoch. Which it is shows in
// the newest stamp, and At is on the library's clock in either case; in the
// latter a step of the wall clock misplaces the entries from before the step, and
// those that it puts into the future are left out.
//
// On an error dst is returned as it came.
func (l *Library) PowerSamples(device int, since uint64, dst []PowerSample) ([]PowerSample, error) {
	l.desk.Lock()
	defer l.desk.Unlock()
	g, err := l.request(device, (*Library).listPowerSamples, since)
	if err != nil {
		return dst, err
	}
	return append(dst, g.ring...), nil
}

func (l *Library) listPowerSamples(g *gpu, since uint64) error {
	if err := l.revive(g); err != nil {
		return err
	}
	const what = "power samples"
	g.ring = g.ring[:0]
	a := &g.lists.ring
	if a.absent() {
		return fmt.Errorf("nvml: device %s: %s: %w", g.device.UUID, what, ErrUnsupported)
	}
	list, valueType, ret := g.powerSampleList(l.symbols.samples, since)
	if ret == driver.ERROR_NOT_FOUND { // none since
		ret = driver.SUCCESS
	}
	if err := a.learn(ret); err != nil {
		return g.mark(g.failure(what, ret, err))
	}
	for _, s := range list {
		v, ok := decode(valueType, s.SampleValue)
		if !ok || s.TimeStamp <= since { // the driver's zero entries are places not filled yet
			continue
		}
		if p, ok := milliwatts(v); ok {
			g.ring = append(g.ring, PowerSample{Stamp: s.TimeStamp, Power: p})
		}
	}
	slices.SortFunc(g.ring, func(a, b PowerSample) int { return cmp.Compare(a.Stamp, b.Stamp) })
	now := l.clock.Now()
	date(g.ring, now, l.wall())
	g.ring = slices.DeleteFunc(g.ring, func(p PowerSample) bool { return p.At > now.Add(ahead) })
	return nil
}

// ahead is how far two clocks that agree may be apart.
const ahead = 100 * time.Millisecond

// date converts stamps to instants.
func date(ring []PowerSample, now energy.Instant, wall time.Time) {
	if len(ring) == 0 {
		return
	}
	present := stampOf(now, wall, ring[len(ring)-1].Stamp)
	for i := range ring {
		ring[i].At = dated(ring[i].Stamp, present, now)
	}
}

// stampOf returns how a driver stamps the present. Of the two clocks it may use, the
// one nearer to its newest stamp is meant: they are decades apart.
func stampOf(now energy.Instant, wall time.Time, newest uint64) uint64 {
	sinceBoot, sinceEpoch := uint64(max(0, now))/1e3, uint64(max(0, wall.UnixMicro()))
	if apart(newest, sinceEpoch) < apart(newest, sinceBoot) {
		return sinceEpoch
	}
	return sinceBoot
}

// farthest is how far from the present a stamp is dated; beyond, it is garbage and
// stays out of reach.
const farthest = 100 * 365 * 24 * time.Hour

// dated returns the instant of a stamp, by that of the present.
func dated(stamp, present uint64, now energy.Instant) energy.Instant {
	off := time.Duration(min(apart(stamp, present), uint64(farthest/time.Microsecond))) * time.Microsecond
	if stamp < present {
		return now.Add(-off)
	}
	return now.Add(off)
}

func apart(a, b uint64) uint64 { return max(a, b) - min(a, b) }
