package attribution

import (
	"greenagent/collector"
	"greenagent/energy"
)

// doubt is how uncertain a division is.
type doubt struct {
	method  collector.Method
	amount  float64 // µJ
	samples float64
	step    float64 // of the whole
}

func (l *Ledger) doubt(amount energy.Energy, method collector.Method, a *collector.Activity) doubt {
	d := doubt{method: method, amount: float64(amount), samples: a.Samples}
	if sum := l.weight(); method == collector.ByCPUTime && sum > 0 {
		d.step = float64(a.Step) / sum
	}
	return d
}

// variance returns that of a share, in µJ².
func (d doubt) variance(share energy.Energy) float64 {
	if d.amount == 0 {
		return 0
	}
	s := float64(share) / d.amount
	switch d.method {
	case collector.ByUtilization:
		// Of n tags each names the process with probability s: the share's variance
		// is s(1−s)/n. One seen as 0 or 1 in a few tags is not certain to be that:
		// the estimate of Agresti and Coull adds two tags either way.
		n := max(d.samples, 1)
		p := (s*n + 2) / (n + 4)
		// That p is of few tags itself adds two parts in n, except to a single tag,
		// whose p hardly depends on it.
		estimated := 1 + 2*(n-1)/(n*n)
		return d.amount * d.amount * p * (1 - p) / n * estimated
	case collector.ByMemory:
		// No measure of activity: the share may be anything.
		return d.amount * d.amount * s * (1 - s)
	case collector.ByCPUTime:
		// Each end of the interval falls anywhere within a step. Who took none did
		// not take one in many intervals together either.
		if share > 0 {
			off := d.amount * d.step
			return off * off / 6
		}
	}
	return 0
}
