package meter

import (
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/energy"
)

// TestFloor: a floor is learnt of a device that nobody uses, that has come to rest,
// for long enough; and of nothing else.
func TestFloor(t *testing.T) {
	type interval struct {
		watts   float64
		d       time.Duration
		present int
	}
	idle := func(watts float64) interval { return interval{watts, time.Second, 0} }
	for name, test := range map[string]struct {
		intervals []interval
		want      float64
	}{
		"nothing":                        {nil, 0},
		"one idle interval":              {[]interval{idle(70)}, 0},
		"two alike":                      {[]interval{idle(70), idle(71)}, 71},
		"somebody between":               {[]interval{idle(70), {300, time.Second, 1}, idle(70)}, 0},
		"somebody who does nothing":      {[]interval{{115, time.Second, 1}, {115, time.Second, 1}}, 0},
		"short ones":                     {[]interval{{70, 100 * time.Millisecond, 0}, {70, 100 * time.Millisecond, 0}}, 0},
		"a short one first":              {[]interval{{7, 20 * time.Millisecond, 0}, idle(70), idle(70)}, 70},
		"clocks come down":               {[]interval{idle(150), idle(120), idle(95), idle(80), idle(71), idle(70), idle(70)}, 70},
		"clocks stay up, then do not":    {[]interval{idle(110), idle(110), idle(80), idle(70), idle(70)}, 70},
		"a floor does not rise":          {[]interval{idle(70), idle(70), idle(90), idle(90)}, 70},
		"what reads nothing is no floor": {[]interval{idle(0), idle(0)}, 0},
	} {
		var f floor
		for _, v := range test.intervals {
			f.learn(energy.FromWatts(v.watts), v.d, v.present, 0)
		}
		if f.known.Watts() != test.want {
			t.Errorf("%s: a floor of %v, want %v W", name, f.known, test.want)
		}
		if got := f.over(2*time.Second, 1, 0); got.Joules() != 2*test.want {
			t.Errorf("%s: %v in 2 s", name, got)
		}
	}
	known := floor{known: 20 * energy.Watt} // as a model has it
	known.rest(30*energy.Watt, time.Second, 0)
	known.rest(0, 0, 0)
	known.rest(40*energy.Watt, 2*time.Second, 0)
	if known.known != 20*energy.Watt {
		t.Errorf("a known floor became %v", known.known)
	}
	// What was seen is told apart from it.
	if known.seen != 30*energy.Watt || known.resting != time.Second {
		t.Errorf("%v, seen for %v", known.seen, known.resting)
	}
}

// TestFloorOfAnEarlierRun stands until this one has seen better, also if that is
// higher: the room may be warmer by now.
func TestFloorOfAnEarlierRun(t *testing.T) {
	f := floor{known: 60 * energy.Watt, told: true}
	if got := f.over(time.Second, 1, 0); got != 60*energy.Joule {
		t.Errorf("%v in 1 s", got)
	}
	for _, p := range []energy.Power{70, 70, 72, 68, 68} {
		f.learn(p*energy.Watt, time.Second, 0, 0)
	}
	if f.known != 68*energy.Watt {
		t.Errorf("a floor of %v", f.known)
	}
}

// TestFloorOfAState: a device that stays in a higher state with nobody on it idles
// at that state's power; who is on it pays for all above the lowest.
func TestFloorOfAState(t *testing.T) {
	const p0, p8 = 1, 9
	var f floor
	for range 2 {
		f.learn(70*energy.Watt, time.Second, 0, p0)
	}
	f.learn(40*energy.Watt, time.Second, 0, p8)
	f.learn(41*energy.Watt, time.Second, 0, p0) // alike, in another state: not at rest
	if f.known != 70*energy.Watt {
		t.Errorf("a floor of %v before P8 came to rest", f.known)
	}
	for range 2 {
		f.learn(40*energy.Watt, time.Second, 0, p8)
	}
	for _, c := range []struct {
		present int
		state   collector.State
		want    energy.Energy
	}{{0, p0, 70}, {0, p8, 40}, {0, 0, 40}, {0, 5, 40}, {1, p0, 40}} {
		if got := f.over(time.Second, c.present, c.state); got != c.want*energy.Joule {
			t.Errorf("%d present in state %d: %v in 1 s, want %d J", c.present, c.state, got, c.want)
		}
	}
}
