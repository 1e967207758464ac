package meter

import (
	"golang.org/x/sys/unix"

	"greenagent/energy"
)

// System is the system's monotonic clock, CLOCK_MONOTONIC itself rather than
// Go's reading of it: its instants compare with those of drivers and of /proc.
type System struct{}

// Now implements energy.Clock.
func (System) Now() energy.Instant {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // cannot fail: clock and pointer are valid
	}
	return energy.Instant(t.Nano())
}
