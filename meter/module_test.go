//go:build linux && cgo

package meter_test

import (
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/scenario"
)

// TestModuleThroughTheBinding: a superchip without a counter whose driver answers for
// the module only is told as that; with a counter, as the GPU it is of.
func TestModuleThroughTheBinding(t *testing.T) {
	for _, counter := range []bool{false, true} {
		d := scenario.GraceHopper("GPU-0")
		d.Sensor.Counter = counter
		d.Loads = []scenario.Load{{PID: 42, From: 300 * ms, Power: scenario.Steady(300 * energy.Watt)}}
		s := measure(t, scenario.Node{Devices: []scenario.Device{d}}, 20*ms, 8*time.Second)
		got := s.last.Domains[0]
		want := s.truth(&got, s.last.Interval)
		if !counter {
			want += d.Module.For(8 * time.Second)
		}
		within(t, got.Scope, got.Energy, want, 0.01)
		if scope := map[bool]string{true: "gpu", false: collector.ModuleScope}[counter]; got.Scope != scope {
			t.Errorf("counter %t: a scope of %q", counter, got.Scope)
		}
	}
}
