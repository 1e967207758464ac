package meter

import (
	"fmt"
	"slices"
	"time"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/energy"
)

// state renders the feed's domains and processes.
func (f *feed) state() ([]attribution.DomainState, []attribution.Account, []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	states := make([]attribution.DomainState, len(f.domains))
	for i := range f.domains {
		states[i] = f.domainState(i)
	}
	var accounts []attribution.Account
	for _, row := range f.ledger.Accounts() {
		a := *row
		a.Entries = slices.Clone(a.Entries)
		for i := range states {
			if states[i].Basis == energy.Unknown {
				a.Entries[i] = attribution.Entry{}
			}
		}
		accounts = append(accounts, a)
	}
	return states, accounts, f.failures.words(f.clock.Now())
}

// domainState renders a domain as far as it is booked. Of one whose figure is
// not known, nothing is told that could be taken for one.
func (f *feed) domainState(i int) attribution.DomainState {
	d := &f.domains[i]
	t := d.total(f.ledger.Balance(i).Energy)
	s := attribution.DomainState{
		Domain: t.Domain, Basis: t.Basis, Check: t.Check,
		Unobserved: t.Unobserved, Rejected: t.Rejected, Resets: t.Resets, Floor: t.Floor, Context: f.ledger.Context(i),
		Away: t.Away, AwayEnergy: t.AwayEnergy,
	}
	if s.Basis != energy.Unknown {
		b := f.ledger.Balance(i)
		s.Energy, s.Idle, s.Unattributed = b.Energy, b.Idle, b.Unattributed
		s.Unallocated = b.Unallocated
		s.Uncertainty = t.Uncertainty
		s.Owners = f.ledger.OwnerStates(i, s.Uncertainty)
		s.Mean, s.Peak = b.Energy.Over(d.booked.Sub(f.from)), t.Peak
		s.Method, s.Concurrent = b.Method(), b.Concurrent
	}
	s.Warnings = doubts(&s, d.booked.Sub(f.from))
	return s
}

// disagreements says in words what became of the energy counter.
func disagreements(s *attribution.DomainState) (list []string) {
	c := &s.Check
	switch {
	case s.Domain.Basis != energy.Counted:
		return nil
	case c.Stood:
		list = append(list, "the energy counter stood still while power was drawn: power was integrated from then on")
	case c.Switched:
		list = append(list, "the energy counter went on disagreeing with the power sensor: power was integrated from then on")
	case s.Basis == energy.Integrated:
		list = append(list, "the energy counter did not tick while it was watched: power was integrated instead")
	}
	if c.Worst != 0 {
		list = append(list, fmt.Sprintf("the energy counter told %.3g times what the power sensor did; the uncertainty allows for the difference", c.Worst))
	}
	return list
}

// doubts says in words what a reader of the figures should know.
func doubts(s *attribution.DomainState, length time.Duration) []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if s.Note != "" {
		add("%s", s.Note)
	}
	if !s.Calibration.None() {
		add("calibrated: %s", s.Calibration)
	}
	if s.Basis == energy.Unknown {
		if length < 2*s.Resolution {
			add("unknown: %v is too short for a source that resolves %v", length.Round(time.Microsecond), s.Resolution)
		} else {
			add("unknown: nothing was read")
		}
		return list
	}
	list = append(list, disagreements(s)...)
	if s.Unobserved >= time.Millisecond {
		add("%s", unseen(s))
	}
	if s.Away > 0 {
		add("%v were used in %v while greenagent was away: nobody's", s.AwayEnergy, s.Away.Round(time.Millisecond))
	}
	if s.Resets > 0 {
		add("the energy counter started anew: %d×", s.Resets)
	}
	if s.Rejected > 0 {
		add("readings that cannot be were not used: %d", s.Rejected)
	}
	if len(s.Owners) > 0 && s.Floor == 0 {
		add("its idle power is not known, as it was never seen idle: dynamic energy contains it")
	}
	if s.Concurrent > 0 {
		add("several processes ran on it at one moment (MPS): the driver does not tell what each used, the division is a guess")
	}
	if s.Method == collector.ByMemory {
		add("several processes and no statistic of who was active: divided by the memory they hold")
	}
	if s.Method == collector.BySlices {
		add("this GPU does not tell how busy its MIG instances are: divided by the size of those in use")
	}
	return list
}

// unseen says for how long nothing was observed and between what bounds the energy
// of that time lies.
func unseen(s *attribution.DomainState) string {
	text := fmt.Sprintf("%v of the time was not observed; no energy is counted for it", s.Unobserved.Round(time.Millisecond))
	if s.Limit > 0 {
		least := "0 J"
		if s.Floor > 0 {
			least = s.Floor.For(s.Unobserved).String() + " (idle)"
		}
		text += fmt.Sprintf(", though %s to %v (its limit) may have been used", least, s.Limit.For(s.Unobserved))
	}
	return text + "; the uncertainty allows for it"
}
