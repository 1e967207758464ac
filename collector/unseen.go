package collector

import (
	"math"
	"time"

	"greenagent/energy"
)

// Some sensors see a part of the time: 25 of every 100 ms on A100, half on Volta
// and Pascal. A load in step with them is misread however long it is watched, and
// nothing in their readings tells. What does is the driver's utilization rate, which
// leaves no time out: where a kernel ran all the time or none did, what was unseen
// was as what was seen; where one ran for a part of it and no power was seen to go up
// and down, all of the ups may be in what was unseen, or all of the downs.

const (
	// blindness is the relative standard uncertainty of the power that a sensor
	// remembers of the past.
	blindness = 0.1
	// residue is the relative standard uncertainty of what a sensor did not see
	// beside what it saw, where the utilization rate leaves no room for more.
	residue = 0.05
	// usedWithin is the time that a utilization rate is of, at most. The driver takes
	// it from few samples, which may be in step with a load, too: rates are taken
	// together for as long as it takes to fall out of step.
	usedWithin = time.Second
	uses       = 10
	// useEvery is how often one is wanted, and useTrusted for how long it is good.
	useEvery   = 250 * time.Millisecond
	useTrusted = 1500 * time.Millisecond
	// lagSees is the part of the time that a sensor with a lag as long as its tick
	// sees: its ripple under a load in step shows as if a quarter were unseen.
	lagSees = 0.75
	// lagStep is the part of a tick by which a lagging sensor misplaces a step.
	lagStep = 0.16
)

// unseen is what power integrated from such a sensor may be off by.
type unseen struct {
	variance float64       // µJ², of steps that came anywhere between two looks
	steps    float64       // µJ: what they come to if all err to the same side
	balance  float64       // µJ, by which busy time exceeds that seen, + or −
	above    float64       // µJ that may have been hidden,
	below    float64       // and those that may have been shown too much
	use      [uses]float64 // the latest utilization rates, 0 to 1
	count    int
	used     energy.Instant
	until    energy.Instant // up to where all this was judged
}

// sees returns which part of the time the power sensor sees.
func (d *Domain) sees() float64 {
	if d.Lag > 0 {
		return lagSees
	}
	return d.Window
}

// gapless reports whether the domain's power leaves nothing unseen.
func (d *Domain) gapless() bool { return d.Average > 0 || d.sees() >= 1 }

// blind takes note of a step of power that came anywhere within d.
func (g *Integrator) blind(step energy.Power, d time.Duration) {
	if g.source != byPower {
		return
	}
	off := float64(step.For(d))
	g.unseen.variance += off * off / 12
	if g.domain.Lag > 0 {
		off *= lagStep
	}
	g.unseen.steps += math.Abs(off) / 2
}

// judge weighs what was unseen until an instant against the utilization rate.
func (g *Integrator) judge(r Reading) {
	u := &g.unseen
	if r.Has&HasUse != 0 {
		u.use[u.count%uses], u.used = float64(min(max(r.Use, 0), 100))/100, r.At
		u.count++
	}
	if g.source != byPower || g.domain.sees() >= 1 || r.At.Sub(u.until) < useEvery*9/10 {
		return
	}
	g.judgeUntil(r.At)
}

func (g *Integrator) judgeUntil(at energy.Instant) {
	u := &g.unseen
	span := g.curve.Span()
	d := min(at.Sub(max(u.until, span.Start)), usedWithin)
	u.until = at
	use, within := u.rate()
	v := energy.Interval{Start: max(at.Add(-within), span.Start), End: span.End}
	lowest, highest, ok := g.curve.slopes(v)
	if d <= 0 || v.Duration() <= 0 || !ok {
		return
	}
	// Between knots close together, roundings make for slopes that were never seen.
	lowest, highest = max(lowest, min(g.lowest, highest)), min(highest, max(g.peak, lowest))
	e, whole := g.curve.Energy(v), v.Duration()
	if before := g.remember(v.Start); before != unknownPower && v.Start == span.Start && whole < within {
		// The rate is of a time that begins before the curve does.
		e, whole = e+before.For(within-whole), within
		lowest, highest = min(lowest, before), max(highest, before)
	}
	known := u.used > 0 && at.Sub(u.used) < useTrusted
	s := sight{
		sees: g.domain.sees(), lowest: float64(lowest), highest: float64(highest), mean: float64(e.Over(whole)),
		floor: float64(max(0, min(g.lowest, lowest))), limit: float64(max(g.domain.Limit, g.peak, highest)),
	}
	balance, above, below := s.hides(use, known)
	u.balance += balance * d.Seconds()
	u.above += above * d.Seconds()
	u.below += below * d.Seconds()
}

// rate returns the mean of the latest rates, and the time it is of.
func (u *unseen) rate() (mean float64, within time.Duration) {
	n := min(u.count, uses)
	for _, rate := range u.use[:n] {
		mean += rate / float64(n)
	}
	return mean, usedWithin + useEvery*time.Duration(max(0, n-1))
}

// sight is what was seen of some time, and what may have been: powers in µW.
type sight struct {
	sees                  float64 // the part of the time
	lowest, highest, mean float64 // of what was seen
	floor, limit          float64 // of what may have been
}

// hides returns by how much the mean power may differ from that seen when a kernel
// ran for a part u of the time: what the swing that was seen accounts for, and what
// may have been above and below where no swing was.
//
// With powers lo and hi without and with a kernel, and s the part of the time seen in
// which one ran, what was seen is lo + s (hi − lo), the truth lo + u (hi − lo), and
// they differ by (u − s)(hi − lo). The part unseen holds between none and all of its
// time of kernels, which bounds s.
func (v sight) hides(u float64, known bool) (balance, above, below float64) {
	part := 1 - v.sees
	up, down := v.limit-v.mean, v.mean-v.floor
	swing := v.highest - v.lowest
	accounted := min(1, 2*swing/max(v.highest, 1))
	if !known {
		return 0, (1 - accounted) * part * up, (1 - accounted) * part * down
	}
	least, most := max(0, (u-part)/v.sees), min(1, u/v.sees)
	if swing > 0 {
		s := min(max((v.mean-v.lowest)/swing, least), most)
		balance = accounted * (u - s) * swing
	}
	// The differences are largest where s is least or most.
	above = (u - least) * min(ratio(up, 1-least), ratio(down, least))
	below = (most - u) * min(ratio(up, 1-most), ratio(down, most))
	return balance, (1 - accounted) * above, (1 - accounted) * below
}

// ratio is a/b, without end where b is nothing.
func ratio(a, b float64) float64 {
	if b <= 0 {
		return math.MaxFloat64 / 4
	}
	return a / b
}

// off returns by how much all of this may come to, in µJ: half of the interval in
// which the truth is.
func (u *unseen) off() float64 { return math.Abs(u.balance) + max(u.above, u.below) + u.steps }
