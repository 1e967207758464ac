package collector

import (
	"math"
	"slices"
	"time"

	"greenagent/energy"
)

// Rhythm learns from dense readings how a sensor ticks. It keeps the bracket of
// every tick, for whoever looks at a sensor for its own sake; what a run needs of
// one is tracked by ticks. The zero value has seen nothing.
type Rhythm struct {
	last   bracket // of the latest look: the call's duration
	looked bool
	seen   []bracket
}

// Tempo is how a sensor ticks, as it was seen. The zero value is that it was not.
type Tempo struct {
	Period time.Duration // of the beat that fits all ticks best
	Within time.Duration // the period is uncertain by ± this (k = 2)
	Seen   int           // ticks
	// Median is that of the times between ticks, of which nine tenths are within
	// ± Spread. Jitter is by how much ticks are off the beat (RMS); looks that are x
	// apart contribute x/√12.
	Median, Spread, Jitter time.Duration
	// Even: they keep to the beat, so that it tells when the next is.
	Even bool
}

const (
	// fewest is how many ticks make a rhythm.
	fewest = 6
	// uneven is the part of a period that ticks are off the beat if there is none:
	// those that come at random are off by 0.29.
	uneven = 0.15
)

// Look takes note of a reading made at an instant ± spread, and of whether the
// sensor showed another value than at the look before.
func (r *Rhythm) Look(at energy.Instant, spread time.Duration, moved bool) {
	now := bracket{at.Add(-spread), at.Add(spread)}
	if moved && r.looked {
		r.seen = append(r.seen, bracket{r.last.lo, now.hi})
	}
	r.last, r.looked = now, true
}

// Tempo returns how the sensor ticks; the zero Tempo if it moved too seldom, or the
// looks were too far apart, to tell. A sensor that shows one value at several ticks
// in a row is taken to have ticked in between, as long as it changes at every
// second or third tick now and then.
func (r *Rhythm) Tempo() Tempo {
	if len(r.seen) < fewest {
		return Tempo{}
	}
	widths := make([]time.Duration, len(r.seen))
	for i, b := range r.seen {
		widths[i] = b.width()
	}
	slices.Sort(widths)
	coarse := 2 * widths[len(widths)/2]
	// Those seen sharply; a look that came late leaves a wide bracket.
	sharp := make([]bracket, 0, len(r.seen))
	for _, b := range r.seen {
		if b.width() <= coarse {
			sharp = append(sharp, b)
		}
	}
	gaps := make([]time.Duration, len(sharp)-1)
	for i := range gaps {
		gaps[i] = sharp[i+1].middle().Sub(sharp[i].middle())
	}
	sorted := slices.Sorted(slices.Values(gaps))
	shortest := sorted[len(sorted)/10]
	if shortest <= coarse {
		return Tempo{} // several ticks may hide between two looks
	}
	singles := sorted[:0]
	for _, g := range sorted {
		if g < shortest*3/2 {
			singles = append(singles, g)
		}
	}
	n := len(singles)
	t := Tempo{Seen: len(sharp), Median: singles[n/2], Spread: (singles[n-1-n/20] - singles[n/20]) / 2}
	t.fit(sharp, gaps)
	return t
}

// fit puts a beat through the ticks: the line of least squares through when they
// were, over their number.
func (t *Tempo) fit(seen []bracket, gaps []time.Duration) {
	period := float64(t.Median)
	var rms, slopeError float64
	// The second time with the period that the first has found, by which long gaps
	// are divided rightly.
	for range 2 {
		var number, sumN, sumT, sumNN, sumNT float64
		numbers := make([]float64, len(seen))
		for i := range seen {
			if i > 0 {
				number += math.Max(1, math.Round(float64(gaps[i-1])/period))
			}
			at := float64(seen[i].middle() - seen[0].middle())
			numbers[i] = number
			sumN, sumT, sumNN, sumNT = sumN+number, sumT+at, sumNN+number*number, sumNT+number*at
		}
		n := float64(len(seen))
		variance := sumNN - sumN*sumN/n
		period = (sumNT - sumN*sumT/n) / variance
		phase := (sumT - period*sumN) / n
		var squares float64
		for i := range seen {
			off := float64(seen[i].middle()-seen[0].middle()) - phase - period*numbers[i]
			squares += off * off
		}
		rms = math.Sqrt(squares / n)
		slopeError = rms / math.Sqrt(variance)
	}
	t.Period, t.Jitter = time.Duration(period), time.Duration(rms)
	t.Within = time.Duration(2*slopeError) + time.Microsecond
	t.Even = rms <= uneven*period
}
