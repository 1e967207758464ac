package meter

import (
	"context"
	"errors"
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
	// Look, if not nil, is called with every reading, for what is to be seen more
	// often than it is asked who was busy.
	Look func(now energy.Instant)
	// Close releases the source once the feed has ended; may be nil.
	Close func() error
}

// recaller is a source whose sensors remember the time before they were opened.
type recaller interface {
	Recall(domain int, dst []collector.PowerPoint) ([]collector.PowerPoint, error)
}

// feed is a running Feed. The mutex guards what its goroutine writes and a
// snapshot reads; no lock is held while a source is read.
type feed struct {
	Feed
	clock   energy.Clock
	from    energy.Instant
	observe time.Duration
	done    chan struct{}

	mu       sync.Mutex
	domains  []domain
	ledger   *attribution.Ledger
	spare    []collector.Activity // the buffer of the next observation
	end      energy.Instant       // nothing after it is booked; 0 while running
	closed   bool
	failures failures

	kept      bool // of an earlier meter, without a source
	strangers bool // its process ids may be of others now

	readings []collector.Reading
}

// domain is the state of one domain of a feed.
type domain struct {
	integrator *collector.Integrator
	floor      floor
	booked     energy.Instant // up to where its energy is in the ledger
	pending    queue          // observed, not yet booked: the curve must settle first
	observed   bool           // who is there has been looked at
	unobserved time.Duration  // as of the last booking

	// prior is what was measured before this feed, of which before was used; away is
	// set until the time between, up to awayUntil, is booked.
	prior     DomainTotal
	before    energy.Energy
	away      bool
	awayUntil energy.Instant
}

// newFeed returns a feed that goes on with what a kept one has, nil for none.
func newFeed(f Feed, c Config, kept *feed) *feed {
	list := f.Source.Domains()
	r := &feed{
		Feed: f, clock: c.Clock, from: c.From, observe: c.Observe, done: make(chan struct{}),
		domains:  make([]domain, len(list)),
		spare:    make([]collector.Activity, len(list)),
		failures: failures{log: c.Log, feed: f.Name},
	}
	r.ledger = attribution.NewLedger(r.ledgerConfig(c, len(list)))
	for i, d := range list {
		from := c.From
		if booked, ok := kept.bookedOf(d.ID); ok {
			from = booked
		}
		g := collector.NewIntegrator(d, from)
		if past, ok := f.Source.(recaller); ok {
			points, err := past.Recall(i, nil)
			r.failures.note(recalling, err, c.Clock.Now())
			g.Recall(points)
		}
		r.domains[i] = domain{integrator: g, floor: floor{known: d.Floor, told: d.Basis != energy.Modelled}, booked: from}
	}
	if kept != nil {
		r.adopt(kept, c)
	}
	return r
}

// run reads until ctx ends.
func (f *feed) run(ctx context.Context) {
	defer close(f.done)
	f.read()
	f.watch() // who is there at the start
	next := f.clock.Now().Add(f.observe)
	timer := time.NewTimer(f.cadence())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		f.read()
		if now := f.clock.Now(); now >= next {
			again := f.watch()
			next = max(next.Add(again), now.Add(again/2))
		}
		timer.Reset(f.cadence())
	}
}

// cadence returns how long to wait until the next reading.
func (f *feed) cadence() time.Duration {
	if f.Every > 0 {
		return f.Every
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.Now()
	wait := f.observe
	for i := range f.spare {
		wait = min(wait, f.domains[i].integrator.Cadence(now))
	}
	return wait
}

// read takes one reading of the source.
func (f *feed) read() {
	if f.Look != nil {
		f.Look(f.clock.Now())
	}
	readings, err := f.Source.Read(f.readings[:0])
	f.readings = readings
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures.note(reading, err, f.clock.Now())
	if f.closed {
		return
	}
	for _, r := range readings {
		f.domains[r.Domain].integrator.Add(r)
	}
}

// watch observes who was busy, books the intervals that have settled by now, and
// returns after what time to observe again.
func (f *feed) watch() time.Duration {
	now := f.clock.Now()
	var err error
	if f.Observer != nil {
		err = f.Observer.Observe(now, f.spare)
	} else {
		for i := range f.spare {
			f.spare[i] = collector.Activity{Until: now, Usage: f.spare[i].Usage[:0]}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures.note(observing, err, now)
	again := f.observe
	if f.closed {
		return again
	}
	for i := range f.spare {
		d := &f.domains[i]
		if d.away && d.awayUntil == 0 {
			// Who was there meanwhile, and how busy, was not seen.
			f.spare[i] = collector.Activity{Until: now, Usage: f.spare[i].Usage[:0]}
			d.awayUntil = now
		}
		if f.spare[i].Again > 0 {
			again = min(again, f.spare[i].Again)
		}
		d.glance(&f.spare[i])
		f.spare[i] = d.pending.push(f.spare[i])
		for d.pending.settled(d.integrator.Curve().Span().End) {
			f.book(i, d.pending.first().Until, d.pending.first())
			d.pending.drop()
		}
	}
	return again
}

// glance takes the floor of a domain that was at rest, and used by nobody, when
// it was first looked at.
func (d *domain) glance(first *collector.Activity) {
	if d.observed || first.Until == 0 {
		return
	}
	d.observed = true
	if p, ok := d.integrator.Rest(); ok && first.Present() == 0 {
		d.floor.rest(p, 0, first.State)
	}
}

// book puts a domain's energy up to an instant into the ledger, divided by an
// activity.
func (f *feed) book(i int, until energy.Instant, activity *collector.Activity) {
	d := &f.domains[i]
	if f.end != 0 {
		until = min(until, f.end)
	}
	if until <= d.booked {
		return
	}
	if end, away := d.whileAway(until); away {
		f.bookAway(i, end)
		if end == until {
			return
		}
	}
	v := energy.Interval{Start: d.booked, End: until}
	d.booked = until
	e := d.integrator.Curve().Energy(v)
	if unobserved := d.integrator.Unobserved(); unobserved == d.unobserved {
		d.floor.learn(e.Over(v.Duration()), v.Duration(), activity.Present(), activity.State)
	} else {
		d.unobserved = unobserved
	}
	f.ledger.Book(i, attribution.Cut{
		Interval: v,
		Energy:   e,
		Limit:    d.integrator.Domain().Limit,
		Floor:    d.floor.over(v.Duration(), activity.Present(), activity.State),
		Activity: activity,
	})
}

// finish takes the last readings, settles the curves at the end and books the
// rest. grace bounds the wait for what the sensors may still tell. Nothing
// changes afterwards.
func (f *feed) finish(at energy.Instant, grace time.Duration) {
	if f.kept {
		f.settle(at)
		return
	}
	f.read()
	f.watch()
	deadline := f.clock.Now().Add(grace)
	for f.waiting(at, deadline) {
		time.Sleep(lastLooks)
		f.read()
	}
	f.settle(at)
}

// lastLooks is the cadence of the readings that end the last interval.
const lastLooks = 2 * time.Millisecond

// conclude sets the end: from now on nothing after it is booked.
func (f *feed) conclude(at energy.Instant) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end = at
	for i := range f.domains {
		if g := f.domains[i].integrator; g != nil { // none of what is kept of an earlier feed
			g.End(at)
		}
	}
}

// waiting reports whether a sensor may still tell more about the time before at,
// and the deadline has not passed.
func (f *feed) waiting(at, deadline energy.Instant) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.clock.Now() >= deadline {
		return false
	}
	for i := range f.spare {
		if !f.domains[i].integrator.Settled(at) {
			return true
		}
	}
	return false
}

// errSilent: the figures end with the last reading there was.
var errSilent = errors.New("did not answer at the end; its figures are as of its last reading")

// abandon closes a feed whose sensor does not answer.
func (f *feed) abandon(at energy.Instant) {
	f.mu.Lock()
	f.failures.note(ending, errSilent, f.clock.Now())
	f.mu.Unlock()
	f.settle(at)
}

// settle closes the feed: whatever its goroutine still brings is not used.
func (f *feed) settle(at energy.Instant) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.closed, f.end = true, at
	for i := range f.domains {
		d := &f.domains[i]
		if d.integrator == nil {
			d.forgo(at)
			continue
		}
		d.integrator.Finish(at)
		for d.pending.length > 1 {
			f.book(i, min(d.pending.first().Until, at), d.pending.first())
			d.pending.drop()
		}
		// Those who were there last were there until the end.
		f.book(i, at, d.pending.latest())
	}
}
