package meter

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/energy"
)

// Feed is a source and who uses its domains.
type Feed struct {
	Name   string
	Source collector.Source
	// Observer says who was busy; nil leaves the energy above idle unattributed.
	Observer collector.Observer
	// Every is how often the source is read, 0 to follow its sensors' ticks.
	Every time.Duration
	// Close releases the source once the feed has ended; may be nil.
	Close func() error
}

// recaller is a source whose sensors remember the time before they were opened.
type recaller interface {
	Recall(domain int, dst []collector.PowerPoint) ([]collector.PowerPoint, error)
}

const (
	// dense is the cadence while a counter's ticks are looked for, patience for
	// how long.
	dense    = 2 * time.Millisecond
	patience = 500 * time.Millisecond
	// slowest and fastest bound the cadence that follows from a sensor's tick. A
	// little less than half the tick, so that no tick passes between two looks.
	slowest = 50 * time.Millisecond
	fastest = 9 * time.Millisecond
	// hostCadence is the cadence of counters that are current whenever read.
	hostCadence = 100 * time.Millisecond
)

// feed is a running Feed. The mutex guards what its goroutine writes and a
// snapshot reads; no lock is held while a source is read.
type feed struct {
	Feed
	clock   energy.Clock
	observe time.Duration
	done    chan struct{}

	mu          sync.Mutex
	integrators []*collector.Integrator
	ledger      *attribution.Ledger
	floors      []floor
	booked      []energy.Instant     // up to where each domain's energy is in the ledger
	pending     []collector.Activity // observed, not yet booked: the curve must settle first
	spare       []collector.Activity // the buffer of the next observation
	closed      bool
	failures    failures

	readings []collector.Reading
}

func newFeed(f Feed, c Config) *feed {
	domains := f.Source.Domains()
	r := &feed{
		Feed: f, clock: c.Clock, observe: c.Observe, done: make(chan struct{}),
		ledger: attribution.NewLedger(attribution.Config{
			Domains: len(domains), Policy: c.Policy, Reserved: c.Reserved,
		}),
		floors:  make([]floor, len(domains)),
		booked:  make([]energy.Instant, len(domains)),
		pending: make([]collector.Activity, len(domains)),
		spare:   make([]collector.Activity, len(domains)),
	}
	for i, d := range domains {
		g := collector.NewIntegrator(d, c.From)
		if past, ok := f.Source.(recaller); ok {
			points, err := past.Recall(i, nil)
			r.failures.note(err)
			g.Recall(points)
		}
		r.integrators = append(r.integrators, g)
		r.floors[i].known = d.Floor
		r.booked[i] = c.From
	}
	return r
}

// run reads until ctx ends.
func (f *feed) run(ctx context.Context) {
	defer close(f.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	opened := f.clock.Now()
	f.watch() // who is there at the start
	next := opened.Add(f.observe)
	for {
		f.read()
		now := f.clock.Now()
		if now >= next {
			f.watch()
			next = max(next.Add(f.observe), now.Add(f.observe/2))
		}
		timer.Reset(f.cadence(now.Sub(opened)))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}

// cadence returns how long to wait until the next reading.
func (f *feed) cadence(since time.Duration) time.Duration {
	if f.Every > 0 {
		return f.Every
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	wait := hostCadence
	for _, g := range f.integrators {
		d := g.Domain()
		switch {
		case d.Fresh:
		case g.Settling() && since < patience:
			return dense
		case d.Counter && g.Tick() > 0:
			wait = min(wait, clamp(g.Tick()*9/20))
		case d.Tick > 0:
			wait = min(wait, clamp(d.Tick*9/20))
		default:
			wait = min(wait, slowest)
		}
	}
	return wait
}

func clamp(d time.Duration) time.Duration { return min(max(d, fastest), slowest) }

// read takes one reading of the source.
func (f *feed) read() {
	readings, err := f.Source.Read(f.readings[:0])
	f.readings = readings
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures.note(err)
	if f.closed {
		return
	}
	for _, r := range readings {
		f.integrators[r.Domain].Add(r)
	}
}

// watch observes who was busy and books the interval before, which by now has
// settled.
func (f *feed) watch() {
	now := f.clock.Now()
	if f.Observer != nil {
		f.failures.lockedNote(&f.mu, f.Observer.Observe(now, f.spare))
	} else {
		for i := range f.spare {
			f.spare[i] = collector.Activity{Until: now}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.book()
	f.pending, f.spare = f.spare, f.pending
}

// book puts the pending activity's energy into the ledger, as far as it has
// settled; what has not will be booked with the next.
func (f *feed) book() {
	for i, g := range f.integrators {
		a := &f.pending[i]
		if a.Until == 0 {
			continue
		}
		f.bookDomain(i, min(a.Until, g.Curve().Span().End), a)
	}
}

func (f *feed) bookDomain(i int, until energy.Instant, a *collector.Activity) {
	v := energy.Interval{Start: f.booked[i], End: until}
	if v.Duration() <= 0 {
		return
	}
	f.booked[i] = until
	e := f.integrators[i].Curve().Energy(v)
	f.ledger.Book(i, attribution.Cut{
		Energy:   e,
		Floor:    f.floors[i].over(v.Duration()),
		Activity: a,
	})
	f.floors[i].learn(e, v.Duration(), len(a.Usage))
}

// finish takes the last readings, settles the curves at an instant and books the
// rest. grace bounds the wait for the counters' next ticks. Nothing changes
// afterwards.
func (f *feed) finish(at energy.Instant, grace time.Duration) {
	f.read()
	f.watch()
	deadline := f.clock.Now().Add(grace)
	for f.waiting(at, deadline) {
		time.Sleep(dense)
		f.read()
	}
	f.settle(at)
}

// waiting reports whether a counter's tick after at is still to come before the
// deadline.
func (f *feed) waiting(at, deadline energy.Instant) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.clock.Now() >= deadline {
		return false
	}
	for _, g := range f.integrators {
		if _, ok := g.NextTick(at); ok && g.Curve().Span().End < at {
			return true
		}
	}
	return false
}

// settle closes the feed: whatever its goroutine still brings is not used.
func (f *feed) settle(at energy.Instant) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.closed = true
	for i, g := range f.integrators {
		g.Finish(at)
		f.bookDomain(i, at, &f.pending[i])
	}
}

// state renders the feed's domains and processes.
func (f *feed) state(v energy.Interval) ([]attribution.DomainState, []attribution.Account, []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	states := make([]attribution.DomainState, len(f.integrators))
	for i, g := range f.integrators {
		b := f.ledger.Balance(i)
		u := g.Uncertainty(energy.Interval{Start: v.Start, End: f.booked[i]})
		s := attribution.DomainState{
			Domain: g.Domain(), Basis: g.Basis(),
			Energy: b.Energy, Uncertainty: u,
			Owners: f.ledger.OwnerStates(i, u),
			Idle:   b.Idle, Unattributed: b.Unattributed,
			Mean: b.Energy.Over(v.Duration()), Peak: g.Peak(),
			Unobserved: g.Unobserved(), Rejected: g.Rejected(), Resets: g.Resets(),
			Floor: f.floors[i].known,
		}
		for m, e := range b.Methods {
			if e > b.Methods[s.Method] {
				s.Method = collector.Method(m)
			}
		}
		s.Warnings = doubts(&s)
		states[i] = s
	}
	var accounts []attribution.Account
	for _, a := range f.ledger.Accounts() {
		a := *a
		a.Entries = slices.Clone(a.Entries)
		accounts = append(accounts, a)
	}
	return states, accounts, f.failures.list(f.Name)
}

// doubts says in words what a reader of the figures should know.
func doubts(s *attribution.DomainState) []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if s.Note != "" {
		add("%s", s.Note)
	}
	if s.Domain.Basis == energy.Counted && s.Basis == energy.Integrated {
		add("the energy counter did not tick while it was watched: power was integrated instead")
	}
	if s.Unobserved >= time.Millisecond {
		add("%v of the time was not observed; no energy is counted for it, the uncertainty allows for it", s.Unobserved.Round(time.Millisecond))
	}
	if s.Resets > 0 {
		add("the energy counter started anew %d times", s.Resets)
	}
	if s.Rejected > 0 {
		add("%d impossible readings were not used", s.Rejected)
	}
	if len(s.Owners) > 0 && s.Floor == 0 && s.Basis != energy.Unknown {
		add("the idle power is not known, as the device was in use from the start: dynamic energy contains it")
	}
	if s.Method == collector.ByMemory {
		add("several processes and no statistic of who was active: divided by the memory they hold")
	}
	return list
}
