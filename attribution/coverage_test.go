package attribution_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/energy"
)

const (
	step     = 10 * time.Millisecond // of the play
	tagEvery = 10 * time.Second / 72
	limit    = 700.0 // W
	idle     = 70.0
)

// actor is a process on a device: it is there from step to step, and when it is
// active it draws so much, a little less or more from time to time.
type actor struct {
	from, to int
	watts    float64
	drift    float64
	owner    collector.Owner
}

// play is a device shared by actors.
type play struct {
	random  *rand.Rand
	steps   int
	actors  []actor
	context float64 // W, while anybody is there
	// active sets how each actor's part of the step's time is, 0 to 1, with a sum of
	// at most 1.
	active func(at int, parts []float64)
}

// watts draws the power of a process that is active: anything from a fifth of what
// there is to all of it.
func watts(random *rand.Rand) float64 { return (limit - idle) * (0.2 + 0.8*random.Float64()) }

// perform plays and books, as an observer would that fetches each tag of a shared
// device and looks once a second at one that is not. It returns the truth.
func (p *play) perform(l *attribution.Ledger) []float64 {
	truth := make([]float64, len(p.actors))
	parts := make([]float64, len(p.actors))
	activity := collector.Activity{Method: collector.ByUtilization}
	begun, tagged, seen := 0, -1.0, 0 // of the cut at hand: its first step, the last tag's time
	var joules float64
	tags := make([]uint64, len(p.actors))
	drift := make([]float64, len(p.actors))
	book := func(end int) {
		activity.Usage = activity.Usage[:0]
		for i, a := range p.actors {
			if a.from < end && a.to > begun {
				activity.Usage = append(activity.Usage, collector.Usage{
					Process: collector.Process{PID: i + 1}, Owner: a.owner, Busy: tags[i] * collector.Tag,
					From: energy.Instant(time.Duration(a.from) * step),
				})
			}
			tags[i] = 0
		}
		v := energy.Interval{Start: energy.Instant(time.Duration(begun) * step), End: energy.Instant(time.Duration(end) * step)}
		activity.Samples = float64(v.Duration()) / float64(tagEvery)
		e := energy.FromJoules(joules)
		l.Book(0, attribution.Cut{
			Interval: v, Energy: e, Floor: energy.FromWatts(idle).For(v.Duration()),
			Limit: energy.FromWatts(limit), Activity: &activity,
		})
		begun, joules = end, 0
	}
	phase := p.random.Float64()
	for at := range p.steps {
		p.active(at, parts)
		there := 0
		for i, a := range p.actors {
			if at < a.from || at >= a.to {
				parts[i] = 0
			} else {
				there++
			}
			if a.drift > 0 && at%20 == 0 {
				drift[i] = 0.9*drift[i] + a.drift*0.44*p.random.NormFloat64()
			}
		}
		joules += idle * step.Seconds()
		for i, a := range p.actors {
			if there > 0 && at >= a.from && at < a.to {
				truth[i] += p.context / float64(there) * step.Seconds()
				joules += p.context / float64(there) * step.Seconds()
			}
			e := parts[i] * a.watts * math.Exp(drift[i]) * step.Seconds()
			truth[i] += e
			joules += e
		}
		// A tag names one by chance, by its part of the moment.
		if slot := math.Floor(float64(at)*float64(step)/float64(tagEvery) + phase); slot != tagged {
			tagged = slot
			x := p.random.Float64()
			for i := range parts {
				if x -= parts[i]; x < 0 {
					tags[i]++
					seen = at
					break
				}
			}
		}
		half := int(tagEvery / step / 2)
		switch {
		case there > 1 && seen > begun && at == seen+half, at-begun >= 100 && at-seen >= 100, there < 2 && at-begun >= 100:
			book(at + 1)
		}
	}
	book(p.steps)
	return truth
}

// plays are what happens on shared devices, and how wide the bound may be in the
// mean, as a part of the truth.
var plays = []struct {
	name  string
	most  float64
	write func(random *rand.Rand, p *play)
}{
	// Time slices too short for a sensor: who has how much of the time stays as it is.
	{"mixed", 0.9, func(random *rand.Rand, p *play) { mixed(random, p, 0) }},
	// The same, but the first has been alone for some time.
	{"mixed, one after the other", 0.55, func(random *rand.Rand, p *play) { mixed(random, p, 200+random.IntN(2000)) }},
	// Turns that a sensor sees.
	{"turns", 0.18, func(random *rand.Rand, p *play) { turns(random, p, 30*math.Pow(30, random.Float64())) }},
	// Turns of about the time between two tags.
	{"short turns", 0.8, func(random *rand.Rand, p *play) { turns(random, p, 5*math.Pow(6, random.Float64())) }},
	// One works now and then.
	{"bursts beside one", 4, func(random *rand.Rand, p *play) {
		mixed(random, p, 0)
		part, every, on := 0.2+0.6*random.Float64(), 300+random.IntN(1000), 100+random.IntN(200)
		p.active = func(at int, parts []float64) {
			clear(parts)
			parts[0] = 1
			if at%every < on {
				parts[0], parts[1] = 1-part, part
			}
		}
	}},
	// Some are idle at times.
	{"pauses", 0.08, func(random *rand.Rand, p *play) {
		turns(random, p, 200)
		turn := p.active
		every := 400 + random.IntN(2000)
		p.active = func(at int, parts []float64) {
			if turn(at, parts); at%every < every/3 {
				clear(parts)
			}
		}
	}},
}

func mixed(random *rand.Rand, p *play, late int) {
	p.actors = cast(random, p.steps)
	for i := range p.actors[1:] {
		p.actors[i+1].from += late
	}
	weights, sum := make([]float64, len(p.actors)), 0.0
	for i := range weights {
		weights[i] = 0.1 + random.Float64()
		sum += weights[i]
	}
	busy := 1.0
	if random.IntN(2) == 0 {
		busy = 0.4 + 0.6*random.Float64()
	}
	p.active = func(at int, parts []float64) {
		for i := range parts {
			parts[i] = busy * weights[i] / sum
		}
		if at < late {
			parts[0] = busy
		}
	}
}

func turns(random *rand.Rand, p *play, mean float64) {
	p.actors = cast(random, p.steps)
	who, until := 0, 0
	p.active = func(at int, parts []float64) {
		if at >= until {
			who, until = (who+1)%len(parts), at+1+int(mean*(0.5+random.Float64()))
		}
		clear(parts)
		parts[who] = 1
	}
}

// cast draws two or three processes, each with an owner of its own.
func cast(random *rand.Rand, steps int) (actors []actor) {
	for i := range 2 + random.IntN(2) {
		actors = append(actors, actor{to: steps, watts: watts(random), owner: collector.Owner(i + 1), drift: 0.1 * random.Float64()})
	}
	return actors
}

// TestDivisionIsCovered: whoever shares a device and however, what is stated of a
// process covers the truth in 95 of 100 cases, though tags are drawn by chance.
func TestDivisionIsCovered(t *testing.T) {
	const trials = 300
	for _, c := range plays {
		t.Run(c.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			inside, figures, width, off := 0, 0, 0.0, 0.0
			for range trials {
				p := play{random: random, steps: 6000, context: 0.15 * limit * random.Float64()}
				c.write(random, &p)
				l := attribution.NewLedger(attribution.Config{Domains: 1})
				truth := p.perform(l)
				for i, want := range truth {
					e := l.Owned(collector.Owner(i+1), 0)
					u := e.Doubt().Expanded().Joules()
					figures++
					d := math.Abs(e.Dynamic.Joules() - want)
					if d <= u {
						inside++
					}
					width += u / want
					off += d / want
				}
			}
			n := float64(figures)
			t.Logf("inside %.1f %%, off by %.1f %%, stated ± %.1f %%", 100*float64(inside)/n, 100*off/n, 100*width/n)
			if float64(inside) < 0.95*n {
				t.Errorf("inside in %.1f %%", 100*float64(inside)/n)
			}
			if width > c.most*n {
				t.Errorf("stated ± %.1f %% in the mean, want at most %.0f %%", 100*width/n, 100*c.most)
			}
		})
	}
}
