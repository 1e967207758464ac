//go:build linux && cgo

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"greenagent/exporter/runfile"
	"greenagent/scenario"
)

// steady is a node of two GPUs on which the command draws 300 W.
func steady(faults ...scenario.Fault) scenario.Node {
	node := scenario.Node{Devices: []scenario.Device{scenario.GA100("GPU-first"), scenario.GA100("GPU-second")}, Faults: faults}
	for i := range node.Devices {
		node.Devices[i].Loads = []scenario.Load{{PID: theCommand, From: -second, Memory: 1 << 30, Power: scenario.Steady(300 * watt)}}
	}
	return node
}

// unharmed checks that a run was none the worse for what measuring met with.
func unharmed(t *testing.T, m measured, status int, length time.Duration) {
	t.Helper()
	sums(t, m)
	if m.status != status || m.record.Exit.Code != status {
		t.Errorf("status %d, in the record %d, want %d", m.status, m.record.Exit.Code, status)
	}
	// Of the time after the command's end, greenagent may use a part of a second.
	if late := m.took - time.Duration(m.record.Duration); late > 3*time.Second {
		t.Errorf("greenagent ended %v after the command", late)
	}
	if d := time.Duration(m.record.Duration); d < length {
		t.Errorf("the record is of %v, the command took %v", d, length)
	}
	if at := unprintable(m.stderr); at >= 0 {
		t.Errorf("the report has %q", m.stderr[at:min(at+20, len(m.stderr))])
	}
}

// unobserved is for how long nothing was seen of a domain, -1 where that is not known.
func unobserved(d runfile.Domain) time.Duration {
	if d.Unobserved == nil {
		return -1
	}
	return time.Duration(*d.Unobserved)
}

// saysOfGPUs checks that record and report say of the GPUs what is expected, and
// give no figure for them.
func saysOfGPUs(t *testing.T, m measured, words ...string) {
	t.Helper()
	var reasons []string
	for _, missing := range m.record.Missing {
		if missing.Type == "gpu" {
			reasons = append(reasons, missing.Reason)
		}
	}
	for _, w := range words {
		if len(reasons) != 1 || !strings.Contains(reasons[0], w) || !strings.Contains(m.stderr, "GPU: not measured, "+reasons[0]) {
			t.Errorf("of GPUs it says %q, want %q in it\n%s", reasons, w, m.stderr)
		}
	}
	if strings.Contains(m.record.Energy.Boundary, "gpu") {
		t.Errorf("GPUs are said to be in the total: %s", m.record.Energy.Boundary)
	}
}

// TestNVMLDoesNotStart: each way has its message with the remedy.
func TestNVMLDoesNotStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		faults []scenario.Fault
		words  []string
	}{
		"no driver":        {scenario.DriverUnloaded(-time.Hour, 0), []string{"driver is not loaded", "modprobe nvidia"}},
		"version mismatch": {scenario.DriverUpgraded(-time.Hour), []string{"differ in version", "restart the machine, or the container"}},
		"no permission": {[]scenario.Fault{{Call: scenario.CallInit, Kind: scenario.NoPermission, At: -time.Hour}},
			[]string{"no permission", "/dev/nvidia*"}},
		"hangs": {[]scenario.Fault{{Call: scenario.CallInit, Kind: scenario.Hang, At: -time.Hour}},
			[]string{"did not answer in 1", "nvidia-smi -pm 1", "greenagent doctor"}},
		"every GPU hangs": {[]scenario.Fault{{Device: scenario.AllDevices, Kind: scenario.Hang, At: -time.Hour}},
			[]string{"did not answer in 1"}},
		"every GPU is lost": {[]scenario.Fault{{Device: scenario.AllDevices, Kind: scenario.Lost, At: -time.Hour}},
			[]string{"GPU is lost", "nvidia-smi --gpu-reset"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := measureGPUs(t, steady(c.faults...), announce+"sleep 1; exit 3")
			unharmed(t, r.measured, 3, second)
			saysOfGPUs(t, r.measured, c.words...)
		})
	}
}

// TestNoGPUs: a driver that finds none; and no library at all, where somebody
// named one.
func TestNoGPUs(t *testing.T) {
	t.Parallel()
	r := measureGPUs(t, scenario.Node{}, announce+"sleep 0.5; exit 4")
	unharmed(t, r.measured, 4, second/2)
	saysOfGPUs(t, r.measured, "the NVIDIA driver finds none")

	notOne := filepath.Join(t.TempDir(), "not-a-library.so")
	if err := os.WriteFile(notOne, []byte("text"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{notOne, "/no/such/library.so.1"} {
		m := measure(t, nil, "--nvml-library", path, "--", "sh", "-c", "sleep 0.5; exit 4")
		unharmed(t, m, 4, second/2)
		saysOfGPUs(t, m, path)
	}
}

// TestGPUHangs in the midst of a run: it ends in time, and what was measured until
// then is kept.
func TestGPUHangs(t *testing.T) {
	t.Parallel()
	r := measureGPUs(t, steady(scenario.Fault{Kind: scenario.Hang, At: 1200 * time.Millisecond}), announce+"sleep 2.5; exit 5")
	unharmed(t, r.measured, 5, 2500*time.Millisecond)
	d := r.gpu(t, 0)
	before := r.node.Devices[0].Energy(r.from, time.Second)
	if *d.Energy < before || *d.Energy > r.truth(0) || apart(*d.Energy, r.truth(0)) > *d.Uncertainty {
		t.Errorf("%v ± %v, want from %v to the truth, %v, and to cover that", *d.Energy, *d.Uncertainty, before, r.truth(0))
	}
	if unseen := unobserved(d); unseen < second || !strings.Contains(r.stderr, "not observed") {
		t.Errorf("unobserved for %v\n%s", unseen, r.stderr)
	}
}

// TestGPULost in the midst of a run: the other is measured on, and what was
// measured of the lost one is kept.
func TestGPULost(t *testing.T) {
	t.Parallel()
	r := measureGPUs(t, steady(scenario.Fault{Device: 0, Kind: scenario.Lost, At: 1200 * time.Millisecond}), announce+"sleep 2.5; exit 6")
	unharmed(t, r.measured, 6, 2500*time.Millisecond)
	lost, kept := r.gpu(t, 0), r.gpu(t, 1)
	before := r.node.Devices[0].Energy(r.from, time.Second)
	if *lost.Energy < before || *lost.Energy > r.truth(0) || apart(*lost.Energy, r.truth(0)) > *lost.Uncertainty {
		t.Errorf("%v ± %v, want from %v to the truth, %v, and to cover that", *lost.Energy, *lost.Uncertainty, before, r.truth(0))
	}
	if unobserved(lost) < second || !strings.Contains(r.stderr, "GPU is lost") {
		t.Errorf("unobserved for %v\n%s", unobserved(lost), r.stderr)
	}
	if apart(*kept.Energy, r.truth(1)) > r.truth(1)/200 || unobserved(kept) > 0 {
		t.Errorf("the other: %v, want %v, unobserved for %v", *kept.Energy, r.truth(1), unobserved(kept))
	}
}

// TestGPUMissing from the start: the other is measured, and the report says that
// one is not.
func TestGPUMissing(t *testing.T) {
	t.Parallel()
	r := measureGPUs(t, steady(scenario.Fault{Device: 0, Kind: scenario.Lost, At: -time.Hour}), announce+"sleep 2; exit 7")
	unharmed(t, r.measured, 7, 2*second)
	if d := r.gpu(t, 1); apart(*d.Energy, r.truth(1)) > r.truth(1)/200 {
		t.Errorf("the other: %v, want %v", *d.Energy, r.truth(1))
	}
	if !strings.Contains(r.stderr, "GPU: not measured, nvml: device #0") || !strings.Contains(r.stderr, "nvidia-smi --gpu-reset") {
		t.Errorf("the report does not tell of the lost GPU\n%s", r.stderr)
	}
}

// TestDriverGoes in the midst of a run, or is replaced: nothing is invented.
func TestDriverGoes(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string][]scenario.Fault{
		"not loaded":        scenario.DriverUnloaded(1200*time.Millisecond, 0),
		"differ in version": scenario.DriverUpgraded(1200 * time.Millisecond),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := measureGPUs(t, steady(faults...), announce+"sleep 2.5; exit 8")
			unharmed(t, r.measured, 8, 2500*time.Millisecond)
			for i := range r.node.Devices {
				d := r.gpu(t, i)
				if before := r.node.Devices[i].Energy(r.from, time.Second); *d.Energy < before || *d.Energy > r.truth(i) {
					t.Errorf("%v, want from %v to %v", *d.Energy, before, r.truth(i))
				}
			}
			if !strings.Contains(r.stderr, name) {
				t.Errorf("the report does not say why\n%s", r.stderr)
			}
		})
	}
}

// TestGPUReadingsThatCannotBe: a counter that starts anew or shows nonsense, and
// calls that fail now and then, create no energy.
func TestGPUReadingsThatCannotBe(t *testing.T) {
	t.Parallel()
	node := steady(
		scenario.Fault{Device: 1, Call: scenario.CallCounter, Kind: scenario.Garbage, At: 900 * time.Millisecond, Times: 2, Value: 1 << 50},
		scenario.Fault{Device: 1, Call: scenario.CallFields, Kind: scenario.Transient, At: 1500 * time.Millisecond, Times: 3},
	)
	node.Devices[0].Resets = []time.Duration{1200 * time.Millisecond}
	r := measureGPUs(t, node, announce+"sleep 2.5; exit 9")
	unharmed(t, r.measured, 9, 2500*time.Millisecond)
	for i, within := range []int64{10, 200} { // what falls into the reset is lost
		d, want := r.gpu(t, i), r.truth(i)
		t.Logf("%v ± %v, truth %v, %q", *d.Energy, *d.Uncertainty, want, d.Warnings)
		if *d.Energy > want+want/200 || int64(apart(*d.Energy, want)) > int64(want)/within || apart(*d.Energy, want) > *d.Uncertainty {
			t.Errorf("%s: %v ± %v, want %v", d.ID, *d.Energy, *d.Uncertainty, want)
		}
	}
	if d := r.gpu(t, 0); !slices.ContainsFunc(d.Warnings, func(w string) bool { return strings.Contains(w, "started anew") }) {
		t.Errorf("the reset is not told: %q", d.Warnings)
	}
}

// TestOldDriver: without the newer functions the counter still counts, and use is
// divided by what there is.
func TestOldDriver(t *testing.T) {
	t.Parallel()
	node := steady()
	node.MissingSymbols = []string{"nvmlDeviceGetFieldValues", "nvmlDeviceGetProcessUtilization", "nvmlDeviceGetSamples",
		"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetGraphicsRunningProcesses_v3"}
	other := bystander(t, "sleep", "60")
	for i := range node.Devices {
		node.Devices[i].Loads = append(node.Devices[i].Loads, scenario.Load{PID: other, From: -second, Memory: 3 << 30, Power: scenario.Steady(50 * watt)})
	}
	r := measureGPUs(t, node, outliving+"sleep 2; exit 2")
	unharmed(t, r.measured, 2, 2*second)
	for i := range node.Devices {
		d, want := r.gpu(t, i), r.truth(i)
		if apart(*d.Energy, want) > want/200 || d.Method != "memory" || apart(*d.Run, *d.Others/3) > want/100 {
			t.Errorf("%s: %v by %s, want %v by memory; run %v, others %v", d.ID, *d.Energy, d.Method, want, *d.Run, *d.Others)
		}
	}
	if words := strings.Join(strings.Fields(r.stderr), " "); !strings.Contains(words, "divided by the memory they hold") {
		t.Errorf("the report does not say by what the GPUs were divided\n%s", r.stderr)
	}
}
