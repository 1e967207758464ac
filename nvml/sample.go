//go:build linux && cgo

package nvml

import (
	"fmt"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"
)

// powerAbilities is what a device is known to answer about power and energy.
// Fields that GetFieldValues serves come first; the older calls stand in for
// what it does not.
type powerAbilities struct {
	counter          ability
	instant, average [2]ability // by Scope: GPU, then module
	olderCounter     ability
	olderPower       ability
}

// scope returns the scope to ask for power in, false if fields serve neither.
// Some GH200 reject the GPU's, and know the module's.
func (p *powerAbilities) scope() (Scope, bool) {
	for _, s := range [...]Scope{ScopeGPU, ScopeModule} {
		if !p.instant[s].absent() || !p.average[s].absent() {
			return s, true
		}
	}
	return ScopeGPU, false
}

// settled reports whether further tries can teach nothing.
func (p *powerAbilities) settled() bool {
	counter := p.counter.proven || p.counter.absent() && p.olderCounter.settled()
	if s, ok := p.scope(); ok {
		return counter && p.instant[s].settled() && p.average[s].settled()
	}
	return counter && p.olderPower.settled()
}

// Sample reads a device's energy counter and power into dst: one call of
// nvmlDeviceGetFieldValues where the driver has it, else
// nvmlDeviceGetTotalEnergyConsumption (Volta and newer) and
// nvmlDeviceGetPowerUsage, whose reading is stored as Average or Instant as the
// architecture has it. In steady state it allocates nothing.
//
// What the device never reports is absent from dst without an error. With an
// error, dst holds what could be read nonetheless: a part, or nothing. Readings
// are as the driver gives them; it has been seen to give absurd ones.
func (l *Library) Sample(device int, dst *Sample) error {
	l.desk.Lock()
	defer l.desk.Unlock()
	*dst = Sample{}
	g, err := l.request(device, (*Library).sample, 0)
	if g != nil && err != g.hangs {
		*dst = g.sampled
	}
	return err
}

// Field numbers and scopes are those of nvml.h.
func (l *Library) sample(g *gpu, _ uint64) error {
	g.sampled = Sample{}
	if err := l.revive(g); err != nil {
		return err
	}
	p := &g.power
	n := 0
	ask := func(field uint32, scope Scope) int {
		g.values[n] = driver.FieldValue{FieldId: field, ScopeId: uint32(scope), NvmlReturn: uint32(driver.ERROR_UNKNOWN)}
		n++
		return n - 1
	}
	counter, instant, average := -1, -1, -1
	if !p.counter.absent() {
		counter = ask(driver.FI_DEV_TOTAL_ENERGY_CONSUMPTION, ScopeGPU)
	}
	scope, byField := p.scope()
	if byField && !p.instant[scope].absent() {
		instant = ask(driver.FI_DEV_POWER_INSTANT, scope)
	}
	if byField && !p.average[scope].absent() {
		average = ask(driver.FI_DEV_POWER_AVERAGE, scope)
	}
	olderCounter := counter < 0 && !p.olderCounter.absent()
	olderPower := !byField && !p.olderPower.absent()

	s := &g.sampled
	s.Scope, s.Epoch = scope, g.epoch
	s.Before = l.clock.Now()
	var fields, counted, powered driver.Return
	var millijoule uint64
	var milliwatt uint32
	if n > 0 {
		fields = g.handle.GetFieldValues(g.values[:n])
	}
	if olderCounter {
		millijoule, counted = g.handle.GetTotalEnergyConsumption()
	}
	if olderPower {
		milliwatt, powered = g.handle.GetPowerUsage()
	}
	s.After = l.clock.Now()

	r := reading{g: g}
	if counter >= 0 {
		if v, ok := r.field("energy counter", &p.counter, fields, counter); ok {
			s.Counter, s.HasCounter = r.energy(v)
		}
	}
	if instant >= 0 {
		if v, ok := r.field("instant power", &p.instant[scope], fields, instant); ok {
			s.Instant, s.HasInstant = r.power(v)
		}
	}
	if average >= 0 {
		if v, ok := r.field("average power", &p.average[scope], fields, average); ok {
			s.Average, s.HasAverage = r.power(v)
		}
	}
	if olderCounter && r.call("energy counter", &p.olderCounter, counted) {
		if millijoule > 1<<62 {
			millijoule = 1 << 62 // overflows, and is rejected as such
		}
		s.Counter, s.HasCounter = r.energy(int64(millijoule))
	}
	if olderPower && r.call("power", &p.olderPower, powered) {
		v, ok := r.power(int64(milliwatt))
		if g.averages {
			s.Average, s.HasAverage = v, ok
		} else {
			s.Instant, s.HasInstant = v, ok
		}
	}
	if !s.HasCounter && !s.HasInstant && !s.HasAverage && r.err == nil {
		if p.settled() {
			r.err = fmt.Errorf("nvml: device %s: energy and power: %w", g.device.UUID, ErrUnsupported)
		} else {
			r.err = fmt.Errorf("nvml: device %s: energy and power refused so far: %w", g.device.UUID, ErrTransient)
		}
	}
	return g.mark(r.err)
}
