package doctor

import (
	"errors"
	"time"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/nvml"
)

// trial is a GPU under observation: what it answered, and how long it took.
type trial struct {
	nvml.Device
	index  int
	source collector.Domain // as a run would have it

	begun, last             energy.Instant // the first and the latest look
	looks, failures, silent int            // silent: failures in a row
	failed                  error          // the latest failure
	sample                  nvml.Sample
	scope                   nvml.Scope
	counter                 trace // µJ
	instant, average        trace // µW
	fell, leapt             int   // of the counter

	turn     int            // which of the slow requests is next
	nextTurn energy.Instant // and when
	listed   error          // of the latest list of processes
	present  int
	status   nvml.Status
	statused error
	rests    []rest
	alone    energy.Instant // since when nobody was there, and the state the same; 0 not
	sampled  error          // of who was active
	tags     tags
	nextTag  energy.Instant
	ring     []nvml.PowerSample
	ringed   error
	ringRead energy.Instant
	wall     time.Time // when the ring was read

	took [requests][]time.Duration
}

// The kinds of request.
const (
	requestSample = iota
	requestProcesses
	requestStatus
	requestActivity
	requestRing
	requests
)

var requestNames = [requests]string{"sample", "processes", "status", "utilization", "power samples"}

// rest is a time in which nobody was on the GPU.
type rest struct {
	energy.Interval
	state int // performance state, negative unknown
}

// tags are the stamps of who was active.
type tags struct {
	newest uint64 // µs
	apart  []time.Duration
	seen   energy.Instant // when one came last
}

func newTrial(index int, d nvml.Device, source collector.Domain) *trial {
	// The state comes first: idle power is told by it.
	return &trial{Device: d, index: index, source: source, turn: requestStatus - 1, status: nvml.Status{PerformanceState: -1}}
}

// answered reports whether there is enough to tell of.
func (t *trial) answered() bool { return t.looks-t.failures > resigned }

// resigned is how many failures in a row make looks rare, and what must have been
// answered to be worth telling.
const resigned = 20

// look takes one reading, and one of the slow requests when that is due.
func (t *trial) look(lib subject, clock energy.Clock) {
	now := clock.Now()
	if t.silent < resigned || now >= t.nextTurn {
		t.read(lib, clock)
	}
	switch {
	case t.silent >= resigned:
		if now >= t.nextTurn {
			t.nextTurn = now.Add(slowLooks)
		}
	case now >= t.nextTurn:
		t.nextTurn = now.Add(slowLooks / (requests - 1))
		t.turn = 1 + t.turn%(requests-1)
		t.ask(t.turn, lib, clock)
	case t.tags.newest > 0 && now >= t.nextTag && now.Sub(t.tags.seen) < 2*slowLooks:
		t.ask(requestActivity, lib, clock)
	}
}

func (t *trial) read(lib subject, clock energy.Clock) {
	s := &t.sample
	err := lib.Sample(t.index, s)
	if t.looks++; t.looks == 1 {
		t.begun = clock.Now()
	}
	if err != nil && !s.HasCounter && !s.HasInstant && !s.HasAverage {
		t.failures++
		t.silent++
		t.failed, t.last = err, clock.Now()
		return
	}
	t.silent, t.last, t.scope = 0, s.After, s.Scope
	t.took[requestSample] = append(t.took[requestSample], s.After.Sub(s.Before))
	if s.HasCounter {
		t.weigh(int64(s.Counter))
		t.counter.note(s, int64(s.Counter))
	}
	if s.HasInstant {
		t.instant.note(s, int64(s.Instant))
	}
	if s.HasAverage {
		t.average.note(s, int64(s.Average))
	}
}

// weigh counts what a counter cannot do: fall, or rise by more than the board can
// draw.
func (t *trial) weigh(value int64) {
	last, ok := t.counter.latest()
	if !ok {
		return
	}
	const tolerance = 1.5 // as the integrator has it
	const pending = 200 * time.Millisecond
	most := tolerance * t.MaxLimit.Watts() * (t.sample.After.Sub(last.at) + pending).Seconds()
	switch rise := energy.Energy(value - last.value); {
	case rise < 0:
		t.fell++
	case t.MaxLimit > 0 && rise.Joules() > most:
		t.leapt++
	}
}

// ask makes one of the slow requests.
func (t *trial) ask(request int, lib subject, clock energy.Clock) {
	begun := clock.Now()
	var err error
	switch request {
	case requestProcesses:
		var list []nvml.Process
		list, err = lib.Processes(t.index, nil)
		t.listed, t.present = err, len(list)
		t.rested(clock.Now())
	case requestStatus:
		state := t.status.PerformanceState
		err = lib.Status(t.index, &t.status)
		t.statused = err
		if t.status.PerformanceState != state {
			t.alone = 0
		}
	case requestActivity:
		var list []nvml.Utilization
		list, err = lib.Utilization(t.index, t.tags.newest, nil)
		t.sampled = err
		t.tags.note(list, clock.Now())
		t.nextTag = clock.Now().Add(tagLooks)
	case requestRing:
		t.ring, err = lib.PowerSamples(t.index, 0, t.ring[:0])
		t.ringed, t.ringRead, t.wall = err, clock.Now(), time.Now()
	}
	if err == nil {
		t.took[request] = append(t.took[request], clock.Now().Sub(begun))
	}
}

// rested notes the time since the last list of processes, if that was empty and
// this one is.
func (t *trial) rested(now energy.Instant) {
	if t.listed != nil || t.present > 0 {
		t.alone = 0
		return
	}
	if t.alone > 0 {
		t.rests = append(t.rests, rest{energy.Interval{Start: t.alone, End: now}, t.status.PerformanceState})
	}
	t.alone = now
}

func (g *tags) note(list []nvml.Utilization, now energy.Instant) {
	newest := g.newest
	for _, u := range list {
		newest = max(newest, u.Stamp)
	}
	if newest > g.newest {
		if g.newest > 0 {
			g.apart = append(g.apart, time.Duration(newest-g.newest)*time.Microsecond)
		}
		g.newest, g.seen = newest, now
	}
}

// finish asks once more for what may not have been asked yet.
func (t *trial) finish(lib subject, clock energy.Clock) {
	if errors.Is(t.failed, nvml.ErrHung) || t.silent >= resigned {
		return
	}
	for request := requestProcesses; request < requests; request++ {
		if len(t.took[request]) == 0 || request == requestRing {
			t.ask(request, lib, clock)
		}
	}
}

// trace is what one quantity showed.
type trace struct {
	rhythm collector.Rhythm
	looked energy.Instant // the latest look
	steps  []step         // the first value, and each change
}

// step is a change of a shown value.
type step struct {
	at    energy.Instant // the middle of the two looks between which it was
	value int64
}

func (c *trace) note(s *nvml.Sample, value int64) {
	at := s.Before + (s.After-s.Before)/2
	last, ok := c.latest()
	moved := !ok || last.value != value
	c.rhythm.Look(at, s.After.Sub(s.Before)/2, moved && ok)
	if moved {
		changed := at
		if ok {
			changed = c.looked + (at-c.looked)/2
		}
		c.steps = append(c.steps, step{changed, value})
	}
	c.looked = at
}

func (c *trace) latest() (step, bool) {
	if len(c.steps) == 0 {
		return step{}, false
	}
	return c.steps[len(c.steps)-1], true
}

// ticks are the steps that were seen to happen: all but the first value.
func (c *trace) ticks() []step {
	if len(c.steps) == 0 {
		return nil
	}
	return c.steps[1:]
}
