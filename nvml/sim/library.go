// Package sim is a GPU library without GPUs: it has the method set of the NVML
// binding and answers from a described node, at the time a given clock shows.
//
// It shows what libsim, the simulated C library, shows through the real binding;
// one conformance suite runs on both.
package sim

import (
	"fmt"
	"slices"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/scenario"
)

// calls is the number of groups of calls.
const calls = int(scenario.CallActivity) + 1

// Library is a simulated NVML. Like the binding, it is used from one goroutine at
// a time.
type Library struct {
	node    scenario.Node
	clock   energy.Clock
	origin  energy.Instant
	devices []nvml.Device
	hits    []int         // by fault: the calls it has struck
	refused [][calls]bool // by device and call: not supported when the library was opened
	ring    []scenario.RingEntry
	shares  []scenario.Share
	sampled [][]baseline // by device: of the GPU instances
}

// New returns the library of a valid node, whose origin is at that instant of the
// clock. It panics if the node is not valid, as that is a mistake in a test.
func New(node scenario.Node, clock energy.Clock, origin energy.Instant) *Library {
	if err := node.Validate(); err != nil {
		panic(fmt.Sprintf("sim.New: %v", err))
	}
	l := &Library{node: node, clock: clock, origin: origin, hits: make([]int, len(node.Faults))}
	for i := range node.Devices {
		d := &node.Devices[i]
		out := nvml.Device{UUID: d.UUID, Name: d.Name, Serial: d.Serial, BusID: d.BusID, Architecture: d.Architecture,
			Driver: node.DriverVersion(), MaxLimit: d.MaxLimit, Memory: d.Memory}
		if len(d.Instances) > 0 {
			out.Instances = instances([]nvml.Instance{}, d, l.now())
		}
		l.devices = append(l.devices, out)
		l.refused = append(l.refused, l.refusals(i))
		l.sampled = append(l.sampled, nil)
		_, _ = l.Activity(i, nil) // the first samples
	}
	return l
}

// refusals returns what a device does not support for good: what it refuses now.
// Like the binding, the library takes a later refusal for a passing one.
func (l *Library) refusals(device int) (refused [calls]bool) {
	for call := range refused {
		for _, f := range l.node.Faults {
			if f.Kind == scenario.Unsupported && f.Times == 0 && f.Strikes(device, scenario.Call(call), l.now()) {
				refused[call] = true
			}
		}
	}
	d := &l.node.Devices[device]
	refused[scenario.CallFields] = refused[scenario.CallFields] || l.node.Missing("nvmlDeviceGetFieldValues")
	refused[scenario.CallSamples] = refused[scenario.CallSamples] || l.node.Missing("nvmlDeviceGetSamples") || d.Sensor.RingTick == 0
	refused[scenario.CallUtilization] = refused[scenario.CallUtilization] ||
		l.node.Missing("nvmlDeviceGetProcessUtilization") || len(d.Instances) > 0
	refused[scenario.CallActivity] = refused[scenario.CallActivity] || !d.GPM() || len(d.Instances) == 0 ||
		l.node.Missing("nvmlGpmMigSampleGet")
	return refused
}

// Open is New with what initialization can fail with: the faults of
// scenario.CallInit that strike now.
func Open(node scenario.Node, clock energy.Clock, origin energy.Instant) (*Library, error) {
	l := New(node, clock, origin)
	if _, err := l.strike(scenario.AllDevices, scenario.CallInit, l.now()); err != nil {
		return nil, err
	}
	return l, nil
}

// Driver returns the driver's version.
func (l *Library) Driver() string { return l.node.DriverVersion() }

// Devices returns the node's devices; they are the same at every call.
func (l *Library) Devices() []nvml.Device { return l.devices }

// Close does nothing.
func (l *Library) Close() error { return nil }

func (l *Library) now() time.Duration { return l.clock.Now().Sub(l.origin) }

// strike returns the error of the first fault that meets the call, or the fault if
// it is garbage instead of an error.
func (l *Library) strike(device int, call scenario.Call, t time.Duration) (*scenario.Fault, error) {
	if version, loaded := l.node.DriverAt(t); !loaded {
		return nil, failures[scenario.NoDriver]
	} else if version != l.node.DriverVersion() {
		return nil, failures[scenario.VersionMismatch]
	}
	if device >= 0 && l.refused[device][call] {
		return nil, failures[scenario.Unsupported]
	}
	for i := range l.node.Faults {
		f := &l.node.Faults[i]
		if !f.Strikes(device, call, t) || f.Times > 0 && l.hits[i] >= f.Times {
			continue
		}
		l.hits[i]++
		if f.Kind == scenario.Garbage {
			return f, nil
		}
		if f.Kind == scenario.Unsupported {
			return nil, errRefused
		}
		return nil, failures[f.Kind]
	}
	return nil, nil
}

// errRefused is NOT_SUPPORTED from a device that has supported it before.
var errRefused = fmt.Errorf("sim: NOT_SUPPORTED, for now: %w", nvml.ErrTransient)

// failures are the binding's errors for the simulated driver's.
var failures = [...]error{
	scenario.Lost:            fmt.Errorf("sim: GPU_IS_LOST: %w", nvml.ErrLost),
	scenario.ResetRequired:   fmt.Errorf("sim: RESET_REQUIRED: %w", nvml.ErrLost),
	scenario.Hang:            fmt.Errorf("sim: %w", nvml.ErrHung),
	scenario.Transient:       fmt.Errorf("sim: UNKNOWN: %w", nvml.ErrTransient),
	scenario.Unsupported:     fmt.Errorf("sim: NOT_SUPPORTED: %w", nvml.ErrUnsupported),
	scenario.NoPermission:    fmt.Errorf("sim: NO_PERMISSION: %w", nvml.ErrPermission),
	scenario.NoDriver:        fmt.Errorf("sim: DRIVER_NOT_LOADED: %w", nvml.ErrNoDriver),
	scenario.VersionMismatch: fmt.Errorf("sim: LIB_RM_VERSION_MISMATCH: %w", nvml.ErrVersionMismatch),
	scenario.Growing:         fmt.Errorf("sim: INSUFFICIENT_SIZE: %w", nvml.ErrTransient),
}

// Processes appends the processes resident on a device, by ascending PID.
func (l *Library) Processes(device int, dst []nvml.Process) ([]nvml.Process, error) {
	t := l.now()
	if _, err := l.strike(device, scenario.CallProcesses, t); err != nil {
		return dst, err
	}
	d := &l.node.Devices[device]
	start := len(dst)
	for i := range d.Loads {
		load := &d.Loads[i]
		if !load.Resident(t) {
			continue
		}
		p := nvml.Process{PID: load.PID, Memory: load.Memory, Kinds: nvml.Kind(load.Kinds),
			GPUInstance: nvml.NoInstance, ComputeInstance: nvml.NoInstance}
		if p.Kinds == 0 {
			p.Kinds = nvml.Compute
		}
		for _, in := range d.Instances {
			if in.UUID == load.Instance {
				p.GPUInstance, p.ComputeInstance = in.GPUInstance, in.ComputeInstance
			}
		}
		same := slices.IndexFunc(dst[start:], func(q nvml.Process) bool {
			return q.PID == p.PID
		})
		if same >= 0 {
			dst[start+same].Kinds |= p.Kinds
			dst[start+same].Memory += p.Memory
			continue
		}
		dst = append(dst, p)
	}
	slices.SortFunc(dst[start:], func(a, b nvml.Process) int { return a.PID - b.PID })
	return dst, nil
}

// Utilization appends the driver's statistic since the stamp since, by ascending
// PID; nothing at all if no process was active.
func (l *Library) Utilization(device int, since uint64, dst []nvml.Utilization) ([]nvml.Utilization, error) {
	t := l.now()
	if _, err := l.strike(device, scenario.CallUtilization, t); err != nil {
		return dst, err
	}
	d := &l.node.Devices[device]
	var newest time.Duration
	l.shares, newest = d.Utilization(l.shares[:0], l.node.Unstamp(d.Sensor.Clock, since), t)
	for _, s := range l.shares {
		dst = append(dst, nvml.Utilization{PID: s.PID, Stamp: l.node.Stamp(d.Sensor.Clock, newest), At: l.origin.Add(newest), SM: uint8(s.SM), Memory: uint8(s.Memory)})
	}
	return dst, nil
}

// PowerSamples appends what the driver's ring holds that is newer than since.
func (l *Library) PowerSamples(device int, since uint64, dst []nvml.PowerSample) ([]nvml.PowerSample, error) {
	t := l.now()
	fault, err := l.strike(device, scenario.CallSamples, t)
	if err != nil {
		return dst, err
	}
	d := &l.node.Devices[device]
	l.ring = d.Ring(l.ring[:0], l.node.Unstamp(d.Sensor.Clock, since), t)
	for _, e := range l.ring {
		if fault != nil {
			e.Power = energy.Power(fault.Value) * energy.Milliwatt
		}
		dst = append(dst, nvml.PowerSample{Stamp: l.node.Stamp(d.Sensor.Clock, e.At), At: l.origin.Add(e.At), Power: e.Power})
	}
	return dst, nil
}

// Status reads what changes slowly; with an error, nothing is known.
func (l *Library) Status(device int, dst *nvml.Status) error {
	t := l.now()
	*dst = nvml.Status{Limit: -1, Temperature: -1, SMClock: -1, MemoryClock: -1, SMUtilization: -1, MemoryUsed: -1, PerformanceState: -1}
	if _, err := l.strike(device, scenario.CallStatus, t); err != nil {
		return err
	}
	s := l.node.Devices[device].Status(t)
	*dst = nvml.Status{Limit: s.Limit, Temperature: s.Temperature, SMClock: s.SMClock, MemoryClock: s.MemoryClock,
		SMUtilization: s.SMUtilization, MemoryUsed: s.MemoryUsed, PerformanceState: s.PerformanceState}
	if dst.Limit == 0 {
		dst.Limit = -1
	}
	if len(l.node.Devices[device].Instances) > 0 {
		dst.SMUtilization = -1
	}
	return nil
}
