package collector

import (
	"time"

	"greenagent/energy"
)

// A sensor moves in ticks (every 10 to 100 ms, by device) and NVML does not say
// when. Polling brackets each tick between two readings; since ticks are
// periodic, the brackets of many ticks together place each of them far better
// than its own bracket does.

// bracket says that a tick fell after lo, at hi at the latest.
type bracket struct{ lo, hi energy.Instant }

func (b bracket) middle() energy.Instant { return b.lo + (b.hi-b.lo)/2 }
func (b bracket) width() time.Duration   { return b.hi.Sub(b.lo) }
func (b bracket) half() time.Duration    { return b.width() / 2 }
func (b bracket) shift(d time.Duration) bracket {
	return bracket{b.lo.Add(d), b.hi.Add(d)}
}
func (b bracket) widen(d time.Duration) bracket {
	return bracket{b.lo.Add(-d), b.hi.Add(d)}
}

// intersect returns what both brackets allow, and whether that is anything.
func (b bracket) intersect(c bracket) (bracket, bool) {
	r := bracket{max(b.lo, c.lo), min(b.hi, c.hi)}
	return r, r.lo <= r.hi
}

// ticks tracks a sensor's period and phase. The zero value has no lock: it
// knows each tick by its own bracket only.
type ticks struct {
	period time.Duration // 0 without a lock
	slack  time.Duration // period is uncertain by ± this
	edge   bracket       // where the latest tick was
	anchor bracket       // where an early tick was, count ticks before edge
	count  int64
	misses int
}

const (
	// drift widens predictions: the sensor's crystal is not the host's, and 100
	// parts per million is generous for both.
	drift = 1e-4
	// maxMisses is how many ticks in a row may fall outside their prediction
	// before the lock is given up.
	maxMisses = 3
)

// assume returns ticks of a period known beforehand to one part in fifty, one of
// which was just seen.
func assume(period time.Duration, seen bracket) ticks {
	return ticks{period: period, slack: period / 50, edge: seen, anchor: seen}
}

// confirm takes a period found by an earlier run, if at least two ticks were seen
// since and all of them keep to it.
func (k *ticks) confirm(period time.Duration, seen []bracket) bool {
	if len(seen) < 2 || period <= 0 {
		return false
	}
	known := assume(period, seen[0])
	for i, b := range seen[1:] {
		if b.lo <= seen[i].hi || b.width() > period/2 {
			return false // room for another tick
		}
		at, ok := known.predict(1).intersect(b)
		if !ok {
			return false
		}
		known.edge = at
		known.count++
		known.refine()
	}
	*k = known
	return true
}

// lock derives period and phase from the brackets of consecutive ticks. It
// reports whether none was left out, they are periodic, and the period is known
// to a quarter of itself.
func (k *ticks) lock(seen []bracket) bool {
	if len(seen) < 3 {
		return false
	}
	shortest, longest := time.Duration(0), time.Duration(1<<62)
	for i := range seen {
		if i > 0 && seen[i].lo <= seen[i-1].hi {
			// No reading between them showed the same as the one before: several
			// ticks may hide in one bracket, and the period found would be that of
			// the readings.
			return false
		}
		for j := i + 1; j < len(seen); j++ {
			n := time.Duration(j - i)
			shortest = max(shortest, seen[j].lo.Sub(seen[i].hi)/n)
			longest = min(longest, (seen[j].hi.Sub(seen[i].lo)+n-1)/n)
		}
	}
	if shortest > longest || shortest <= 0 || longest-shortest > longest/4 {
		return false
	}
	period, slack := shortest+(longest-shortest)/2, (longest-shortest+1)/2
	last := len(seen) - 1
	edge := seen[last]
	for i, b := range seen[:last] {
		if b.width() > period/2 {
			return false // room for another tick
		}
		n := time.Duration(last - i)
		if narrowed, ok := edge.intersect(b.shift(n * period).widen(n * slack)); ok {
			edge = narrowed
		}
	}
	*k = ticks{period: period, slack: slack, edge: edge, anchor: seen[0], count: int64(last)}
	return true
}

// locked reports whether the period is known.
func (k *ticks) locked() bool { return k.period > 0 }

// observe takes the bracket of the latest change of the sensor and returns
// where in it the last tick was. Several ticks may have passed since the
// previous call; the sensor shows the last.
func (k *ticks) observe(seen bracket) bracket {
	if !k.locked() {
		k.edge = seen
		return seen
	}
	narrowed, n, ok := k.match(seen)
	if !ok {
		k.misses++
		if k.misses >= maxMisses {
			*k = ticks{edge: seen}
			return seen
		}
		// One late tick: believe the bracket, keep the period.
		k.edge, k.anchor, k.count = seen, seen, 0
		return seen
	}
	k.misses = 0
	k.edge = narrowed
	k.count += n
	k.refine()
	return narrowed
}

// match returns which tick after the latest fell into a bracket, and where. Which
// one it was is a matter of rounding: the likeliest is tried first.
func (k *ticks) match(seen bracket) (narrowed bracket, n int64, ok bool) {
	likeliest := int64(seen.hi.Sub(k.edge.middle()) / k.period)
	for _, n := range [...]int64{likeliest, likeliest + 1, likeliest - 1} {
		if n < 1 {
			continue
		}
		if narrowed, ok := k.predict(n).intersect(seen); ok {
			return narrowed, n, true
		}
	}
	return bracket{}, 0, false
}

// predict returns where the n-th tick after the latest must be.
func (k *ticks) predict(n int64) bracket {
	d := time.Duration(n) * k.period
	return k.edge.shift(d).widen(time.Duration(n)*k.slack + time.Duration(float64(d)*drift))
}

// aim returns the moment after now at which a reading halves what is not known
// of where the next tick is, and false where that is known well enough.
func (k *ticks) aim(now energy.Instant) (energy.Instant, bool) {
	if !k.locked() || now <= k.edge.hi {
		return 0, false
	}
	next := k.predict(int64(now.Sub(k.edge.middle())/k.period) + 1)
	return next.middle(), next.middle() > now && next.width() > k.fine()
}

// fine is how well ticks need to be placed.
func (k *ticks) fine() time.Duration { return max(k.period/25, time.Millisecond) }

// refine narrows the period by the time since the anchor tick: its error is
// shared by all the ticks between.
func (k *ticks) refine() {
	if k.count < 1 {
		return
	}
	n := time.Duration(k.count)
	shortest := max(k.period-k.slack, k.edge.lo.Sub(k.anchor.hi)/n)
	longest := min(k.period+k.slack, (k.edge.hi.Sub(k.anchor.lo)+n-1)/n)
	if shortest > longest {
		// The period has drifted: start over from here with what is known.
		k.anchor, k.count = k.edge, 0
		k.slack += time.Duration(float64(k.period) * drift)
		return
	}
	k.period, k.slack = shortest+(longest-shortest)/2, (longest-shortest+1)/2
}
