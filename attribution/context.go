package attribution

import (
	"math"
	"time"

	"greenagent/energy"
)

// context is what a GPU draws above its bare idle power because processes hold
// contexts on it, though nobody works: they keep it out of its lowest state. It is
// learnt while that is so, like the idle floor.
type context struct {
	known energy.Power
	last  energy.Power // the mean of the quiet interval before, 0 if that was not quiet
}

const (
	// quiet is how long nobody must have been active for a power to count: long
	// enough for a sensor to tell.
	quiet = 400 * time.Millisecond
	// atRest is the relative difference between two such intervals below which the
	// power has come to rest: clocks take seconds to come down.
	atRest = 0.05
	// mostContext is the most that contexts draw where it was never seen, as a part
	// of the limit: 17 W of 70 W are the most of the boards in package scenario.
	mostContext = 0.25
	// atWork is how much is certainly no contexts', with room for unlike boards and
	// for clocks that come down.
	atWork = 0.5
)

// learn takes the mean power above the floor of a quiet interval in which
// contexts were held and nobody was active. The lowest counts: somebody's work may
// fall between two tags.
func (x *context) learn(p energy.Power) {
	if p > 0 && x.last > 0 && math.Abs(float64(p-x.last)) <= atRest*float64(x.last) && (x.known == 0 || p < x.known) {
		x.known = p
	}
	x.last = p
}

// quiet reports whether nobody was active in a cut that is long enough to tell. Where
// its energy above idle can be no contexts', the sampler missed who was.
func (s *sharing) quiet(amount energy.Energy, c *Cut) bool {
	d := c.Interval.Duration()
	return s.tagged == 0 && d >= quiet && (c.Limit <= 0 || amount <= c.partOfLimit(atWork).For(d))
}

func (c *Cut) partOfLimit(part float64) energy.Power { return energy.Power(part * float64(c.Limit)) }

// rest learns from a cut's energy above idle.
func (s *sharing) rest(amount energy.Energy, c *Cut) {
	if len(s.parties) == 0 || c.Floor <= 0 || !s.quiet(amount, c) {
		s.context.last = 0
		return
	}
	s.context.learn(amount.Over(c.Interval.Duration()))
}

// contextOf returns what of a cut's energy above idle is for contexts. Where the
// floor is not known, what is above it is not either.
func (s *sharing) contextOf(amount energy.Energy, c *Cut) energy.Energy {
	if c.Floor <= 0 {
		return 0
	}
	return min(amount, s.context.known.For(time.Duration(longest(c))))
}

// unknownContext returns the standard uncertainty of a device's context power, 0
// where it is known: anything up to the most there is, of the present power.
func (s *sharing) unknownContext(c *Cut, present energy.Power) energy.Power {
	if s.context.known > 0 || c.Floor <= 0 {
		return 0
	}
	most := present
	if c.Limit > 0 {
		most = min(most, c.partOfLimit(mostContext))
	}
	return energy.Power(float64(most) / math.Sqrt(3))
}
