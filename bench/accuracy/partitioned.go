package main

import (
	"math/rand/v2"
	"time"

	"greenagent/scenario"
)

// partitioned returns the loads under MIG.
func partitioned() []load {
	const (
		minute = time.Minute
		first  = 3 * time.Second
		last   = 58 * time.Second
		anew   = 30 * time.Second // when instances are replaced
	)
	cut := func(uuid string, id uint32, slices int) scenario.Instance {
		return scenario.Instance{UUID: "MIG-" + uuid, GPUInstance: id, Slices: slices, Memory: int64(slices) * 5 << 30}
	}
	halves := []scenario.Instance{cut("a", 1, 3), cut("b", 2, 3)}
	under := func(name string, instances []scenario.Instance, jobs ...job) load {
		return load{name: name, length: minute, sharing: true, instances: instances, jobs: func(random *rand.Rand) []job {
			late := within(random, time.Second)
			list := append([]job{}, jobs...)
			for i := range list {
				list[i].from += late
				if list[i].to > anew {
					list[i].to += late
				}
			}
			return list
		}}
	}
	before, after := cut("b", 2, 3), cut("c", 2, 1)
	before.To, after.From = anew, anew
	return []load{
		under("as busy as large", []scenario.Instance{cut("a", 1, 4), cut("b", 2, 2)},
			job{party: "A", from: first, to: last, memory: 2, sm: 80, instance: "MIG-a", power: scenario.Steady(watts(320))},
			job{party: "B", from: first, to: last, memory: 8, sm: 80, instance: "MIG-b", power: scenario.Steady(watts(160))}),
		under("one of two busy a fifth of the time", halves,
			job{party: "A", from: first, to: last, memory: 2, sm: 90, instance: "MIG-a", power: scenario.Steady(watts(270))},
			job{party: "B", from: first, to: last, memory: 2, sm: 90, instance: "MIG-b", power: scenario.Square(0, watts(270), 1500*ms, 0.2, 0)}),
		under("as busy, unlike power", halves,
			job{party: "A", from: first, to: last, memory: 2, sm: 90, instance: "MIG-a", power: scenario.Steady(watts(320))},
			job{party: "B", from: first, to: last, memory: 2, sm: 90, instance: "MIG-b", power: scenario.Steady(watts(140))}),
		under("two in one instance", halves,
			job{party: "A", from: first, to: last, memory: 2, sm: 40, instance: "MIG-a", power: scenario.Steady(watts(140))},
			job{party: "B", from: first, to: last, memory: 6, sm: 40, instance: "MIG-a", power: scenario.Steady(watts(140))},
			job{party: "C", from: first, to: last, memory: 6, sm: 80, instance: "MIG-b", power: scenario.Steady(watts(280))}),
		under("instances replaced", []scenario.Instance{cut("a", 1, 3), before, after},
			job{party: "A", from: first, to: last, memory: 2, sm: 90, instance: "MIG-a", power: scenario.Steady(watts(270))},
			job{party: "B", from: first, to: anew - 2*time.Second, memory: 2, sm: 90, instance: "MIG-b", power: scenario.Steady(watts(270))},
			job{party: "C", from: anew + time.Second, to: last, memory: 2, sm: 90, instance: "MIG-c", power: scenario.Steady(watts(90))}),
	}
}
