package meter

import (
	"slices"
	"time"

	"greenagent/collector"
	"greenagent/energy"
)

// Learnt is what was found out about a domain in passing. The next meter may start
// from it.
type Learnt struct {
	Domain collector.Domain
	// Counter and Power are how its sensors tick, the zero Tempo where not known.
	Counter, Power collector.Tempo
	// Idle is the lowest power at which it was seen at rest with nobody on it, for
	// that long, in that state; 0 if it was not.
	Idle      energy.Power
	IdleFor   time.Duration
	IdleState collector.State
}

// Learnt returns what was found out about every domain so far.
func (m *Meter) Learnt() []Learnt {
	m.mu.Lock()
	feeds := slices.Clone(m.feeds)
	m.mu.Unlock()
	var all []Learnt
	for _, f := range feeds {
		all = f.learnt(all)
	}
	return all
}

func (f *feed) learnt(dst []Learnt) []Learnt {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.spare {
		d := &f.domains[i]
		l := Learnt{Domain: d.integrator.Domain(), Idle: d.floor.seen, IdleFor: d.floor.resting, IdleState: d.floor.seenIn}
		l.Counter, l.Power = d.integrator.Learnt()
		dst = append(dst, l)
	}
	return dst
}
