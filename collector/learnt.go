package collector

// learntWithin is how well a tick must be known, as a part of it, to be worth
// telling the next run. An assumed one is not, until ticks have confirmed it.
const learntWithin = 0.01

// Learnt returns how the counter and the power sensor were found to tick, as far as
// the readings so far tell: what was known beforehand counts once readings have
// confirmed it.
func (g *Integrator) Learnt() (counter, power Tempo) {
	if g.domain.Fresh {
		return Tempo{}, Tempo{}
	}
	return g.counter.ticks.tempo(), g.gauge.ticks.tempo()
}

func (k *ticks) tempo() Tempo {
	if !k.locked() || float64(k.slack) > learntWithin*float64(k.period) {
		return Tempo{}
	}
	return Tempo{Period: k.period, Within: k.slack, Seen: int(k.count) + 1, Median: k.period, Even: true}
}
