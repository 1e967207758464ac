package procfs

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"greenagent/energy"
)

// Ticks is a time in clock ticks of USER_HZ, the unit of CPU times in /proc. It
// is 1/100 s on every architecture that Go compiles for, whatever the kernel's
// own HZ (include/asm-generic/param.h).
type Ticks uint64

// TicksPerSecond is USER_HZ.
const TicksPerSecond = 100

// Tick is the length of one clock tick.
const Tick = time.Second / TicksPerSecond

// Duration returns t as a duration; it saturates after 292 years.
func (t Ticks) Duration() time.Duration {
	if t > Ticks(1<<63-1)/Ticks(Tick) {
		return 1<<63 - 1
	}
	return time.Duration(t) * Tick
}

// ID identifies a process for good: PIDs are reused, but not within one clock
// tick. The zero ID is no process.
type ID struct {
	PID   int
	Start Ticks // since boot, time in suspend included
}

// Started returns when the process was started, rounded down to the clock
// tick: it began within Tick after the returned instant.
//
// The kernel counts a start time on CLOCK_BOOTTIME, which goes on during
// suspend, and energy.Instant on CLOCK_MONOTONIC, which does not; suspended is
// what the first is ahead of the second now (see Suspended). For a process that
// was started before a suspend the result is too early by that suspend's
// length, and may be negative: earlier than a reading is all it then says.
func (id ID) Started(suspended time.Duration) energy.Instant {
	return energy.Instant(id.Start.Duration() - suspended)
}

// Suspended returns how long the system has been suspended since it booted:
// CLOCK_BOOTTIME − CLOCK_MONOTONIC.
func Suspended() (time.Duration, error) {
	var boot, mono unix.Timespec
	// Monotonic first: what passes in between makes the result too large by
	// microseconds, never negative.
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono); err != nil {
		return 0, fmt.Errorf("CLOCK_MONOTONIC: %w", err)
	}
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return 0, fmt.Errorf("CLOCK_BOOTTIME: %w", err)
	}
	return time.Duration(boot.Nano() - mono.Nano()), nil
}
