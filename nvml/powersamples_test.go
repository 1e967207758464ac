//go:build linux && cgo

package nvml

import (
	"math"
	"testing"
	"time"

	"greenagent/energy"
)

// TestDatedGarbage: stamps that cannot be are on their side of the present, far away,
// and in order; differences do not overflow.
func TestDatedGarbage(t *testing.T) {
	now := energy.Instant(time.Hour)
	for _, present := range []uint64{0, 3_600_000_000, 1_790_000_000_000_000} {
		last := energy.Instant(math.MinInt64)
		for _, stamp := range []uint64{0, 1, 3_600_000_001, 1 << 40, 1 << 60, 1<<63 - 1, 1 << 63, math.MaxUint64} {
			at := dated(stamp, present, now)
			if at < last || (at > now) != (stamp > present) {
				t.Errorf("stamp %d at present %d is dated %d after %d, now is %d", stamp, present, at, last, now)
			}
			last = at
		}
	}
}
