package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestMeasure has everything measured for a moment. What it costs is for the
// machine to say, not for a test; that what is measured is greenagent at work can
// be checked: eight boards that tick every 100 ms are read somewhat more than
// twenty times a second each.
func TestMeasure(t *testing.T) {
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("no C compiler: the driver cannot be built")
	}
	t.Setenv("COST_GPUS", "")
	t.Setenv("COST_PIDS", "")
	library, err := build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := options{gpus: 8, processes: 12, warm: time.Second, length: 500 * time.Millisecond, times: 1}
	rows, err := measure(t.Context(), library, o)
	if err != nil && strings.Contains(err.Error(), "built without cgo") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	table(&out, o, rows)
	t.Logf("\n%s", out.String())
	for i, k := range kinds {
		s := rows[i][0]
		if s.cpu <= 0 || !strings.Contains(out.String(), "| "+k.name+" | ") {
			t.Errorf("%s: %v", k.name, s.cpu)
		}
		if !strings.HasPrefix(k.name, "greenagent") {
			continue
		}
		if s.readings != 8*s.looks {
			t.Errorf("%s: %d looks at eight GPUs gave %d readings", k.name, s.looks, s.readings)
		}
		// A busy machine delays some; none may be a search's, every 2 ms.
		if rate := s.each(s.looks); rate < 8 || rate > 60 {
			t.Errorf("%s: %.1f looks a second", k.name, rate)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Setenv("COST_GPUS", "")
	t.Setenv("COST_PIDS", "")
	if err := describe(0, nil); err == nil {
		t.Error("no GPU at all passes")
	}
}
