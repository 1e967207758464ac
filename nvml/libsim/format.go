//go:build linux

package libsim

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"greenagent/energy"
	"greenagent/scenario"
)

// EnvScenario names the variable that tells the library its scenario's file.
const EnvScenario = "GREENAGENT_LIBSIM_SCENARIO"

// architectures are the numbers of NVML_DEVICE_ARCH_*.
var architectures = map[string]int{"Kepler": 2, "Maxwell": 3, "Pascal": 4, "Volta": 5, "Turing": 6, "Ampere": 7,
	"Ada": 8, "Hopper": 9, "Blackwell": 10}

// clockLine is how the library is to tell the time.
type clockLine struct {
	virtual bool
	origin  energy.Instant
	control string // the file of struct control
}

// write writes a valid node in the lines that src/parse.c reads: a keyword and its
// values, devices before what belongs to them, times in ns since the origin, powers
// in µW.
func write(w io.Writer, node *scenario.Node, clock clockLine) error {
	var b bytes.Buffer
	fmt.Fprintln(&b, "greenagent-libsim 1")
	fmt.Fprintln(&b, "driver", node.DriverVersion())
	fmt.Fprintln(&b, "control", clock.control)
	fmt.Fprintln(&b, "clock", bit(clock.virtual), int64(clock.origin), int64(node.Since()), node.WallClock(0).UnixNano())
	for _, r := range node.Reloads {
		fmt.Fprintln(&b, "reload", int64(r.At), int64(r.For), r.Driver)
	}
	for i := range node.Devices {
		writeDevice(&b, &node.Devices[i])
	}
	for _, f := range node.Faults {
		fmt.Fprintln(&b, "fault", f.Device, int(f.Call), int(f.Kind), int64(f.At), int64(f.For), f.Times, f.Value)
	}
	fmt.Fprintln(&b, "end")
	_, err := w.Write(b.Bytes())
	return err
}

func writeDevice(b *bytes.Buffer, d *scenario.Device) {
	fmt.Fprintln(b, "device", d.UUID)
	fmt.Fprintf(b, "name %s\nserial %s\nbus %s\n", d.Name, d.Serial, d.BusID)
	architecture, ok := architectures[d.Architecture]
	if !ok {
		architecture = -1
	}
	fmt.Fprintln(b, "board", architecture, int64(d.Idle), int64(d.Context), int64(d.Module),
		int64(d.MaxLimit), int64(d.EnforcedLimit()), d.Memory)
	s := d.Sensor
	ring := s.RingLength
	if ring == 0 {
		ring = 120
	}
	fmt.Fprintln(b, "sensor", bit(s.Counter), int64(s.CounterTick), int64(s.CounterPhase),
		int64(s.InstantTick), int64(s.InstantPhase), int64(s.InstantWindow),
		int64(s.AverageTick), int64(s.AveragePhase), int64(s.AverageWindow),
		int64(s.Lag), s.Gain, int64(s.Offset), int64(s.RingTick), ring, s.Clock, s.Fields)
	for _, reset := range d.Resets {
		fmt.Fprintln(b, "reset", int64(reset))
	}
	for _, leap := range d.Leaps {
		fmt.Fprintln(b, "leap", int64(leap.At), int64(leap.By))
	}
	if d.Added != 0 {
		fmt.Fprintln(b, "added", int64(d.Added))
	}
	if d.Private {
		fmt.Fprintln(b, "private", 1)
	}
	for _, in := range d.Instances {
		to := in.To
		if to == 0 {
			to = scenario.Forever
		}
		fmt.Fprintln(b, "instance", in.UUID, in.GPUInstance, in.ComputeInstance, in.Slices, in.Outer(), in.Memory, int64(in.From), int64(to))
	}
	for i := range d.Loads {
		l := &d.Loads[i]
		to, sm, kinds := l.To, l.SM, l.Kinds
		if to == 0 {
			to = scenario.Forever
		}
		if sm == 0 {
			sm = 100
		}
		if kinds == 0 {
			kinds = scenario.Compute
		}
		instance := slices.IndexFunc(d.Instances, func(in scenario.Instance) bool { return in.UUID == l.Instance })
		fmt.Fprintln(b, "load", l.PID, int64(l.From), int64(to), sm, kinds, l.Memory, instance,
			bit(l.Power.Repeat), int64(l.Power.Phase), int64(l.Rest))
		for _, segment := range l.Power.Segments {
			fmt.Fprintln(b, "segment", int64(segment.For), int64(segment.From), int64(segment.To))
		}
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
