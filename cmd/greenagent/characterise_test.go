//go:build linux && cgo

package main

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"greenagent/doctor"
	"greenagent/energy"
	"greenagent/nvml/libsim"
	"greenagent/profile"
	"greenagent/scenario"
)

// TestCharacteriseBoards: what is derived through the real binding, in real time, is
// what the scenario says: ticks to a hundredth and to what is stated.
func TestCharacteriseBoards(t *testing.T) {
	t.Parallel()
	node := scenario.Node{Devices: []scenario.Device{
		scenario.Hopper("GPU-hopper"), scenario.GA100("GPU-ga100"), scenario.Ada("GPU-ada"), scenario.Volta("GPU-volta"),
		scenario.Pascal("GPU-pascal"), scenario.GraceHopper("GPU-gracehopper"),
	}}
	for i := range node.Devices {
		d := &node.Devices[i]
		d.Loads = []scenario.Load{{PID: 1, Memory: 1 << 30, Power: scenario.Ramp(d.MaxLimit/10, d.MaxLimit/2, time.Minute)}}
	}
	in := libsim.Start(t, node, libsim.Options{Monotonic: true})
	state := t.TempDir()
	var c doctor.Characterisation
	for range 3 {
		cmd := command(t, "greenagent", "doctor", "characterise", "--json", "--duration", "5s", "--nvml-library", in.Path, "--state-dir", state)
		cmd.Env = append(os.Environ(), in.Env())
		e := finish(t, cmd)
		if err := json.Unmarshal([]byte(e.stdout), &c); err != nil {
			t.Fatalf("%v\n%s%s", err, e.stdout, e.stderr)
		}
		if e.status != c.Status.Exit() || e.stderr != "" {
			t.Errorf("status %d of %s\n%s", e.status, c.Status, e.stderr)
		}
		if len(c.GPUs) == 0 || time.Duration(c.GPUs[0].Characterised.Apart) < 5*time.Millisecond {
			break
		}
		t.Logf("once more: readings were %v apart", c.GPUs[0].Characterised.Apart)
	}
	if len(c.GPUs) != len(node.Devices) {
		t.Fatalf("%d GPUs", len(c.GPUs))
	}
	if apart := time.Duration(c.GPUs[0].Characterised.Apart); apart > 5*time.Millisecond {
		t.Skipf("this machine is too busy: readings are %v apart", apart)
	}
	for i, g := range c.GPUs {
		d := &node.Devices[i]
		check := func(what string, got *profile.Tick, want time.Duration) {
			t.Helper()
			if got == nil {
				t.Errorf("%s: %s: no tick", d.Name, what)
				return
			}
			t.Logf("%-22s %-7s %v ± %v, off the beat by %v; is %v", d.Name, what, got.Period, got.Within, *got.Jitter, want)
			if off := (time.Duration(got.Period) - want).Abs(); off > want/100 || !got.Even {
				t.Errorf("%s: %s ticks every %v, learnt %+v", d.Name, what, want, *got)
			}
		}
		if d.Sensor.Counter {
			check("counter", g.Counter.Tick, d.Sensor.CounterTick)
			if d.Sensor.Fields != scenario.ScopeModule && (g.CrossCheck == nil || math.Abs(*g.CrossCheck-1) > 0.02) {
				t.Errorf("%s: cross-check %v", d.Name, g.CrossCheck)
			}
		} else if g.Counter != nil {
			t.Errorf("%s: a counter: %+v", d.Name, g.Counter)
		}
		check("power", g.Power.Tick, d.Sensor.InstantTick)
		clock := map[scenario.ClockDomain]string{scenario.SinceBoot: profile.ClockBoot, scenario.SinceEpoch: profile.ClockEpoch}[d.Sensor.Clock]
		if g.Ring == nil || g.Ring.Clock != clock || time.Duration(*g.Ring.Every) != d.Sensor.RingTick {
			t.Errorf("%s: ring %+v, want the clock %q", d.Name, g.Ring, clock)
		}
		// It is what the next run starts from.
		kept, err := profile.Open(state).Load(g.UUID, g.Driver)
		if err != nil {
			t.Error(err)
		} else if known := kept.Known(); (known.CounterTick - d.Sensor.CounterTick).Abs() > d.Sensor.CounterTick/100 {
			t.Errorf("%s: known %+v", d.Name, known)
		}
	}
	for _, check := range c.Checks {
		if check.Status == doctor.Fail || check.Status == doctor.Warn && strings.HasPrefix(check.ID, "gpu.GPU-") && !strings.HasSuffix(check.ID, ".latency") {
			t.Errorf("%+v", check)
		}
	}
}

// TestCharacteriseInterrupted: Ctrl-C ends it, and it tells what it has seen.
func TestCharacteriseInterrupted(t *testing.T) {
	t.Parallel()
	env, library := idleNode(t, scenario.Volta(someUUID))
	cmd := command(t, "greenagent", "doctor", "characterise", "--json", "--duration", "1h", "--nvml-library", library, "--state-dir", t.TempDir())
	cmd.Env = append(os.Environ(), env)
	wait := begin(t, cmd)
	timer := time.AfterFunc(3*time.Second, func() { _ = cmd.Process.Signal(syscall.SIGINT) })
	defer timer.Stop()
	e := wait()
	var c doctor.Characterisation
	if err := json.Unmarshal([]byte(e.stdout), &c); err != nil || len(c.GPUs) != 1 || e.took > patience/2 {
		t.Fatalf("%v\n%s%s", err, e.stdout, e.stderr)
	}
	if idle := c.GPUs[0].Idle; len(idle) != 1 || apart(idle[0].Power.For(time.Second), (40*energy.Watt).For(time.Second)) > energy.Joule || idle[0].State == nil {
		t.Errorf("idle %+v", idle)
	}
}
