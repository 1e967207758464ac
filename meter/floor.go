package meter

import (
	"time"

	"greenagent/energy"
)

// floor is what a domain draws when nobody uses it, learnt while that is so.
type floor struct {
	known energy.Power
}

// shortestIdle is the shortest time without anybody from which a floor is
// learnt: long enough for a sensor to tell.
const shortestIdle = 400 * time.Millisecond

// learn takes an interval in which so many processes were present. The lowest
// mean counts: after a process ends, clocks take seconds to come down.
func (f *floor) learn(e energy.Energy, d time.Duration, present int) {
	if present > 0 || d < shortestIdle || e <= 0 {
		return
	}
	if p := e.Over(d); f.known == 0 || p < f.known {
		f.known = p
	}
}

// over returns the idle energy of a time, 0 while the floor is unknown.
func (f *floor) over(d time.Duration) energy.Energy { return f.known.For(d) }
