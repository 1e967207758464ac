package conformance

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/nvml/sim"
	"greenagent/scenario"
)

// liar is a simulated library that misbehaves in one way.
type liar struct {
	Library
	calls  int
	sample func(calls int, s *nvml.Sample, err *error)
	status func(s *nvml.Status)
	list   func([]nvml.Process) []nvml.Process
	active func([]nvml.Utilization) []nvml.Utilization
	ring   func(since uint64, ring []nvml.PowerSample) []nvml.PowerSample
	parts  func(p *nvml.Partition)
	work   func([]nvml.InstanceActivity) []nvml.InstanceActivity
}

func (l *liar) Sample(device int, s *nvml.Sample) error {
	err := l.Library.Sample(device, s)
	if l.calls++; l.sample != nil {
		l.sample(l.calls, s, &err)
	}
	return err
}

func (l *liar) Status(device int, s *nvml.Status) error {
	err := l.Library.Status(device, s)
	if l.status != nil {
		l.status(s)
	}
	return err
}

func (l *liar) Processes(device int, dst []nvml.Process) ([]nvml.Process, error) {
	dst, err := l.Library.Processes(device, dst)
	if l.list != nil {
		dst = l.list(dst)
	}
	return dst, err
}

func (l *liar) Utilization(device int, since uint64, dst []nvml.Utilization) ([]nvml.Utilization, error) {
	dst, err := l.Library.Utilization(device, since, dst)
	if l.active != nil {
		dst = l.active(dst)
	}
	return dst, err
}

func (l *liar) PowerSamples(device int, since uint64, dst []nvml.PowerSample) ([]nvml.PowerSample, error) {
	dst, err := l.Library.PowerSamples(device, since, dst)
	if l.ring != nil {
		dst = l.ring(since, dst)
	}
	return dst, err
}

func (l *liar) Partition(device int, p *nvml.Partition) error {
	err := l.Library.Partition(device, p)
	if l.parts != nil {
		l.parts(p)
	}
	return err
}

func (l *liar) Activity(device int, dst []nvml.InstanceActivity) ([]nvml.InstanceActivity, error) {
	dst, err := l.Library.Activity(device, dst)
	if l.work != nil {
		dst = l.work(dst)
	}
	return dst, err
}

var lies = map[string]liar{
	"counter falls":      {sample: func(n int, s *nvml.Sample, _ *error) { s.Counter -= energy.Energy(n) * energy.Kilojoule }},
	"counter stands":     {sample: func(_ int, s *nvml.Sample, _ *error) { s.Counter = energy.Joule }},
	"counter in joules":  {sample: func(_ int, s *nvml.Sample, _ *error) { s.Counter /= 1000 }},
	"power above limit":  {sample: func(_ int, s *nvml.Sample, _ *error) { s.Instant *= 1000 }},
	"power too small":    {sample: func(_ int, s *nvml.Sample, _ *error) { s.Instant /= 1000 }},
	"bracket elsewhere":  {sample: func(_ int, s *nvml.Sample, _ *error) { s.After += energy.Instant(time.Second) }},
	"part disappears":    {sample: func(n int, s *nvml.Sample, _ *error) { s.HasAverage = n < 20 }},
	"sampling ends":      {sample: func(n int, _ *nvml.Sample, err *error) { *err = map[bool]error{n > 500: nvml.ErrTransient}[true] }},
	"unsupported, then":  {sample: func(n int, _ *nvml.Sample, err *error) { *err = map[bool]error{n%2 == 1: nvml.ErrUnsupported}[true] }},
	"PID twice":          {list: func(p []nvml.Process) []nvml.Process { return append(p, p[max(0, len(p)-1):]...) }},
	"PID zero":           {list: func(p []nvml.Process) []nvml.Process { return append(p, nvml.Process{Kinds: nvml.Compute}) }},
	"dst overwritten":    {list: func(p []nvml.Process) []nvml.Process { return p[min(1, len(p)):] }},
	"instance of nobody": {list: func(p []nvml.Process) []nvml.Process { return change(p, func(p *nvml.Process) { p.GPUInstance = 9 }) }},
	"above 100 percent": {active: func(u []nvml.Utilization) []nvml.Utilization {
		return change(u, func(u *nvml.Utilization) { u.SM = 101 })
	}},
	"stamp stands": {active: func(u []nvml.Utilization) []nvml.Utilization {
		return change(u, func(u *nvml.Utilization) { u.Stamp = 1 })
	}},
	"ring unordered": {ring: func(_ uint64, r []nvml.PowerSample) []nvml.PowerSample { return append(r, r[max(0, len(r)-1):]...) }},
	"ring misdated": {ring: func(_ uint64, r []nvml.PowerSample) []nvml.PowerSample {
		return change(r, func(s *nvml.PowerSample) { s.At += energy.Instant(time.Hour) })
	}},
	"ring stands": {ring: func(since uint64, r []nvml.PowerSample) []nvml.PowerSample {
		if since > 0 {
			r = r[:min(len(r), 1)]
		}
		return r
	}},
	"instance twice":     {parts: func(p *nvml.Partition) { p.Instances = append(p.Instances, p.Instances[0]) }},
	"instance too large": {parts: func(p *nvml.Partition) { p.Instances[0].Slices++ }},
	"too many slices":    {parts: func(p *nvml.Partition) { p.Slices = 5 }},
	"slices without MIG": {parts: func(p *nvml.Partition) { p.Enabled = false }},
	"busier than can be": {work: func(w []nvml.InstanceActivity) []nvml.InstanceActivity {
		return change(w, func(a *nvml.InstanceActivity) { a.SM = 1_000_001 })
	}},
	"work of nobody": {work: func(w []nvml.InstanceActivity) []nvml.InstanceActivity {
		return change(w, func(a *nvml.InstanceActivity) { a.GPUInstance = 9 })
	}},
	"work out of order": {work: func(w []nvml.InstanceActivity) []nvml.InstanceActivity { slices.Reverse(w[min(1, len(w)):]); return w }},
	"work of no time": {work: func(w []nvml.InstanceActivity) []nvml.InstanceActivity {
		return change(w, func(a *nvml.InstanceActivity) { a.Over = 0 })
	}},
	"no work ever":  {work: func(w []nvml.InstanceActivity) []nvml.InstanceActivity { return w[:min(1, len(w))] }},
	"status absurd": {status: func(s *nvml.Status) { s.Temperature = 4000 }},
	"status empty": {status: func(s *nvml.Status) {
		*s = nvml.Status{Limit: -1, Temperature: -1, SMClock: -1, MemoryClock: -1, SMUtilization: -1, MemoryUsed: -1, PerformanceState: -1}
	}},
}

// change changes the last element, if there is any.
func change[T any](list []T, how func(*T)) []T {
	if len(list) > 0 {
		how(&list[len(list)-1])
	}
	return list
}

// The suite notices each of the lies: it fails in a process of its own.
func TestLiesAreNoticed(t *testing.T) {
	const variable = "GREENAGENT_CONFORMANCE_LIES"
	if os.Getenv(variable) != "" {
		for name, lie := range lies {
			t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
				d := scenario.Hopper("GPU-0")
				d.Loads = []scenario.Load{{PID: 5, Power: scenario.Steady(300 * energy.Watt), Memory: 1 << 30}}
				if lie.parts != nil || lie.work != nil {
					d.Instances = []scenario.Instance{{UUID: "MIG-0", GPUInstance: 1, Slices: 3}, {UUID: "MIG-1", GPUInstance: 2, Slices: 4}}
					d.Loads[0].Instance = "MIG-1"
				}
				clock := sim.NewClock(energy.Instant(time.Hour))
				lie.Library = sim.New(scenario.Node{Devices: []scenario.Device{d}}, clock, clock.Now())
				clock.Advance(time.Minute)
				Run(t, &lie, Options{Clock: clock, Wait: func(d time.Duration) { clock.Advance(d) }})
			})
		}
		return
	}
	run := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLiesAreNoticed$", "-test.v")
	run.Env = append(os.Environ(), variable+"=1")
	out, err := run.CombinedOutput()
	if err == nil {
		t.Errorf("the process with the lies succeeds")
	}
	for name := range lies {
		if !strings.Contains(string(out), "--- FAIL: TestLiesAreNoticed/"+strings.ReplaceAll(name, " ", "_")+" ") {
			t.Errorf("%q is not noticed", name)
		}
	}
	if strings.Contains(string(out), "panic:") {
		t.Errorf("%s", out)
	}
}
