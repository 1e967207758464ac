package main

import (
	"errors"
	"slices"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/nvml/sim"
)

// deviceMethods are naive ways to a device's energy.
var deviceMethods = []struct {
	name    string
	measure func(t *trial) (energy.Energy, bool)
}{
	{"counter", counterDifference},
	{"power × 1 s", powerTimes(time.Second)},
	{"power × 5 s", powerTimes(5 * time.Second)},
	{"power × 15 s", powerTimes(15 * time.Second)},
	{"power × 30 s", powerTimes(30 * time.Second)},
}

// counterDifference reads the energy counter at the start and at the end. Not
// every device has one.
func counterDifference(t *trial) (energy.Energy, bool) {
	before, ok := t.device().Counter(t.start, uptime)
	after, _ := t.device().Counter(t.end, uptime)
	return after - before, ok
}

// powerTimes asks nvmlDeviceGetPowerUsage in regular intervals, at a phase that
// has nothing to do with the load, and takes each answer for the whole interval.
func powerTimes(every time.Duration) func(t *trial) (energy.Energy, bool) {
	return func(t *trial) (e energy.Energy, ok bool) {
		for now := t.start + within(t.random, every); now < t.end; now += every {
			p, _ := t.device().PowerUsage(now)
			e += p.For(every)
		}
		return e, true
	}
}

// shares are naive ways to tell processes apart. Each returns the weights of the
// listed processes, of the energy since the poll before, and their sum.
var shares = []struct {
	name  string
	share func(resident []nvml.Process, used []nvml.Utilization) (weights []float64, sum float64)
}{
	{"whole device to each", func(resident []nvml.Process, _ []nvml.Utilization) ([]float64, float64) {
		weights := make([]float64, len(resident))
		for i := range weights {
			weights[i] = 1
		}
		return weights, 1
	}},
	{"by maximum utilization", func(resident []nvml.Process, used []nvml.Utilization) (weights []float64, sum float64) {
		for _, p := range resident {
			highest := 0.0
			for _, u := range used {
				if u.PID == p.PID {
					highest = max(highest, float64(u.SM))
				}
			}
			weights, sum = append(weights, highest), sum+highest
		}
		return weights, sum
	}},
	{"by memory", func(resident []nvml.Process, _ []nvml.Utilization) (weights []float64, sum float64) {
		for _, p := range resident {
			weights, sum = append(weights, float64(p.Memory)), sum+float64(p.Memory)
		}
		return weights, sum
	}},
}

// divide polls the device once a second and returns what each of the naive shares
// charges each party, by shares and by parties. What is divided is the best that
// can be had by polling, the difference of the counter, and power × 1 s without
// one; the idle power, which such tools do not know, is taken off exactly. A share
// that had nothing to go by is nil.
func divide(t *trial) ([][]energy.Energy, error) {
	const every = time.Second
	phase := within(t.random, every)
	clock := sim.NewClock(at(t.start + phase))
	lib := sim.New(t.node, clock, at(0))
	charged := make([][]energy.Energy, len(shares))
	for i := range charged {
		charged[i] = make([]energy.Energy, len(t.parties))
	}
	last, counts := t.device().Counter(t.start+phase, uptime)
	for now := t.start + phase + every; now < t.end; now += every {
		clock.Advance(every)
		p, _ := t.device().PowerUsage(now)
		e := p.For(every)
		if counts {
			count, _ := t.device().Counter(now, uptime)
			e, last = count-last, count
		}
		e = max(0, e-t.device().Idle.For(every))
		resident, err := lib.Processes(0, nil)
		if err != nil {
			return nil, err
		}
		used, err := lib.Utilization(0, 0, nil)
		if err != nil && !errors.Is(err, nvml.ErrUnsupported) { // as it is under MIG
			return nil, err
		}
		for i := range shares {
			weights, sum := shares[i].share(resident, used)
			for k, w := range weights {
				if sum > 0 {
					charged[i][slices.Index(t.parties, t.party[resident[k].PID])] += energy.FromJoules(e.Joules() * w / sum)
				}
			}
		}
	}
	for i := range charged {
		if !slices.ContainsFunc(charged[i], func(e energy.Energy) bool { return e > 0 }) {
			charged[i] = nil
		}
	}
	return charged, nil
}
