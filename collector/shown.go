package collector

import (
	"time"

	"greenagent/energy"
)

// shown follows a power sensor: what it showed at each of its latest ticks.
type shown struct {
	ticks  ticks
	at     energy.Instant // when it was last read, 0 before
	power  energy.Power
	recent [recentTicks]glimpse // a ring
	count  int                  // ever put into it
}

// recentTicks is how many ticks of a sensor are remembered.
const recentTicks = 16

// glimpse is what a sensor showed from one of its ticks on.
type glimpse struct {
	bracket bracket
	power   energy.Power
}

// add takes a reading of a sensor that ticks so often.
func (s *shown) add(at energy.Instant, p energy.Power, tick time.Duration) {
	if tick <= 0 || at <= s.at {
		return
	}
	seen := bracket{max(s.at, at.Add(-tick)), at}
	switch {
	case s.at == 0:
		s.note(seen, p)
	case p != s.power:
		if s.ticks.locked() {
			seen = s.ticks.observe(seen)
		}
		if !s.ticks.locked() {
			s.ticks = assume(tick, seen)
		}
		s.note(seen, p)
	case s.ticks.locked():
		s.pass(at, tick)
	case at.Sub(s.latest().bracket.hi) >= tick:
		s.note(bracket{at.Add(-tick), at}, p)
	}
	s.at, s.power = at, p
}

// pass takes note of the ticks that must have come by now, though what they showed
// was the same.
func (s *shown) pass(at energy.Instant, tick time.Duration) {
	for range recentTicks {
		next := s.ticks.predict(1)
		switch {
		case next.hi > at:
			return
		case next.width() > tick/2:
			s.ticks = ticks{} // too long ago to tell them apart
			return
		}
		s.ticks.edge = next
		s.ticks.count++
		s.note(next, s.power)
	}
	s.ticks = ticks{} // a long silence
}

func (s *shown) note(b bracket, p energy.Power) {
	s.recent[s.count%recentTicks] = glimpse{b, p}
	s.count++
}

// latest returns what the latest tick showed; there must be one.
func (s *shown) latest() glimpse { return s.recent[(s.count-1)%recentTicks] }

// history appends what the sensor showed, the latest first: at the ticks that were
// seen, and before, as its own memory says. That tells each value some time after
// its tick.
func (s *shown) history(dst []glimpse, memory []PowerPoint, tick time.Duration) []glimpse {
	start := len(dst)
	for i := range min(s.count, recentTicks) {
		dst = s.before(dst, start, s.recent[(s.count-1-i)%recentTicks], true, tick)
	}
	for i := range memory {
		p := memory[len(memory)-1-i]
		dst = s.before(dst, start, glimpse{bracket{p.At.Add(-tick), p.At}, p.Power}, false, tick)
	}
	return dst
}

// before appends a glimpse that came before those from start on, unless it may be
// the same tick's as the one before.
func (s *shown) before(dst []glimpse, start int, p glimpse, another bool, tick time.Duration) []glimpse {
	if len(dst) == start {
		p.bracket = s.align(p.bracket)
		return append(dst, p)
	}
	next := dst[len(dst)-1]
	latest := next.bracket.middle().Add(-tick / 2)
	if another || p.power != next.power {
		p.bracket.hi = max(min(p.bracket.hi, latest), p.bracket.lo)
	}
	if p.bracket = s.align(p.bracket); p.bracket.middle() > latest {
		return dst
	}
	return append(dst, p)
}

// align narrows the bracket of a tick to where the others say that one was.
func (s *shown) align(b bracket) bracket {
	k := &s.ticks
	if !k.locked() {
		return b
	}
	found, aligned := false, bracket{}
	back := k.edge.middle().Sub(b.hi) / k.period
	for n := back - 1; n <= back+2; n++ {
		at, ok := k.edge.shift(-n * k.period).widen(max(n, -n) * k.slack).intersect(b)
		switch {
		case ok && found: // it may be either
			aligned = bracket{min(aligned.lo, at.lo), max(aligned.hi, at.hi)}
		case ok:
			found, aligned = true, at
		}
	}
	if !found {
		return b
	}
	return aligned
}
