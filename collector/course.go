package collector

import (
	"slices"
	"time"

	"greenagent/energy"
)

// What sensors say of the power are means: of a tick of the counter, of the window
// of a power reading, of the last second. They overlap, leave gaps, and are placed
// only so well. The energy between any two instants follows from them by Bayes'
// rule. Power is taken to wander, nobody knows how fast, and to have changed in a
// step, at a moment nobody knows or when the command started or ended. Each such
// history counts by how well it explains the means; the figure is their average,
// and its variance is how much they differ.
//
// For a given rate the wandering is a Brownian motion, so that everything is jointly
// normal, and adding a step changes a covariance by a matrix of rank one: see
// Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2.2 and A.3.

// mean is the mean power over a stretch of time, as a sensor showed it.
type mean struct {
	energy.Interval
	power energy.Power
	off   energy.Power // its standard uncertainty
}

// course infers the energy of a stretch of time from means in and around it.
type course struct {
	means []mean
	turns []energy.Instant // at which the power may well have changed; at most two
	limit energy.Power     // 0 unknown
	tick  time.Duration    // what changes faster may go unseen
}

const (
	// A step is tried every fine of time near what is asked for and every coarse
	// elsewhere, but at no more than about twice mostTries moments.
	fine      = 2 * time.Millisecond
	coarse    = 8 * time.Millisecond
	nearby    = 150 * time.Millisecond
	mostTries = 250
	// stepRate is how many steps a second are expected, turning the odds of one at
	// a turn.
	stepRate = 1.0
	turning  = 4.0
	// simplicity allows for histories that are less simple than those considered:
	// the standard uncertainty is wider than theirs by this factor, which
	// TestUncertaintyCovers has shown to be enough.
	simplicity = 1.35
	// hidden is the part of the power by which its mean over a part of a tick may
	// differ from what is inferred, as a load in step with the ticks looks steady.
	hidden = 0.05
	// remote is from where on means are left out, as after a gap: what was a minute ago
	// tells next to nothing, and mostTries of moments would lie too far apart.
	remote = time.Minute
)

// wandering are the rates at which power may wander, in parts of the limit per √s:
// from a device at rest to one that works in bursts of milliseconds.
var wandering = [...]float64{1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3}

// infer returns the energy of an interval and its variance in µJ²; false without
// any means to infer it from. It forgets those that are remote.
func (c *course) infer(v energy.Interval) (e energy.Energy, variance float64, ok bool) {
	c.means = slices.DeleteFunc(c.means, func(m mean) bool {
		return v.Start.Sub(m.Start) > remote || m.End.Sub(v.End) > remote
	})
	if len(c.means) == 0 || v.Duration() <= 0 {
		return 0, 0, false
	}
	p := newPosterior(c, v)
	for _, rate := range wandering {
		p.wander(rate * p.limit)
	}
	joules, squared := p.sum.moments()
	d := p.v.length()
	joules = min(max(joules+p.level*d, 0), plausible*p.limit*d)
	fast := hidden * joules * min(1, c.tick.Seconds()/d)
	squared = simplicity*simplicity*squared + fast*fast
	return energy.FromJoules(joules), squared * square(float64(energy.Joule)), true
}
