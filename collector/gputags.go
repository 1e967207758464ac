package collector

import (
	"errors"
	"math"
	"slices"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
)

// The driver's utilization sampler takes 72 tags in 10 s, each naming the one
// process that was active at that moment, and remembers them for as long. It tells
// of each process in what percentage of the tags since a stamp it was named, of
// processes that have ended, too.
const (
	samplerTags   = 72
	samplerMemory = 10 * time.Second
	// tagEvery is the time from one tag to the next. Where several processes share
	// a device, each tag is fetched as it comes: then it divides the energy of its
	// own moment, and what a process drew in its turn stays with it.
	tagEvery = samplerMemory / samplerTags
)

// tags is what is remembered of one device's sampler.
type tags struct {
	since   uint64         // the driver's stamp of the newest tag
	at      energy.Instant // when that was taken, 0 unknown
	read    energy.Instant // when the driver was last asked, 0 never
	seen    energy.Instant // when a new tag was last seen
	rewound energy.Instant // when the driver was last asked for all
	awaited energy.Instant // when somebody was first seen on the device
	blind   bool           // the driver has no utilization per process here
	started bool           // it has answered: what comes is new

	// Of the latest answer:
	covers time.Duration // since the answer before
	slots  float64       // tags taken since, of nobody too; 0 without a new one
}

// sample asks the sampler for what is new. What is stale, or cannot be, is left out.
func (o *GPUUsers) sample(device int, now energy.Instant) ([]nvml.Utilization, error) {
	t := &o.devices[device].tags
	t.slots, t.covers = 0, 0
	if t.blind {
		return nil, nil
	}
	sampled, err := o.lib.Utilization(device, t.since, o.sampled[:0])
	o.sampled = sampled
	if errors.Is(err, nvml.ErrUnsupported) {
		t.blind = true
		return nil, nil
	}
	if err != nil {
		return nil, err // the next answer goes back to t.since, and covers this interval
	}
	sampled = slices.DeleteFunc(sampled, func(s nvml.Utilization) bool {
		return s.PID <= 0 || s.Stamp <= t.since || s.At > now.Add(tagEvery) || max(s.SM, s.Encoder, s.Decoder) > 100
	})
	t.covers = min(now.Sub(t.read), samplerMemory)
	t.read = now
	if len(sampled) == 0 {
		return nil, o.rewind(device, now)
	}
	before, taken := t.since, t.at
	for _, s := range sampled {
		if s.Stamp > t.since {
			t.since, t.at = s.Stamp, s.At
		}
	}
	if !t.started {
		return nil, nil // it tells of the time before, too
	}
	t.seen = now
	passed := min(time.Duration(t.since-before)*time.Microsecond, samplerMemory)
	switch {
	case before == 0: // nobody was tagged before: it tells of all it remembers
		passed = samplerMemory
	case taken != 0: // the clock of the stamps may have been set forward
		passed = min(passed, now.Sub(taken))
	}
	t.slots = max(1, math.Round(passed.Seconds()/tagEvery.Seconds()))
	return sampled, nil
}

// rewind finds out whether the clock of the stamps was set back, as the wall clock may
// be: to the driver, new tags are then older than the newest, and it tells of none. By
// their dates they are not.
func (o *GPUUsers) rewind(device int, now energy.Instant) error {
	t := &o.devices[device].tags
	if t.since == 0 || t.at == 0 || now.Sub(max(t.seen, t.rewound)) < idleTags {
		return nil
	}
	t.rewound = now
	all, err := o.lib.Utilization(device, 0, o.sampled[:0])
	o.sampled = all
	var newest nvml.Utilization
	for _, s := range all {
		if newest.Stamp < s.Stamp && s.Stamp < t.since && t.at.Add(tagEvery) < s.At && s.At <= now {
			newest = s
		}
	}
	if newest.Stamp > 0 { // those up to here are of a time that is divided already
		t.since, t.at, t.seen = newest.Stamp, newest.At, now
	}
	return err
}

// credit notes a process's tags. One that no list has shown has come and gone since
// the list before.
func (o *GPUUsers) credit(a *Activity, s nvml.Utilization, slots float64) {
	// Who only encodes or decodes does not show among the tags of the SMs. How the
	// engines' power compares to theirs is not known: this is an upper bound.
	percent := s.SM
	if percent == 0 {
		percent = max(s.Encoder, s.Decoder)
	}
	if percent == 0 {
		return
	}
	i := latestOf(a.Usage, s.PID)
	if i < 0 && o.Abroad {
		a.Strangers = true
		return
	}
	if i < 0 {
		u := o.identify(a.Usage, s.PID)
		i, _ = slices.BinarySearchFunc(a.Usage, u, Compare)
		a.Usage = slices.Insert(a.Usage, i, u)
	}
	a.Usage[i].Busy += uint64(float64(percent)*slots*Tag/100 + 0.5)
}

// describe says how much the tags of an activity tell, and up to when. failed is
// what the sampler failed with.
func (t *tags) describe(a *Activity, now energy.Instant, failed error) {
	shared := len(a.Usage) > 1
	switch {
	case t.blind:
	case failed != nil:
		// The sampler remembers: better divided by what it tells later.
		a.Open = t.started && shared && now.Sub(t.read) < samplerMemory/2
	case !t.started: // the first answer
		if t.started = true; shared {
			a.Again = tagEvery
		}
	default:
		if !a.Strangers { // if so, that nobody known was tagged does not mean that nobody was active
			a.Method = ByUtilization
		}
		a.Samples = t.covers.Seconds() / tagEvery.Seconds()
		if !shared {
			return
		}
		a.Again = tagEvery
		a.Open = t.slots == 0 && now.Sub(max(t.seen, t.awaited)) < idleTags
		// A tag stands for the time around it, half of the way to its neighbours.
		if t.slots > 0 && now.Add(-2*tagEvery) < t.at && t.at <= now {
			a.Until = t.at.Add(tagEvery / 2)
		}
	}
}
