package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// busy is an interval in which kernels run on so many percent of the GPU's
// multiprocessors, in seconds since the load begins.
type busy [3]float64

// party is one process of a load.
type party struct {
	Name  string  `json:"name"`
	From  float64 `json:"from_s"` // when it is started
	Until float64 `json:"until_s"`
	Busy  []busy  `json:"busy"`
}

// load is what a GPU is to do.
type load struct {
	Name    string
	parties []party
	train   bool
	// as is the name of the check that compares rows of that kind.
	as string
}

const ms = time.Millisecond

func (l load) length() time.Duration {
	longest := 0.0
	for _, p := range l.parties {
		longest = max(longest, p.Until)
	}
	return time.Duration(longest * float64(time.Second))
}

// steady is busy from the start to the end.
func steady(length time.Duration, percent float64) []busy {
	return []busy{{0, length.Seconds(), percent}}
}

// square alternates, beginning busy, or idle if late.
func square(length, period time.Duration, duty float64, late bool) (list []busy) {
	for at := time.Duration(0); at+period <= length; at += period {
		on := busy{at.Seconds(), at.Seconds() + duty*period.Seconds(), 100}
		if late {
			on[0], on[1] = at.Seconds()+(1-duty)*period.Seconds(), (at + period).Seconds()
		}
		list = append(list, on)
	}
	return list
}

// alone is a load of one process.
func alone(name string, length time.Duration, list []busy) load {
	return load{Name: name, parties: []party{{Name: "A", Until: length.Seconds(), Busy: list}}}
}

// together is a load of two processes.
func together(name string, length time.Duration, a, b []busy, end time.Duration) load {
	return load{Name: name, parties: []party{{Name: "A", Until: length.Seconds(), Busy: a}, {Name: "B", Until: end.Seconds(), Busy: b}}}
}

// plan returns the loads, about six minutes of them, the most telling first.
func plan() (list []load) {
	add := func(l load, as string) { l.as = as; list = append(list, l) }
	const long, rest = 10 * time.Second, 8 * time.Second
	add(alone("a context at rest", rest, nil), "rest")
	for i := range 3 {
		add(alone(fmt.Sprintf("steady, %d of 3", i+1), long, steady(long, 100)), "steady")
	}
	add(together("two equal at once", 20*time.Second, steady(20*time.Second, 100), steady(20*time.Second, 100), 20*time.Second), "equal")
	add(together("taking turns of 2 s", 24*time.Second, square(24*time.Second, 4*time.Second, 0.5, false), square(24*time.Second, 4*time.Second, 0.5, true), 24*time.Second), "equal")
	add(together("turns of 70 and 30 ms", 20*time.Second, square(20*time.Second, 100*ms, 0.7, false), square(20*time.Second, 100*ms, 0.3, true), 20*time.Second), "70:30")
	add(together("one ends early", 20*time.Second, steady(20*time.Second, 100), steady(8*time.Second, 100), 8*time.Second), "")
	for _, s := range []struct {
		period time.Duration
		duty   float64
	}{{20 * ms, 0.5}, {100 * ms, 0.2}, {100 * ms, 0.5}, {100 * ms, 0.8}, {330 * ms, 0.5}, {time.Second, 0.2}, {time.Second, 0.5}, {time.Second, 0.8}, {3 * time.Second, 0.5}, {10 * time.Second, 0.5}} {
		length := max(9*time.Second, 2*s.period)
		add(alone(fmt.Sprintf("square %v, %.0f %%", s.period, 100*s.duty), length, square(length, s.period, s.duty, false)), "square")
	}
	for _, length := range []time.Duration{300 * ms, 500 * ms, 700 * ms, time.Second, 1500 * ms, 2 * time.Second} {
		for i := range 2 {
			add(alone(fmt.Sprintf("run of %v, %d of 2", length, i+1), length, steady(length, 100)), "")
		}
	}
	random := rand.New(rand.NewPCG(1, 1))
	for _, length := range []time.Duration{80 * ms, 800 * ms} {
		var bursts []busy
		for at := 200 * ms; at+length < 15*time.Second; at += length + 200*ms + time.Duration(random.Int64N(int64(2*time.Second))) {
			bursts = append(bursts, busy{at.Seconds(), (at + length).Seconds(), 100})
		}
		add(alone(fmt.Sprintf("bursts of %v", length), 15*time.Second, bursts), "square")
	}
	var ramp []busy
	for i := range 15 {
		ramp = append(ramp, busy{float64(i), float64(i + 1), float64(i+1) * 100 / 15})
	}
	add(alone("ramp up", 15*time.Second, ramp), "")
	add(alone("half of the multiprocessors", long, steady(long, 50)), "")
	short := load{Name: "ten processes of 0.7 s"}
	for i := range 10 {
		from := 2 * float64(i)
		short.parties = append(short.parties, party{Name: fmt.Sprintf("P%d", i+1), From: from, Until: from + 1.7, Busy: []busy{{from + 1, from + 1.7, 100}}})
	}
	add(short, "")
	training := alone("training with PyTorch", 15*time.Second, nil)
	training.train = true
	add(training, "")
	return list
}

// on returns for how long a load is to be busy, however many are at once.
func (l load) on() (sum time.Duration) {
	var all []busy
	for _, p := range l.parties {
		all = append(all, p.Busy...)
	}
	slices.SortFunc(all, func(a, b busy) int { return int(1e9 * (a[0] - b[0])) })
	end := 0.0
	for _, b := range all {
		if b[1] > end {
			sum += time.Duration((b[1] - max(b[0], end)) * float64(time.Second))
			end = b[1]
		}
	}
	return sum
}
