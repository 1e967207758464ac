package attribution

import (
	"math"

	"greenagent/collector"
	"greenagent/energy"
)

// doubt states how uncertain a division is.
type doubt struct {
	method  collector.Method
	amount  float64 // µJ
	cut     *Cut
	sharing *sharing
	sum     float64 // of the weights
	whole   portion // of all those present
}

// portion is what one process, or one owner, has of an interval: what its doubt
// follows from.
type portion struct {
	share    float64 // µJ charged
	tags     float64 // of the window
	worth    float64 // of these tags, µJ
	told     float64 // the variance of worth where levels are told, µJ²
	untold   float64 // and where they are not
	rest     float64 // the worth of those, which have what the others leave
	presence float64 // for how long, ns
	parts    int     // processes with a share
}

func (p *portion) add(q portion) {
	p.share += q.share
	p.tags += q.tags
	p.worth += q.worth
	p.told += q.told
	p.untold += q.untold
	p.rest += q.rest
	p.presence += q.presence
	p.parts += q.parts
}

// of returns the portion of one of those present.
func (d *doubt) of(i int, share energy.Energy) portion {
	p := portion{share: float64(share)}
	if share > 0 {
		p.parts = 1
	}
	if d.method == collector.ByUtilization {
		q := &d.sharing.parties[i]
		p.tags, p.worth, p.presence = q.tags, q.tags*q.level, float64(presence(&d.cut.Activity.Usage[i], d.cut.Interval))
		variance := p.worth * p.worth * q.spread
		if d.cut.Activity.Concurrent {
			variance *= concurrent
		}
		if q.known() {
			p.told = variance
		} else {
			p.untold, p.rest = variance, p.worth
		}
	}
	return p
}

// concurrent is by how much the variance of levels is larger where several run at
// one moment: a tag then tells neither that its process had the device alone.
const concurrent = 4

// stated returns the variance, in µJ², of a portion that is independent from
// interval to interval, and the standard uncertainty, in µJ, of what is not.
func (d *doubt) stated(p portion) (variance, systematic float64) {
	if d.amount <= 0 {
		return 0, 0
	}
	switch d.method {
	case collector.ByUtilization:
		return d.sampling(p), math.Hypot(d.levels(p), d.contexts(p))
	case collector.ByMemory:
		// No measure of activity: the share may be anything, and stay so.
		s := p.share / d.amount
		return 0, d.amount * math.Sqrt(max(0, s*(1-s)))
	case collector.ByCPUTime:
		// Each end of the interval falls anywhere within a step. Who took none did
		// not take one in many intervals together either.
		if d.sum > 0 {
			off := d.amount * float64(d.cut.Activity.Step) / d.sum
			return off * off / 6 * float64(p.parts), 0
		}
	}
	return 0, 0
}

// sampling returns the variance by the number of tags. Of n tags each names the
// process with probability s: the share's variance is s(1−s)/n. One seen as 0 or 1
// in a few tags is not certain to be that: the estimate of Agresti and Coull adds
// two tags either way. Unlike levels move it by the slope of sℓ/(sℓ+(1−s)r).
func (d *doubt) sampling(p portion) float64 {
	s := d.sharing
	if s.tags <= 0 || p.presence >= d.whole.presence { // whose tag it is, it is one of its own
		return 0
	}
	share := (p.tags + 2) / (s.tags + 4)
	slope := 1.0
	if all := d.whole.worth; p.tags > 0 && s.tags > p.tags && all > p.worth {
		level, rest := p.worth/p.tags, (all-p.worth)/(s.tags-p.tags)
		mean := share*level + (1-share)*rest
		slope = level * rest / (mean * mean)
	}
	// That the share is itself of few tags adds two parts in their number.
	few := 1 + 2*max(s.tags-1, 0)/(s.tags*s.tags)
	return d.amount * d.amount * slope * slope * share * (1 - share) * few / max(s.tagged, 1) * s.turns.sampling()
}

// levels returns the standard uncertainty by not knowing what power a tag stands
// for. All levels together are known, by the energy there is: who has all tags has
// no such doubt.
func (d *doubt) levels(p portion) float64 {
	all := d.whole
	if all.worth <= 0 {
		return 0
	}
	open := d.amount / all.worth * math.Sqrt(max(0, p.off(all)))
	if d.cut.Activity.Concurrent {
		return open
	}
	return d.sharing.turns.open() * min(open, d.ceiling(p))
}

// off returns the variance of a portion's worth where all that is worth anything is
// known to be worth what there is: of those whose levels are told, what these leave
// to the others, and who of the others has how much of it.
func (p portion) off(all portion) float64 {
	if all.rest <= 0 {
		return p.told * (1 - p.told/max(all.told, math.SmallestNonzeroFloat64))
	}
	part := p.rest / all.rest
	among := p.untold * (1 - p.untold/max(all.untold, math.SmallestNonzeroFloat64))
	return p.told*(1-part)*(1-part) + (all.told-p.told)*part*part + among
}

// overshoot is what a device may draw, in parts of its limit, for as short as a turn
// lasts: the limit holds for the mean of many.
const overshoot = 1.5

// ceiling returns the most by which levels can be off if a process that is active
// draws no more than a device can.
func (d *doubt) ceiling(p portion) float64 {
	s := d.sharing
	if d.cut.Limit <= 0 || s.tags <= 0 {
		return math.Inf(1)
	}
	most := overshoot*float64(d.cut.Limit.For(d.cut.Interval.Duration())) - float64(d.cut.Floor)
	part := p.tags / s.tags
	charged := p.worth / d.whole.worth * d.amount
	up := part*most - charged
	down := charged - max(0, d.amount-(1-part)*most)
	return max(up, down, 0) / energy.Coverage * 1.1
}

// contexts returns the standard uncertainty by not knowing what is for contexts: it
// would be divided equally, and is divided by tags, in whose levels it is.
func (d *doubt) contexts(p portion) float64 {
	s, v := d.sharing, d.cut.Interval.Duration()
	unknown := s.unknownContext(d.cut, energy.Energy(d.amount).Over(v))
	if unknown == 0 || s.tags <= 0 {
		return 0
	}
	return float64(unknown.For(v)) * math.Abs(p.presence/d.whole.presence-p.tags/s.tags)
}
