package attribution

import (
	"math"

	"greenagent/energy"
)

// evidence is energy that is known to be of tags of one kind.
type evidence struct {
	energy float64 // µJ
	tags   float64
	slots  float64 // tags there might have been in the time
	at     energy.Instant
}

// level returns the energy of a tag, 0 without any.
func (v *evidence) level() float64 {
	if v.tags == 0 {
		return 0
	}
	return v.energy / v.tags
}

// add takes in more, and forgets what is older than so many tags.
func (v *evidence) add(e, tags, slots float64, memory float64, at energy.Instant) {
	keep := math.Exp(-tags / memory)
	v.energy, v.tags, v.slots, v.at = v.energy*keep+e, v.tags*keep+tags, v.slots*keep+slots, at
}

const (
	// enough is how many tags of a process alone tell its level: two seconds.
	enough = 14
	// unlike is the relative standard deviation of the levels of processes of which
	// nothing is known: powers between a fifth of the limit and all of it, uniform,
	// have 0.38, and two of 400 W and 100 W on one device must lie within the bound,
	// too.
	unlike = 0.5
	// phases is that of one process from one time to another.
	phases = 0.1
	// fading is the time after which nothing is known of it any more, in hours.
	fading = 1.0
)

// known reports whether a party's level was told by what it drew alone.
func (p *party) known() bool { return p.own.tags >= enough && p.own.energy > 0 }

// variance returns the relative variance of a level that was told at.
func (v *evidence) variance(now energy.Instant) float64 {
	// Where there are moments without a tag, their number is as chance has it.
	sampling := max(0, 1-v.tags/max(v.slots, v.tags)) / max(v.tags, 1)
	age := now.Sub(v.at).Hours() / fading
	return min(sampling+phases*phases+unlike*unlike*max(0, age), unlike*unlike)
}

// alone takes in the energy of an interval in which one process was there.
func (s *sharing) alone(e float64, c *Cut) {
	s.at = c.Interval.End
	if s.tagged > 0 {
		p := &s.parties[0]
		p.own.add(e, s.tagged, c.Activity.Samples, 3*window, s.at)
		s.pool.add(e, s.tagged, 0, 3*window, s.at)
	}
}

// learn takes in the energy of an interval with the tags of those who share: what
// goes to nobody but one, and for longer than chance would have it, is its own.
func (s *sharing) learn(e float64) {
	if s.tagged == 0 {
		return
	}
	s.pool.add(e, s.tagged, 0, 3*window, s.at)
	p := s.only()
	if p == nil || s.tagged > 1.5 {
		s.turns.interrupt()
		return
	}
	if inner := s.turns.take(s, p, e); inner.tags > 0 {
		p.own.add(inner.energy, inner.tags, inner.tags, 3*window, s.at)
	}
}

// only returns the one who was tagged, nil if several were.
func (s *sharing) only() (one *party) {
	for i := range s.parties {
		if s.parties[i].now > 0 {
			if one != nil {
				return nil
			}
			one = &s.parties[i]
		}
	}
	return one
}

// appraise sets what a tag of each is worth: of those who were seen alone, as then;
// of the others, what those leave of the window's energy, more or less as there was
// more or less in the moments of their tags. It returns by how much all claims must
// be scaled where nobody is left to be charged with the difference.
func (s *sharing) appraise() (scale float64) {
	var known, unknown float64
	for i := range s.parties {
		p := &s.parties[i]
		if p.known() {
			p.level, p.spread = p.own.level(), p.own.variance(s.at)
			known += p.tags * p.level
		} else {
			unknown += p.tags
		}
	}
	// Few tags leave little: the mean is worth some.
	typical := (s.energy + prior*s.pool.level()) / (s.tags + prior)
	rest := (s.energy - known + prior*typical) / (unknown + prior)
	rest = min(max(rest, typical/extreme), typical*extreme)
	for i := range s.parties {
		if p := &s.parties[i]; !p.known() {
			moment := (p.moments/typical + prior) / (p.tags + prior)
			p.level, p.spread = rest*moment, unlike*unlike
		}
	}
	s.told = known > 0
	if unknown > 0 || known <= 0 || s.tags < prior {
		return 1
	}
	scale = min(max(s.energy/known, 1/extreme), extreme)
	for i := range s.parties {
		// They are not as they were, and may have changed unlike each other.
		p := &s.parties[i]
		p.spread = min(p.spread+(scale-1)*(scale-1), unlike*unlike)
	}
	return scale
}

const (
	prior   = 2.0 // tags
	extreme = 5.0 // from the lowest level to the highest
)
