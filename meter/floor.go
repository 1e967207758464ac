package meter

import (
	"time"

	"greenagent/collector"
	"greenagent/energy"
)

// floor is what a domain draws when nobody uses it. It is known from the source,
// or learnt while that is so.
type floor struct {
	known energy.Power
	told  bool // known beforehand: the first that is seen replaces it
	// seen is the lowest power at which the domain was seen at rest, for how long it
	// was, and in which state; 0 before.
	seen    energy.Power
	resting time.Duration
	seenIn  collector.State
	// last is the mean of the idle interval before, 0 if that was not idle. After a
	// process ends, clocks and fans take seconds to come down: what is still
	// falling is no floor yet.
	last energy.Power
	in   collector.State // that the interval before was in
	// states is the lowest seen in each state.
	states [collector.States]energy.Power
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
// processes were present, and the device in a state. The lowest floor counts.
func (f *floor) learn(p energy.Power, d time.Duration, present int, state collector.State) {
	last, in := f.last, f.in
	f.last, f.in = 0, state
	if present > 0 || d < shortestIdle || p <= 0 {
		return
	}
	f.last = p
	if state == in && last > 0 && float64(max(p, last)-min(p, last)) <= settled*float64(last) {
		f.rest(p, d, state)
	}
}

// rest takes a power at which the domain is known to have been at rest for a time.
func (f *floor) rest(p energy.Power, d time.Duration, state collector.State) {
	if p <= 0 {
		return
	}
	if f.seen == 0 || p < f.seen {
		f.seen, f.resting, f.seenIn = p, d, state
	}
	if f.known == 0 || f.told || p < f.known {
		f.known, f.told = p, false
	}
	if state < collector.States && (f.states[state] == 0 || p < f.states[state]) {
		f.states[state] = p
	}
}

// over returns the idle energy of a time in which so many were present and the
// device in a state, 0 while the floor is unknown. With nobody there, a device that
// stays in a higher state idles at what that state takes.
func (f *floor) over(d time.Duration, present int, state collector.State) energy.Energy {
	if present == 0 && 0 < state && state < collector.States && f.states[state] > 0 {
		return f.states[state].For(d)
	}
	return f.known.For(d)
}
