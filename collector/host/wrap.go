package host

import (
	"time"

	"greenagent/energy"
)

// Wrap turns a counter that starts over at some value into a total that only
// grows. It needs to see the counter at least once a turn: a second turn
// between two looks cannot be told from none (see Longest), and its energy is
// missing from the total.
//
// The zero value with Range and Limit set is ready.
type Wrap struct {
	// Range is the largest value the counter takes, after which it starts
	// over at 0; 0 if it never does.
	Range energy.Energy
	// Limit is more than the domain can draw. A decrease is taken as a wrap
	// unless that would mean more power than this, as after a reset by
	// firmware or a resume from suspend. 0: every decrease is a wrap.
	Limit energy.Power

	last, total energy.Energy
	at          energy.Instant
	started     bool
}

// Step is what a counter did between two looks.
type Step uint8

// The steps.
const (
	Advanced Step = iota // the same or more
	Wrapped              // less, as it went through its range
	Reset                // less, and no wrap explains it
)

// settle allows for what a counter publishes late, in a burst.
const settle = 100 * time.Millisecond

// Advance takes in the counter's value at an instant and returns the total. The
// first total is the first value. After a Reset the total stays where it was:
// what was used in between is unknown.
func (w *Wrap) Advance(raw energy.Energy, at energy.Instant) (energy.Energy, Step) {
	elapsed := at.Sub(w.at)
	last, started := w.last, w.started
	w.last, w.at, w.started = raw, at, true
	switch {
	case !started:
		w.total = raw
		return w.total, Advanced
	case raw >= last:
		w.total += raw - last
		return w.total, Advanced
	}
	// The turn itself is one unit of the counter more than Range, some
	// microjoules that are dropped rather than guessed.
	turn := w.Range - last + raw
	if last > w.Range || (w.Limit > 0 && turn > w.Limit.For(max(0, elapsed)+settle)) {
		return w.total, Reset
	}
	w.total += turn
	return w.total, Wrapped
}

// Longest returns how long two looks may be apart for no turn to be missed: the
// counter's range at the highest power. It is 0 where either is not known.
func (w *Wrap) Longest() time.Duration {
	return time.Duration(energy.MulDiv(int64(w.Range), int64(time.Second), int64(w.Limit)))
}
