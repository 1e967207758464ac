// Package conformance holds what is true of every NVML library: the real driver
// on any board, the simulated C library and the Go simulator alike. A simulator
// that fails it would prove nothing about greenagent; a driver that fails it is
// one greenagent has to learn about.
package conformance

import (
	"errors"
	"testing"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
)

// Library is what is examined: the method set of nvml.Library.
type Library interface {
	Devices() []nvml.Device
	Driver() string
	Sample(device int, dst *nvml.Sample) error
	Processes(device int, dst []nvml.Process) ([]nvml.Process, error)
	Utilization(device int, since uint64, dst []nvml.Utilization) ([]nvml.Utilization, error)
	PowerSamples(device int, since uint64, dst []nvml.PowerSample) ([]nvml.PowerSample, error)
	Status(device int, dst *nvml.Status) error
	Partition(device int, dst *nvml.Partition) error
	Activity(device int, dst []nvml.InstanceActivity) ([]nvml.InstanceActivity, error)
}

// Options says where the library's time comes from.
type Options struct {
	// Clock is the one the library dates readings with.
	Clock energy.Clock
	// Wait lets time pass on that clock.
	Wait func(time.Duration)
	// Window is for how long each question is watched, by default 3 s. It must
	// span a few ticks of the counter and of the driver's ring, which take up to
	// a second on real boards.
	Window time.Duration
	// Transient is how many of a thousand requests may fail with
	// nvml.ErrTransient, as those of real drivers do now and then.
	Transient int
}

// Run examines a library in subtests, one for each device and question.
func Run(t *testing.T, lib Library, o Options) {
	if o.Window == 0 {
		o.Window = 3 * time.Second
	}
	devices := lib.Devices()
	if len(devices) == 0 {
		t.Fatal("no devices: nothing is examined")
	}
	t.Run("devices", func(t *testing.T) { examineDevices(t, lib) })
	for i, d := range devices {
		e := examination{lib: lib, o: o, index: i, device: d}
		t.Run(d.UUID, func(t *testing.T) {
			t.Run("sample", e.sample)
			t.Run("repeated", e.repeated)
			t.Run("power samples", e.powerSamples)
			t.Run("utilization", e.utilization)
			t.Run("processes", e.processes)
			t.Run("status", e.status)
			t.Run("partition", e.partition)
			t.Run("activity", e.activity)
		})
	}
}

type examination struct {
	lib    Library
	o      Options
	index  int
	device nvml.Device
}

// limit is the most power that is believed, 0 where no limit is known.
func (e *examination) limit() energy.Power { return e.device.MaxLimit * 3 / 2 }

// unsupported checks that the answer "not supported" is given for good, and
// skips the rest of the test if it is given at all.
func (e *examination) unsupported(t *testing.T, ask func() error) {
	t.Helper()
	err := ask()
	if !errors.Is(err, nvml.ErrUnsupported) {
		return
	}
	for range 3 {
		e.o.Wait(100 * time.Millisecond)
		if again := ask(); !errors.Is(again, nvml.ErrUnsupported) {
			t.Fatalf("answers %v after %v", again, err)
		}
	}
	t.Skipf("for good: %v", err)
}

// Sentinels returns those of the package's errors that err matches: one for any
// error of a library, none for nil.
func Sentinels(err error) (matched []error) {
	for _, s := range []error{
		nvml.ErrAbsent, nvml.ErrNoDriver, nvml.ErrVersionMismatch, nvml.ErrPermission,
		nvml.ErrUnsupported, nvml.ErrTransient, nvml.ErrLost, nvml.ErrAsleep, nvml.ErrHung,
	} {
		if errors.Is(err, s) {
			matched = append(matched, s)
		}
	}
	return matched
}

func examineDevices(t *testing.T, lib Library) {
	uuids := map[string]bool{}
	unique := func(uuid string) {
		if uuid == "" || uuids[uuid] {
			t.Errorf("UUID %q is empty or not unique", uuid)
		}
		uuids[uuid] = true
	}
	for i, d := range lib.Devices() {
		unique(d.UUID)
		if d.Driver != lib.Driver() {
			t.Errorf("device %d: driver %q, library says %q", i, d.Driver, lib.Driver())
		}
		if d.Name == "" || d.MaxLimit < 0 || d.Memory < 0 {
			t.Errorf("device %d: name %q, limit %v, memory %d", i, d.Name, d.MaxLimit, d.Memory)
		}
		for _, in := range d.Instances {
			unique(in.UUID)
		}
	}
}
