package host

import (
	"math/rand/v2"
	"testing"
	"time"

	"greenagent/energy"
)

func TestWrap(t *testing.T) {
	second := func(s int) energy.Instant { return energy.Instant(s) * energy.Instant(time.Second) }
	w := Wrap{Range: 1000 * energy.Joule, Limit: 100 * energy.Watt}
	for i, look := range []struct {
		raw   energy.Energy
		at    energy.Instant
		total energy.Energy
		step  Step
	}{
		{900 * energy.Joule, second(0), 900 * energy.Joule, Advanced},
		{900 * energy.Joule, second(1), 900 * energy.Joule, Advanced},
		{950 * energy.Joule, second(2), 950 * energy.Joule, Advanced},
		{20 * energy.Joule, second(3), 1020 * energy.Joule, Wrapped},
		{30 * energy.Joule, second(4), 1030 * energy.Joule, Advanced},
		// A turn would be 975 J in a second of at most 100 W.
		{5 * energy.Joule, second(5), 1030 * energy.Joule, Reset},
		{6 * energy.Joule, second(6), 1031 * energy.Joule, Advanced},
		// The same decrease after ten seconds can be one.
		{5 * energy.Joule, second(16), 2030 * energy.Joule, Wrapped},
	} {
		total, step := w.Advance(look.raw, look.at)
		if total != look.total || step != look.step {
			t.Errorf("look %d: total %v J, step %d, want %v J, %d", i, total.Joules(), step, look.total.Joules(), look.step)
		}
	}
	if got := w.Longest(); got != 10*time.Second {
		t.Errorf("1000 J at 100 W last %v", got)
	}
}

// Counters are published in bursts: two looks close together may see more than
// the limit allows for the time between them.
func TestWrapInABurst(t *testing.T) {
	w := Wrap{Range: 1000 * energy.Joule, Limit: 100 * energy.Watt}
	before, _ := w.Advance(999*energy.Joule, 0)
	if total, step := w.Advance(4*energy.Joule, energy.Instant(time.Millisecond)); total-before != 5*energy.Joule || step != Wrapped {
		t.Errorf("total %v J, step %d", total.Joules(), step)
	}
}

func TestWrapWithoutLimit(t *testing.T) {
	w := Wrap{Range: 100}
	w.Advance(99, 0)
	if total, step := w.Advance(98, 0); total != 198 || step != Wrapped {
		t.Errorf("total %d, step %d", total, step)
	}
	if w.Longest() != 0 {
		t.Errorf("without a limit, longest is %v", w.Longest())
	}
}

func TestWrapWithoutRange(t *testing.T) {
	var w Wrap
	w.Advance(99, 0)
	if total, step := w.Advance(98, 5); total != 99 || step != Reset {
		t.Errorf("total %d, step %d", total, step)
	}
	// A counter beyond its own range has the wrong range.
	w = Wrap{Range: 50}
	w.Advance(99, 0)
	if total, step := w.Advance(98, 5); total != 99 || step != Reset {
		t.Errorf("total %d, step %d", total, step)
	}
}

// However a counter is looked at, at least once a turn, the total follows the
// truth from below, by no more than the unit that each turn drops.
func TestWrapFollowsTheTruth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		w := Wrap{Range: energy.Energy(1 + random.Int64N(1e6))}
		truth := energy.Energy(random.Int64N(int64(w.Range)))
		var at energy.Instant
		var before, turns energy.Energy
		for i := range 100 {
			total, step := w.Advance(truth%(w.Range+1), at)
			if step == Wrapped {
				turns++
			}
			if step == Reset || total < before || total+turns != truth {
				t.Fatalf("look %d: total %d after %d turns, truth %d", i, total, turns, truth)
			}
			before = total
			truth += energy.Energy(random.Int64N(int64(w.Range) + 1))
			at = at.Add(time.Second)
		}
	}
}

func FuzzWrap(f *testing.F) {
	f.Add(int64(1000), int64(100), int64(900), int64(10), int64(1e9))
	f.Add(int64(0), int64(0), int64(5), int64(4), int64(-1))
	f.Fuzz(func(t *testing.T, turn, limit, first, second, elapsed int64) {
		if turn < 0 || limit < 0 || first < 0 || second < 0 || first > 1<<61 || turn > 1<<61 || second > 1<<61 {
			t.Skip() // what the parser lets through, within nine years of 15 kW
		}
		w := Wrap{Range: energy.Energy(turn), Limit: energy.Power(limit)}
		before, _ := w.Advance(energy.Energy(first), 0)
		after, step := w.Advance(energy.Energy(second), energy.Instant(elapsed))
		if after < before {
			t.Errorf("the total went from %d to %d", before, after)
		}
		if step == Reset && after != before {
			t.Error("a reset made energy")
		}
		if step == Wrapped && limit > 0 && after-before > energy.Power(limit).For(max(0, time.Duration(elapsed))+settle) {
			t.Errorf("a wrap made %d µJ in %d ns", after-before, elapsed)
		}
	})
}
