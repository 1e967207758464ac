package meter

import (
	"time"

	"greenagent/energy"
)

// floor is what a domain draws when nobody uses it. It is known from the source,
// or learnt while that is so.
type floor struct {
	known energy.Power
	// seen is the lowest power at which the domain was seen at rest, and for how long
	// it was, 0 before.
	seen    energy.Power
	resting time.Duration
	// last is the mean of the idle interval before, 0 if that was not idle. After a
	// process ends, clocks and fans take seconds to come down: what is still
	// falling is no floor yet.
	last energy.Power
}

const (
	// shortestIdle is the shortest time without anybody from which a floor is
	// learnt: long enough for a sensor to tell.
	shortestIdle = 400 * time.Millisecond
	// settled is the relative difference between two idle intervals below which the
	// power has come to rest.
	settled = 0.05
)

// learn takes the mean power of an interval that lasted d, in which so many
// processes were present. The lowest floor counts.
func (f *floor) learn(p energy.Power, d time.Duration, present int) {
	last := f.last
	f.last = 0
	if present > 0 || d < shortestIdle || p <= 0 {
		return
	}
	f.last = p
	if last > 0 && float64(max(p, last)-min(p, last)) <= settled*float64(last) {
		f.rest(p, d)
	}
}

// rest takes a power at which the domain is known to have been at rest for a time.
func (f *floor) rest(p energy.Power, d time.Duration) {
	if p > 0 && (f.seen == 0 || p < f.seen) {
		f.seen, f.resting = p, d
	}
	if p > 0 && (f.known == 0 || p < f.known) {
		f.known = p
	}
}

// over returns the idle energy of a time, 0 while the floor is unknown.
func (f *floor) over(d time.Duration) energy.Energy { return f.known.For(d) }
