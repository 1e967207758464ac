package collector_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"greenagent/collector"
)

// TestAbsorb: of two activities made one, everybody is in the result once, in
// order, and has been as busy as in both together.
func TestAbsorb(t *testing.T) {
	activities := rapid.Custom(func(t *rapid.T) collector.Activity {
		a := collector.Activity{Method: collector.ByUtilization, Samples: rapid.Float64Range(0, 10).Draw(t, "samples")}
		for _, pid := range rapid.SliceOfNDistinct(rapid.IntRange(1, 9), 0, 6, rapid.ID).Draw(t, "processes") {
			a.Usage = append(a.Usage, collector.Usage{Process: collector.Process{PID: pid}, Busy: rapid.Uint64Range(0, 100).Draw(t, "busy")})
		}
		slices.SortFunc(a.Usage, collector.Compare)
		return a
	})
	rapid.Check(t, func(t *rapid.T) {
		a, earlier := activities.Draw(t, "a"), activities.Draw(t, "earlier")
		busy := map[int]uint64{}
		for _, u := range slices.Concat(a.Usage, earlier.Usage) {
			busy[u.Process.PID] += u.Busy
		}
		samples := a.Samples + earlier.Samples
		a.Absorb(&earlier)
		if len(a.Usage) != len(busy) || !slices.IsSortedFunc(a.Usage, collector.Compare) || a.Samples != samples {
			t.Fatalf("%+v", a)
		}
		for _, u := range a.Usage {
			if u.Busy != busy[u.Process.PID] {
				t.Fatalf("%d was busy for %d, want %d", u.Process.PID, u.Busy, busy[u.Process.PID])
			}
		}
	})
	// Memory stands in where one of them had nothing better.
	poor := collector.Activity{Method: collector.ByMemory}
	poor.Absorb(&collector.Activity{Method: collector.ByUtilization, Samples: 7})
	if poor.Method != collector.ByUtilization {
		t.Errorf("by %v", poor.Method)
	}
	if m := collector.ByCPUTime.String(); m != "cpu-time" {
		t.Errorf("%q", m)
	}
}
