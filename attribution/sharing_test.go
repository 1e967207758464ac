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

// device books intervals of a device that draws 70 W idle, one after the other.
type device struct {
	ledger *attribution.Ledger
	now    energy.Instant
	idle   energy.Energy // booked as the floor's
}

func newDevice() *device {
	return &device{ledger: attribution.NewLedger(attribution.Config{Domains: 1})}
}

// draw books d at so many watts above idle. Processes are numbered from 1, as their
// owners are; tags are those of each.
func (d *device) draw(length time.Duration, above float64, change func(*collector.Activity), tags ...float64) {
	a := collector.Activity{Method: collector.ByUtilization, Samples: length.Seconds() * 7.2}
	for i, n := range tags {
		a.Usage = append(a.Usage, collector.Usage{
			Process: collector.Process{PID: i + 1}, Owner: collector.Owner(i + 1), Busy: uint64(n * collector.Tag), Memory: 1,
		})
	}
	if change != nil {
		change(&a)
	}
	v := energy.Interval{Start: d.now, End: d.now.Add(length)}
	floor := (70 * energy.Watt).For(length)
	d.ledger.Book(0, attribution.Cut{
		Interval: v, Energy: floor + energy.FromWatts(above).For(length), Floor: floor,
		Limit: 700 * energy.Watt, Activity: &a,
	})
	d.now, d.idle = v.End, d.idle+floor
}

// apart fails the test if an energy is not within so many percent of joules.
func apart(t *testing.T, what string, got energy.Energy, want, percent float64) {
	t.Helper()
	if math.Abs(got.Joules()-want) > percent/100*want+1e-6 {
		t.Errorf("%s: %v, want %v J within %v %%", what, got, want, percent)
	}
}

// TestContextsAreKeptApart: what a device draws for contexts is learnt while nobody
// works, and goes in equal parts to those who hold one, who works and who does not.
func TestContextsAreKeptApart(t *testing.T) {
	d := newDevice()
	d.draw(time.Second, 60, nil, 0, 0) // clocks come down
	d.draw(time.Second, 46, nil, 0, 0)
	if p := d.ledger.Context(0); p != 0 {
		t.Errorf("contexts draw %v before the power has come to rest", p)
	}
	d.draw(time.Second, 45, nil, 0, 0)
	if p := d.ledger.Context(0); p.Watts() != 45 {
		t.Errorf("contexts draw %v, want 45 W", p)
	}
	for range 72 {
		d.draw(10*time.Second/72, 245, nil, 1, 0)
	}
	d.draw(10*time.Second, 45, nil, 0) // the second has ended
	one, two := d.ledger.Owned(1, 0), d.ledger.Owned(2, 0)
	apart(t, "contexts of the first", one.Context, 45/2.0+10*45/2.0+10*45, 0.01)
	apart(t, "the first beside", one.Dynamic-one.Context, (60+46)/2.0+2000, 0.01)
	apart(t, "contexts of the second", two.Context, 45/2.0+10*45/2.0, 0.01)
	apart(t, "the second, before that was known", two.Dynamic-two.Context, (60+46)/2.0, 0.01)
	if b := d.ledger.Balance(0); b.Unattributed != 0 || b.Idle != d.idle || one.Dynamic+two.Dynamic+b.Idle != b.Energy {
		t.Errorf("%+v", b)
	}
}

// TestContextsOfWhoCame: who came within an interval has its part of the time since.
func TestContextsOfWhoCame(t *testing.T) {
	d := newDevice()
	for range 2 {
		d.draw(time.Second, 40, nil, 0)
	}
	d.draw(time.Second, 40, func(a *collector.Activity) { a.Usage[1].From = d.now.Add(750 * time.Millisecond) }, 0, 0)
	apart(t, "the first", d.ledger.Owned(1, 0).Context, 40+40*0.8, 0.01)
	apart(t, "who came late", d.ledger.Owned(2, 0).Context, 40*0.2, 0.01)
	// A date after the interval is none.
	d.draw(time.Second, 40, func(a *collector.Activity) { a.Usage[1].From = d.now.Add(time.Hour) }, 0, 0)
	apart(t, "who cannot be dated", d.ledger.Owned(2, 0).Context, 40*0.2+20, 0.01)
}

// TestContextsOfNoFloor: where idle power is not known, nothing is called contexts'.
func TestContextsOfNoFloor(t *testing.T) {
	l := attribution.NewLedger(attribution.Config{Domains: 1})
	for i := range 3 {
		v := energy.Interval{Start: energy.Instant(i * 1e9), End: energy.Instant((i + 1) * 1e9)}
		l.Book(0, attribution.Cut{Interval: v, Energy: 100 * energy.Joule, Activity: &collector.Activity{
			Method: collector.ByUtilization, Usage: []collector.Usage{{Process: collector.Process{PID: 1}, Owner: 1}, {Process: collector.Process{PID: 2}, Owner: 2}},
		}})
	}
	one, two := l.Owned(1, 0), l.Owned(2, 0)
	if l.Context(0) != 0 || one.Context != 0 || one.Dynamic != 150*energy.Joule || two.Dynamic != 150*energy.Joule {
		t.Errorf("%v: %+v, %+v", l.Context(0), one, two)
	}
}

// TestSamplerThatMissesWorkers: what contexts cannot draw is not taken for theirs,
// though the sampler names nobody: who works is not known then, and nobody is sure.
func TestSamplerThatMissesWorkers(t *testing.T) {
	d := newDevice()
	for range 10 {
		d.draw(time.Second, 400, nil, 0, 0)
	}
	s := d.ledger.OwnerStates(0, energy.Uncertainty{})[0]
	if p := d.ledger.Context(0); p != 0 || s.Context != 0 || s.Confidence != attribution.Low || s.Uncertainty.Expanded() < s.Dynamic {
		t.Errorf("contexts draw %v; %+v", p, s)
	}
}

// share has two processes of equal activity draw 400 W and 100 W at the same time,
// too finely mixed for a sensor, after the first was alone for so many seconds.
func share(random *rand.Rand, alone int) (d *device, first, second attribution.Entry) {
	d = newDevice()
	for range alone {
		tags := 0.0
		for range 7 {
			tags += float64(random.IntN(2))
		}
		d.draw(time.Second, 400, nil, tags)
	}
	before := d.ledger.Owned(1, 0)
	for range 60 * 72 / 10 {
		n := float64(random.IntN(2))
		d.draw(10*time.Second/72, 500, nil, n, 1-n)
	}
	first, second = d.ledger.Owned(1, 0), d.ledger.Owned(2, 0)
	first.Dynamic -= before.Dynamic
	return d, first, second
}

// TestLevelsAreTold: that one draws four times what the other does is told if it was
// alone for a time, and lies within the bound if it was not.
func TestLevelsAreTold(t *testing.T) {
	const trials = 50
	for _, c := range []struct {
		alone  int
		within float64 // of the first's energy, in the mean of the trials
	}{{0, 0.40}, {10, 0.09}, {60, 0.07}} {
		random := rand.New(rand.NewPCG(3, 4))
		off, inside := 0.0, 0
		for range trials {
			_, first, second := share(random, c.alone)
			d := math.Abs(first.Dynamic.Joules()/24000 - 1)
			off += d / trials
			u1, u2 := first.Doubt(), second.Doubt()
			if d*24000 <= u1.Expanded().Joules() && math.Abs(second.Dynamic.Joules()-6000) <= u2.Expanded().Joules() {
				inside++
			}
		}
		t.Logf("alone for %d s: off by %.1f %%, inside in %d of %d", c.alone, 100*off, inside, trials)
		if off > c.within || inside < trials*95/100 {
			t.Errorf("alone for %d s: off by %.1f %%, inside in %d of %d", c.alone, 100*off, inside, trials)
		}
	}
}

// TestLongTurnsAreTold: of processes that take turns long enough to be told, each pays
// for its own, whatever it draws: within four percent in a minute of twelve turns, as
// where one ends is known to a tag.
func TestLongTurnsAreTold(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		one, two := watts(random), watts(random)
		p := play{random: random, steps: 6000, actors: []actor{{to: 6000, watts: one, owner: 1}, {to: 6000, watts: two, owner: 2}}}
		p.active = func(at int, parts []float64) { parts[0], parts[1] = float64(at/500%2), float64(1-at/500%2) }
		l := attribution.NewLedger(attribution.Config{Domains: 1})
		for i, want := range p.perform(l) {
			apart(t, "turns of 5 s", l.Owned(collector.Owner(i+1), 0).Dynamic, want, 4)
		}
	}
}

// TestOwnersAreSureOfTheirSum: which of its two processes used what is uncertain; an
// owner who has the device to itself is not.
func TestOwnersAreSureOfTheirSum(t *testing.T) {
	d := newDevice()
	mine := func(a *collector.Activity) {
		for i := range a.Usage {
			a.Usage[i].Owner = 7
		}
	}
	random := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		n := float64(random.IntN(2))
		d.draw(10*time.Second/72, 300, mine, n, 1-n)
	}
	states := d.ledger.OwnerStates(0, energy.Uncertainty{})
	if len(states) != 1 || states[0].Confidence != attribution.High {
		t.Fatalf("%+v", states)
	}
	// Of few tags, two more either way are allowed for; all of them are its own.
	if u := states[0].Uncertainty.Expanded(); float64(u) > 0.02*float64(states[0].Dynamic) {
		t.Errorf("± %v of %v", u, states[0].Dynamic)
	}
	for _, a := range d.ledger.Accounts() {
		if u := a.Entries[0].Doubt(); float64(u.Expanded()) < 0.3*float64(a.Entries[0].Dynamic) {
			t.Errorf("process %d: ± %v of %v", a.Process.PID, u.Expanded(), a.Entries[0].Dynamic)
		}
	}
}

// TestConcurrentIsAGuess: of processes that run at one moment a tag tells less, and
// so it is said.
func TestConcurrentIsAGuess(t *testing.T) {
	bound := func(concurrent bool) (energy.Energy, attribution.Confidence, energy.Energy) {
		d := newDevice()
		for i := range 400 {
			n := float64(i / 36 % 2) // turns of 5 s
			d.draw(10*time.Second/72, 300, func(a *collector.Activity) { a.Concurrent = concurrent }, n, 1-n)
		}
		s := d.ledger.OwnerStates(0, energy.Uncertainty{})[0]
		return s.Uncertainty.Expanded(), s.Confidence, d.ledger.Balance(0).Concurrent
	}
	sliced, high, none := bound(false)
	guess, low, some := bound(true)
	if guess < 2*sliced || high < attribution.Medium || low != attribution.Low || none != 0 || some == 0 {
		t.Errorf("± %v with %v confidence, of concurrent ones ± %v with %v; %v, %v", sliced, high, guess, low, none, some)
	}
}

// TestMemoryStaysAGuess: what memory held says is no surer after a thousand
// intervals than after one.
func TestMemoryStaysAGuess(t *testing.T) {
	for _, n := range []int{1, 1000} {
		d := newDevice()
		for range n {
			d.draw(time.Second, 100, func(a *collector.Activity) { a.Method = collector.ByMemory }, 0, 0)
		}
		s := d.ledger.OwnerStates(0, energy.Uncertainty{})[0]
		if s.Uncertainty.Expanded() < s.Dynamic || s.Confidence != attribution.Low {
			t.Errorf("%d intervals: ± %v of %v, %v", n, s.Uncertainty.Expanded(), s.Dynamic, s.Confidence)
		}
	}
}

// TestAloneIsSure, and who did nothing has nothing to be sure of.
func TestAloneIsSure(t *testing.T) {
	d := newDevice()
	d.draw(time.Minute, 300, nil, 432)
	s := d.ledger.OwnerStates(0, energy.Uncertainty{})
	if len(s) != 1 || s[0].Dynamic != 18*energy.Kilojoule || s[0].Uncertainty.Expanded() != 0 || s[0].Confidence != attribution.High {
		t.Errorf("%+v", s)
	}
}
