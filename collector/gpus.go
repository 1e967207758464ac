package collector

import (
	"errors"
	"fmt"

	"greenagent/energy"
	"greenagent/nvml"
)

// uncalibrated is the relative standard uncertainty of an on-board GPU sensor:
// ±5 %, uniform (SC24, see sensorOf; measured against external meters).
const uncalibrated = 0.029

// gpuReader is the part of NVML that tells energy: *nvml.Library or *sim.Library.
type gpuReader interface {
	Devices() []nvml.Device
	Sample(device int, dst *nvml.Sample) error
	PowerSamples(device int, since uint64, dst []nvml.PowerSample) ([]nvml.PowerSample, error)
	Status(device int, dst *nvml.Status) error
}

// GPUs is the source of GPU energy. It has one domain per device, in NVML's
// order. It is used by one goroutine.
type GPUs struct {
	lib     gpuReader
	domains []Domain
	lost    []absence        // by device
	used    []energy.Instant // by device: when it was last asked how much it was used
	sample  nvml.Sample
	status  nvml.Status
	past    []nvml.PowerSample
}

// absence is how many readings to leave a lost device in peace for, twice as many
// each time.
type absence struct {
	left, next int
	err        error
}

const longestAbsence = 64

// NewGPUs returns the source of an opened library's devices, with what is known
// of them by UUID. Each is read once, to see what it has.
func NewGPUs(lib gpuReader, known map[string]Known) *GPUs {
	s := &GPUs{lib: lib}
	for i, d := range lib.Devices() {
		sensor, known := sensorOf(d), known[d.UUID]
		domain := Domain{
			ID: "gpu:" + d.UUID, Type: GPU, Name: d.Name, Driver: d.Driver, Scope: "gpu",
			Basis: energy.Integrated, Limit: d.MaxLimit, Gain: uncalibrated,
			Tick: sensor.tick, Window: sensor.window, Lag: sensor.lag,
			CounterTick: known.CounterTick, Calibration: known.Calibration, Floor: known.Idle,
		}
		if known.PowerTick > 0 {
			domain.Tick = known.PowerTick
		}
		// A device that does not answer now is taken to have a counter, as all
		// since Volta do; it is the better guess, and costs nothing if it is lost.
		if err := lib.Sample(i, &s.sample); err != nil || s.sample.HasCounter {
			domain.Basis, domain.Counter = energy.Counted, true
		} else if s.sample.Scope == nvml.ScopeModule {
			domain.Scope = ModuleScope
			domain.Note = "its figures are of the whole module, CPU and memory included"
		}
		if s.sample.HasAverage && (s.sample.Scope == nvml.ScopeGPU || !domain.Counter) {
			domain.Average = averageWindow
		}
		s.domains = append(s.domains, domain)
	}
	s.lost, s.used = make([]absence, len(s.domains)), make([]energy.Instant, len(s.domains))
	return s
}

// Domains implements Source.
func (s *GPUs) Domains() []Domain { return s.domains }

// Read implements Source: one driver call per device.
func (s *GPUs) Read(dst []Reading) ([]Reading, error) {
	var failed error
	for i := range s.domains {
		if s.lost[i].left > 0 {
			s.lost[i].left--
			failed = errors.Join(failed, s.lost[i].err)
			continue
		}
		err := s.lib.Sample(i, &s.sample)
		if errors.Is(err, nvml.ErrLost) {
			n := min(s.lost[i].next, longestAbsence)
			s.lost[i] = absence{left: n, next: 2*n + 1, err: err}
		} else {
			s.lost[i] = absence{}
		}
		if err != nil {
			failed = errors.Join(failed, err)
		}
		if !s.sample.HasCounter && !s.sample.HasInstant && !s.sample.HasAverage {
			continue
		}
		r := Reading{
			Domain:  i,
			At:      s.sample.Before + (s.sample.After-s.sample.Before)/2,
			Spread:  s.sample.After.Sub(s.sample.Before) / 2,
			Counter: s.sample.Counter,
			Epoch:   s.sample.Epoch,
			Power:   s.sample.Instant,
			Average: s.sample.Average,
		}
		if s.sample.HasCounter {
			r.Has |= HasCounter
		}
		// Power of a module beside a counter of the GPU would be the wrong shape.
		if s.sample.Scope == nvml.ScopeGPU || !s.domains[i].Counter {
			if s.sample.HasInstant {
				r.Has |= HasPower
			}
			if s.sample.HasAverage {
				r.Has |= HasAverage
			}
		}
		s.use(&r)
		dst = append(dst, r)
	}
	return dst, failed
}

// use adds to a reading how much the device was used, where its power alone leaves
// that open. It is no error not to know.
func (s *GPUs) use(r *Reading) {
	d := &s.domains[r.Domain]
	if d.Counter || d.gapless() || s.used[r.Domain] > 0 && r.At.Sub(s.used[r.Domain]) < useEvery {
		return
	}
	s.used[r.Domain] = r.At
	if err := s.lib.Status(r.Domain, &s.status); err == nil && s.status.SMUtilization >= 0 {
		r.Use, r.Has = s.status.SMUtilization, r.Has|HasUse
	}
}

// Recall appends what the driver's own ring remembers of a device's power. That
// a device has no such ring is no error.
func (s *GPUs) Recall(domain int, dst []PowerPoint) ([]PowerPoint, error) {
	if s.domains[domain].Scope == ModuleScope {
		return dst, nil
	}
	past, err := s.lib.PowerSamples(domain, 0, s.past[:0])
	s.past = past
	if err != nil && !errors.Is(err, nvml.ErrUnsupported) {
		return dst, fmt.Errorf("power before the start: %w", err)
	}
	for _, p := range past {
		dst = append(dst, PowerPoint{p.At, p.Power})
	}
	return dst, nil
}
