package attribution_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/energy"
)

// board is a device of seven slices, of which one is in no place. Owner 1 has two
// processes in the first place, owner 2 one in the second; the third is empty.
func board(method collector.Method, busy ...uint64) *collector.Activity {
	a := &collector.Activity{
		Method: method, Whole: 7000,
		Places: []collector.Place{{ID: "a", Size: 3000, Tenant: 1}, {ID: "b", Size: 2000, Tenant: 2}, {ID: "c", Size: 1000, Tenant: 1}},
		Usage: []collector.Usage{
			{Process: collector.Process{PID: 1}, Owner: 1, Memory: 3, Place: 0},
			{Process: collector.Process{PID: 2}, Owner: 1, Memory: 1, Place: 0},
			{Process: collector.Process{PID: 3}, Owner: 2, Memory: 9, Place: 1},
		},
	}
	for i, b := range busy {
		a.Places[i].Busy = b
	}
	return a
}

const joule = energy.Joule

// TestPlaces divides 1000 J above idle and 70 J of it.
func TestPlaces(t *testing.T) {
	type want struct {
		one, two, three                       energy.Energy // of processes
		unattributed, idle, unallocated, paid energy.Energy
	}
	for name, test := range map[string]struct {
		policy attribution.Policy
		a      *collector.Activity
		want   want
	}{
		"by activity": {attribution.None, board(collector.ByGPM, 1500, 500),
			want{563 * joule, 187 * joule, 250 * joule, 0, 70 * joule, 10 * joule, 0}},
		"a place at work with nobody known in it": {attribution.None, board(collector.ByGPM, 600, 200, 200),
			want{450 * joule, 150 * joule, 200 * joule, 200 * joule, 70 * joule, 10 * joule, 0}},
		"nobody at work": {attribution.None, board(collector.ByGPM),
			want{333 * joule, 333 * joule, 333 * joule, 0, 70 * joule, 10 * joule, 0}},
		"by size": {attribution.Equal, board(collector.BySlices),
			want{450 * joule, 150 * joule, 400 * joule, 0, 20 * joule, 10 * joule, 50 * joule}},
		"by memory": {attribution.Memory, board(collector.BySlices),
			want{450 * joule, 150 * joule, 400 * joule, 0, 20 * joule, 10 * joule, 50 * joule}},
		// Owner 1 pays for the third place, too: it was last in it.
		"reserved": {attribution.Reserved, board(collector.BySlices),
			want{450 * joule, 150 * joule, 400 * joule, 0, 30 * joule, 10 * joule, 40 * joule}},
	} {
		t.Run(name, func(t *testing.T) {
			l := attribution.NewLedger(attribution.Config{Domains: 1, Policy: test.policy, Reserved: 1})
			l.Book(0, attribution.Cut{Energy: 1070 * joule, Floor: 70 * joule, Activity: test.a})
			b := l.Balance(0)
			got := want{unattributed: b.Unattributed, idle: b.Idle, unallocated: b.Unallocated}
			for _, a := range l.Accounts() {
				e := a.Entries[0]
				got.paid += e.Idle
				switch a.Process.PID {
				case 1:
					got.one = e.Dynamic
				case 2:
					got.two = e.Dynamic
				case 3:
					got.three = e.Dynamic
				}
			}
			// Halves of a joule are rounded as the parts of a place.
			if abs(got.one-test.want.one) > joule || abs(got.two-test.want.two) > joule || abs(got.three-test.want.three) > joule {
				t.Errorf("dynamic: %v, %v and %v, want %v, %v and %v", got.one, got.two, got.three, test.want.one, test.want.two, test.want.three)
			}
			got.one, got.two, got.three = test.want.one, test.want.two, test.want.three
			if got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// TestContextsInPlaces: what a device draws while contexts are held and nobody is at
// work is learnt, and then divided equally also while somebody is.
func TestContextsInPlaces(t *testing.T) {
	l := attribution.NewLedger(attribution.Config{Domains: 1})
	second := energy.Instant(time.Second)
	for i := range energy.Instant(3) {
		l.Book(0, attribution.Cut{Interval: energy.Interval{Start: i * second, End: (i + 1) * second},
			Energy: 100 * joule, Floor: 70 * joule, Activity: board(collector.ByGPM)})
	}
	if p := l.Context(0); p != 30*energy.Watt {
		t.Errorf("contexts draw %v, want 30 W", p)
	}
	l.Book(0, attribution.Cut{Interval: energy.Interval{Start: 3 * second, End: 4 * second},
		Energy: 200 * joule, Floor: 70 * joule, Activity: board(collector.ByGPM, 0, 2000)})
	// The first second is not called contexts': it was not known yet what they draw.
	if e := l.Owned(1, 0); e.Dynamic != 80*joule || e.Context != 60*joule {
		t.Errorf("idle all the time: %+v", e)
	}
	if e := l.Owned(2, 0); e.Dynamic != 140*joule || e.Context != 30*joule {
		t.Errorf("at work in the end: %+v", e)
	}
}

// TestSoleInAPlace: who is alone on a device has no doubt, whatever else is cut out
// of it; who is beside a place at work has.
func TestSoleInAPlace(t *testing.T) {
	a := board(collector.BySlices)
	a.Usage = a.Usage[2:]
	l := attribution.NewLedger(attribution.Config{Domains: 1})
	l.Book(0, attribution.Cut{Energy: 100 * joule, Activity: a})
	if e, b := l.Owned(2, 0), l.Balance(0); e.Dynamic != 100*joule || e.Systematic != 0 || b.Methods[collector.BySole] != 100*joule {
		t.Errorf("%+v, %+v", e, b)
	}
	a.Method, a.Places[0].Busy, a.Places[1].Busy = collector.ByGPM, 1000, 1000
	l.Book(0, attribution.Cut{Energy: 100 * joule, Activity: a})
	if e, b := l.Owned(2, 0), l.Balance(0); e.Dynamic != 150*joule || e.Systematic == 0 || b.Unattributed != 50*joule || b.Methods[collector.ByGPM] != 50*joule {
		t.Errorf("%+v, %+v", e, b)
	}
}

// TestOwnersOfOnePlace: what one process of an owner has for another is no doubt of
// the owner's.
func TestOwnersOfOnePlace(t *testing.T) {
	l := attribution.NewLedger(attribution.Config{Domains: 1})
	a := board(collector.ByGPM, 1000)
	l.Book(0, attribution.Cut{Energy: 100 * joule, Activity: a})
	if e := l.Owned(1, 0); e.Dynamic != 100*joule || e.Systematic != 0 {
		t.Errorf("the only owner of the only place: %+v", e)
	}
	for _, row := range l.Accounts()[:2] {
		if e := row.Entries[0]; math.Abs(e.Systematic-float64(100*joule)*math.Sqrt(0.75*0.25)) > 1e3 {
			t.Errorf("%v: %+v", row.Process, e)
		}
	}
}

// TestPlacesAreCovered draws what runs in places: kernels that make between half and
// twice of the usual power out of their activity, and without activity anything from
// idle contexts to twice the mean. What is stated must cover the truth in 95 of 100
// runs, however long they are, and not be idle caution.
func TestPlacesAreCovered(t *testing.T) {
	const trials = 4000
	random := rand.New(rand.NewPCG(3, 4))
	for _, method := range []collector.Method{collector.ByGPM, collector.BySlices} {
		inside, stated := 0, 0.0
		for range trials {
			a := &collector.Activity{Method: method, Whole: 7000}
			var power, sum float64
			for i := range 2 + random.IntN(3) {
				size := uint64(1000 * (1 + random.IntN(2)))
				p := collector.Place{ID: string(rune('a' + i)), Size: size}
				draws := float64(size) * 2 * random.Float64()
				if method == collector.ByGPM {
					p.Busy = uint64(float64(size) * random.Float64())
					draws = float64(p.Busy) * math.Exp2(2*random.Float64()-1)
				}
				a.Places = append(a.Places, p)
				a.Usage = append(a.Usage, collector.Usage{Process: collector.Process{PID: i + 1}, Owner: collector.Owner(i + 1), Place: i})
				sum += draws
				if i == 0 {
					power = draws
				}
			}
			l := attribution.NewLedger(attribution.Config{Domains: 1})
			const intervals = 30
			for range intervals {
				l.Book(0, attribution.Cut{Energy: 100 * joule, Activity: a})
			}
			e, u := l.Owned(1, 0), 0*joule
			if v := l.OwnerStates(0, energy.Uncertainty{}); len(v) > 0 && v[0].Owner == 1 {
				u = v[0].Uncertainty.Expanded()
			}
			if abs(e.Dynamic-energy.FromJoules(100*intervals*power/sum)) <= u {
				inside++
			}
			stated += u.Joules() / (100 * intervals) / trials
		}
		coverage := float64(inside) / trials
		t.Logf("%v: inside in %.1f %%, stated ± %.3f of the whole", method, 100*coverage, stated)
		if coverage < 0.95 || stated > 0.4 {
			t.Errorf("%v: inside in %.1f %%, stated ± %.3f of the whole", method, 100*coverage, stated)
		}
	}
}

func TestBookingPlacesAllocatesNothing(t *testing.T) {
	for policy := attribution.None; policy <= attribution.Reserved; policy++ {
		l := attribution.NewLedger(attribution.Config{Domains: 1, Policy: policy, Reserved: 1})
		cut := attribution.Cut{Energy: 1000 * joule, Floor: 70 * joule, Activity: board(collector.ByGPM, 1500, 500, 100)}
		book := func() { l.Book(0, cut) }
		book()
		if n := testing.AllocsPerRun(100, book); n != 0 {
			t.Errorf("%v: %v allocations", policy, n)
		}
	}
}
