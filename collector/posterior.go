package collector

import (
	"math"

	"greenagent/energy"
)

// posterior is an inference under way. Times are in seconds, powers in W.
type posterior struct {
	over  []stretch // of the means
	shown []float64 // what they show, less level
	noise []float64 // its variance
	level float64
	limit float64

	v     stretch // what is asked for
	tries []try
	turns []try

	factor []float64 // of the covariance of what is shown: Cholesky's, row by row
	z      []float64 // white: what is shown
	sum    mixture
}

// stretch is an interval, in seconds.
type stretch struct{ from, to float64 }

func (s stretch) length() float64 { return s.to - s.from }
func (s stretch) middle() float64 { return (s.from + s.to) / 2 }

// after returns how much of a stretch comes after a moment.
func (s stretch) after(at float64) float64 { return min(max(s.to-at, 0), s.length()) }

// try is a step that there may have been.
type try struct {
	at   float64
	odds float64   // log, against none
	seen []float64 // white: what the means show of a step of 1 W
}

func newPosterior(c *course, v energy.Interval) *posterior {
	origin := v.Start
	for i := range c.means {
		origin = min(origin, c.means[i].Start)
	}
	since := func(i energy.Instant) float64 { return i.Sub(origin).Seconds() }
	n := len(c.means)
	p := &posterior{v: stretch{since(v.Start), since(v.End)}, limit: c.limit.Watts()}
	highest, last := 1.0, p.v.to
	for i := range c.means {
		m := &c.means[i]
		p.over = append(p.over, stretch{since(m.Start), since(m.End)})
		p.shown = append(p.shown, m.power.Watts())
		p.noise = append(p.noise, square(max(m.off.Watts(), 1e-3)))
		p.level += m.power.Watts() / float64(n)
		highest, last = max(highest, m.power.Watts()), max(last, since(m.End))
	}
	if p.limit <= 0 {
		p.limit = 2 * highest
	}
	for i := range p.shown {
		p.shown[i] -= p.level
	}
	p.factor, p.z = make([]float64, n*n), make([]float64, n)
	for at := 0.0; at < last; {
		step := max(coarse.Seconds(), last/mostTries)
		if at > p.v.from-nearby.Seconds() && at < p.v.to+nearby.Seconds() {
			step = max(fine.Seconds(), p.v.length()/mostTries)
		}
		p.tries = append(p.tries, try{at + step/2, math.Log(stepRate * step), make([]float64, n)})
		at += step
	}
	for _, i := range c.turns {
		if at := since(i); 0 < at && at < last {
			p.turns = append(p.turns, try{at, math.Log(turning), make([]float64, n)})
		}
	}
	return p
}

// wander adds the histories in which the power wanders at a rate, in W/√s.
func (p *posterior) wander(rate float64) {
	n := len(p.over)
	level, q := square(p.limit), square(rate) // the level may be any
	for i, s := range p.over {
		for j, t := range p.over[:i+1] {
			p.factor[i*n+j] = level + q*brownian(s, t)/(s.length()*t.length())
		}
		p.factor[i*n+i] += p.noise[i]
	}
	d := p.v.length()
	h := history{
		logdet:   cholesky(p.factor, n),
		variance: level*d*d + q*brownian(p.v, p.v),
		shared:   make([]float64, n),
	}
	for i, s := range p.over {
		h.shared[i] = level*d + q*brownian(p.v, s)/s.length()
	}
	p.whiten(h.shared)
	copy(p.z, p.shown)
	p.whiten(p.z)
	for _, steps := range [...][]try{p.tries, p.turns} {
		for _, t := range steps {
			for i, s := range p.over {
				t.seen[i] = s.after(t.at) / s.length()
			}
			p.whiten(t.seen)
		}
	}
	p.turn(h, p.turns)
}

// turn adds the histories with and without a step at each of the turns.
func (p *posterior) turn(h history, turns []try) {
	if len(turns) == 0 {
		p.add(h)
		return
	}
	p.turn(h, turns[1:])
	p.turn(h.with(turns[0], p.v, p.limit/2), turns[1:])
}

// add adds a history, and those with one more step.
func (p *posterior) add(h history) {
	zz, cz, cc := h.product(p.z, p.z), h.product(h.shared, p.z), h.product(h.shared, h.shared)
	p.sum.add(h.weight-(h.logdet+zz)/2, cz, h.variance-cc)
	power := square(p.limit / 2)
	for _, t := range p.tries {
		ww, wz, wc := h.product(t.seen, t.seen), h.product(t.seen, p.z), h.product(t.seen, h.shared)
		after := p.v.after(t.at)
		reach := power * after
		// As with and then add would have it, without vectors.
		s := 1/power + ww
		share := wc + reach*ww
		p.sum.add(
			h.weight+t.odds-(h.logdet+math.Log(power*s)+zz-wz*wz/s)/2,
			cz+reach*wz-share*wz/s,
			h.variance+reach*after-(cc+2*reach*wc+reach*reach*ww-share*share/s))
	}
}

// whiten solves factor · y = x in place.
func (p *posterior) whiten(x []float64) {
	n := len(x)
	for i := range x {
		row := p.factor[i*n : i*n+i+1]
		x[i] = (x[i] - dot(row[:i], x)) / row[i]
	}
}

// history is a prior.
type history struct {
	weight   float64   // log
	variance float64   // of what is asked for
	shared   []float64 // white: its covariance with what is shown
	logdet   float64   // of the covariance of what is shown
	// bends are what steps take from the product of white vectors.
	bends [2][]float64
	steps int
}

// with returns the history with a step at a turn, of such a standard deviation.
func (h history) with(t try, v stretch, deviation float64) history {
	power, after := square(deviation), v.after(t.at)
	s := 1/power + h.product(t.seen, t.seen)
	h.weight += t.odds
	h.logdet += math.Log(power * s)
	h.variance += power * after * after
	shared, bend := make([]float64, len(t.seen)), make([]float64, len(t.seen))
	copy(bend, t.seen)
	for _, b := range h.bends[:h.steps] {
		along := dot(b, t.seen)
		for i := range bend {
			bend[i] -= along * b[i]
		}
	}
	for i := range bend {
		bend[i] /= math.Sqrt(s)
		shared[i] = h.shared[i] + power*after*t.seen[i]
	}
	h.shared, h.bends[h.steps] = shared, bend
	h.steps++
	return h
}

// product is that of two white vectors by the inverse of the covariance.
func (h *history) product(x, y []float64) float64 {
	sum := dot(x, y)
	for _, b := range h.bends[:h.steps] {
		sum -= dot(b, x) * dot(b, y)
	}
	return sum
}

// mixture is a sum of distributions by weight.
type mixture struct {
	scale                 float64 // log, of the weights
	weight, first, second float64 // sums: of the weights, of the means, of the squares
}

func (m *mixture) add(log, mean, variance float64) {
	if m.weight == 0 {
		m.scale = log
	} else if log > m.scale {
		by := math.Exp(m.scale - log)
		m.weight, m.first, m.second = m.weight*by, m.first*by, m.second*by
		m.scale = log
	}
	weight := math.Exp(log - m.scale)
	m.weight += weight
	m.first += weight * mean
	m.second += weight * (mean*mean + max(variance, 0))
}

// moments returns the mean and the variance.
func (m *mixture) moments() (mean, variance float64) {
	mean = m.first / m.weight
	return mean, max(m.second/m.weight-mean*mean, 0)
}

// brownian is the covariance of a Brownian motion's integrals over two stretches.
// All of its terms are positive: differences of integrals from 0 on would leave
// nothing of stretches that are short, or late.
func brownian(s, t stretch) float64 {
	if s.from > t.from {
		s, t = t, s
	}
	head := stretch{s.from, min(s.to, t.from)} // of s only
	sum := head.length() * head.middle() * t.length()
	if s.to > t.from {
		both := stretch{t.from, min(s.to, t.to)}
		tail := math.Abs(s.to - t.to) // of either
		d := both.length()
		sum += d*d*(both.from+d/3) + d*both.middle()*tail
	}
	return sum
}

// rounding is about what a sum of floats may be off by, as a part of it.
const rounding = 1e-15

// cholesky replaces the lower half of a symmetric matrix by its factor and returns
// the logarithm of its determinant.
func cholesky(a []float64, n int) (logdet float64) {
	for i := range n {
		row := a[i*n : i*n+i+1]
		for j := range i {
			row[j] = (row[j] - dot(a[j*n:j*n+j], row)) / a[j*n+j]
		}
		// What rounding left of a mean that the others imply.
		row[i] = math.Sqrt(max(row[i]-dot(row[:i], row), rounding*row[i]))
		logdet += 2 * math.Log(row[i])
	}
	return logdet
}

// dot is the scalar product, over the length of the shorter, x.
func dot(x, y []float64) (sum float64) {
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
}

func square(x float64) float64 { return x * x }
