//go:build linux && cgo

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"greenagent/energy"
	"greenagent/nvml/libsim"
	"greenagent/profile"
	"greenagent/scenario"
)

const someUUID = "GPU-0a0b0c0d-1111-2222-3333-444444444444"

// idleNode is a GPU that nobody uses.
func idleNode(t *testing.T, d scenario.Device) (env, library string) {
	t.Helper()
	in := libsim.Start(t, scenario.Node{Devices: []scenario.Device{d}}, libsim.Options{Monotonic: true})
	return in.Env(), in.Path
}

// learn runs until a Volta's counter is known to tick every 20 ms: on a busy machine
// looks may come too late for it, and then nothing is learnt.
func learn(t *testing.T, state, env, library string) measured {
	t.Helper()
	for range 5 {
		m := measure(t, []string{env}, "--nvml-library", library, "--state-dir", state, "--log-level", "debug", "--interval", "500ms", "--", "sleep", "2")
		p, err := profile.Open(state).Load(someUUID, (&scenario.Node{}).DriverVersion())
		if err != nil || p.Counter == nil {
			t.Logf("once more: %v", err)
			continue
		}
		if tick := p.Counter.Tick; (time.Duration(tick.Period)-20*time.Millisecond).Abs() > 200*time.Microsecond || !tick.Even {
			t.Errorf("the counter ticks every 20 ms, it was learnt as %+v", tick)
		}
		return m
	}
	t.Skip("this machine is too busy: nothing is learnt")
	return measured{}
}

// TestRunRemembers: what a run has learnt of a GPU is there for the next, which
// starts from it.
func TestRunRemembers(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	env, library := idleNode(t, scenario.Volta(someUUID))
	first := learn(t, state, env, library)
	if strings.Contains(first.stderr, "counter tick") {
		t.Errorf("something was known before\n%s", first.stderr)
	}
	p, err := profile.Open(state).Load(someUUID, (&scenario.Node{}).DriverVersion())
	if err != nil {
		t.Fatalf("%v\n%s", err, first.stderr)
	}
	if len(p.Idle) != 1 || p.Idle[0].Power < 39*energy.Watt || p.Idle[0].Power > 41*energy.Watt || p.Idle[0].State == nil {
		t.Errorf("it idles at 40 W, it was learnt as %+v", p.Idle)
	}
	second := learn(t, state, env, library)
	if !strings.Contains(second.stderr, `msg=known gpu=`+someUUID) || !strings.Contains(second.stderr, `"counter tick"=20`) && !strings.Contains(second.stderr, `"counter tick"=19.9`) {
		t.Errorf("nothing was known\n%s", second.stderr)
	}
	for _, r := range []measured{first, second} {
		d := r.domain(t, "gpu")
		if want := (40 * energy.Watt).For(time.Duration(r.record.Duration)); apart(*d.Energy, want) > want/100 {
			t.Errorf("%v, want %v", *d.Energy, want)
		}
	}
}

// TestStateInTrouble: nothing about the state directory fails a run, or is told
// unless asked for.
func TestStateInTrouble(t *testing.T) {
	t.Parallel()
	env, library := idleNode(t, scenario.Volta(someUUID))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	spoilt := t.TempDir()
	path := profile.Open(spoilt).Path(someUUID)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, vars := range map[string][]string{
		"a file":    {"GREENAGENT_STATE_DIR=" + file},
		"not there": {"GREENAGENT_STATE_DIR=/proc/no/such"},
		"spoilt":    {"GREENAGENT_STATE_DIR=" + spoilt},
		"no home":   {"HOME=", "XDG_STATE_HOME="},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "no home" && os.Getuid() == 0 {
				vars = append(vars, "XDG_STATE_HOME=relative", "HOME=relative") // root's own home may be writable
			}
			m := measure(t, append(vars, env), "--nvml-library", library, "--", "sleep", "0.8")
			if d := m.domain(t, "gpu"); m.status != 0 || *d.Energy == 0 || strings.Contains(m.stderr, "state") || strings.Contains(m.stderr, "profile") {
				t.Errorf("status %d\n%s", m.status, m.stderr)
			}
		})
	}
}

// TestOtherDriver: what was learnt under another driver does not count, and is
// learnt anew.
func TestOtherDriver(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	s := profile.Open(state)
	old := profile.New(someUUID, "450.80.02", "", "", time.Now())
	old.Counter = &profile.Counter{Tick: &profile.Tick{Period: energy.Seconds(77 * time.Millisecond), Even: true}}
	if err := s.Save(old); err != nil {
		t.Fatal(err)
	}
	env, library := idleNode(t, scenario.Volta(someUUID))
	m := learn(t, state, env, library)
	if strings.Contains(m.stderr, "counter tick") {
		t.Errorf("it was used\n%s", m.stderr)
	}
}

// TestRunCalibrated: the record and the report say by what.
func TestRunCalibrated(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("calibration:\n  "+someUUID+": {gain: 1.02, offset_w: -3.5}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env, library := idleNode(t, scenario.Volta(someUUID))
	m := measure(t, []string{env}, "--nvml-library", library, "--config", config, "--", "sleep", "0.8")
	c := m.domain(t, "gpu").Calibration
	if c == nil || c.Gain != 1.02 || c.Offset != -3500*energy.Milliwatt || c.Uncertainty != usualUncertainty {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(m.stderr, "GPU: calibrated: 1.02 × shown − 3.50 W, ±2 %") {
		t.Errorf("the report does not say so\n%s", m.stderr)
	}
}
