package profile

import (
	"math"
	"time"

	"greenagent/collector"
	"greenagent/energy"
)

// Learnt is what a run has found out about a GPU.
type Learnt struct {
	Counter, Power collector.Tempo // the zero Tempo is not known
	Idle           energy.Power    // with nobody on it, 0 not seen
	IdleFor        time.Duration
	IdleState      collector.State
}

const (
	// moved is the part by which an idle power must differ from what is known to be
	// news, fresh for how long what is known needs no confirmation.
	moved = 0.01
	fresh = 24 * time.Hour
	// finer is how many times better a tick must be known to be worth a write.
	finer = 2
)

// Learn takes what a run has found out, and reports whether any of it is news:
// not known before, better known now, or otherwise than it was.
func (p *Profile) Learn(l Learnt, now time.Time) bool {
	now = now.UTC().Truncate(time.Second)
	news := false
	if t, ok := better(p.Counter.tick(), l.Counter); ok {
		if p.Counter == nil {
			p.Counter = &Counter{}
		}
		p.Counter.Tick, news = t, true
	}
	// Of a power sensor of which no more is known than its tick, its field is not:
	// it is learnt when the GPU is characterised.
	if p.Power != nil {
		if t, ok := better(p.Power.Tick, l.Power); ok {
			p.Power.Tick, news = t, true
		}
	}
	if l.Idle > 0 {
		idle := Idle{Power: l.Idle, For: energy.Seconds(l.IdleFor), At: now}
		if l.IdleState > 0 {
			state := int(l.IdleState) - 1 // P0 is 1
			idle.State = &state
		}
		if p.restless(idle) {
			p.Rest(idle)
			news = true
		}
	}
	if news {
		p.Learnt = now
	}
	return news
}

func (c *Counter) tick() *Tick {
	if c == nil {
		return nil
	}
	return c.Tick
}

// better returns the tick that a run has seen, if that is better than what is known.
func better(known *Tick, seen collector.Tempo) (*Tick, bool) {
	if seen.Period <= 0 || !seen.Even {
		return nil, false
	}
	t := &Tick{Period: energy.Seconds(seen.Period), Within: energy.Seconds(seen.Within), Seen: seen.Seen, Even: true}
	switch {
	case known == nil:
		return t, true
	case known.Median != nil:
		return t, false // looked at more closely than a run does
	}
	apart := (seen.Period - time.Duration(known.Period)).Abs()
	// Where they contradict each other, the later counts.
	return t, finer*seen.Within < time.Duration(known.Within) || apart > seen.Within+time.Duration(known.Within)
}

// restless reports whether an idle power is news.
func (p *Profile) restless(seen Idle) bool {
	i := p.latestIdle()
	if i < 0 || !same(p.Idle[i].State, seen.State) || seen.At.Sub(p.Idle[i].At) >= fresh {
		return true
	}
	known := p.Idle[i].Power
	return math.Abs(float64(seen.Power-known)) > moved*float64(known)
}

// TickOf returns a tick as it was seen, nil if it was not.
func TickOf(t collector.Tempo) *Tick {
	if t.Seen == 0 {
		return nil
	}
	median, spread, jitter := energy.Seconds(t.Median), energy.Seconds(t.Spread), energy.Seconds(t.Jitter)
	return &Tick{
		Period: energy.Seconds(t.Period), Within: energy.Seconds(t.Within), Seen: t.Seen, Even: t.Even,
		Median: &median, Spread: &spread, Jitter: &jitter,
	}
}
