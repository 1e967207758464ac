package collector_test

import (
	"testing"

	"pgregory.net/rapid"

	"greenagent/collector"
	"greenagent/energy"
)

// TestCurve holds a curve in its ring against all the knots it was ever given.
func TestCurve(t *testing.T) {
	type knot struct {
		at energy.Instant
		e  energy.Energy
	}
	rapid.Check(t, func(t *rapid.T) {
		const size = 16
		c := collector.NewCurve(size)
		if !c.Empty() || c.At(7) != 0 || c.Span() != (energy.Interval{}) {
			t.Fatal("a new curve is not empty")
		}
		var all []knot
		last := knot{at: energy.Instant(rapid.Int64Range(-1000, 1000).Draw(t, "start"))}
		for range rapid.IntRange(1, 60).Draw(t, "knots") {
			last.at += energy.Instant(rapid.Int64Range(1, 1000).Draw(t, "later"))
			last.e += energy.Energy(rapid.Int64Range(0, 1e9).Draw(t, "more"))
			c.Append(last.at, last.e)
			all = append(all, last)
			known := all[max(0, len(all)-size):]
			if span := c.Span(); span.Start != known[0].at || span.End != last.at {
				t.Fatalf("known from %d to %d, want %d to %d", span.Start, span.End, known[0].at, last.at)
			}
			i := energy.Instant(rapid.Int64Range(int64(known[0].at)-10, int64(last.at)+10).Draw(t, "at"))
			got := c.At(i)
			switch {
			case i <= known[0].at && got != known[0].e, i >= last.at && got != last.e:
				t.Fatalf("at %d beyond the ends: %d µJ", i, got)
			}
			for j := 1; j < len(known); j++ {
				a, b := known[j-1], known[j]
				if a.at <= i && i <= b.at && (got < a.e || got > b.e) {
					t.Fatalf("at %d: %d µJ outside %d … %d", i, got, a.e, b.e)
				}
				if i == b.at && got != b.e {
					t.Fatalf("at the knot %d: %d µJ, want %d", i, got, b.e)
				}
			}
		}
	})
}

// TestCurveNeverFalls: a caller that would have it run backwards is wrong.
func TestCurveNeverFalls(t *testing.T) {
	for name, knot := range map[string]struct {
		at energy.Instant
		e  energy.Energy
	}{"same time": {10, 6}, "earlier": {9, 6}, "lower": {11, 4}} {
		c := collector.NewCurve(4)
		c.Append(10, 5)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			c.Append(knot.at, knot.e)
		}()
	}
}
