package collector

import (
	"math/rand/v2"
	"testing"
	"time"

	"greenagent/energy"
)

const ms = time.Millisecond

// watched polls a clock that ticks every period, somewhat late each time, and
// returns the bracket of each tick seen.
func watched(period, phase, every, jitter time.Duration, n int, random *rand.Rand) []bracket {
	var seen []bracket
	last, shown := energy.Instant(0), int64(-1)
	for now := energy.Instant(0); len(seen) < n; now += energy.Instant(every + time.Duration(random.Float64()*float64(jitter))) {
		if k := int64(now.Sub(energy.Instant(phase)) / period); now >= energy.Instant(phase) && k != shown {
			if shown >= 0 {
				seen = append(seen, bracket{last, now})
			}
			shown = k
		}
		last = now
	}
	return seen
}

// TestLock finds the period and the phase of ticks from dense readings, and keeps
// them from sparse ones: each tick stays within its bracket, and is placed better
// and better.
func TestLock(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, period := range []time.Duration{10 * ms, 20 * ms, 50 * ms, 100 * ms, 97*ms + 300*time.Microsecond} {
		for range 20 {
			phase := time.Duration(random.Int64N(int64(period)))
			seen := watched(period, phase, 2*ms, ms, 4, random)
			var k ticks
			if !k.lock(seen) {
				t.Fatalf("%v: no lock from %v", period, seen)
			}
			if off := k.period - period; off > k.slack || -off > k.slack {
				t.Fatalf("%v: found %v ± %v", period, k.period, k.slack)
			}
			now := k.edge.hi
			for range 300 {
				wait := period * 9 / 20
				if aim, ok := k.aim(now); ok {
					wait = min(wait, aim.Sub(now))
				}
				next := now.Add(wait + time.Duration(random.Int64N(int64(ms))))
				from := now.Sub(energy.Instant(phase)) / period
				if tick := energy.Instant(phase).Add(next.Sub(energy.Instant(phase)) / period * period); next.Sub(energy.Instant(phase))/period != from {
					if at := k.observe(bracket{now, next}); tick < at.lo || tick > at.hi {
						t.Fatalf("%v: tick at %d placed at %v", period, tick, at)
					}
				}
				now = next
			}
			if !k.locked() || k.edge.width() > 2*max(k.fine(), 3*ms/2) {
				t.Errorf("%v: placed within %v after 300 readings", period, k.edge.width())
			}
		}
	}
}

// TestNoLock: readings too sparse for the ticks, or ticks that keep no time, have
// no period.
func TestNoLock(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var k ticks
	if seen := watched(20*ms, 3*ms, 45*ms, 9*ms, 8, random); k.lock(seen) {
		t.Errorf("ticks of 20 ms read every 45 ms: found %v", k.period)
	}
	irregular := []bracket{{0, 2}, {30, 32}, {50, 52}, {150, 152}, {160, 162}}
	for i := range irregular {
		irregular[i] = bracket{irregular[i].lo * energy.Instant(ms), irregular[i].hi * energy.Instant(ms)}
	}
	if k.lock(irregular) {
		t.Errorf("irregular ticks: found %v", k.period)
	}
	if k.lock(irregular[:2]) {
		t.Error("two ticks make a period")
	}
}

// TestLosingTheLock: one late tick is forgiven, many end it.
func TestLosingTheLock(t *testing.T) {
	k := assume(100*ms, bracket{0, energy.Instant(ms)})
	at := func(d time.Duration) bracket { return bracket{energy.Instant(d - ms), energy.Instant(d)} }
	k.observe(at(100 * ms))
	if late := at(250 * ms); k.observe(late) != late || !k.locked() {
		t.Error("one late tick ended the lock")
	}
	k.observe(at(350 * ms))
	if !k.locked() || k.misses != 0 {
		t.Errorf("after it came back: %+v", k)
	}
	for i := range time.Duration(maxMisses) {
		k.observe(at(350*ms + (i+1)*150*ms))
	}
	if k.locked() {
		t.Error("three late ticks in a row did not end it")
	}
}

// TestStep finds the moment at which the power changed, and none where one change
// does not explain the energy.
func TestStep(t *testing.T) {
	const w = energy.Watt
	for _, c := range []struct {
		e             energy.Energy
		before, after energy.Power
		at            time.Duration
		ok            bool
	}{
		{e: 25 * energy.Joule, before: 400 * w, after: 100 * w, at: 50 * ms, ok: true},
		{e: 25 * energy.Joule, before: 100 * w, after: 400 * w, at: 50 * ms, ok: true},
		{e: 40 * energy.Joule, before: 400 * w, after: 100 * w}, // never fell
		{e: 50 * energy.Joule, before: 400 * w, after: 100 * w}, // more than either
		{e: 5 * energy.Joule, before: 400 * w, after: 100 * w},
		{e: 25 * energy.Joule, before: 250 * w, after: 251 * w}, // as good as level
		{e: 25 * energy.Joule, before: unknownPower, after: 400 * w},
		{e: 25 * energy.Joule, before: 400 * w, after: unknownPower},
	} {
		x, ok := step(100*ms, c.e, c.before, c.after)
		if ok != c.ok || ok && x != c.at {
			t.Errorf("%+v: at %v, %t", c, x, ok)
		}
	}
}
