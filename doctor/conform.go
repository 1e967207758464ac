package doctor

import (
	"errors"
	"fmt"
	"math"
	"time"

	"greenagent/nvml"
)

// What NVML says of a GPU is held against what else it says.

// crosscheck returns what the counter advanced by over the integral of power. Power
// is shown for a tick after its window, so that it comes late by half of both.
func (t *trial) crosscheck() (k float64, ok bool) {
	c, window := &t.average, averageWindow
	if len(c.steps) == 0 {
		c, window = &t.instant, time.Duration(t.source.Window*float64(t.source.Tick))
	}
	ticks := t.counter.ticks()
	if len(ticks) < 2 || len(c.steps) == 0 || t.scope != nvml.ScopeGPU {
		return 0, false
	}
	late := window/2 + t.source.Tick/2 + t.source.Lag
	from, to := max(ticks[0].at, c.steps[0].at.Add(-late)), min(ticks[len(ticks)-1].at, c.looked.Add(-late))
	if to.Sub(from) < shortestIdle {
		return 0, false
	}
	integral := c.held(from.Add(late), to.Add(late)) / 1e9 // µJ
	if integral <= 0 {
		return 0, false
	}
	k = (t.counter.level(to) - t.counter.level(from)) / integral
	return k, !math.IsNaN(k) && !math.IsInf(k, 0)
}

const (
	// varied is how much a power must vary, as a part of its mean (RMS), to show the
	// window that it is the mean of; and resolved how much worse the worst of windows
	// must explain it than the best.
	varied   = 0.05
	resolved = 4.0
)

// window finds the time that a power is the mean of: that over which the mean by the
// counter comes nearest to it. It can only be told while power varies, and no better
// than half a tick of the counter.
func (t *trial) window(c *trace) (window, within time.Duration, ok bool) {
	tempo, beat := c.rhythm.Tempo(), t.counter.rhythm.Tempo()
	ticks := t.counter.ticks()
	if !tempo.Even || !beat.Even || len(ticks) < 2 || variation(c.ticks()) < varied {
		return 0, 0, false
	}
	const steps = 60
	longest := 2 * max(averageWindow, tempo.Period)
	if c == &t.instant {
		longest = tempo.Period * 6 / 5
	}
	best, worst := math.Inf(1), 0.0
	errs := make([]float64, steps)
	for i := range errs {
		errs[i] = t.unexplained(c.ticks(), longest*time.Duration(i+1)/steps, longest)
		best, worst = math.Min(best, errs[i]), math.Max(worst, errs[i])
	}
	if math.IsInf(best, 0) || worst < resolved*best {
		return 0, 0, false
	}
	// All windows that explain it nearly as well are possible.
	low, high := time.Duration(0), time.Duration(0)
	for i, e := range errs {
		w := longest * time.Duration(i+1) / steps
		if e == best {
			window = w
		}
		if e <= 2*best {
			if low == 0 {
				low = w
			}
			high = w
		}
	}
	within = max(window-low, high-window, beat.Period/2) + longest/steps
	return window, within, within < window
}

// variation is the RMS deviation of values as a part of their mean.
func variation(ticks []step) float64 {
	var sum, squares float64
	for _, s := range ticks {
		v := float64(s.value)
		sum, squares = sum+v, squares+v*v
	}
	n := float64(len(ticks))
	if n == 0 || sum <= 0 {
		return 0
	}
	return math.Sqrt(math.Max(0, squares/n-(sum/n)*(sum/n))) / (sum / n)
}

// unexplained is what is left of the shown powers (mean square) when each is taken
// for the mean by the counter of a window before it. Whatever the window, those are
// compared that have the longest before them.
func (t *trial) unexplained(shown []step, window, longest time.Duration) float64 {
	ticks := t.counter.ticks()
	first, last := ticks[0].at, ticks[len(ticks)-1].at
	var n, cross, own, all float64
	for _, s := range shown {
		from := s.at.Add(-window)
		if s.at.Add(-longest) < first || s.at > last {
			continue
		}
		mean := (t.counter.level(s.at) - t.counter.level(from)) / float64(window) * 1e9
		v := float64(s.value)
		n, cross, own, all = n+1, cross+v*mean, own+mean*mean, all+v*v
	}
	const few = 10
	if n < few || own == 0 {
		return math.Inf(1)
	}
	// The two sensors' gains may differ: the one factor that fits best is allowed.
	return math.Max(0, all-cross*cross/own) / n
}

func (t *trial) checks() []Check {
	checks := []Check{t.answers()}
	if t.answered() {
		if len(t.counter.steps) > 0 {
			checks = append(checks, t.rises(), t.ticks(), t.agrees())
		}
		checks = append(checks, t.latency())
	}
	for i := range checks {
		checks[i] = checks[i].of(t.UUID)
	}
	return checks
}

func (t *trial) answers() Check {
	if t.failures == 0 {
		return check(gpuAnswers, Pass, "it answers", fmt.Sprintf("%d readings", t.looks), "")
	}
	remedy, detail := mend(t.failed, t.UUID)
	why := "nothing"
	if t.failed != nil {
		why = joined(t.failed, detail)
	}
	switch {
	case errors.Is(t.failed, nvml.ErrAsleep):
		return check(gpuAnswers, Info, "it went to sleep, and was not woken", "", "")
	case t.answered():
		return check(gpuAnswers, Warn, fmt.Sprintf("%d of %d readings failed", t.failures, t.looks), why, remedy)
	case errors.Is(t.failed, nvml.ErrUnsupported):
		return check(gpuAnswers, Warn, "it tells neither energy nor power", why, "")
	}
	return check(gpuAnswers, Fail, "it does not answer", why, remedy)
}

func (t *trial) rises() Check {
	if t.fell+t.leapt == 0 {
		return check(gpuMonotone, Pass, "the counter only rises, and by what the board can draw", "", "")
	}
	return check(gpuMonotone, Warn, fmt.Sprintf("the counter fell %d times and leapt %d times", t.fell, t.leapt),
		"Such readings are rejected; what was drawn meanwhile may stay unobserved.", "")
}

func (t *trial) ticks() Check {
	switch tempo := t.counter.rhythm.Tempo(); {
	case tempo.Seen == 0 && t.stands():
		return check(gpuTick, Warn, "the counter stands still", "While power is drawn, that is integrated instead.", "")
	case tempo.Seen == 0:
		return check(gpuTick, Info, "how the counter ticks could not be seen", "It moved too seldom, or readings were too far apart. A longer look may tell: --duration 1m.", "")
	case !tempo.Even:
		return check(gpuTick, Info, fmt.Sprintf("the counter ticks unevenly, every %s in the middle", shortly(tempo.Median)),
			"Runs date each tick by itself: short ones are less certain.", "")
	default:
		return check(gpuTick, Pass, fmt.Sprintf("the counter ticks every %s", shortly(tempo.Period)), "", "")
	}
}

// stands reports whether the counter has not moved for longer than any would.
func (t *trial) stands() bool {
	const stuck = 2 * time.Second // as the integrator has it
	last, _ := t.counter.latest()
	return t.counter.looked.Sub(last.at) > stuck
}

// What a sensor that sees part of the time may be off by where power varies, and the
// bounds of what is well and what is wrong. Counter and integral have been seen to
// agree within 1 %, and to disagree by 75 %.
const (
	agreed    = 0.02
	disagreed = 0.10
)

func (t *trial) agrees() Check {
	k, ok := t.crosscheck()
	off := math.Abs(k - 1)
	switch {
	case !ok && t.scope == nvml.ScopeModule:
		return check(gpuCrosscheck, Info, "power is that of the module, and cannot be held against the counter", "", "")
	case !ok:
		return check(gpuCrosscheck, Info, "counter and power could not be compared", "One of them is missing, stands still, or was seen too shortly.", "")
	case off <= agreed:
		return check(gpuCrosscheck, Pass, fmt.Sprintf("counter over integrated power: %.3f", k), "", "")
	case len(t.average.steps) == 0 && t.source.Window < 1 && variation(t.instant.ticks()) > varied:
		return check(gpuCrosscheck, Info, fmt.Sprintf("counter over integrated power: %.3f", k),
			fmt.Sprintf("Power varied, and its sensor sees %.0f %% of the time. At rest, or under a steady load, it should be 1.", 100*t.source.Window), "")
	case off <= disagreed:
		return check(gpuCrosscheck, Info, fmt.Sprintf("counter over integrated power: %.3f", k),
			"They usually agree within 1 %. Figures come from the counter.", "")
	}
	return check(gpuCrosscheck, Warn, fmt.Sprintf("counter over integrated power: %.3f", k),
		"The driver contradicts itself. Figures come from the counter. Look again at rest and under a steady load; if it stays, report it with greenagent doctor characterise --json.", "greenagent doctor characterise --duration 1m")
}

// slowCall is what a reading may take at most to be as often as a sensor ticks.
const slowCall = 20 * time.Millisecond

func (t *trial) latency() Check {
	call, _ := latencies(requestNames[requestSample], t.took[requestSample])
	text := fmt.Sprintf("a reading takes %s, 95 %% at most %s", shortly(time.Duration(call.Median)), shortly(time.Duration(call.P95)))
	if time.Duration(call.P95) > slowCall {
		return check(gpuLatency, Warn, text, "Sensors are read less often than they tick. Persistence mode, and fewer programs that ask the driver, make it faster.", "sudo nvidia-smi -pm 1")
	}
	return check(gpuLatency, Pass, text, "", "")
}

// shortly shows a time with three digits.
func shortly(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%.3g µs", float64(d)/1e3)
	case d < time.Second:
		return fmt.Sprintf("%.4g ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.4g s", d.Seconds())
}
