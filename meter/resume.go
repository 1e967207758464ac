package meter

import (
	"slices"
	"time"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/energy"
)

// Checkpoint returns the state as of the latest bookings, for a meter that Resume
// makes, in this process or in another; boot is what Boot returns. The meter goes
// on; of one that was finished it is the final state.
func (m *Meter) Checkpoint(boot string) *Checkpoint {
	m.mu.Lock()
	feeds, at := slices.Clone(m.feeds), m.to
	m.mu.Unlock()
	if at == 0 {
		at = m.config.Clock.Now()
	}
	c := &Checkpoint{Version: checkpointVersion, Boot: boot, Taken: time.Now().UTC(), From: m.config.From, At: at, Feeds: []FeedState{}}
	for _, f := range feeds {
		c.Feeds = append(c.Feeds, f.checkpoint())
	}
	return c
}

// Resume returns a meter that goes on from a checkpoint, in which nothing that was
// measured decreases. From on it measures from c.From, unless this is still the
// boot of the machine in which the checkpoint was taken: then, from the
// checkpoint's. A feed that is added under a name that is in the checkpoint goes
// on with its domains; one that never is keeps what it had, and the time since is
// unobserved.
//
// What was used meanwhile is nobody's: exactly, where a counter went on under the
// same driver, and otherwise as far as the sensor remembers; the rest of the time
// is unobserved. After a reboot, the time the machine was away is not counted.
//
// Owners are the caller's: they must mean the same as before.
func Resume(c Config, from *Checkpoint, boot string) *Meter {
	same := from.Boot == boot && boot != ""
	shift := time.Duration(0)
	if same {
		c.From = from.From
	} else {
		// Durations stay right though the clock began anew.
		shift = c.From.Sub(from.At)
		c.From = from.From.Add(shift)
	}
	m := New(c)
	for i := range from.Feeds {
		m.feeds = append(m.feeds, keep(&from.Feeds[i], m.config, shift, !same))
	}
	return m
}

// keep returns a feed without a source, which holds what another has measured.
func keep(s *FeedState, c Config, shift time.Duration, rebooted bool) *feed {
	f := &feed{Feed: Feed{Name: s.Name}, clock: c.Clock, from: c.From, observe: c.Observe, done: make(chan struct{}), kept: true, strangers: rebooted}
	close(f.done)
	f.failures = failures{log: c.Log, feed: s.Name}
	f.failures.resume(s.Failures)
	to := make([]int, len(s.Domains))
	for i := range s.Domains {
		d := s.Domains[i]
		to[i] = i
		d.Booked = d.Booked.Add(shift)
		if d.Mark != nil {
			mark := *d.Mark
			mark.At = mark.At.Add(shift)
			d.Mark = &mark
		}
		if rebooted {
			d.Mark = nil
		}
		f.domains = append(f.domains, domain{prior: d, floor: floor{known: d.Floor}, booked: d.Booked, observed: true})
	}
	f.ledger = attribution.Resume(f.ledgerConfig(c, len(s.Domains)), s.Ledger, to, rebooted)
	return f
}

// bookedOf returns up to when a kept feed, nil for none, has booked a domain's energy.
func (f *feed) bookedOf(id string) (at energy.Instant, ok bool) {
	if f == nil {
		return 0, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	i, ok := f.domainOf(id)
	if !ok {
		return 0, false
	}
	return f.domains[i].booked, true
}

// domainOf returns what a kept feed holds of a domain.
func (f *feed) domainOf(id string) (i int, ok bool) {
	i = slices.IndexFunc(f.domains, func(d domain) bool { return d.prior.Domain.ID == id })
	return i, i >= 0
}

// adopt goes on with what a kept feed holds: the domains of the source, which have
// been made, and behind them those that it no longer has.
func (f *feed) adopt(k *feed, c Config) {
	k.mu.Lock() // a meter that is finished meanwhile settles it
	defer k.mu.Unlock()
	f.failures.follow(&k.failures)
	to := make([]int, len(k.domains))
	for i := range k.domains {
		to[i] = -1
	}
	for i := range f.domains {
		if at, ok := k.domainOf(f.domains[i].integrator.Domain().ID); ok {
			to[at] = i
			f.domains[i].goOn(&k.domains[at], k.ledger.Balance(at).Energy)
		}
	}
	for i, at := range to {
		if at < 0 {
			to[i] = len(f.domains)
			f.domains = append(f.domains, k.domains[i])
		}
	}
	f.ledger = attribution.Resume(f.ledgerConfig(c, len(f.domains)), k.ledger.State(), to, k.strangers)
}

// goOn takes over what was measured of a domain before, of which e was used.
func (d *domain) goOn(was *domain, e energy.Energy) {
	if m := was.prior.Mark; m != nil && d.integrator.Domain().Driver == was.prior.Domain.Driver {
		d.integrator.Bridge(*m)
	}
	d.prior, d.before, d.booked, d.observed, d.away = was.prior, e, was.booked, true, true
	if d.floor.known == 0 {
		d.floor.known = was.floor.known
	}
}

func (f *feed) ledgerConfig(c Config, domains int) attribution.Config {
	return attribution.Config{Domains: domains, Policy: c.Policy, Reserved: c.Reserved}
}

// checkpoint returns the feed's state as of its latest bookings.
func (f *feed) checkpoint() FeedState {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := FeedState{Name: f.Name, Domains: []DomainTotal{}, Ledger: f.ledger.State(), Failures: f.failures.state(f.clock.Now())}
	for i := range f.domains {
		d := &f.domains[i]
		t := d.total(f.ledger.Balance(i).Energy)
		if d.integrator != nil {
			if mark, ok := d.integrator.Mark(d.booked); ok {
				t.Mark = &mark
			}
		}
		s.Domains = append(s.Domains, t)
	}
	return s
}

// total returns what is known of a domain, which has used e, in all.
func (d *domain) total(e energy.Energy) DomainTotal {
	t := d.prior
	t.Booked, t.Floor = d.booked, d.floor.known
	g := d.integrator
	if g == nil {
		return t
	}
	before := d.before
	t.Domain = g.Domain()
	t.Mark = nil
	t.Uncertainty = t.Uncertainty.Accumulate(g.Uncertainty(e-before, d.booked))
	t.Unobserved += g.Unobserved()
	t.Rejected += g.Rejected()
	t.Resets += g.Resets()
	t.Check = t.Check.Then(g.Check())
	t.Peak = max(t.Peak, g.Peak())
	t.Basis = joint(t.Basis, g.Basis(d.booked))
	return t
}

// joint returns the basis of a figure of two parts.
func joint(a, b energy.Basis) energy.Basis {
	switch {
	case a == energy.Unknown:
		return b
	case b == energy.Unknown || a == b:
		return a
	case a == energy.Modelled || b == energy.Modelled:
		return energy.Modelled
	}
	return energy.Integrated
}

// forgo ends a domain without a source: from its last booking on nothing is known.
func (d *domain) forgo(at energy.Instant) {
	t := at.Sub(d.booked)
	if t <= 0 {
		return
	}
	most := float64(max(d.prior.Domain.Limit, d.prior.Peak).For(t))
	d.prior.Unobserved += t
	d.prior.Uncertainty.Variance += most * most / 3 // uniform between nothing and the limit
	d.booked = at
}

// bookAway books the time in which nobody measured: what was used then is nobody's.
func (f *feed) bookAway(i int, until energy.Instant) {
	d := &f.domains[i]
	v := energy.Interval{Start: d.booked, End: until}
	e := d.integrator.Curve().Energy(v)
	d.booked, d.unobserved = until, d.integrator.Unobserved()
	d.prior.Away += v.Duration()
	d.prior.AwayEnergy += e
	f.ledger.Book(i, attribution.Cut{Energy: e, Activity: &collector.Activity{Until: until}})
}

// whileAway reports whether an interval that ends at an instant is, or begins, in
// the time in which nobody measured, and where that ends.
func (d *domain) whileAway(until energy.Instant) (energy.Instant, bool) {
	switch {
	case !d.away:
		return until, false
	case d.awayUntil == 0: // nobody has looked again yet
		return until, true
	case d.booked < d.awayUntil:
		return min(until, d.awayUntil), true
	}
	d.away = false
	return until, false
}
