//go:build linux && cgo

package nvml

import (
	"fmt"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"
)

// Status reads what changes slowly into dst. What the device or this driver
// does not tell is negative; it is an error only if nothing was told.
func (l *Library) Status(device int, dst *Status) error {
	l.desk.Lock()
	defer l.desk.Unlock()
	*dst = unknownStatus
	g, err := l.request(device, (*Library).status, 0)
	if err != nil {
		return err
	}
	*dst = g.current
	return nil
}

var unknownStatus = Status{
	Limit: -1, Temperature: -1, SMClock: -1, MemoryClock: -1,
	SMUtilization: -1, MemoryUsed: -1, PerformanceState: -1,
}

func (l *Library) status(g *gpu, _ uint64) error {
	if err := l.revive(g); err != nil {
		return err
	}
	g.current = unknownStatus
	s := &g.current
	// The last failure that is no refusal, or else the last refusal.
	answered, worst := false, driver.ERROR_NOT_SUPPORTED
	ok := func(ret driver.Return) bool {
		switch {
		case ret == driver.SUCCESS:
			answered = true
		case sentinel(ret) != ErrUnsupported:
			worst = ret
		}
		return ret == driver.SUCCESS
	}

	if l.symbols.limit {
		if v, ret := g.handle.GetEnforcedPowerLimit(); ok(ret) {
			s.Limit, _ = milliwatts(int64(v))
		}
	}
	if l.symbols.temperature {
		if v, ret := g.handle.GetTemperature(driver.TEMPERATURE_GPU); ok(ret) {
			s.Temperature = within(v, 1000)
		}
	}
	if l.symbols.clocks {
		if v, ret := g.handle.GetClockInfo(driver.CLOCK_SM); ok(ret) {
			s.SMClock = within(v, 1e6)
		}
		if v, ret := g.handle.GetClockInfo(driver.CLOCK_MEM); ok(ret) {
			s.MemoryClock = within(v, 1e6)
		}
	}
	if l.symbols.rates {
		if v, ret := g.handle.GetUtilizationRates(); ok(ret) {
			s.SMUtilization = within(v.Gpu, 100)
		}
	}
	if l.symbols.memory {
		if v, ret := g.handle.GetMemoryInfo(); ok(ret) {
			s.MemoryUsed = bytes(v.Used, -1)
		}
	}
	if l.symbols.performance {
		if v, ret := g.handle.GetPerformanceState(); ok(ret) {
			s.PerformanceState = within(uint32(v), 15) // NVML_PSTATE_UNKNOWN is 32
		}
	}
	if answered {
		return nil
	}
	if sentinel(worst) == ErrUnsupported {
		return fmt.Errorf("nvml: device %s: status: %w", g.device.UUID, ErrUnsupported)
	}
	return g.mark(g.failure("status", worst, sentinel(worst)))
}

// within returns v, or unknown where it exceeds what the quantity can be.
func within(v, most uint32) int {
	if v > most {
		return -1
	}
	return int(v)
}
