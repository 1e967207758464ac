package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"greenagent/collector"
	"greenagent/energy"
)

func readConfigText(t testing.TB, text string) (map[string]setting, calibrations, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return readConfig((&program{}).command(), path)
}

// TestCalibrations: what is left out has its stated value, and UUIDs are matched
// however they are written.
func TestCalibrations(t *testing.T) {
	t.Parallel()
	const uuid = "GPU-0a0b0c0d-1111-2222-3333-44444444444"
	_, c, err := readConfigText(t, "zone: FR\ncalibration:\n  "+uuid+"0: {gain: 1.02, offset_w: -3.5, uncertainty: 0.02}\n  "+
		strings.ToUpper(uuid)+"1: {gain: 0.5}\n  "+uuid+"2: {offset_w: 100}\n")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]collector.Calibration{
		uuid + "0": {Gain: 1.02, Offset: -3500 * energy.Milliwatt, Uncertainty: 0.02},
		uuid + "1": {Gain: 0.5, Uncertainty: usualUncertainty},
		uuid + "2": {Gain: 1, Offset: 100 * energy.Watt, Uncertainty: usualUncertainty},
		uuid + "3": {},
	} {
		if got := c.of(name); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if got := c.of(uuid + "0").String(); got != "1.02 × shown − 3.50 W, ±4 %" {
		t.Errorf("%q", got)
	}
	// A file without any has none.
	if _, c, err := readConfigText(t, "zone: FR\n"); err != nil || !c.of(uuid+"0").None() {
		t.Errorf("%v, %v", c, err)
	}
}

// FuzzConfig: whatever is in a file, it is refused with a place, or what it sets is
// within bounds.
func FuzzConfig(f *testing.F) {
	for _, text := range []string{
		"zone: FR\ntag: [a=b]\n", "calibration: {GPU-0a0b0c0d-1111-2222-3333-444444444444: {gain: 1.02, offset_w: -3.5, uncertainty: 0.01}}\n",
		"calibration:\n  ? [a]\n  : {gain: 1}\n", "calibration: &a\n  GPU-0a0b0c0d-1111-2222-3333-444444444444: *a\n", "calibration: {<<: {}}\n",
		"a: &a [*a]\n", "calibration: ~\n", "- 1\n---\n", "\x00", "calibration: {GPU-0a0b0c0d-1111-2222-3333-444444444444: {gain: !!float \"0x1p1\"}}",
	} {
		f.Add(text)
	}
	path := filepath.Join(f.TempDir(), "config.yaml")
	root := (&program{}).command()
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		settings, calibrated, err := readConfig(root, path)
		if err != nil {
			if !strings.Contains(err.Error(), path) || settings != nil || calibrated != nil {
				t.Errorf("%v, with %v and %v", err, settings, calibrated)
			}
			return
		}
		for uuid, c := range calibrated {
			if c.Gain < leastGain || c.Gain > mostGain || c.Offset.Watts() < -100 || c.Offset.Watts() > 100 ||
				c.Uncertainty <= 0 || c.Uncertainty > mostUncertainty || math.IsNaN(c.Gain+c.Uncertainty) || !gpuUUID.MatchString(uuid) {
				t.Errorf("%s: %+v", uuid, c)
			}
		}
	})
}
