package energy

import "time"

// Instant is a point on a monotonic clock, in nanoseconds since that clock's
// own zero (for the system's, CLOCK_MONOTONIC). Readings are never dated by the
// wall clock, which may step; instants of different clocks do not compare.
type Instant int64

// Add returns the instant d after i.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub returns the time from j to i.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }

// Interval is the half-open span [Start, End).
type Interval struct{ Start, End Instant }

// Duration returns the length of the interval; it is negative if End lies
// before Start.
func (v Interval) Duration() time.Duration { return v.End.Sub(v.Start) }

// Contains reports whether i lies in [Start, End).
func (v Interval) Contains(i Instant) bool { return v.Start <= i && i < v.End }

// Overlap returns the length of what v and w share, 0 if they are disjoint.
func (v Interval) Overlap(w Interval) time.Duration {
	return max(0, min(v.End, w.End).Sub(max(v.Start, w.Start)))
}

// Clock tells the present instant. The system's is CLOCK_MONOTONIC; simulations
// bring their own, so that hours pass in milliseconds.
type Clock interface{ Now() Instant }
