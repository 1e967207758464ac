package attribution

import (
	"math"

	"greenagent/collector"
	"greenagent/energy"
)

// sharing divides the energy of a device among those who take turns on it, by the
// tags of the driver's sampler. A tag says who was active, not what it drew. So
// each tag is a claim, worth the energy that a tag of its process stands for as far
// as that is known (see level), and energy pays claims as it comes. Where turns are
// long, the energy of a tag's moment is that of its process: a claim that exceeds it
// is forgotten. Where turns are shorter than the sensors see, all energy is of
// everybody: what a claim exceeds its moment's energy by is paid out of the next,
// and what somebody gets beyond his claim is taken off his next.
type sharing struct {
	parties []party // those present, in the order of collector.Compare
	spare   []party // scratch
	tagged  float64 // tags of the interval at hand
	owed    float64 // the sum of what is due, µJ

	tags, energy float64 // of the latest window of tags, µJ
	told         bool    // somebody's level is known
	pool         evidence
	turns        turns
	context      context
	at           energy.Instant // the end of the interval at hand
}

// party is one of those present.
type party struct {
	process collector.Process
	now     float64 // tags of the interval at hand
	tags    float64 // of the window
	moments float64 // the energy of their moments, µJ
	claim   float64 // what its tags are worth and were not paid yet, µJ; below 0 if paid more
	due     float64 // its part of the interval's energy, beside those of the others
	own     evidence
	level   float64 // what a tag of it is worth, µJ
	spread  float64 // the relative variance of that
}

// window is how many tags are remembered to tell who is active for how much of the
// time: 30 s of them.
const window = 216

// meet takes over who is present, and their tags. Who comes anew has a new window:
// the others' shares are not what they were.
func (s *sharing) meet(present []collector.Usage) {
	s.tagged, s.owed = 0, 0
	s.spare = s.spare[:0]
	i, changed := 0, len(present) != len(s.parties)
	for k := range present {
		u := &present[k]
		for i < len(s.parties) && before(s.parties[i].process, u.Process) {
			i++
		}
		p := party{process: u.Process}
		if i < len(s.parties) && s.parties[i].process == u.Process {
			p = s.parties[i]
		} else {
			changed = true
		}
		p.now = float64(u.Busy) / collector.Tag
		s.tagged += p.now
		s.spare = append(s.spare, p)
	}
	s.parties, s.spare = s.spare, s.parties
	if changed {
		s.tags, s.energy = 0, 0
		for i := range s.parties {
			p := &s.parties[i]
			p.tags, p.moments, p.claim = 0, 0, 0
		}
	}
}

func before(a, b collector.Process) bool {
	return a.PID < b.PID || a.PID == b.PID && a.Start < b.Start
}

// claim takes in an interval's energy and tags and reports whether anybody has a
// claim to it.
func (s *sharing) claim(e float64, c *Cut) bool {
	s.at = c.Interval.End
	if s.tagged == 0 && s.tags == 0 {
		return false
	}
	s.learn(e)
	keep := math.Exp(-s.tagged / window)
	s.tags, s.energy = s.tags*keep+s.tagged, s.energy*keep+e
	for i := range s.parties {
		p := &s.parties[i]
		p.tags = p.tags*keep + p.now
		if s.tagged > 0 {
			p.moments = p.moments*keep + e*p.now/s.tagged
		}
	}
	scale, fresh, claimed := s.appraise(), 0.0, 0.0
	for i := range s.parties {
		p := &s.parties[i]
		tags := p.now
		if s.tagged == 0 { // no tag came before the end: as it was of late
			tags = p.tags / s.tags
		}
		p.due = tags * p.level * scale
		p.claim += p.due
		fresh += p.due
		claimed += max(p.claim, 0)
	}
	// What nobody has a claim to goes to those who were tagged.
	spare := max(0, e-claimed)
	for i := range s.parties {
		p := &s.parties[i]
		if fresh > 0 {
			p.due *= spare / fresh
		}
		p.due += max(p.claim, 0)
		s.owed += p.due
	}
	return s.owed > 0
}

// weight returns a party's part of the interval's energy as a weight.
func (s *sharing) weight(i int) uint64 {
	const most = 1 << 52
	return uint64(s.parties[i].due / s.owed * most)
}

// pay settles the claims with the energy they were paid. What is left, either way,
// stays as far as energy is taken to be of everybody.
func (s *sharing) pay(e float64, by collector.Method) {
	keep, most := 0.0, 0.0
	if by == collector.ByUtilization && s.owed > 0 {
		keep, most = s.turns.mixing(s.told)*patience, owing*s.energy/max(s.tags, 1)
	}
	for i := range s.parties {
		p := &s.parties[i]
		if keep == 0 {
			p.claim = 0
			continue
		}
		p.claim = min(max((p.claim-e*p.due/s.owed)*keep, -most), most)
	}
}

const (
	// patience is what is left of a claim after an interval that did not pay it, so
	// that errors of the past fade.
	patience = 0.998
	// owing is how many tags' worth anybody owes or is owed at most.
	owing = 20
)
