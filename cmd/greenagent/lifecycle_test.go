//go:build linux && cgo

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"greenagent/energy"
	"greenagent/exporter/runfile"
	"greenagent/scenario"
	"greenagent/supervise"
)

// announceAgain makes the scenario known once more, to a greenagent that has executed
// itself anew. The one before must have read the pipe to its end by then.
const announceAgain = `(trap "" TERM HUP; sleep 0.7; ` + announce + `) & again=$!; `

// bounded checks what was measured of a device that was out of sight for a while: no
// energy is created, and what is missing is within what is said of that time.
func (r *onGPUs) bounded(t *testing.T, device int, unseen time.Duration) runfile.Domain {
	t.Helper()
	d, truth := r.gpu(t, device), r.truth(device)
	t.Logf("%s: %v ± %v of %v, unobserved for %v, %q", d.ID, *d.Energy, *d.Uncertainty, truth, unobserved(d), d.Warnings)
	if *d.Energy > truth+truth/200 {
		t.Errorf("%s: %v of %v: energy was created", d.ID, *d.Energy, truth)
	}
	if most := r.node.Devices[device].MaxLimit.For(unobserved(d)); *d.Energy+most+truth/100 < truth {
		t.Errorf("%s: %v of %v, and %v unobserved: energy was lost", d.ID, *d.Energy, truth, unobserved(d))
	}
	if apart(*d.Energy, truth) > *d.Uncertainty {
		t.Errorf("%s: %v ± %v does not cover %v", d.ID, *d.Energy, *d.Uncertainty, truth)
	}
	if unobserved(d) < unseen-100*time.Millisecond || unobserved(d) > unseen+1500*time.Millisecond {
		t.Errorf("%s: unobserved for %v, want %v and not much more", d.ID, unobserved(d), unseen)
	}
	if unseen > 0 && !slices.ContainsFunc(d.Warnings, func(w string) bool { return strings.Contains(w, "(its limit) may have been used") }) {
		t.Errorf("%s: no bounds are told: %q", d.ID, d.Warnings)
	}
	return d
}

// said reports whether the record's warnings have some words.
func (m *measured) said(words string) bool {
	return slices.ContainsFunc(m.record.Warnings, func(w string) bool { return strings.Contains(w, words) })
}

// TestDriverReload: unloaded for half a second and loaded again, it is used again in
// the same process.
func TestDriverReload(t *testing.T) {
	t.Parallel()
	node := steady()
	node.Reload(1200*time.Millisecond, 500*time.Millisecond, "")
	r := measureGPUs(t, node, announce+"sleep 4; exit 11")
	unharmed(t, r.measured, 11, 4*second)
	for i := range node.Devices {
		r.bounded(t, i, 500*time.Millisecond)
	}
	if !r.said("driver is not loaded (for ") || !strings.Contains(r.stderr, "level=WARN") {
		t.Errorf("it is not told, or not when it happens: %q\n%s", r.record.Warnings, r.stderr)
	}
}

// TestDriverUpgrade: greenagent executes itself anew, and the command does not notice.
func TestDriverUpgrade(t *testing.T) {
	t.Parallel()
	node := steady()
	node.Reload(1200*time.Millisecond, 300*time.Millisecond, "580.82.07")
	r := measureGPUs(t, node, announce+announceAgain+`before=$(cut -d" " -f4,22 /proc/$$/stat; readlink /proc/$PPID/fd/1)
		sleep 4
		kill -9 $again 2>/dev/null
		[ "$before" = "$(cut -d" " -f4,22 /proc/$$/stat; readlink /proc/$PPID/fd/1)" ] && echo the same parent
		exit 12`, "--tag", `who=a"b, c`, "--name", "a run", "--idle-policy", "equal")
	unharmed(t, r.measured, 12, 4*second)
	if r.stdout != "the same parent\n" {
		t.Errorf("the command says %q\n%s", r.stdout, r.stderr)
	}
	for i := range node.Devices {
		d := r.bounded(t, i, 300*time.Millisecond)
		if d.Driver == nil || *d.Driver != "580.82.07" {
			t.Errorf("%s: driver %v", d.ID, d.Driver)
		}
		if *d.Run < *d.Energy*8/10 {
			t.Errorf("%s: the run has %v of %v", d.ID, *d.Run, *d.Energy)
		}
	}
	if r.record.Name != "a run" || r.record.Tags["who"] != `a"b, c` || r.record.Energy.IdlePolicy != "equal" {
		t.Errorf("settings got lost: %+v", r.record)
	}
	if cpu := r.domain(t, "cpu"); unobserved(cpu) > 300*time.Millisecond || *cpu.Energy == 0 {
		t.Errorf("CPU: %v, unobserved for %v", *cpu.Energy, unobserved(cpu))
	}
	if !r.said("differ in version") {
		t.Errorf("warnings %q", r.record.Warnings)
	}
}

// TestDriverUpgradeWithSpoiltSettings: the command makes of two files one, which would
// have been refused before it was started. It is not left alone for that.
func TestDriverUpgradeWithSpoiltSettings(t *testing.T) {
	t.Parallel()
	node := steady()
	node.Reload(1200*time.Millisecond, 300*time.Millisecond, "580.82.07")
	report := filepath.Join(t.TempDir(), "report")
	r := measureGPUs(t, node, announce+announceAgain+`ln -s "$(tr "\0" "\n" </proc/$PPID/cmdline | grep "run.json$")" `+report+`
		sleep 4
		kill -9 $again 2>/dev/null
		rm `+report+"; exit 19", "--report-to", report)
	if r.status != 19 || !strings.Contains(r.stderr, "not in order any more") {
		t.Errorf("status %d\n%s", r.status, r.stderr)
	}
}

// TestDriverUpgradeInAStorm of signals to greenagent: nobody is killed, and the last
// of them arrives as the first did.
func TestDriverUpgradeInAStorm(t *testing.T) {
	t.Parallel()
	node := steady()
	node.Reload(1200*time.Millisecond, 100*time.Millisecond, "580.82.07")
	r := measureGPUs(t, node, announce+announceAgain+`n=0; last=
		trap 'n=$((n+1))' TERM; trap : HUP; trap 'last=arrived' USR1
		end=$(($(date +%s%N) + 3500000000))
		while [ $(date +%s%N) -lt $end ]; do kill -TERM $PPID; kill -HUP $PPID; done
		trap "" TERM HUP
		kill -9 $again 2>/dev/null
		kill -USR1 $PPID; for i in 1 2 3 4 5 6 7 8 9; do [ "$last" ] || sleep 0.2; done
		[ $n -gt 20 ] && echo many arrived, the last $last
		exit 13`)
	unharmed(t, r.measured, 13, 3*second)
	if r.stdout != "many arrived, the last arrived\n" {
		t.Errorf("the command says %q\n%s", r.stdout, r.stderr)
	}
	if d := r.gpu(t, 0); d.Driver == nil || *d.Driver != "580.82.07" {
		t.Errorf("driver %v\n%s", d.Driver, r.stderr)
	}
}

// TestDriverUpgradeWhileHung: a call that does not return would keep the kernel from
// executing anything; greenagent goes on as it is and says so.
func TestDriverUpgradeWhileHung(t *testing.T) {
	t.Parallel()
	node := steady(scenario.Fault{Device: 0, Call: scenario.CallFields, Kind: scenario.Hang, At: 900 * time.Millisecond})
	node.Reload(2500*time.Millisecond, 100*time.Millisecond, "580.82.07")
	r := measureGPUs(t, node, announce+"sleep 4; exit 14")
	unharmed(t, r.measured, 14, 4*second)
	r.bounded(t, 0, r.to-900*time.Millisecond-r.from/4)
	r.bounded(t, 1, r.to-2500*time.Millisecond)
	if !strings.Contains(r.stderr, "hang") {
		t.Errorf("the report does not say why\n%s", r.stderr)
	}
}

// TestDriverComesLater than the command: it is measured from then on.
func TestDriverComesLater(t *testing.T) {
	t.Parallel()
	r := measureGPUs(t, steady(scenario.DriverUnloaded(-time.Hour, time.Hour+1200*time.Millisecond)...), announce+"sleep 4; exit 15")
	unharmed(t, r.measured, 15, 4*second)
	for i := range r.node.Devices {
		// The driver's ring remembers the time before.
		if d := r.gpu(t, i); *d.Energy < r.truth(i)/2 || *d.Energy > r.truth(i)+*d.Uncertainty {
			t.Errorf("%v of %v", *d.Energy, r.truth(i))
		}
	}
	if !r.said("GPUs are measured from ") {
		t.Errorf("warnings %q", r.record.Warnings)
	}
}

// TestAsleep: GPUs that sleep are left alone; when one wakes it is measured.
func TestAsleep(t *testing.T) {
	t.Parallel()
	sys := t.TempDir()
	gpu := filepath.Join(sys, "bus", "pci", "devices", "0000:07:00.0")
	status := filepath.Join(gpu, "power", "runtime_status")
	must(os.MkdirAll(filepath.Dir(status), 0o755))
	must(os.WriteFile(filepath.Join(gpu, "vendor"), []byte("0x10de\n"), 0o644))
	must(os.WriteFile(filepath.Join(gpu, "class"), []byte("0x030200\n"), 0o644))
	must(os.WriteFile(status, []byte("suspended\n"), 0o644))
	node := steady()
	node.Devices = node.Devices[:1]

	m := measure(t, nil, "--sys-root", sys, "--log-level", "info", "--", "sh", "-c", "sleep 1; exit 16")
	unharmed(t, m, 16, second)
	if n := strings.Count(m.stderr, "not measured, so far"); n != 1 {
		t.Errorf("it is logged %d times\n%s", n, m.stderr)
	}
	saysOfGPUs(t, m, "GPU is asleep", "was not woken")

	r := measureGPUs(t, node, "sleep 1; echo active >"+status+"; "+announce+"sleep 2; exit 17", "--sys-root", sys)
	unharmed(t, r.measured, 17, 3*second)
	if d := r.gpu(t, 0); *d.Energy == 0 || *d.Energy > r.truth(0)+*d.Uncertainty {
		t.Errorf("%v of %v", *d.Energy, r.truth(0))
	}
	if !r.said("GPU is asleep") {
		t.Errorf("warnings %q", r.record.Warnings)
	}
}

// TestDriverUpgradeFails: where greenagent cannot be executed anew, as its environment
// is too long for what is now left for it, it goes on without GPUs and says so.
func TestDriverUpgradeFails(t *testing.T) {
	if _, err := exec.LookPath("prlimit"); err != nil {
		t.Skip("needs prlimit(1)")
	}
	for i := range 3 { // half a MiB with what the kernel allows at least, a quarter of the stack
		t.Setenv(fmt.Sprintf("LONG_%d", i), strings.Repeat("x", 100<<10))
	}
	node := steady()
	node.Reload(1200*time.Millisecond, 100*time.Millisecond, "580.82.07")
	r := measureGPUs(t, node, announce+"prlimit --pid $PPID --stack=262144; sleep 3; exit 18")
	unharmed(t, r.measured, 18, 3*second)
	for i := range node.Devices {
		r.bounded(t, i, r.to-1200*time.Millisecond)
	}
	if !r.said("failed: execve: argument list too long") {
		t.Errorf("warnings %q\n%s", r.record.Warnings, r.stderr)
	}
	if cpu := r.domain(t, "cpu"); unobserved(cpu) > 300*time.Millisecond || *cpu.Energy == 0 {
		t.Errorf("CPU: %v, unobserved for %v", *cpu.Energy, unobserved(cpu))
	}
}

// TestSuspended: the time the machine was suspended is none of the run's, and is told.
func TestSuspended(t *testing.T) {
	t.Parallel()
	const asleep = 90 * time.Minute
	m := idle("/proc", t.TempDir())
	m.program.suspended = func() (time.Duration, error) { return time.Hour + asleep, nil }
	m.slept, m.started = time.Hour, time.Date(2026, 11, 1, 23, 0, 0, 0, time.UTC)
	from := m.program.machine.Clock.Now()
	s := m.meter.Finish(from.Add(10*time.Second), 0)
	r := m.render(supervise.Result{Span: energy.Interval{Start: from, End: from.Add(10 * time.Second)}}, s)
	if time.Duration(r.Duration) != 10*time.Second || !r.Start.Equal(m.started) || r.End.Sub(r.Start) != asleep+10*time.Second {
		t.Errorf("from %v to %v, for %v", r.Start, r.End, time.Duration(r.Duration))
	}
	if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "suspended for 1h30m0s") }) {
		t.Errorf("warnings %q", r.Warnings)
	}
}
