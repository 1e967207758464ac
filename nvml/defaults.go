//go:build linux && cgo

package nvml

import (
	"time"

	"golang.org/x/sys/unix"

	"greenagent/energy"
)

func (o Options) withDefaults() Options {
	if o.Path == "" {
		o.Path = "libnvidia-ml.so.1"
	}
	if o.Clock == nil {
		o.Clock = monotonic{}
	}
	if o.Wall == nil {
		o.Wall = time.Now
	}
	o.describe = o.Timeout
	if o.Timeout <= 0 {
		o.Timeout, o.describe = time.Second, 5*time.Second
	}
	if o.InitTimeout <= 0 {
		o.InitTimeout = 30 * time.Second
	}
	return o
}

// monotonic is CLOCK_MONOTONIC itself, not Go's reading of it, whose zero is
// the start of the process: instants of other readers must compare.
type monotonic struct{}

// Now implements energy.Clock.
func (monotonic) Now() energy.Instant {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // cannot fail: clock and pointer are valid
	}
	return energy.Instant(t.Nano())
}
