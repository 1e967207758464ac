//go:build linux && cgo

package nvml

import (
	"errors"
	"fmt"
	"time"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"

	"greenagent/energy"
)

const (
	// firstPause and longestPause are between attempts to start NVML again after its
	// driver has gone, half as long again each time: it is back for a third of the
	// time it was away before that is noticed.
	firstPause   = 250 * time.Millisecond
	longestPause = 10 * time.Second
)

// recovery is what is done about a driver that went away. It is guarded by
// Library.desk.
type recovery struct {
	gone  error // why nothing is asked; nil while the driver is there
	final bool  // only a new process can mend it
	pause time.Duration
	retry energy.Instant // not before
	back  energy.Instant // when it last came back
}

// present reports that the driver is there, after bringing it back if it is time
// to try. Until then it returns why not.
func (l *Library) present() error {
	r := &l.recovery
	now := l.clock.Now()
	if r.gone == nil || r.final || now < r.retry {
		return r.gone
	}
	err := l.bringBack()
	if err == nil {
		r.gone, r.back = nil, l.clock.Now()
		return nil
	}
	r.gone = err
	if errors.Is(err, ErrVersionMismatch) {
		l.giveUp()
	}
	r.pause = min(max(r.pause+r.pause/2, firstPause), longestPause)
	r.retry = l.clock.Now().Add(r.pause)
	return err
}

// judge takes note of what an operation's outcome says about the driver.
func (l *Library) judge(err error) {
	r := &l.recovery
	switch {
	case err == nil:
	case errors.Is(err, ErrVersionMismatch):
		r.gone = err
		l.giveUp()
	case errors.Is(err, ErrNoDriver):
		now := l.clock.Now()
		if now.Sub(r.back) > longestPause {
			r.pause = 0 // it was there for long
		}
		r.gone, r.retry = err, now.Add(r.pause)
	}
}

// giveUp notes that this process can never ask the driver again.
func (l *Library) giveUp() {
	if !l.recovery.final {
		l.recovery.final = true
		close(l.replaced)
	}
}

// Replaced is closed when the driver has been replaced by one of another version:
// only a new process can go on with it.
func (l *Library) Replaced() <-chan struct{} { return l.replaced }

func (l *Library) bringBack() error {
	l.life.Lock()
	stuck := l.life.stuck
	l.life.Unlock()
	if stuck > 0 {
		// NVML must not be shut down under a call.
		return fmt.Errorf("nvml: driver was unloaded while %d calls hang: %w", stuck, ErrHung)
	}
	select {
	case starting <- struct{}{}:
	default:
		return fmt.Errorf("nvml: another start is under way: %w", ErrTransient)
	}
	// Each attempt is a device of its own: one that is set aside would not be asked,
	// and the start never be over.
	return l.ask(nil, l.starting, newGPU("", "new start of NVML"), (*Library).restart, 0)
}

// restart ends NVML, which lets go of the driver that is gone, and starts it with
// the one that is there now. Its devices are found anew by UUID when next asked.
func (l *Library) restart(*gpu, uint64) error {
	defer func() { <-starting }()
	l.life.Lock()
	initialised := l.life.initialised
	l.life.initialised = false
	l.life.Unlock()
	if initialised {
		for _, g := range l.gpus {
			l.releaseSamples(g)
		}
		_ = l.api.Shutdown() // of what is gone already
	}
	if version := l.kernelModule(); l.kernel != "" && version != "" && version != l.kernel {
		return fmt.Errorf("nvml: driver %s was replaced by %s: %w", l.kernel, version, ErrVersionMismatch)
	}
	if ret := l.api.Init(); ret != driver.SUCCESS {
		return failure("init", ret)
	}
	l.life.Lock()
	l.life.initialised = true
	l.life.Unlock()
	if l.symbols.driverVersion {
		if version, ret := l.api.SystemGetDriverVersion(); ret == driver.SUCCESS && text(version) != l.driver {
			return fmt.Errorf("nvml: driver %s was replaced by %s: %w", l.driver, text(version), ErrVersionMismatch)
		}
	}
	count, ret := l.api.DeviceGetCount()
	if ret != driver.SUCCESS {
		return failure("device count", ret)
	}
	for _, g := range l.gpus {
		g.stale = true
		g.epoch++
	}
	l.welcome(count)
	return nil
}

// welcome notes the devices that were not there when the library was opened.
func (l *Library) welcome(count int) {
	for i := range min(count, maxDevices) {
		handle, ret := l.api.DeviceGetHandleByIndex(i)
		if ret != driver.SUCCESS {
			continue
		}
		uuid, ret := handle.GetUUID()
		if ret != driver.SUCCESS || l.knows(text(uuid)) {
			continue
		}
		l.life.Lock()
		l.newcomers = append(l.newcomers, text(uuid))
		l.warnings = append(l.warnings, fmt.Errorf("nvml: device %s was added after the start, and is not measured: %w", text(uuid), ErrTransient))
		l.life.Unlock()
	}
}

func (l *Library) knows(uuid string) bool {
	for _, d := range l.devices {
		if d.UUID == uuid {
			return true
		}
	}
	for _, known := range l.newcomers {
		if known == uuid {
			return true
		}
	}
	return false
}

// Stuck returns how many calls to the driver have not returned. While there are
// any, the process cannot execute another program: the kernel waits for them.
func (l *Library) Stuck() int {
	l.life.Lock()
	defer l.life.Unlock()
	return l.life.stuck
}

// kernelModule returns the version of the kernel module, "" where it is not loaded,
// cannot be told, or is not asked for.
func (l *Library) kernelModule() string {
	if l.proc == "" {
		return ""
	}
	version, _ := KernelDriver(l.proc)
	return version
}
