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
	poor.Absorb(&collector.Activity{Method: collector.ByUtilization, Samples: 7, Strangers: true})
	if poor.Method != collector.ByUtilization || poor.Present() != 1 {
		t.Errorf("by %v, %d present", poor.Method, poor.Present())
	}
	if m := collector.ByCPUTime.String(); m != "cpu-time" {
		t.Errorf("%q", m)
	}
}

// TestAbsorbPlaces: places are the same by their ID, and what is told of them adds up.
func TestAbsorbPlaces(t *testing.T) {
	at := func(pid, place int) collector.Usage {
		return collector.Usage{Process: collector.Process{PID: pid}, Place: place}
	}
	earlier := collector.Activity{Method: collector.ByGPM, Whole: 70,
		Places: []collector.Place{{ID: "a", Size: 30, Busy: 3}, {ID: "gone", Size: 20, Busy: 4}},
		Usage:  []collector.Usage{at(1, 0), at(2, 1), at(3, -1)}}
	a := collector.Activity{Method: collector.BySlices, Whole: 700,
		Places: []collector.Place{{ID: "new", Size: 100}, {ID: "a", Size: 300}},
		Usage:  []collector.Usage{at(1, 1), at(4, 0)}}
	a.Absorb(&earlier)
	want := collector.Activity{Method: collector.ByGPM, Whole: 770,
		Places: []collector.Place{{ID: "new", Size: 100}, {ID: "a", Size: 330, Busy: 3}, {ID: "gone", Size: 20, Busy: 4}},
		Usage:  []collector.Usage{at(1, 1), at(2, 2), at(3, -1), at(4, 0)}}
	if !slices.Equal(a.Places, want.Places) || !slices.Equal(a.Usage, want.Usage) || a.Method != want.Method || a.Whole != want.Whole {
		t.Errorf("got  %+v\nwant %+v", a, want)
	}
	// Of before MIG was switched on, and after it was off.
	plain := collector.Activity{Method: collector.ByMemory, Usage: []collector.Usage{at(1, 0), at(5, 0)}}
	plain.Absorb(&earlier)
	if plain.Usage[0].Place != -1 || plain.Usage[1].Place != 1 || plain.Usage[3].Place != -1 || len(plain.Places) != 2 {
		t.Errorf("%+v", plain)
	}
	cut := collector.Activity{Method: collector.ByGPM, Whole: 70, Places: earlier.Places, Usage: []collector.Usage{at(1, 1)}}
	cut.Absorb(&collector.Activity{Method: collector.ByMemory, Usage: []collector.Usage{at(6, 0)}})
	if cut.Usage[0].Place != 1 || cut.Usage[1].Place != -1 {
		t.Errorf("%+v", cut)
	}
}
