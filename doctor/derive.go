package doctor

import (
	"math"
	"slices"
	"sort"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/profile"
)

// describe writes down what was seen. What was not seen this time, as the state
// that the GPU was not in, stays as it was known.
func (t *trial) describe(p *profile.Profile, now time.Time) {
	now = now.UTC().Truncate(time.Second)
	p.Name, p.Architecture, p.Learnt = t.Name, t.Architecture, now
	p.Characterised = &profile.Observation{
		At: now, For: seconds(t.last.Sub(t.begun)), Looks: t.looks, Failed: t.failures,
		Apart: seconds(t.last.Sub(t.begun) / time.Duration(max(1, t.looks-1))),
	}
	p.Counter, p.Power, p.Average = t.describeCounter(p.Counter), nil, nil
	if len(t.average.steps) > 0 {
		p.Average = t.describePower("average", &t.average)
	}
	if len(t.instant.steps) > 0 {
		p.Power = t.describePower("instant", &t.instant)
	} else {
		p.Power = p.Average
	}
	p.Ring = t.describeRing()
	if p.Activity = nil; t.sampled == nil && len(t.took[requestActivity]) > 0 {
		p.Activity = &profile.Activity{Every: middle(t.tags.apart)}
	}
	if p.Processes = nil; len(t.took[requestProcesses]) > 0 || t.listed != nil {
		listed := t.listed == nil
		p.Processes = &listed
	}
	if p.Instances = nil; t.Instances != nil {
		n := len(t.Instances)
		p.Instances = &n
	}
	for _, i := range t.idle(now) {
		p.Rest(i)
	}
	p.CrossCheck = nil
	if k, ok := t.crosscheck(); ok {
		p.CrossCheck = &k
	}
	p.Calls = nil
	for request, took := range t.took {
		if call, ok := latencies(requestNames[request], took); ok {
			p.Calls = append(p.Calls, call)
		}
	}
}

func seconds(d time.Duration) energy.Seconds { return energy.Seconds(d.Truncate(time.Microsecond)) }

func maybe(d time.Duration) *energy.Seconds { s := seconds(d); return &s }

// middle is the median of some times, nil of none.
func middle(list []time.Duration) *energy.Seconds {
	if len(list) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(list))
	return maybe(sorted[len(sorted)/2])
}

func (t *trial) describeCounter(known *profile.Counter) *profile.Counter {
	if len(t.counter.steps) == 0 {
		return nil
	}
	c := &profile.Counter{Tick: profile.TickOf(t.counter.rhythm.Tempo()), Step: t.resolution()}
	if known != nil {
		if c.Tick == nil {
			c.Tick = known.Tick
		}
		if c.Step == nil {
			c.Step = known.Step
		}
	}
	return c
}

// resolution is the greatest common divisor of all advances. Where they are all
// alike, as on a board that draws a constant power, it says nothing.
func (t *trial) resolution() *energy.Energy {
	var divisor, first int64
	alike := true
	ticks := t.counter.steps
	for i := range ticks[1:] {
		rise := ticks[i+1].value - ticks[i].value
		if rise <= 0 {
			return nil
		}
		if first == 0 {
			first = rise
		}
		alike = alike && rise == first
		for a, b := divisor, rise; ; a, b = b%a, a {
			if a == 0 {
				divisor = b
				break
			}
		}
	}
	if alike {
		return nil
	}
	e := energy.Energy(divisor)
	return &e
}

// describePower describes a power sensor. Its window is measured where power changed
// and the counter is fast enough to tell, and the published one otherwise.
func (t *trial) describePower(field string, c *trace) *profile.Power {
	p := &profile.Power{Field: field, Scope: "gpu", Tick: profile.TickOf(c.rhythm.Tempo()), Source: profile.SourceTable}
	if t.scope == nvml.ScopeModule {
		p.Scope = "module"
	}
	switch {
	case field == "average":
		p.Window = maybe(averageWindow)
	case t.source.Lag > 0:
		p.Lag = maybe(t.source.Lag)
	default:
		p.Window = maybe(time.Duration(t.source.Window * float64(t.source.Tick)))
	}
	if p.Scope == "gpu" && t.source.Lag == 0 {
		if window, within, ok := t.window(c); ok {
			p.Window, p.WindowWithin, p.Source = maybe(window), maybe(within), profile.SourceMeasured
		}
	}
	return p
}

// averageWindow is that of the average, as nvml.h has it: one second.
const averageWindow = time.Second

func (t *trial) describeRing() *profile.Ring {
	if t.ringed != nil || len(t.ring) == 0 {
		return nil
	}
	r := &profile.Ring{Length: len(t.ring)}
	var apart []time.Duration
	for i := range t.ring[1:] {
		apart = append(apart, time.Duration(t.ring[i+1].Stamp-t.ring[i].Stamp)*time.Microsecond)
	}
	r.Every = middle(apart)
	// Boot and epoch are decades apart: a stamp is on the clock to which it is nearer.
	newest := t.ring[len(t.ring)-1].Stamp
	off := func(now int64) float64 { return math.Abs(float64(newest) - float64(now)) }
	r.Clock = profile.ClockBoot
	if off(t.wall.UnixMicro()) < off(int64(t.ringRead)/1e3) {
		r.Clock = profile.ClockEpoch
	}
	return r
}

// latencies sums up how long requests took.
func latencies(name string, took []time.Duration) (profile.Call, bool) {
	n := len(took)
	if n == 0 {
		return profile.Call{}, false
	}
	sorted := slices.Sorted(slices.Values(took))
	return profile.Call{Name: name, Count: n, Median: seconds(sorted[n/2]), P95: seconds(sorted[min(n-1, n*95/100)]), Max: seconds(sorted[n-1])}, true
}

const (
	// shortestIdle is for how long a GPU must have been seen with nobody on it, and
	// calm by how much its power may differ over that.
	shortestIdle = time.Second
	calm         = 0.05
)

// idle returns what the GPU drew in each state in which it was at rest.
func (t *trial) idle(now time.Time) []profile.Idle {
	byState := map[int][]rest{}
	var states []int
	for _, r := range t.rests {
		if byState[r.state] == nil {
			states = append(states, r.state)
		}
		byState[r.state] = append(byState[r.state], r)
	}
	var all []profile.Idle
	for _, state := range states {
		lowest := math.Inf(1)
		for _, r := range byState[state] {
			if p, ok := t.mean(r.Interval); ok {
				lowest = math.Min(lowest, p)
			}
		}
		var sum float64
		var length time.Duration
		for _, r := range byState[state] {
			if p, ok := t.mean(r.Interval); ok && p <= lowest*(1+calm) {
				sum += p * float64(r.Duration())
				length += r.Duration()
			}
		}
		if length < shortestIdle || sum <= 0 {
			continue
		}
		i := profile.Idle{Power: energy.Power(math.Round(sum / float64(length))), For: seconds(length), At: now}
		if state >= 0 {
			i.State = &state
		}
		all = append(all, i)
	}
	return all
}

// mean is the mean power over an interval, in µW: by the counter, else by power of
// the GPU.
func (t *trial) mean(v energy.Interval) (float64, bool) {
	if len(t.counter.ticks()) > 1 {
		from, to, ok := t.counter.within(v)
		if !ok {
			return 0, false
		}
		return (t.counter.level(to) - t.counter.level(from)) / float64(to.Sub(from)) * 1e9, true
	}
	c := &t.instant
	if len(c.steps) == 0 {
		c = &t.average
	}
	if len(c.steps) == 0 || t.scope != nvml.ScopeGPU || v.Start < c.steps[0].at {
		return 0, false
	}
	return c.held(v.Start, v.End) / float64(v.Duration()), true
}

// within narrows an interval to where ticks are on both sides, and reports whether
// most of it is left.
func (c *trace) within(v energy.Interval) (from, to energy.Instant, ok bool) {
	ticks := c.ticks()
	from, to = max(v.Start, ticks[0].at), min(v.End, ticks[len(ticks)-1].at)
	return from, to, to > from && to.Sub(from) > v.Duration()/2
}

// level is the value of a counter between its ticks, which are on either side.
func (c *trace) level(at energy.Instant) float64 {
	ticks := c.ticks()
	i := sort.Search(len(ticks), func(i int) bool { return ticks[i].at >= at })
	if i == 0 {
		return float64(ticks[0].value)
	}
	if i == len(ticks) {
		return float64(ticks[i-1].value)
	}
	a, b := ticks[i-1], ticks[i]
	return float64(a.value) + float64(b.value-a.value)*float64(at-a.at)/float64(b.at-a.at)
}

// held is the integral of what was shown, as long as it was shown, in units × ns.
func (c *trace) held(from, to energy.Instant) (sum float64) {
	for i, s := range c.steps {
		end := to
		if i+1 < len(c.steps) {
			end = min(end, c.steps[i+1].at)
		}
		if begin := max(s.at, from); end > begin {
			sum += float64(s.value) * float64(end.Sub(begin))
		}
	}
	return sum
}
