package attribution_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/collector/procfs"
	"greenagent/energy"
)

const domains = 3

// activities draws what some processes did: PIDs are few, so that they are used
// again, by processes of another start.
func activities() *rapid.Generator[collector.Activity] {
	return rapid.Custom(func(t *rapid.T) collector.Activity {
		a := collector.Activity{
			Method:     collector.Method(rapid.IntRange(int(collector.ByNothing), int(collector.Methods)-1).Draw(t, "method")),
			Samples:    rapid.Float64Range(0, 72).Draw(t, "samples"),
			Step:       rapid.Uint64Range(0, 1e7).Draw(t, "step"),
			Concurrent: rapid.Bool().Draw(t, "concurrent"),
		}
		whole := rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(0, 1e12), rapid.Uint64())
		for i := range rapid.IntRange(0, 4).Draw(t, "places") {
			a.Places = append(a.Places, collector.Place{
				ID: string(rune('a' + i)), Size: whole.Draw(t, "size"), Busy: whole.Draw(t, "place's busy"),
				Tenant: collector.Owner(rapid.IntRange(0, 3).Draw(t, "tenant")),
			})
			a.Whole = whole.Draw(t, "whole")
		}
		for _, id := range rapid.SliceOfNDistinct(rapid.IntRange(0, 40), 0, 12, rapid.ID).Draw(t, "processes") {
			p := collector.Process{PID: id % 20, Start: procfs.Ticks(id / 20)}
			a.Usage = append(a.Usage, collector.Usage{
				Process: p, Owner: collector.Owner(id % 3),
				Busy:   rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64()).Draw(t, "busy"),
				Memory: rapid.OneOf(rapid.Just(int64(0)), rapid.Int64()).Draw(t, "memory"),
				From:   energy.Instant(rapid.Int64Range(0, 100e9).Draw(t, "from")),
				Place:  rapid.IntRange(-1, len(a.Places)-1).Draw(t, "place"),
			})
		}
		slices.SortFunc(a.Usage, collector.Compare)
		return a
	})
}

func ledgers() *rapid.Generator[attribution.Config] {
	return rapid.Custom(func(t *rapid.T) attribution.Config {
		return attribution.Config{
			Domains:  domains,
			Policy:   attribution.Policy(rapid.IntRange(int(attribution.None), int(attribution.Reserved)).Draw(t, "policy")),
			Reserved: collector.Owner(rapid.IntRange(0, 3).Draw(t, "reserved")),
			Limit:    rapid.SampledFrom([]int{0, 4, 16}).Draw(t, "limit"),
		}
	})
}

func energies() *rapid.Generator[energy.Energy] {
	return rapid.Map(rapid.Int64Range(0, int64(40*energy.KilowattHour)), func(e int64) energy.Energy { return energy.Energy(e) })
}

// sums checks that the accounts of every domain sum to its energy, to the
// microjoule, whether counted by process or by owner.
func sums(t *rapid.T, l *attribution.Ledger, want *[domains]energy.Energy) {
	if s := l.State(); s.Check() != nil {
		t.Fatal(s.Check())
	}
	for i := range domains {
		b := l.Balance(i)
		if b.Unallocated < 0 || b.Unallocated > b.Idle {
			t.Fatalf("domain %d: %d µJ unallocated of %d µJ idle", i, b.Unallocated, b.Idle)
		}
		if b.Energy != want[i] {
			t.Fatalf("domain %d holds %d µJ, %d µJ were booked", i, b.Energy, want[i])
		}
		processes, owners := b.Idle+b.Unattributed, b.Idle+b.Unattributed
		for _, a := range l.Accounts() {
			e := a.Entries[i]
			if e.Dynamic < 0 || e.Idle < 0 || e.Context < 0 || e.Context > e.Dynamic || !(e.Variance >= 0) || !(e.Systematic >= 0) {
				t.Fatalf("domain %d: process %v has %+v", i, a.Process, e)
			}
			processes += e.Dynamic + e.Idle
		}
		for _, o := range l.OwnerStates(i, energy.Uncertainty{}) {
			owners += o.Dynamic + o.Idle
		}
		var methods energy.Energy
		for _, e := range b.Methods {
			methods += e
		}
		idle := b.Idle
		for _, a := range l.Accounts() {
			idle += a.Entries[i].Idle
		}
		if processes != b.Energy || owners != b.Energy || methods+idle != b.Energy {
			t.Fatalf("domain %d: %d µJ by process, %d by owner, %d by method, of %d µJ", i, processes, owners, methods+idle, b.Energy)
		}
	}
}

// TestNothingIsLost: after any sequence of bookings, merges of rows included, the
// accounts sum to what was booked; no entry ever falls.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := attribution.NewLedger(ledgers().Draw(t, "ledger"))
		var booked [domains]energy.Energy
		before := map[collector.Owner]energy.Energy{}
		now := energy.Instant(1)
		for range rapid.IntRange(1, 40).Draw(t, "bookings") {
			domain := rapid.IntRange(0, domains-1).Draw(t, "domain")
			a := activities().Draw(t, "activity")
			e := energies().Draw(t, "energy")
			v := energy.Interval{Start: now, End: now + energy.Instant(rapid.Int64Range(0, 3e9).Draw(t, "length"))}
			now = v.End
			l.Book(domain, attribution.Cut{
				Interval: v, Energy: e, Floor: energies().Draw(t, "floor"), Activity: &a,
				Limit: energy.Power(rapid.Int64Range(0, int64(energy.Kilowatt)).Draw(t, "limit")),
			})
			booked[domain] += e
			sums(t, l, &booked)
			for owner := range collector.Owner(4) {
				var sum energy.Energy
				for i := range domains {
					e := l.Owned(owner, i)
					sum += e.Dynamic + e.Idle
				}
				if sum < before[owner] {
					t.Fatalf("owner %d had %d µJ and has %d", owner, before[owner], sum)
				}
				before[owner] = sum
			}
		}
	})
}

// TestNobodyElsePays: who was not there is charged nothing, and a process that
// has a PID again starts from nothing.
func TestNobodyElsePays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := attribution.NewLedger(attribution.Config{Domains: 1, Policy: attribution.Equal})
		present := map[collector.Process]bool{}
		for range rapid.IntRange(1, 10).Draw(t, "bookings") {
			a := activities().Draw(t, "activity")
			had := entries(l)
			l.Book(0, attribution.Cut{Energy: energies().Draw(t, "energy"), Floor: energies().Draw(t, "floor"), Activity: &a})
			now := map[collector.Process]bool{}
			for _, u := range a.Usage {
				present[u.Process], now[u.Process] = true, true
			}
			for p, e := range entries(l) {
				if !present[p] {
					t.Fatalf("%v was never there and has %+v", p, e)
				}
				if !now[p] && e != had[p] {
					t.Fatalf("%v was not there and went from %+v to %+v", p, had[p], e)
				}
			}
		}
	})
}

func entries(l *attribution.Ledger) map[collector.Process]attribution.Entry {
	m := map[collector.Process]attribution.Entry{}
	for _, a := range l.Accounts() {
		e := m[a.Process] // the reserving owner's row has no process, like the rest of a node
		e.Dynamic += a.Entries[0].Dynamic
		e.Idle += a.Entries[0].Idle
		e.Variance += a.Entries[0].Variance
		m[a.Process] = e
	}
	return m
}

// TestOrderChangesNothing: processes that are seen in another order pay the same.
func TestOrderChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := ledgers().Draw(t, "ledger")
		a, seed := activities().Draw(t, "activity"), rapid.Uint64().Draw(t, "order")
		cut := attribution.Cut{Energy: energies().Draw(t, "energy"), Floor: energies().Draw(t, "floor"), Activity: &a}
		one := attribution.NewLedger(c)
		one.Book(0, cut)
		// An observer meets them in any order, and hands them on in that of Compare.
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(a.Usage), func(i, j int) { a.Usage[i], a.Usage[j] = a.Usage[j], a.Usage[i] })
		slices.SortFunc(a.Usage, collector.Compare)
		other := attribution.NewLedger(c)
		other.Book(0, cut)
		x, y := entries(one), entries(other)
		for p := range x {
			if x[p] != y[p] {
				t.Fatalf("%v pays %+v or %+v", p, x[p], y[p])
			}
		}
		if len(x) != len(y) || one.Balance(0) != other.Balance(0) {
			t.Fatalf("%+v, %+v", one.Balance(0), other.Balance(0))
		}
	})
}

// TestCuttingChangesNoTotal: an interval booked in pieces, each with its part of the
// energy and of what was done, costs each process the same but for rounding, and the
// whole exactly.
func TestCuttingChangesNoTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := activities().Draw(t, "activity")
		for i := range a.Usage { // so that it can be cut
			a.Usage[i].Busy %= 1000
		}
		power := energy.Power(rapid.Int64Range(0, int64(energy.Kilowatt)).Draw(t, "power"))
		c := ledgers().Draw(t, "ledger")
		c.Limit = 0
		whole, pieces := attribution.NewLedger(c), attribution.NewLedger(c)
		seconds := rapid.SliceOfN(rapid.Int64Range(1, 50), 1, 8).Draw(t, "pieces")
		var sum, floors energy.Energy
		var length uint64
		for _, s := range seconds {
			e, floor := energy.Energy(int64(power)*s), energy.Energy(int64(power)/3*s)
			part := a
			part.Usage = slices.Clone(a.Usage)
			for i := range part.Usage {
				part.Usage[i].Busy *= uint64(s)
			}
			pieces.Book(0, attribution.Cut{Energy: e, Floor: floor, Activity: &part})
			sum, floors, length = sum+e, floors+floor, length+uint64(s)
		}
		for i := range a.Usage {
			a.Usage[i].Busy *= length
		}
		whole.Book(0, attribution.Cut{Energy: sum, Floor: floors, Activity: &a})
		x, y := entries(whole), entries(pieces)
		off := energy.Energy(len(seconds)) // a microjoule for each piece and division
		idle := energy.Energy(0)
		if len(a.Places) > 0 { // divided twice, and by place what nobody pays
			off, idle = 2*off, off*energy.Energy(len(a.Places)+1)
		}
		for p := range x {
			if d := x[p].Dynamic + x[p].Idle - y[p].Dynamic - y[p].Idle; d > 2*off || d < -2*off {
				t.Fatalf("%v pays %+v in one and %+v in %d pieces", p, x[p], y[p], len(seconds))
			}
		}
		if whole.Balance(0).Energy != pieces.Balance(0).Energy || abs(whole.Balance(0).Idle-pieces.Balance(0).Idle) > idle {
			t.Fatalf("%+v in one, %+v in %d pieces", whole.Balance(0), pieces.Balance(0), len(seconds))
		}
	})
}

// TestMerging keeps the number of rows bounded, the largest accounts in their own
// rows and the owners' sums as they are.
func TestMerging(t *testing.T) {
	const limit = 100
	l := attribution.NewLedger(attribution.Config{Domains: 1, Limit: limit})
	var want [2]energy.Energy
	for i := range 5000 {
		e := energy.Energy(1000 + i%7)
		if i == 17 {
			e = energy.Kilojoule
		}
		a := collector.Activity{Method: collector.ByUtilization, Usage: []collector.Usage{{
			Process: collector.Process{PID: i + 1, Start: 1}, Owner: collector.Owner(i % 2), Busy: 1,
		}}}
		l.Book(0, attribution.Cut{Energy: e, Activity: &a})
		want[i%2] += e
		if n := len(l.Accounts()); n > 2*limit {
			t.Fatalf("%d rows after %d processes", n, i+1)
		}
	}
	for owner, e := range want {
		if got := l.Owned(collector.Owner(owner), 0); got.Dynamic != e {
			t.Errorf("owner %d has %v, want %v", owner, got.Dynamic, e)
		}
	}
	largest := slices.MaxFunc(l.Accounts(), func(a, b *attribution.Account) int {
		return cmp.Compare(kept(a), kept(b))
	})
	if largest.Process.PID != 18 {
		t.Errorf("the largest process in its own row is %v with %+v", largest.Process, largest.Entries)
	}
}

func kept(a *attribution.Account) energy.Energy {
	if a.Process == (collector.Process{}) {
		return -1
	}
	return a.Entries[0].Dynamic
}

func abs(e energy.Energy) energy.Energy { return max(e, -e) }
