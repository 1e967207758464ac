package collector

import (
	"testing"
	"time"

	"greenagent/energy"
)

// TestShownHistory: a sensor's ticks are where they were, those that were seen, those
// that changed nothing, and those before it was opened.
func TestShownHistory(t *testing.T) {
	const tick, phase, opened = 100 * ms, 37 * ms, 260 * ms
	shows := func(now time.Duration) energy.Power { // a step at each tick but some
		n := (now - phase + tick) / tick
		return energy.Power(n-n%3) * energy.Watt
	}
	const origin = energy.Instant(time.Hour)
	var memory []PowerPoint
	for s := time.Duration(0); s <= opened; s += 50 * ms { // stamped late
		memory = append(memory, PowerPoint{origin.Add(s), shows(s)})
	}
	var s shown
	for now := opened; now < 1500*ms; now += 2 * ms {
		s.add(origin.Add(now), shows(now), tick)
	}
	list := s.history(nil, memory, tick)
	if len(list) < 12 {
		t.Fatalf("%d ticks", len(list))
	}
	for i, g := range list {
		at := g.bracket.middle().Sub(origin)
		if i > 0 && g.bracket.middle() >= list[i-1].bracket.middle() {
			t.Errorf("tick %d at %v is not before the one at %v", i, at, list[i-1].bracket.middle().Sub(origin))
		}
		off := (at-phase+tick/2)%tick - tick/2
		if at >= opened && (off > 4*ms || off < -4*ms || shows(at+5*ms) != g.power) {
			t.Errorf("tick %d at %v (off by %v) shows %v", i, at, off, g.power)
		}
	}
	// A silence: which tick was which is not known any more.
	s.add(origin.Add(10*time.Second), s.power, tick)
	if s.ticks.locked() {
		t.Error("ticks are counted through a silence")
	}
}
