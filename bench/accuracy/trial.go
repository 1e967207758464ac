package main

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"greenagent/energy"
	"greenagent/scenario"
)

// uptime is how long a simulated machine has been up at the scenario's origin.
const uptime = time.Hour

// at returns the instant of a time since the scenario's origin.
func at(t time.Duration) energy.Instant { return energy.Instant(uptime + t) }

// trial is one measurement of a load on a board: everything that chance decides
// has been decided.
type trial struct {
	node       scenario.Node
	start, end time.Duration
	opening    time.Duration  // how long it takes to open the sensors
	parties    []string       // in the order of their first process
	party      map[int]string // by PID
	random     *rand.Rand     // of what happens during the measurement
}

// newTrial draws a trial. It depends on its arguments alone, so that a part of
// the matrix can be run for itself.
func newTrial(seed uint64, b board, l load, number int) *trial {
	name := fnv.New64a()
	_, _ = name.Write([]byte(b.name + "\x00" + l.name)) // a hash takes all
	random := rand.New(rand.NewPCG(seed, name.Sum64()+uint64(number)))

	d := b.device
	s := &d.Sensor
	for _, tick := range []struct{ length, phase *time.Duration }{
		{&s.CounterTick, &s.CounterPhase}, {&s.InstantTick, &s.InstantPhase}, {&s.AverageTick, &s.AveragePhase},
	} {
		if *tick.length > 0 {
			*tick.phase = within(random, *tick.length)
		}
	}
	t := &trial{party: map[int]string{}, random: random}
	t.start = within(random, time.Second)
	t.end = t.start + l.length
	t.opening = time.Duration(float64(10*ms) * math.Pow(20, random.Float64())) // 10 to 200 ms
	for _, in := range l.instances {
		if in.From > 0 {
			in.From += t.start
		}
		if in.To > 0 {
			in.To += t.start
		}
		d.Instances = append(d.Instances, in)
	}
	for i, j := range l.jobs(random) {
		pid := 100 + i
		from, to := t.start+j.from, t.start+j.to
		d.Loads = append(d.Loads, scenario.Load{
			PID: pid, From: from, To: to, SM: j.sm, Memory: j.memory << 30, Power: scaled(j.power, d.MaxLimit),
			Rest: energy.Power(energy.MulDiv(int64(j.rest), int64(d.MaxLimit), int64(nominal))), Instance: j.instance,
		})
		t.node.Processes = append(t.node.Processes, scenario.Process{PID: pid, PPID: 1, Start: from, End: to, Command: []string{"load"}})
		t.party[pid] = j.party
		if !slices.Contains(t.parties, j.party) {
			t.parties = append(t.parties, j.party)
		}
	}
	slices.SortStableFunc(d.Loads, func(a, b scenario.Load) int { return int(a.From - b.From) })
	t.node.Devices = []scenario.Device{d}
	return t
}

func (t *trial) device() *scenario.Device { return &t.node.Devices[0] }

// truth returns what the device used.
func (t *trial) truth() energy.Energy { return t.device().Energy(t.start, t.end) }

// truthOf returns what a party caused: the work of its processes, and the power
// that a device draws for having contexts on it, in equal parts among those there.
func (t *trial) truthOf(party string) (e energy.Energy) {
	loads := t.device().Loads
	cuts := []time.Duration{t.start, t.end}
	for i := range loads {
		cuts = append(cuts, loads[i].From, loads[i].To)
		if t.party[loads[i].PID] == party {
			e += loads[i].Energy(t.start, t.end)
		}
	}
	slices.Sort(cuts)
	for i, to := range cuts[1:] {
		var there, theirs int64
		for k := range loads {
			if loads[k].Resident(cuts[i]) {
				there++
				if t.party[loads[k].PID] == party {
					theirs++
				}
			}
		}
		if there > 0 {
			e += t.device().Context.For(to-cuts[i]) * energy.Energy(theirs) / energy.Energy(there)
		}
	}
	return e
}
