//go:build linux && cgo

package nvml

import (
	"fmt"
	"math"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"
)

// Utilization appends how active each process was since the given stamp, the
// newest of an earlier call's, to dst (nvmlDeviceGetProcessUtilization). With
// since = 0 the driver answers from all it remembers, stale data included.
// Nobody active is an empty answer without an error. Entries of no process and
// percentages above 100, which drivers have been seen to give, are dropped; so
// are entries not newer than since. The PIDs may be of processes that ended.
//
// It is a sampler's statistic of few samples a second: see the process lists for
// who is there. MIG devices answer ErrUnsupported. On an error dst is returned
// as it came.
func (l *Library) Utilization(device int, since uint64, dst []Utilization) ([]Utilization, error) {
	l.desk.Lock()
	defer l.desk.Unlock()
	g, err := l.request(device, (*Library).listUtilization, since)
	if err != nil {
		return dst, err
	}
	return append(dst, g.active...), nil
}

func (l *Library) listUtilization(g *gpu, since uint64) error {
	if err := l.revive(g); err != nil {
		return err
	}
	const what = "process utilization"
	g.active = g.active[:0]
	a := &g.lists.utilization
	if a.absent() {
		return fmt.Errorf("nvml: device %s: %s: %w", g.device.UUID, what, ErrUnsupported)
	}
	list, ret := g.utilizationList(l.symbols.utilization, since)
	if ret == driver.ERROR_NOT_FOUND { // idle
		ret = driver.SUCCESS
	}
	if err := a.learn(ret); err != nil {
		return g.mark(g.failure(what, ret, err))
	}
	now, wall := l.clock.Now(), l.wall()
	for _, u := range list {
		if u.Pid == 0 || u.Pid > math.MaxInt32 || max(u.SmUtil, u.MemUtil, u.EncUtil, u.DecUtil) > 100 || u.TimeStamp <= since {
			continue
		}
		g.active = append(g.active, Utilization{
			PID: int(u.Pid), Stamp: u.TimeStamp, At: dated(u.TimeStamp, stampOf(now, wall, u.TimeStamp), now),
			SM: uint8(u.SmUtil), Memory: uint8(u.MemUtil), Encoder: uint8(u.EncUtil), Decoder: uint8(u.DecUtil),
		})
	}
	return nil
}
