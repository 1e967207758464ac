//go:build linux && cgo

package libsim_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/google/go-cmp/cmp"

	"greenagent/energy"
	"greenagent/nvml/libsim"
	"greenagent/scenario"
)

// boards returns every preset, each with a different mixture of loads and errors.
func boards(random *rand.Rand) []scenario.Device {
	var all []scenario.Device
	for _, d := range scenario.Presets() {
		spoilt := d
		spoilt.UUID += "-spoilt"
		spoilt.Sensor.Gain = random.Int64N(100_000) - 50_000
		spoilt.Sensor.Offset = energy.Power(random.Int64N(int64(5 * energy.Watt)))
		spoilt.Sensor.RingLength = 1 + random.IntN(200)
		spoilt.Resets = []time.Duration{20*time.Second + 1, 40*time.Second + spoilt.Sensor.CounterPhase} // the second on a tick
		all = append(all, d, spoilt)
	}
	for i := range all {
		at := time.Duration(-random.Int64N(int64(time.Minute)))
		for pid := range 5 {
			watts := func() energy.Power { return energy.Power(random.Int64N(int64(100 * energy.Watt))) }
			span := func() time.Duration { return 1 + time.Duration(random.Int64N(int64(10*time.Second))) }
			load := scenario.Load{PID: 1000 + pid, From: at, SM: 1 + random.IntN(100), Memory: random.Int64N(1 << 33), Kinds: scenario.Kind(random.IntN(8)), Rest: energy.Power(random.Int64N(int64(50 * energy.Watt)))}
			load.Power = scenario.Curve[energy.Power]{Repeat: pid%2 == 0, Phase: time.Duration(random.Int64N(int64(ms)))}
			for range 1 + random.IntN(4) {
				load.Power.Segments = append(load.Power.Segments, scenario.Segment[energy.Power]{For: span() + ms, From: watts(), To: watts()})
			}
			load.Power.Segments = append(load.Power.Segments, scenario.Segment[energy.Power]{For: span()})
			if pid != 3 {
				load.To = at + 5*span()
			}
			all[i].Loads = append(all[i].Loads, load)
			at += 2 * span()
		}
	}
	return all
}

// TestMirror holds every reading of the C library against package scenario's, at
// times that fall before, on and after whatever happens.
func TestMirror(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	node := scenario.Node{Devices: boards(random)}
	in, lib := open(t, node, libsim.Options{})
	for i := range node.Devices {
		d := &node.Devices[i]
		t.Run(d.UUID, func(t *testing.T) {
			m := mirror{node: &node, d: d, h: handle(t, lib, i)}
			for _, at := range times(d, random) {
				in.Advance(at - in.Elapsed())
				m.compare(t, at)
			}
		})
	}
}

// times returns in order when to compare: at random, around everything that
// happens to the device at a certain time, and a month later.
func times(d *scenario.Device, random *rand.Rand) []time.Duration {
	events := slices.Clone(d.Resets)
	for i := range d.Loads {
		events = append(events, d.Loads[i].From, d.Loads[i].To)
	}
	for n := range time.Duration(20) {
		events = append(events, d.Sensor.CounterPhase+n*d.Sensor.CounterTick, d.Sensor.InstantPhase+n*d.Sensor.InstantTick,
			n*d.Sensor.RingTick, n*scenario.SamplerWindow/scenario.SamplerTags)
	}
	var all []time.Duration
	for _, at := range events {
		all = append(all, at-1, at, at+1)
	}
	for at := time.Duration(0); at < 90*time.Second; at += time.Duration(random.Int64N(int64(800 * ms))) {
		all = append(all, at)
	}
	all = slices.DeleteFunc(all, func(at time.Duration) bool { return at < 0 })
	slices.Sort(all)
	return append(slices.Compact(all), 30*24*time.Hour)
}

type mirror struct {
	node *scenario.Node
	d    *scenario.Device
	h    driver.Device
	// What the last round has seen of the driver's rings.
	lastTag, lastSample uint64
}

func (m *mirror) compare(t *testing.T, at time.Duration) {
	t.Helper()
	check := func(what string, got, want any) {
		t.Helper()
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%s at %v (-scenario +libsim):\n%s", what, at, d)
		}
	}
	type reading struct {
		Value     uint64
		Supported bool
	}
	read := func(value uint64, ret driver.Return) reading {
		t.Helper()
		if ret != driver.SUCCESS && ret != driver.ERROR_NOT_SUPPORTED {
			t.Fatalf("at %v: %v", at, ret)
		}
		if ret != driver.SUCCESS {
			value = 0
		}
		return reading{value, ret == driver.SUCCESS}
	}
	milliwatts := func(p energy.Power, ok bool) reading { return reading{uint64(p / energy.Milliwatt), ok} }

	counter, ok := m.d.Counter(at, m.node.Since())
	millijoules := reading{uint64(counter / energy.Millijoule), ok}
	check("counter", read(m.h.GetTotalEnergyConsumption()), millijoules)
	power, ret := m.h.GetPowerUsage()
	check("power", read(uint64(power), ret), milliwatts(m.d.PowerUsage(at)))

	values := []driver.FieldValue{{FieldId: driver.FI_DEV_TOTAL_ENERGY_CONSUMPTION}}
	want := []reading{millijoules}
	for scope := range uint32(4) {
		values = append(values, driver.FieldValue{FieldId: driver.FI_DEV_POWER_INSTANT, ScopeId: scope}, driver.FieldValue{FieldId: driver.FI_DEV_POWER_AVERAGE, ScopeId: scope})
		set := scenario.Scopes(1 << scope)
		average, has := m.d.AveragePower(at)
		if m.d.Sensor.Fields&set == 0 {
			want = append(want, reading{}, reading{})
			continue
		}
		if !has {
			average = 0
		} else {
			average = m.d.InScope(average, set)
		}
		want = append(want, milliwatts(m.d.InScope(m.d.InstantPower(at), set), true), milliwatts(average, has))
	}
	if ret := m.h.GetFieldValues(values); ret != driver.SUCCESS {
		t.Fatalf("fields: %v", ret)
	}
	var got []reading
	for _, v := range values {
		if v.Timestamp != m.node.WallClock(at).UnixMicro() {
			t.Fatalf("field %d dated %d at %v", v.FieldId, v.Timestamp, at)
		}
		bits := binary.NativeEndian.Uint64(v.Value[:])
		if v.ValueType == uint32(driver.VALUE_TYPE_UNSIGNED_INT) {
			bits = uint64(binary.NativeEndian.Uint32(v.Value[:]))
		}
		got = append(got, read(bits, driver.Return(v.NvmlReturn)))
	}
	check("fields", got, want)
	m.rings(t, at, check)
	m.residents(t, at, check)
	m.status(at, check)
}

func (m *mirror) rings(t *testing.T, at time.Duration, check func(string, any, any)) {
	t.Helper()
	clock := m.d.Sensor.Clock
	type entry struct{ Stamp, Milliwatts uint64 }
	var got, want []entry
	_, ring, ret := m.h.GetSamples(driver.TOTAL_POWER_SAMPLES, m.lastSample)
	if ret != driver.SUCCESS && ret != driver.ERROR_NOT_FOUND {
		t.Fatalf("samples: %v", ret)
	}
	if ret == driver.ERROR_NOT_FOUND {
		ring = nil // go-nvml returns its empty buffer
	}
	for _, e := range ring {
		got = append(got, entry{e.TimeStamp, uint64(binary.NativeEndian.Uint32(e.SampleValue[:]))})
	}
	for _, e := range m.d.Ring(nil, m.node.Unstamp(clock, m.lastSample), at) {
		want = append(want, entry{m.node.Stamp(clock, e.At), uint64(e.Power / energy.Milliwatt)})
	}
	check("ring", got, want)

	var tags, wantTags []driver.ProcessUtilizationSample
	tags, ret = m.h.GetProcessUtilization(m.lastTag)
	if ret != driver.SUCCESS && ret != driver.ERROR_NOT_FOUND {
		t.Fatalf("utilization: %v", ret)
	}
	shares, newest := m.d.Utilization(nil, m.node.Unstamp(clock, m.lastTag), at)
	for _, s := range shares {
		wantTags = append(wantTags, driver.ProcessUtilizationSample{Pid: uint32(s.PID), TimeStamp: m.node.Stamp(clock, newest), SmUtil: uint32(s.SM), MemUtil: uint32(s.Memory)})
	}
	check("utilization", tags, wantTags)
	if at/time.Second%2 == 0 { // at times since the last round, at times since long ago
		m.lastTag, m.lastSample = m.node.Stamp(clock, newest), m.node.Stamp(clock, at)
	}
}

func (m *mirror) residents(t *testing.T, at time.Duration, check func(string, any, any)) {
	t.Helper()
	for kind, list := range map[scenario.Kind]func() ([]driver.ProcessInfo, driver.Return){
		scenario.Compute: m.h.GetComputeRunningProcesses, scenario.Graphics: m.h.GetGraphicsRunningProcesses, scenario.MPS: m.h.GetMPSComputeRunningProcesses,
	} {
		want := []driver.ProcessInfo{}
		for i := range m.d.Loads {
			l := &m.d.Loads[i]
			if l.Resident(at) && (l.Kinds&kind != 0 || l.Kinds == 0 && kind == scenario.Compute) {
				want = append(want, driver.ProcessInfo{Pid: uint32(l.PID), UsedGpuMemory: uint64(l.Memory), GpuInstanceId: 0xFFFFFFFF, ComputeInstanceId: 0xFFFFFFFF})
			}
		}
		got, ret := list()
		if ret != driver.SUCCESS {
			t.Fatalf("processes: %v", ret)
		}
		check("processes", got, want)
	}
}

func (m *mirror) status(at time.Duration, check func(string, any, any)) {
	limit, _ := m.h.GetEnforcedPowerLimit()
	temperature, _ := m.h.GetTemperature(driver.TEMPERATURE_GPU)
	sm, _ := m.h.GetClockInfo(driver.CLOCK_SM)
	memoryClock, _ := m.h.GetClockInfo(driver.CLOCK_MEM)
	rates, _ := m.h.GetUtilizationRates()
	memory, _ := m.h.GetMemoryInfo()
	state, _ := m.h.GetPerformanceState()
	check("status", scenario.Status{Limit: energy.Power(limit) * energy.Milliwatt, Temperature: int(temperature), SMClock: int(sm),
		MemoryClock: int(memoryClock), SMUtilization: int(rates.Gpu), MemoryUsed: int64(memory.Used), PerformanceState: int(state)}, m.d.Status(at))
}
