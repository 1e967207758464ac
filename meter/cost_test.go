package meter_test

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"greenagent/collector"
	"greenagent/collector/procfs"
	"greenagent/energy"
	"greenagent/meter"
	"greenagent/nvml/sim"
	"greenagent/scenario"
)

// eight are eight GPUs that tick at unlike moments, the first four of them shared
// by two processes.
func eight() scenario.Node {
	node := scenario.Node{}
	for i := range 8 {
		d := scenario.Hopper(fmt.Sprintf("GPU-%d", i))
		d.BusID = fmt.Sprintf("00000000:%02X:00.0", 0x10+i)
		d.Sensor.CounterPhase, d.Sensor.InstantPhase = time.Duration(i)*13*ms, time.Duration(i)*7*ms
		for j := range 2 - i/4 {
			pid := 100 + 10*i + j
			d.Loads = append(d.Loads, scenario.Load{PID: pid, Memory: 1 << 30, SM: 50,
				Power: scenario.Square(20*energy.Watt, 200*energy.Watt, 700*ms, 0.5, 0)})
			node.Processes = append(node.Processes, scenario.Process{PID: pid, PPID: 1, Command: []string{"worker"}})
		}
		node.Devices = append(node.Devices, d)
	}
	return node
}

// budget is the part of a core that eight GPUs may cost outside the driver's own
// time.
const budget = 0.003

// TestEightGPUsCostLittle: a meter that has found its sensors' ticks goes on
// for months. Readings, observations, bookings and the goroutine between them are
// all in it; the driver and the clock are simulated.
func TestEightGPUsCostLittle(t *testing.T) {
	node := eight()
	root := t.TempDir()
	if err := node.WriteProc(root, 0); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.node = node
		lib := sim.New(node, s, s.at(0))
		users := collector.NewGPUUsers(lib, procfs.New(root), func(pid int) collector.Owner { return collector.Owner(pid % 2) })
		source := &looked{GPUs: collector.NewGPUs(lib, nil)}
		m := meter.New(meter.Config{Clock: s, From: s.Now()})
		m.Add(meter.Feed{Name: "NVML", Source: source, Observer: users})
		time.Sleep(30 * time.Second)

		const length = 20 * time.Second
		cost := least(t, source, length)
		t.Logf("%d looks and %v of CPU time in %v, the simulator's included", cost.looks, cost.used, length)
		// The runtime's own goroutines and timers now and then make an object.
		if cost.allocations > 4 {
			t.Errorf("%d allocations in %v", cost.allocations, length)
		}
		if most := time.Duration(budget * float64(length)); cost.used > most && !raceDetector {
			t.Errorf("%v of CPU time in %v, want at most %v", cost.used, length, most)
		}
		if cost.looks < 200 {
			t.Errorf("%d looks in %v: nothing was measured", cost.looks, length)
		}
		d := m.Finish(s.Now(), 0).Domains
		if len(d) != 8 || d[0].Method != collector.ByUtilization || len(d[0].Owners) != 2 || d[0].Energy == 0 {
			t.Errorf("%+v", d)
		}
	})
}

// spent is what a time of measuring has cost.
type spent struct {
	looks       int
	allocations uint64
	used        time.Duration
}

// least returns the lowest cost of three times of that length: what is counted is the
// whole process's, other tests' goroutines included.
func least(t *testing.T, source *looked, length time.Duration) spent {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	low := spent{looks: math.MaxInt, allocations: math.MaxUint64, used: math.MaxInt64}
	var before, after runtime.MemStats
	for range 3 {
		looks := source.looks.Load()
		runtime.ReadMemStats(&before)
		used := processorTime(t)
		time.Sleep(length)
		used = processorTime(t) - used
		runtime.ReadMemStats(&after)
		low = spent{min(low.looks, int(source.looks.Load()-looks)), min(low.allocations, after.Mallocs-before.Mallocs), min(low.used, used)}
	}
	return low
}

// looked is a source that counts how often it is read.
type looked struct {
	*collector.GPUs
	looks atomic.Int64
}

func (c *looked) Read(dst []collector.Reading) ([]collector.Reading, error) {
	c.looks.Add(1)
	return c.GPUs.Read(dst)
}

func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
