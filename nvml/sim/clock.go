package sim

import (
	"sync/atomic"
	"time"

	"greenagent/energy"
)

// Clock is a clock that stands still until it is told to go on. It may be used
// from several goroutines.
type Clock struct{ now atomic.Int64 }

// NewClock returns a clock that shows that instant.
func NewClock(at energy.Instant) *Clock {
	c := new(Clock)
	c.now.Store(int64(at))
	return c
}

// Now returns the instant the clock shows.
func (c *Clock) Now() energy.Instant { return energy.Instant(c.now.Load()) }

// Advance moves the clock on and returns what it then shows.
func (c *Clock) Advance(d time.Duration) energy.Instant {
	return energy.Instant(c.now.Add(int64(d)))
}
