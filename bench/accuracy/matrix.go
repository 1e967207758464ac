package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"greenagent/energy"
	"greenagent/scenario"
)

const ms = time.Millisecond

// board is a sensor model.
type board struct {
	name   string
	device scenario.Device
	mig    bool // it is for the loads under MIG, and for none else
}

func boards() []board {
	blind := scenario.Hopper("GPU-0")
	blind.Sensor.Counter = false
	return []board{
		{name: "Hopper", device: scenario.Hopper("GPU-0")},
		{name: "GA100", device: scenario.GA100("GPU-0")},
		{name: "Ada", device: scenario.Ada("GPU-0")},
		{name: "Turing", device: scenario.Turing("GPU-0")},
		{name: "Volta", device: scenario.Volta("GPU-0")},
		{name: "GraceHopper", device: scenario.GraceHopper("GPU-0")},
		{name: "Pascal", device: scenario.Pascal("GPU-0")},
		{name: "Maxwell", device: scenario.Maxwell("GPU-0")},
		{name: "Hopper without counter", device: blind},
		{name: "Hopper under MIG", device: scenario.Hopper("GPU-0"), mig: true},
		{name: "GA100 under MIG", device: scenario.GA100("GPU-0"), mig: true},
	}
}

// nominal is the board that loads are written for; they are scaled to others.
const nominal = energy.Kilowatt

// watts is a power of the nominal board, whose limit is 1000 W.
func watts(w int) energy.Power { return energy.Power(w) * energy.Watt }

// job is a process on the GPU, from and to since the start of the measurement.
type job struct {
	party    string // whose it is
	from, to time.Duration
	power    scenario.PowerCurve
	rest     energy.Power // what it draws between its kernels
	sm       int          // percent of the time that its kernels run, 0 for all of it
	memory   int64        // GiB
	instance string       // of MIG
}

// load is what is measured: some processes, over a time.
type load struct {
	name   string
	length time.Duration
	// sharing loads are judged by what each party is charged, others by the energy
	// of the device.
	sharing bool
	// instances are those of MIG, their times since the start; the load is for boards
	// under MIG if there are any.
	instances []scenario.Instance
	jobs      func(random *rand.Rand) []job
}

// matrix returns the loads.
func matrix() []load {
	const long = 30 * time.Second
	list := []load{
		alone("steady", long, func(*rand.Rand) scenario.PowerCurve { return scenario.Steady(watts(500)) }),
		alone("ramp up", long, func(*rand.Rand) scenario.PowerCurve { return scenario.Ramp(watts(20), watts(600), long) }),
		alone("saw of 3 s", long, func(random *rand.Rand) scenario.PowerCurve {
			c := scenario.Cycle(scenario.Segment[energy.Power]{For: 3 * time.Second, From: watts(50), To: watts(600)})
			c.Phase = within(random, 3*time.Second)
			return c
		}),
		alone("bursts of 80 ms", long, bursts(80*ms, 200*ms, 1500*ms)),
		alone("bursts of 0.8 s", long, bursts(800*ms, 2*time.Second, 6*time.Second)),
	}
	for _, period := range []time.Duration{20 * ms, 100 * ms, 330 * ms, time.Second, 3 * time.Second, 10 * time.Second} {
		for _, duty := range []int{20, 50, 80} {
			list = append(list, alone(fmt.Sprintf("square %v, %d %%", period, duty), long, func(random *rand.Rand) scenario.PowerCurve {
				return scenario.Square(watts(50), watts(600), period, float64(duty)/100, within(random, period))
			}))
		}
	}
	for _, length := range []time.Duration{300 * ms, 500 * ms, 700 * ms, time.Second, 1500 * ms, 2 * time.Second} {
		list = append(list, alone(fmt.Sprintf("run of %v", length), length, func(*rand.Rand) scenario.PowerCurve {
			return scenario.Steady(watts(500))
		}))
	}
	for _, length := range []time.Duration{300 * ms, time.Second, long} {
		list = append(list, load{name: fmt.Sprintf("at once, %v", length), length: length, jobs: func(*rand.Rand) []job {
			return []job{{party: "A", to: length, power: scenario.Steady(watts(500)), memory: 8}}
		}})
	}
	list = append(list, sharing()...)
	return append(list, partitioned()...)
}

// suits reports whether a load is for a board.
func (l *load) suits(b *board) bool { return b.mig == (len(l.instances) > 0) }

// alone is a load of one process, measured as a command is: from its start, some
// time before it has got hold of the GPU, to its end.
func alone(name string, length time.Duration, power func(*rand.Rand) scenario.PowerCurve) load {
	return load{name: name, length: length, jobs: func(random *rand.Rand) []job {
		from := min(150*ms+within(random, 250*ms), length/3)
		return []job{{party: "A", from: from, to: length, power: power(random), rest: watts(50), memory: 8}}
	}}
}

// bursts come after random pauses.
func bursts(length, shortest, longest time.Duration) func(*rand.Rand) scenario.PowerCurve {
	return func(random *rand.Rand) (c scenario.PowerCurve) {
		for range 8 {
			c.Segments = append(c.Segments,
				scenario.Segment[energy.Power]{For: shortest + within(random, longest-shortest), From: watts(20), To: watts(20)},
				scenario.Segment[energy.Power]{For: length, From: watts(600), To: watts(600)})
		}
		c.Repeat = true
		return c
	}
}

// sharing returns the loads of several processes, or of processes that end within
// a measurement that goes on.
func sharing() []load {
	const (
		minute = time.Minute
		first  = 3 * time.Second // when the processes start, at the earliest
		last   = 58 * time.Second
	)
	both := func(name string, a, b job) load {
		return load{name: name, length: minute, sharing: true, jobs: func(random *rand.Rand) []job {
			late := within(random, time.Second)
			a, b := a, b
			for _, j := range []*job{&a, &b} {
				j.from, j.to = j.from+late, j.to+late
			}
			return []job{a, b}
		}}
	}
	return []load{
		{name: "one alone", length: minute, sharing: true, jobs: func(random *rand.Rand) []job {
			late := within(random, time.Second)
			return []job{{party: "A", from: first + late, to: 41*time.Second + late, power: scenario.Steady(watts(500)), memory: 8}}
		}},
		both("taking turns of 2 s",
			job{party: "A", from: first, to: last, memory: 20, power: scenario.Square(0, watts(600), 4*time.Second, 0.5, 0)},
			job{party: "B", from: first, to: last, memory: 5, power: scenario.Square(0, watts(300), 4*time.Second, 0.5, 2*time.Second)}),
		both("taking equal turns of 2 s",
			job{party: "A", from: first, to: last, memory: 20, power: scenario.Square(0, watts(500), 4*time.Second, 0.5, 0)},
			job{party: "B", from: first, to: last, memory: 5, power: scenario.Square(0, watts(500), 4*time.Second, 0.5, 2*time.Second)}),
		both("side by side, 70 : 30",
			job{party: "A", from: first, to: last, memory: 5, sm: 70, power: scenario.Steady(watts(350))},
			job{party: "B", from: first, to: last, memory: 20, sm: 30, power: scenario.Steady(watts(150))}),
		both("one ends early",
			job{party: "A", from: first, to: last, memory: 10, sm: 50, power: scenario.Steady(watts(250))},
			job{party: "B", from: first, to: 16400 * ms, memory: 10, sm: 50, power: scenario.Steady(watts(250))}),
		both("as long active, unlike power",
			job{party: "A", from: first, to: last, memory: 10, sm: 50, power: scenario.Steady(watts(400))},
			job{party: "B", from: first, to: last, memory: 10, sm: 50, power: scenario.Steady(watts(100))}),
		both("unlike power, one 8 s later",
			job{party: "A", from: first, to: last, memory: 10, sm: 50, power: scenario.Steady(watts(400))},
			job{party: "B", from: first + 8*time.Second, to: last, memory: 10, sm: 50, power: scenario.Steady(watts(100))}),
		{name: "processes of 2.5 s", length: minute, sharing: true, jobs: func(random *rand.Rand) []job {
			return dying(random, first, 5*time.Second, 2500*ms)
		}},
		{name: "processes of 0.7 s", length: minute, sharing: true, jobs: func(random *rand.Rand) []job {
			return dying(random, first, 3*time.Second, 700*ms)
		}},
		{name: "processes of 0.7 s beside one", length: minute, sharing: true, jobs: func(random *rand.Rand) []job {
			beside := job{party: "beside", from: first - time.Second, to: last, memory: 10, sm: 50, power: scenario.Steady(watts(250))}
			list := append([]job{beside}, dying(random, first, 3*time.Second, 700*ms)...)
			for i := range list[1:] {
				list[i+1].sm, list[i+1].power = 50, scenario.Steady(watts(250))
			}
			return list
		}},
	}
}

// dying returns short processes of one party, each some time after the one before.
func dying(random *rand.Rand, first, every, length time.Duration) (list []job) {
	for at := first; at+every < time.Minute; at += every {
		from := at + within(random, every-length)
		list = append(list, job{party: "the short", from: from, to: from + length, memory: 4, power: scenario.Steady(watts(500))})
	}
	return list
}

func within(random *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(d)))
}

// scaled returns a load of the nominal board for one with another limit.
func scaled(c scenario.PowerCurve, limit energy.Power) scenario.PowerCurve {
	s := c
	s.Segments = nil
	for _, g := range c.Segments {
		g.From = energy.Power(energy.MulDiv(int64(g.From), int64(limit), int64(nominal)))
		g.To = energy.Power(energy.MulDiv(int64(g.To), int64(limit), int64(nominal)))
		s.Segments = append(s.Segments, g)
	}
	return s
}
