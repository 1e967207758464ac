package meter

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/energy"
)

// Config says what is asked of a meter.
type Config struct {
	Clock energy.Clock
	// From is the instant from which energy is wanted.
	From energy.Instant
	// Observe is how often it is asked who was busy; 0 means every second.
	Observe time.Duration
	// Policy says who pays for idle energy; Reserved who does under that policy.
	Policy   attribution.Policy
	Reserved collector.Owner
	// Log is told of failures when they happen; nil for none.
	Log *slog.Logger
}

// Meter measures until it is finished. Its methods may be called from any
// goroutine.
type Meter struct {
	config Config
	ctx    context.Context
	cancel context.CancelFunc

	mu    sync.Mutex
	feeds []*feed
	to    energy.Instant // set by Finish
}

// New returns a meter without feeds. The caller must call Finish.
func New(c Config) *Meter {
	if c.Observe <= 0 {
		c.Observe = time.Second
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Meter{config: c, ctx: ctx, cancel: cancel}
}

// Add starts reading a source, at any time: sensors that take long to open join
// later. After Finish it closes the feed and does nothing.
func (m *Meter) Add(f Feed) {
	if len(f.Source.Domains()) == 0 {
		closeFeed(f)
		return
	}
	m.mu.Lock()
	kept := slices.IndexFunc(m.feeds, func(k *feed) bool { return k.kept && k.Name == f.Name })
	var before *feed
	if kept >= 0 {
		before = m.feeds[kept]
	}
	m.mu.Unlock()
	r := newFeed(f, m.config, before)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		closeFeed(f)
		return
	}
	if before != nil {
		m.feeds[kept] = r
	} else {
		m.feeds = append(m.feeds, r)
	}
	go r.run(m.ctx)
}

func closeFeed(f Feed) {
	if f.Close != nil {
		_ = f.Close() // nothing was read: there is nobody to tell
	}
}

// Finish ends all feeds at an instant, waits at most grace for the next ticks of
// their counters, and returns the final state. A feed that does not answer in
// time is settled with what it has told so far; its goroutine ends when its
// sensor returns.
func (m *Meter) Finish(at energy.Instant, grace time.Duration) attribution.Snapshot {
	m.cancel()
	m.mu.Lock()
	m.to = at
	feeds := slices.Clone(m.feeds)
	m.mu.Unlock()
	for _, f := range feeds {
		f.conclude(at)
	}

	var ended sync.WaitGroup
	timeout := make(chan struct{})
	timer := time.AfterFunc(grace+answer, func() { close(timeout) })
	defer timer.Stop()
	for _, f := range feeds {
		finished := make(chan struct{})
		go func() {
			defer close(finished)
			<-f.done
			f.finish(at, grace)
			closeFeed(f.Feed)
		}()
		ended.Go(func() {
			select {
			case <-finished:
			case <-timeout:
				f.abandon(at)
			}
		})
	}
	ended.Wait()
	return m.Snapshot()
}

// answer is how long a sensor may take over its last reading.
const answer = 200 * time.Millisecond

// Snapshot returns the state as of the latest booking.
func (m *Meter) Snapshot() attribution.Snapshot {
	m.mu.Lock()
	feeds, to := slices.Clone(m.feeds), m.to
	m.mu.Unlock()
	if to == 0 {
		to = m.config.Clock.Now()
	}
	s := attribution.Snapshot{
		Interval: energy.Interval{Start: m.config.From, End: to},
		Policy:   m.config.Policy,
	}
	rows := map[rowKey]int{}
	for _, f := range feeds {
		domains, accounts, warnings := f.state()
		offset := len(s.Domains)
		s.Domains = append(s.Domains, domains...)
		s.Warnings = append(s.Warnings, warnings...)
		for _, a := range accounts {
			key := rowKey{a.Process, a.Owner}
			i, ok := rows[key]
			if !ok {
				i = len(s.Processes)
				rows[key] = i
				s.Processes = append(s.Processes, attribution.ProcessState{
					Process: a.Process, Owner: a.Owner, Command: a.Command.String(),
				})
			}
			s.Processes[i].Add(offset, a.Entries)
		}
	}
	for i := range s.Processes {
		s.Processes[i].Add(len(s.Domains), nil)
	}
	return s
}

// rowKey joins what several feeds know of one process.
type rowKey struct {
	process collector.Process
	owner   collector.Owner
}
