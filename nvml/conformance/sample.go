package conformance

import (
	"errors"
	"testing"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
)

// sample watches the sensor for a window: brackets, order, monotony, bounds, and
// whether counter and power speak of the same device.
func (e *examination) sample(t *testing.T) {
	e.unsupported(t, func() error { return e.lib.Sample(e.index, new(nvml.Sample)) })

	const every = 50 * time.Millisecond
	var first, last nvml.Sample
	var integral energy.Energy // of power, by trapezoid
	for n := range int(e.o.Window/every) + 1 {
		before := e.o.Clock.Now()
		var s nvml.Sample
		if err := e.lib.Sample(e.index, &s); err != nil {
			if errors.Is(err, nvml.ErrTransient) && e.o.Transient > 0 {
				continue
			}
			t.Fatalf("sample %d: %v", n, err)
		}
		if after := e.o.Clock.Now(); s.Before < before || s.After < s.Before || after < s.After {
			t.Fatalf("sample %d: bracket [%d, %d] outside of the call's [%d, %d]", n, s.Before, s.After, before, after)
		}
		e.bounds(t, s)
		if first.After == 0 {
			first, last = s, s
		}
		if s.HasCounter != first.HasCounter || s.HasInstant != first.HasInstant || s.HasAverage != first.HasAverage || s.Scope != first.Scope {
			t.Fatalf("sample %d: has other parts or scope than the first: %+v, %+v", n, s, first)
		}
		if s.Counter < last.Counter {
			t.Fatalf("sample %d: counter falls from %d to %d µJ", n, last.Counter, s.Counter)
		}
		integral += ((power(s) + power(last)) / 2).For(middle(s).Sub(middle(last)))
		last = s
		e.o.Wait(every)
	}

	elapsed := middle(last).Sub(middle(first))
	if elapsed < e.o.Window/2 {
		t.Fatalf("watched for %v of %v", elapsed, e.o.Window)
	}
	if !first.HasCounter {
		return
	}
	counted := last.Counter - first.Counter
	if counted <= 0 {
		t.Fatalf("counter stands still for %v", elapsed)
	}
	// A counter ticks at least every 200 ms, so that much may be booked late.
	if most := e.limit().For(elapsed + 200*time.Millisecond); most > 0 && counted > most {
		t.Errorf("counter: %d µJ in %v, more than 1.5 times the limit allows", counted, elapsed)
	}
	// A factor of five: disagreement by 75 % has been seen on idle cards, and a
	// module draws more than its GPU. A wrong unit is a factor of a thousand.
	if first.HasInstant || first.HasAverage {
		if counted > 5*integral || integral > 5*counted {
			t.Errorf("counter: %d µJ in %v, while power integrates to %d µJ", counted, elapsed, integral)
		}
	}
}

// bounds checks one sample by itself.
func (e *examination) bounds(t *testing.T, s nvml.Sample) {
	t.Helper()
	if !s.HasCounter && !s.HasInstant && !s.HasAverage {
		t.Fatalf("sample has no part, and no error says so: %+v", s)
	}
	if !s.HasCounter && s.Counter != 0 || !s.HasInstant && s.Instant != 0 || !s.HasAverage && s.Average != 0 {
		t.Fatalf("sample has values in absent parts: %+v", s)
	}
	if s.Counter < 0 || s.Instant < 0 || s.Average < 0 || s.Scope > nvml.ScopeMemory {
		t.Fatalf("sample out of range: %+v", s)
	}
	// The limit is the GPU's, and not its module's.
	if most := e.limit(); most > 0 && s.Scope == nvml.ScopeGPU && max(s.Instant, s.Average) > most {
		t.Fatalf("power above 1.5 times the limit of %v: %+v", e.device.MaxLimit, s)
	}
}

func power(s nvml.Sample) energy.Power {
	if s.HasInstant {
		return s.Instant
	}
	return s.Average
}

func middle(s nvml.Sample) energy.Instant { return s.Before + (s.After-s.Before)/2 }

// repeated samples without a pause.
func (e *examination) repeated(t *testing.T) {
	e.unsupported(t, func() error { return e.lib.Sample(e.index, new(nvml.Sample)) })
	const times = 1000
	failed := 0
	var last nvml.Sample
	for n := range times {
		var s nvml.Sample
		if err := e.lib.Sample(e.index, &s); err != nil {
			if failed++; !errors.Is(err, nvml.ErrTransient) || failed > e.o.Transient*times/1000 {
				t.Fatalf("sample %d: %v", n, err)
			}
			continue
		}
		if s.Before < last.After || s.Counter < last.Counter {
			t.Fatalf("sample %d: %+v follows %+v", n, s, last)
		}
		last = s
	}
}
