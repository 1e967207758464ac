package conformance

import (
	"slices"
	"testing"
	"time"

	"greenagent/nvml"
)

// powerSamples reads the driver's ring three times: all, nothing new, new.
func (e *examination) powerSamples(t *testing.T) {
	e.unsupported(t, func() error { _, err := e.lib.PowerSamples(e.index, 0, nil); return err })
	e.o.Wait(e.o.Window) // so that there is something in it

	marker := nvml.PowerSample{Stamp: 1, At: 2, Power: 3}
	read := func(since uint64) []nvml.PowerSample {
		t.Helper()
		ring, err := e.lib.PowerSamples(e.index, since, []nvml.PowerSample{marker})
		if err != nil {
			t.Fatalf("since %d: %v", since, err)
		}
		if len(ring) == 0 || ring[0] != marker {
			t.Fatalf("since %d: not appended to dst: %v", since, ring)
		}
		ring = ring[1:]
		now, last := e.o.Clock.Now(), since
		for i, s := range ring {
			if s.Stamp <= last {
				t.Fatalf("since %d: entry %d: stamp %d after %d", since, i, s.Stamp, last)
			}
			last = s.Stamp
			if age := now.Sub(s.At); age < -time.Second || age > time.Hour {
				t.Fatalf("since %d: entry %d is %v old", since, i, age)
			}
			if i > 0 {
				stamps, instants := time.Duration(s.Stamp-ring[i-1].Stamp)*time.Microsecond, s.At.Sub(ring[i-1].At)
				if stamps != instants {
					t.Fatalf("since %d: entry %d: %v later by stamp, %v by clock", since, i, stamps, instants)
				}
			}
			if most := e.limit(); s.Power < 0 || most > 0 && s.Power > most {
				t.Fatalf("since %d: entry %d: %d µW, with a limit of %d µW", since, i, s.Power, e.device.MaxLimit)
			}
		}
		return ring
	}

	all := read(0)
	if len(all) == 0 {
		t.Fatalf("empty after %v", e.o.Window)
	}
	newest := all[len(all)-1]
	e.o.Wait(e.o.Window)
	fresh := read(newest.Stamp)
	if len(fresh) == 0 {
		t.Fatalf("nothing new in %v", e.o.Window)
	}
	again := read(all[0].Stamp)
	i := slices.IndexFunc(again, func(s nvml.PowerSample) bool { return s.Stamp == newest.Stamp })
	if len(all) > 1 && i >= 0 {
		if moved := again[i].At.Sub(newest.At); moved < -50*time.Millisecond || moved > 50*time.Millisecond {
			t.Errorf("entry %d moved by %v on the clock", newest.Stamp, moved)
		}
	}
}

// utilization follows the driver's statistic by its stamps.
func (e *examination) utilization(t *testing.T) {
	e.unsupported(t, func() error { _, err := e.lib.Utilization(e.index, 0, nil); return err })
	var since uint64
	marker := nvml.Utilization{PID: -1}
	for round := range 3 {
		if round > 0 {
			e.o.Wait(e.o.Window)
		}
		active, err := e.lib.Utilization(e.index, since, []nvml.Utilization{marker})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if len(active) == 0 || active[0] != marker {
			t.Fatalf("round %d: not appended to dst: %v", round, active)
		}
		newest := since
		pids := map[int]bool{}
		for _, u := range active[1:] {
			if u.PID <= 0 || pids[u.PID] || max(u.SM, u.Memory, u.Encoder, u.Decoder) > 100 {
				t.Fatalf("round %d: %+v: no process, twice, or above 100 %%", round, u)
			}
			pids[u.PID] = true
			if u.Stamp <= since {
				t.Fatalf("round %d: %+v is not newer than %d", round, u, since)
			}
			newest = max(newest, u.Stamp)
		}
		since = newest
	}
}

// processes lists who is there.
func (e *examination) processes(t *testing.T) {
	e.unsupported(t, func() error { _, err := e.lib.Processes(e.index, nil); return err })
	marker := nvml.Process{PID: -1}
	list, err := e.lib.Processes(e.index, []nvml.Process{marker})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 || list[0] != marker {
		t.Fatalf("not appended to dst: %v", list)
	}
	pids := map[int]bool{}
	for _, p := range list[1:] {
		if p.PID <= 0 || pids[p.PID] {
			t.Errorf("%+v: PID not positive or not unique", p)
		}
		pids[p.PID] = true
		if p.Kinds == 0 || p.Kinds > nvml.Compute|nvml.Graphics|nvml.MPS {
			t.Errorf("%+v: in no list", p)
		}
		if p.Memory < -1 || e.device.Memory > 0 && p.Memory > e.device.Memory {
			t.Errorf("%+v: the device has %d bytes", p, e.device.Memory)
		}
		if p.GPUInstance == nvml.NoInstance {
			continue
		}
		var now nvml.Partition
		if err := e.lib.Partition(e.index, &now); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(now.Instances, func(in nvml.Instance) bool {
			return in.GPUInstance == p.GPUInstance && (in.ComputeInstance == p.ComputeInstance || p.ComputeInstance == nvml.NoInstance)
		}) {
			t.Errorf("%+v: in no instance of %+v", p, now)
		}
	}
}

// status checks each figure, where it is known.
func (e *examination) status(t *testing.T) {
	e.unsupported(t, func() error { return e.lib.Status(e.index, new(nvml.Status)) })
	var s nvml.Status
	if err := e.lib.Status(e.index, &s); err != nil {
		t.Fatal(err)
	}
	for _, figure := range []struct {
		name        string
		value, most int64
	}{
		{"limit", int64(s.Limit), int64(e.device.MaxLimit)},
		{"temperature", int64(s.Temperature), 150},
		{"SM clock", int64(s.SMClock), 10_000},
		{"memory clock", int64(s.MemoryClock), 30_000},
		{"SM utilization", int64(s.SMUtilization), 100},
		{"memory used", s.MemoryUsed, e.device.Memory},
		{"performance state", int64(s.PerformanceState), 15},
	} {
		if figure.value < -1 || figure.most > 0 && figure.value > figure.most {
			t.Errorf("%s: %d of %d", figure.name, figure.value, figure.most)
		}
	}
	if s == (nvml.Status{Limit: -1, Temperature: -1, SMClock: -1, MemoryClock: -1, SMUtilization: -1, MemoryUsed: -1, PerformanceState: -1}) {
		t.Error("nothing is known, and no error says so")
	}
}
