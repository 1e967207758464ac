//go:build linux && cgo

package nvml

import (
	"errors"
	"time"
	"unsafe"
)

const (
	// settleTries is enough for the counter and power in one scope after the
	// other, and then for the older calls, to be refused for good.
	settleTries = 4 * refusalLimit
	settlePause = 2 * time.Millisecond
)

// settle asks the device everything until it is known what it answers, so that
// later a refusal of what it does answer is known for a passing one. It fails
// only if the device or the driver is gone; a device that answers nothing is
// still a device.
func (l *Library) settle(g *gpu) error {
	l.preclude(g)
	for _, question := range []struct {
		ask     operation
		settled func() bool
	}{
		{(*Library).sample, g.power.settled},
		{(*Library).listProcesses, g.lists.processesSettled},
		{(*Library).listUtilization, g.lists.utilization.settled},
		{(*Library).listPowerSamples, g.lists.ring.settled},
		{(*Library).readActivity, g.gpm.ability.settled},
	} {
		for try := 0; try < settleTries && !question.settled(); try++ {
			if try > 0 {
				time.Sleep(settlePause) // refusals at a high rate may be the rate's
			}
			if err := question.ask(l, g, 0); errors.Is(err, ErrLost) || errors.Is(err, ErrNoDriver) {
				return err
			}
		}
	}
	return nil
}

// preclude rules out what the library has no functions for.
func (l *Library) preclude(g *gpu) {
	s, p, a := l.symbols, &g.power, &g.lists
	for _, call := range []struct {
		have      bool
		abilities []*ability
	}{
		{s.fieldValues, []*ability{&p.counter, &p.instant[0], &p.instant[1], &p.average[0], &p.average[1]}},
		{s.energy, []*ability{&p.olderCounter}},
		{s.power, []*ability{&p.olderPower}},
	} {
		for _, ability := range call.abilities {
			if !call.have {
				ability.preclude()
			}
		}
	}
	for _, list := range []struct {
		at      unsafe.Pointer
		ability *ability
	}{
		{s.compute, &a.compute}, {s.graphics, &a.graphics}, {s.mps, &a.mps},
		{s.utilization, &a.utilization}, {s.samples, &a.ring},
	} {
		if list.at == nil || g.raw == nil {
			list.ability.preclude()
		}
	}
}
