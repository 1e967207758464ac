//go:build linux && cgo

package nvml

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"

	"greenagent/energy"
)

// Library is NVML, opened. Its methods may be called from several goroutines;
// requests are served one at a time, so one may wait for as long as those
// before it: at most Options.Timeout for each device that hangs.
type Library struct {
	clock   energy.Clock
	wall    func() time.Time
	timeout time.Duration
	// starting bounds a start of NVML, describing the description of a device.
	starting, describing time.Duration
	proc, sys            string

	// Written during Open only.
	api     driver.Interface
	symbols *symbols
	driver  string
	kernel  string // version of the kernel module, "" unknown
	devices []Device
	gpus    []*gpu // same index

	warnings  []error  // guarded by life
	newcomers []string // UUIDs of devices that came later; likewise

	desk   sync.Mutex // held by the caller being served; guards the following
	owner  *owner
	timer  *time.Timer
	alarm  time.Time // when the timer fires, zero while it is not set
	closed bool

	recovery recovery
	replaced chan struct{} // closed when recovery is final

	life lifecycle
}

// Open loads the library, starts NVML and describes the devices. It returns
// within InitTimeout plus Timeout per device, whatever the driver does, and
// sooner when ctx ends.
//
// A device that cannot be described is left out, and Warnings says why. If that
// is so for all of them, Open fails with the first one's reason; a machine whose
// driver finds no device opens without any.
//
// Its errors are ErrAbsent (no library), ErrNoDriver, ErrVersionMismatch (which
// only a new process can mend), ErrPermission, ErrAsleep (every GPU is suspended,
// and was left alone), ErrHung (a start of NVML does not return; while it does
// not, further attempts wait InitTimeout for it), ErrTransient for the rest, and
// ctx's own.
//
// A driver that is unloaded later costs the time until it is loaded again: the
// library then lets go of it and tries at growing intervals to start NVML anew,
// while requests return why it does not work. Energy counters begin a new epoch.
func Open(ctx context.Context, o Options) (*Library, error) {
	o = o.withDefaults()
	if err := undisturbed(o.Sys); err != nil {
		return nil, err
	}
	l := &Library{
		clock: o.Clock, wall: o.Wall, timeout: o.Timeout, starting: o.InitTimeout, describing: o.describe,
		proc: o.Proc, sys: o.Sys, replaced: make(chan struct{}), timer: time.NewTimer(o.InitTimeout),
	}
	select {
	case starting <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("nvml: open: %w", context.Cause(ctx))
	case <-l.timer.C:
		return nil, fmt.Errorf("nvml: open: an earlier start has not returned: %w", ErrHung)
	}

	l.owner = l.hire()
	var count int
	start := func(l *Library, _ *gpu, _ uint64) (err error) {
		defer func() { <-starting }()
		count, err = l.start(o.Path)
		return err
	}
	err := l.ask(ctx.Done(), o.InitTimeout, newGPU("", "start of NVML"), start, 0)
	if err == nil {
		err = l.describeAll(ctx, count)
	}
	if err != nil {
		_ = l.Close() // bounded; what it could add is said by err already
		if cause := context.Cause(ctx); cause != nil {
			return nil, fmt.Errorf("nvml: open: %w", cause)
		}
		return nil, err
	}
	return l, nil
}

// start runs on the owner's thread, as does all that calls the driver.
func (l *Library) start(path string) (devices int, err error) {
	l.api, l.symbols, err = load(path)
	if err != nil {
		return 0, err
	}
	if ret := l.api.Init(); ret != driver.SUCCESS {
		return 0, failure("init", ret)
	}
	l.life.Lock()
	l.life.initialised = true
	l.life.Unlock()
	if l.symbols.driverVersion {
		if version, ret := l.api.SystemGetDriverVersion(); ret == driver.SUCCESS {
			l.driver = text(version)
		}
	}
	l.kernel = l.kernelModule()
	devices, ret := l.api.DeviceGetCount()
	if ret != driver.SUCCESS {
		return 0, failure("device count", ret)
	}
	return devices, nil
}

// maxDevices bounds what a driver may claim; NVML itself stops at 64.
const maxDevices = 256

func (l *Library) describeAll(ctx context.Context, count int) error {
	asleep := sleepers(l.sys)
	for i := range min(count, maxDevices) {
		// NVML counts by PCI address, as sysfs is sorted.
		if len(asleep) == count && asleep[i] {
			l.warnings = append(l.warnings, fmt.Errorf("nvml: device #%d: not looked at: %w", i, ErrAsleep))
			continue
		}
		g := newGPU(fmt.Sprintf("#%d", i), "description")
		err := l.ask(ctx.Done(), l.describing, g, (*Library).describe, uint64(i))
		if ctx.Err() != nil {
			return err
		}
		if err == nil && slices.ContainsFunc(l.devices, func(d Device) bool { return d.UUID == g.device.UUID }) {
			err = fmt.Errorf("nvml: device #%d: second with UUID %s: %w", i, g.device.UUID, ErrTransient)
		}
		if err != nil {
			l.warnings = append(l.warnings, err)
			continue
		}
		g.hangs = fmt.Errorf("nvml: device %s: %w", g.device.UUID, ErrHung)
		g.asleep = fmt.Errorf("nvml: device %s: %w", g.device.UUID, ErrAsleep)
		g.sleep = watchSleep(l.sys, sysfsAddress(g.device.BusID))
		l.gpus = append(l.gpus, g)
		l.devices = append(l.devices, g.device)
	}
	if count > 0 && len(l.gpus) == 0 {
		return l.warnings[0]
	}
	return nil
}

// Devices returns the devices as found by Open. The slice is the library's, not
// to be modified. Devices that come later need a new Open; of MIG instances,
// Partition tells.
func (l *Library) Devices() []Device { return l.devices }

// Warnings says what Open could not find out, and which devices came later; each
// matches one sentinel.
func (l *Library) Warnings() []error {
	l.life.Lock()
	defer l.life.Unlock()
	return slices.Clone(l.warnings)
}

// Driver returns the driver's version, "" where it does not say.
func (l *Library) Driver() string { return l.driver }

// Close ends NVML, so that GPUs can be reset and the driver unloaded. It returns
// within Timeout of the requests before it. Where the driver hangs it returns
// ErrHung: NVML is then ended when the last stuck call returns, if it ever does.
// Closing twice is no error; other requests after it return ErrAbsent.
func (l *Library) Close() error {
	l.desk.Lock()
	defer l.desk.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	// Shutting down while calls are under way is undefined, so the last one to
	// come back does it.
	l.life.Lock()
	l.life.closed = true
	stuck, initialised := l.life.stuck, l.life.initialised
	l.life.Unlock()

	var err error
	switch {
	case stuck > 0:
		err = fmt.Errorf("nvml: close: %d calls have not returned: %w", stuck, ErrHung)
	case initialised:
		err = l.ask(nil, l.timeout, newGPU("", "shutdown"), (*Library).shutdown, 0)
	}
	l.dismiss()
	l.timer.Stop()
	for _, g := range l.gpus {
		g.sleep.close()
	}
	return err
}

func (l *Library) shutdown(*gpu, uint64) error {
	for _, g := range l.gpus {
		l.releaseSamples(g)
	}
	l.life.Lock()
	l.life.initialised = false
	l.life.Unlock()
	if ret := l.api.Shutdown(); ret != driver.SUCCESS {
		return failure("shutdown", ret)
	}
	return nil
}
