//go:build linux

package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/collector/procfs"
	"greenagent/doctor"
	"greenagent/meter"
	"greenagent/nvml"
	"greenagent/supervise"
)

// idle is a measurement of the machine with these roots, not begun.
func idle(proc, sys string) *measurement {
	machine := meter.Machine{Proc: proc, Sys: sys, Etc: "/etc", Clock: meter.System{}}
	return &measurement{
		program: &program{machine: machine, log: slog.New(slog.DiscardHandler)},
		meter:   meter.New(meter.Config{Clock: machine.Clock, From: machine.Clock.Now()}),
	}
}

// TestWhoAmI: in the /proc of another PID namespace this process has another number;
// in one that does not show it there is none.
func TestWhoAmI(t *testing.T) {
	t.Parallel()
	host, blind, odd := t.TempDir(), t.TempDir(), t.TempDir()
	if err := errors.Join(os.Symlink("4242", filepath.Join(host, "self")), os.Symlink("here", filepath.Join(odd, "self"))); err != nil {
		t.Fatal(err)
	}
	for root, want := range map[string]struct {
		proc string
		pid  int
		warn bool
	}{
		"/proc": {"/proc", os.Getpid(), false},
		host:    {host, 4242, false},
		blind:   {"/proc", os.Getpid(), true},
		odd:     {"/proc", os.Getpid(), true},
	} {
		m := idle(root, "/sys")
		m.whoAmI()
		if m.proc != want.proc || m.pid != want.pid || (len(m.warnings) > 0) != want.warn {
			t.Errorf("%s: process %d of %s, %q; want %+v", root, m.pid, m.proc, m.warnings, want)
		}
	}
}

// TestHostIsLate: sensors that were not opened in time are missing for a reason that
// fits the run, and no longer count when they come.
func TestHostIsLate(t *testing.T) {
	t.Parallel()
	for length, why := range map[time.Duration]string{
		10 * time.Millisecond: "the command ended before its sensors had been opened",
		3 * time.Second:       "its sensors did not answer in 3s; greenagent doctor says more",
	} {
		m := idle("/proc", t.TempDir())
		m.giveUpHost(length)
		m.openHost(t.Context(), collector.NewTree(procfs.New("/proc"), os.Getpid(), theRun, nil))
		var types []string
		for _, missing := range m.missing {
			types = append(types, missing.Type)
			if missing.Reason != why {
				t.Errorf("%v: %s: %s", length, missing.Type, missing.Reason)
			}
		}
		if !slices.Equal(types, []string{"cpu", "memory"}) {
			t.Errorf("missing: %q", types)
		}
		if s := m.meter.Finish(meter.System{}.Now(), 0); len(s.Domains) > 0 {
			t.Errorf("domains came late and count: %+v", s.Domains)
		}
	}
	m := idle("/proc", t.TempDir())
	m.opened = true
	if m.giveUpHost(time.Second); len(m.missing) > 0 {
		t.Errorf("opened, and yet missing: %+v", m.missing)
	}
	m.meter.Finish(meter.System{}.Now(), 0)
}

// TestAbsentNVML: what was asked for by name, and what cannot be in this build, is
// not called a machine without a GPU.
func TestAbsentNVML(t *testing.T) {
	t.Parallel()
	_, system := nvml.Open(context.Background(), nvml.Options{Path: "/no/such/library.so"})
	named, unnamed := unmeasured(system, "/no/such/library.so"), unmeasured(nvml.ErrAbsent, "")
	if doctor.ReachesNVML {
		if !strings.Contains(named, "/no/such/library.so") || !strings.Contains(named, "check --nvml-library") || strings.Contains(named, "no NVIDIA GPU") {
			t.Errorf("with a name: %s", named)
		}
		if !strings.Contains(unnamed, "no NVIDIA GPU or driver found") {
			t.Errorf("without: %s", unnamed)
		}
		return
	}
	for _, text := range []string{named, unnamed} {
		if !strings.Contains(text, "built without cgo") {
			t.Error(text)
		}
	}
}

func TestGoingOn(t *testing.T) {
	t.Parallel()
	for want, names := range map[string][]string{
		"": {},
		"1 process of the run goes on (sleep): its energy from now on is not counted; end the command with wait to count it":              {"sleep"},
		"4 processes of the run go on (python3, sh, a b): their energy from now on is not counted; end the command with wait to count it": {"python3", "sh", "python3", "a\nb"},
		"4 processes of the run go on (1, 2, 3, …): their energy from now on is not counted; end the command with wait to count it":       {"1", "2", "3", "4"},
	} {
		got := goingOn(func() (list []supervise.Survivor) {
			for i, name := range names {
				list = append(list, supervise.Survivor{PID: i + 1, Name: name})
			}
			return list
		})
		if got != want {
			t.Errorf("%q: %s", names, got)
		}
	}
	looks := 0
	ending := func() []supervise.Survivor {
		looks++
		return make([]supervise.Survivor, 2-min(looks, 2))
	}
	if got := goingOn(ending); got != "" {
		t.Errorf("a process that has ended a moment later: %s", got)
	}
}

// TestOutlivesTheRun: the record says what it does not count, and only then.
func TestOutlivesTheRun(t *testing.T) {
	t.Parallel()
	tells := func(m measured) bool {
		return slices.ContainsFunc(m.record.Warnings, func(w string) bool { return strings.Contains(w, "goes on (sleep)") })
	}
	if m := measure(t, nil, "--", "sh", "-c", "sleep 2 >/dev/null 2>&1 & sleep 0.1"); !tells(m) || !strings.Contains(m.stderr, "goes on (sleep)") {
		t.Errorf("warnings: %q\n%s", m.record.Warnings, m.stderr)
	}
	if m := measure(t, nil, "--", "sh", "-c", "sleep 0.1 & wait"); tells(m) {
		t.Errorf("warnings: %q", m.record.Warnings)
	}
}

// TestProcessesStartWithTheRun, and not a tick of the kernel's clock before it.
func TestProcessesStartWithTheRun(t *testing.T) {
	t.Parallel()
	for range 3 {
		m := measure(t, nil, "--", "sh", "-c", "burn 30ms; burn 30ms")
		if len(m.record.Processes) == 0 {
			t.Fatalf("no processes\n%s", m.text)
		}
		for _, p := range m.record.Processes {
			if p.Start != nil && p.Start.Before(m.record.Start) {
				t.Errorf("%s started at %v, the run at %v", p.Command, p.Start, m.record.Start)
			}
		}
	}
}
