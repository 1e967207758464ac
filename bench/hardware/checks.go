package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"greenagent/energy"
)

// finding is the result of a check that needs no meter beside the GPU's.
type finding struct {
	What     string `json:"what"`
	Seen     string `json:"seen"`
	Expected string `json:"expected"`
	OK       bool   `json:"ok"`
}

// check compares rows with themselves and with each other.
func check(rows []row) (list []finding) {
	var rest, full, least, most float64
	steadies := 0
	for _, r := range rows {
		mean := r.Greenagent.Energy.Joules() / time.Duration(r.Duration).Seconds()
		switch r.Kind {
		case "rest":
			rest = mean
		case "steady":
			// What it takes to get ready is left out, at the power of rest.
			on := time.Duration(r.Busy).Seconds()
			p := (r.Greenagent.Energy.Joules() - rest*(time.Duration(r.Duration).Seconds()-on)) / on
			full, steadies = full+p, steadies+1
			if steadies == 1 {
				least = p
			}
			least, most = min(least, p), max(most, p)
		}
	}
	if steadies > 1 {
		full /= float64(steadies)
		spread := (most - least) / full
		list = append(list, finding{"steady load, repeated", fmt.Sprintf("%.1f %% between the least and the most", 100*spread), "at most 3 %", spread <= 0.03})
	} else {
		full = 0
	}
	for _, r := range rows {
		list = append(list, r.sums())
		if f, ok := r.agrees(); ok {
			list = append(list, f)
		}
		switch r.Kind {
		case "square":
			if full > 0 && rest > 0 {
				list = append(list, r.square(rest, full))
			}
		case "equal":
			list = append(list, r.shares(0.5))
		case "70:30":
			list = append(list, r.shares(0.7))
		}
	}
	return list
}

// sums checks that the parts are the whole, to the microjoule.
func (r *row) sums() finding {
	d := &r.Greenagent
	var sum energy.Energy
	for _, part := range []*energy.Energy{d.Run, d.RunIdle, d.Others, d.Idle, d.Unattributed} {
		if part != nil {
			sum += *part
		}
	}
	return finding{r.Load + ": sum of the parts", sum.String(), d.Energy.String(), sum == *d.Energy}
}

// agrees checks greenagent against the other process's look at the counter.
// Greenagent's own bound has the sensor's gain in it, which both share; so a
// hundredth is allowed instead, and what the counter's ticks leave open.
func (r *row) agrees() (finding, bool) {
	if r.Counter == nil || *r.Counter == 0 {
		return finding{}, false
	}
	off := (*r.Greenagent.Energy - *r.Counter).Joules()
	allowed := r.CounterBound.Joules() + 0.01*r.Counter.Joules()
	return finding{r.Load + ": against the counter", fmt.Sprintf("%+.2f %%", 100*off/r.Counter.Joules()),
		fmt.Sprintf("± %.2f %%", 100*allowed/r.Counter.Joules()), math.Abs(off) <= allowed}, true
}

// square compares a load with what rest and full power make of it. Clocks and
// temperature move power by more than greenagent errs.
func (r *row) square(rest, full float64) finding {
	on, whole := time.Duration(r.Busy).Seconds(), time.Duration(r.Duration).Seconds()
	ratio := r.Greenagent.Energy.Joules() / (rest*whole + (full-rest)*on)
	return finding{r.Load + ": against rest and full power", fmt.Sprintf("%.3f", ratio), "0.85 to 1.15", math.Abs(ratio-1) <= 0.15}
}

// shares checks the division between A and B, by what the driver's sampler, 7.2
// looks a second, can tell at twice its standard deviation, and 3 % for the start
// and the end.
func (r *row) shares(expected float64) finding {
	a, b := r.Parties["A"].Joules(), r.Parties["B"].Joules()
	bound := 2*math.Sqrt(expected*(1-expected)/(7.2*time.Duration(r.Duration).Seconds())) + 0.03
	share := math.NaN()
	if a+b > 0 {
		share = a / (a + b)
	}
	return finding{r.Load + ": part of A", strings.TrimSpace(fmt.Sprintf("%.3f", share)), fmt.Sprintf("%.2f ± %.2f", expected, bound), math.Abs(share-expected) <= bound}
}
