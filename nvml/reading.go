//go:build linux && cgo

package nvml

import (
	"fmt"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"

	"greenagent/energy"
)

// reading collects the parts of a Sample and the first of what went wrong.
type reading struct {
	g   *gpu
	err error
}

// call judges one part's outcome. Refusals of what was never answered yet are
// no error: the part is absent.
func (r *reading) call(what string, a *ability, ret driver.Return) bool {
	promised := a.proven
	as := a.learn(ret)
	if as == nil {
		return true
	}
	if r.err == nil && (promised || sentinel(ret) != ErrUnsupported) {
		r.err = r.g.failure(what, ret, as)
	}
	return false
}

// field judges and decodes one of the values of GetFieldValues, each of which
// has a return code of its own.
func (r *reading) field(what string, a *ability, call driver.Return, i int) (int64, bool) {
	value := &r.g.values[i]
	ret := call
	if ret == driver.SUCCESS {
		ret = driver.Return(value.NvmlReturn)
	}
	if !r.call(what, a, ret) {
		return 0, false
	}
	v, ok := decode(value.ValueType, value.Value)
	if !ok {
		r.unreadable(what)
	}
	return v, ok
}

func (r *reading) energy(v int64) (energy.Energy, bool) {
	e, ok := millijoules(v)
	if !ok {
		r.unreadable("energy counter")
		return 0, false
	}
	return e, true
}

func (r *reading) power(v int64) (energy.Power, bool) {
	p, ok := milliwatts(v)
	if !ok {
		r.unreadable("power")
		return 0, false
	}
	return p, true
}

func (r *reading) unreadable(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("nvml: device %s: %s: driver gives no readable value: %w", r.g.device.UUID, what, ErrTransient)
	}
}
