package profile

import (
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/energy"
)

func tempo(period, within time.Duration) collector.Tempo {
	return collector.Tempo{Period: period, Within: within, Seen: 20, Median: period, Even: true}
}

// TestLearn: what is news, and what is known already.
func TestLearn(t *testing.T) {
	t.Parallel()
	soon, later := monday.Add(time.Hour), monday.Add(2*fresh)
	for name, c := range map[string]struct {
		known  Profile
		learnt Learnt
		at     time.Time
		news   bool
		tick   time.Duration // of the counter, afterwards
		idle   energy.Power
	}{
		"nothing":               {whole(), Learnt{}, later, false, 100 * ms, 70 * energy.Watt},
		"the same":              {whole(), Learnt{Counter: tempo(100*ms, ms/10), Idle: 70 * energy.Watt, IdleState: 1}, soon, false, 100 * ms, 70 * energy.Watt},
		"first of all":          {New(uuid, driver, "", "", monday), Learnt{Counter: tempo(20*ms, ms/10)}, soon, true, 20 * ms, 0},
		"another tick":          {whole(), Learnt{Counter: tempo(20*ms, ms/10)}, soon, false, 100 * ms, 70 * energy.Watt},
		"no beat":               {whole(), Learnt{Counter: collector.Tempo{Period: 20 * ms, Seen: 9}}, soon, false, 100 * ms, 70 * energy.Watt},
		"idle, first":           {New(uuid, driver, "", "", monday), Learnt{Idle: 55 * energy.Watt, IdleFor: time.Second}, soon, true, 0, 55 * energy.Watt},
		"idle, as known":        {whole(), Learnt{Idle: 70*energy.Watt + 300*energy.Milliwatt, IdleState: 1}, soon, false, 100 * ms, 70 * energy.Watt},
		"idle, as known once":   {whole(), Learnt{Idle: 70 * energy.Watt, IdleState: 1}, later, true, 100 * ms, 70 * energy.Watt},
		"idle, otherwise":       {whole(), Learnt{Idle: 60 * energy.Watt, IdleState: 1}, soon, true, 100 * ms, 60 * energy.Watt},
		"idle, another state":   {whole(), Learnt{Idle: 30 * energy.Watt, IdleState: 9}, soon, true, 100 * ms, 30 * energy.Watt},
		"idle, higher by now":   {whole(), Learnt{Idle: 90 * energy.Watt, IdleState: 1}, soon, true, 100 * ms, 90 * energy.Watt},
		"a run's, ten times":    {runs(100*ms, ms), Learnt{Counter: tempo(100*ms+ms/2, ms/10)}, soon, true, 100*ms + ms/2, 0},
		"a run's, another":      {runs(100*ms, ms/10), Learnt{Counter: tempo(20*ms, ms/10)}, soon, true, 20 * ms, 0},
		"a run's, as good":      {runs(100*ms, ms/10), Learnt{Counter: tempo(100*ms+ms/10, ms/10)}, soon, false, 100 * ms, 0},
		"power without a field": {runs(100*ms, ms/10), Learnt{Power: tempo(100*ms, ms/10)}, soon, false, 100 * ms, 0},
	} {
		p := c.known
		if news := p.Learn(c.learnt, c.at); news != c.news || p.Learnt.Equal(c.at) != c.news {
			t.Errorf("%s: news: %t, learnt %v", name, news, p.Learnt)
		}
		if k := p.Known(); k.CounterTick != c.tick || k.Idle != c.idle {
			t.Errorf("%s: %+v, want %v and %v", name, k, c.tick, c.idle)
		}
		// Once told, it is news no more.
		if p.Learn(c.learnt, c.at) {
			t.Errorf("%s: news again", name)
		}
	}
}

// runs is what runs alone have learnt.
func runs(tick, within time.Duration) Profile {
	p := New(uuid, driver, "", "", monday)
	p.Learn(Learnt{Counter: tempo(tick, within)}, monday)
	return p
}

// TestRestByState: states have an idle power each.
func TestRestByState(t *testing.T) {
	t.Parallel()
	p := New(uuid, driver, "", "", monday)
	for i, seen := range []Idle{{State: ptr(8), Power: 20}, {State: ptr(0), Power: 70}, {Power: 21}, {State: ptr(8), Power: 22}, {Power: 23}} {
		seen.At = monday.Add(time.Duration(i) * time.Minute)
		p.Rest(seen)
	}
	if len(p.Idle) != 3 || p.Idle[0].Power != 70 || p.Idle[1].Power != 22 || p.Idle[2].Power != 23 {
		t.Errorf("%+v", p.Idle)
	}
	// Of two seen at once, that which was told last was seen last.
	p.Rest(Idle{State: ptr(0), Power: 71, At: monday.Add(time.Hour)})
	p.Rest(Idle{State: ptr(8), Power: 24, At: monday.Add(time.Hour)})
	if k := p.Known(); k.Idle != 24 {
		t.Errorf("%v", k.Idle)
	}
}
