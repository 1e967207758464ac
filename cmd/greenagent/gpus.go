package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/collector/procfs"
	"greenagent/doctor"
	"greenagent/exporter/runfile"
	"greenagent/meter"
	"greenagent/nvml"
)

const (
	// shortestWait and longestWait are between attempts to open NVML, twice as long
	// each time: the driver may be loaded later.
	shortestWait = 500 * time.Millisecond
	longestWait  = time.Minute
	// awakening is how often to look whether GPUs that sleep have woken.
	awakening = 250 * time.Millisecond
)

// openGPUs starts NVML, which takes from milliseconds to seconds, or for good. It
// tries as long as the run lasts.
func (m *measurement) openGPUs(ctx context.Context) {
	for wait := shortestWait; ; wait = min(2*wait, longestWait) {
		lib, feed, err := m.program.machine.OpenGPUs(ctx)
		if err == nil {
			m.addGPUs(ctx, lib, feed)
			return
		}
		if ctx.Err() != nil {
			return
		}
		m.mu.Lock()
		before := m.noGPUs
		m.noGPUs = err
		m.mu.Unlock()
		if before == nil || before.Error() != err.Error() {
			m.program.log.Info("not measured, so far", "type", gpus, "why", err)
		}
		pause := wait
		switch {
		case errors.Is(err, nvml.ErrPermission), errors.Is(err, nvml.ErrAbsent) && !doctor.ReachesNVML:
			return // nothing that time mends
		case errors.Is(err, nvml.ErrAsleep):
			pause = awakening
		case errors.Is(err, nvml.ErrVersionMismatch) && m.executions > 0 && wait >= 8*shortestWait:
			m.replaced <- nil // its library has come later than the driver
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// addGPUs begins to measure them.
func (m *measurement) addGPUs(ctx context.Context, lib *nvml.Library, feed meter.Feed) {
	machine := m.program.machine
	m.mu.Lock()
	m.lib = lib
	before := m.noGPUs
	m.noGPUs = nil
	m.mu.Unlock()
	after := machine.Clock.Now().Sub(m.process.Started())
	if before != nil && len(lib.Devices()) > 0 {
		m.warn(fmt.Sprintf("GPUs are measured from %v after the start on; until then: %v", after.Round(100*time.Millisecond), before))
	}
	for _, err := range lib.Warnings() {
		m.miss(gpus, unmeasured(err, machine.NVML))
	}
	if len(lib.Devices()) == 0 && len(lib.Warnings()) == 0 {
		m.miss(gpus, "the NVIDIA driver finds none")
	}
	for _, d := range feed.Source.Domains() {
		m.program.log.Debug("opened", "domain", d.ID, "basis", d.Basis.String(), "after", after)
	}
	proc := procfs.New(machine.Proc)
	tree := collector.NewTree(procfs.New(m.proc), m.pid, theRun, nil)
	users := collector.NewGPUUsers(lib, proc, func(pid int) collector.Owner {
		if tree.Has(pid) {
			return theRun
		}
		return 0
	})
	users.Past = tree
	if suspended, err := procfs.Suspended(); err == nil { // if not, nobody came while it was watched
		users.Suspended = suspended
	}
	feed.Observer, feed.Look = users, tree.Look
	if home, err := proc.InitPIDNamespace(); err == nil && !home && len(lib.Devices()) > 0 {
		users.Abroad = true
		m.warn("GPU: this is not the host's PID namespace, so that the driver's process ids may not match: start the container with --pid=host (hostPID: true)")
	}
	m.meter.Add(feed)
	select {
	case <-ctx.Done():
	case <-lib.Replaced():
		m.replaced <- lib
	}
}

// lastWords adds to the warnings what is known at the end.
func (m *measurement) lastWords(asleep time.Duration, s attribution.Snapshot) {
	if asleep > 0 {
		m.warn(fmt.Sprintf("the machine was suspended for %v: that time is not part of the run, and no energy is counted for it", asleep.Round(100*time.Millisecond)))
	}
	m.mu.Lock()
	lib, err := m.lib, m.noGPUs
	m.mu.Unlock()
	if lib != nil {
		for _, err := range lib.Warnings() { // some came later
			m.miss(gpus, unmeasured(err, m.program.machine.NVML))
		}
	}
	if err != nil && toldOfGPUs(s, nil) {
		m.warn("GPUs: " + unmeasured(err, m.program.machine.NVML))
	}
}

const gpus = string(collector.GPU)

// unmeasured says why GPUs are not measured, and what to do. library is the one
// that somebody asked for.
func unmeasured(err error, library string) string {
	remedy := "greenagent doctor says more"
	switch {
	case errors.Is(err, nvml.ErrAbsent) && !doctor.ReachesNVML:
		return "greenagent was built without cgo, which NVML takes; greenagent doctor says how to build it"
	case errors.Is(err, nvml.ErrAbsent) && library != "":
		remedy = "check --nvml-library, or leave it out to use the system's"
	case errors.Is(err, nvml.ErrAbsent):
		return "no NVIDIA GPU or driver found (no NVML)"
	case errors.Is(err, nvml.ErrNoDriver):
		remedy = "sudo modprobe nvidia loads it; in a container, start it with the GPUs (--gpus all)"
	case errors.Is(err, nvml.ErrVersionMismatch):
		remedy = "the driver was upgraded: restart the machine, or the container, to use the new one"
	case errors.Is(err, nvml.ErrPermission):
		remedy = "ask for access to /dev/nvidia*, by the group that owns them; greenagent doctor says more"
	case errors.Is(err, nvml.ErrAsleep):
		remedy = "it was not woken to be measured, and draws next to nothing while it sleeps"
	case errors.Is(err, nvml.ErrLost):
		remedy = "sudo nvidia-smi --gpu-reset, once nothing uses it, or restart the machine"
	case errors.Is(err, nvml.ErrHung):
		remedy = "the driver does not answer: sudo dmesg may say why; a restart of the machine mends it"
	}
	return fmt.Sprintf("%v; %s", err, remedy)
}

// unopened says why nothing is known of GPUs when a run of that length has ended.
func unopened(length time.Duration) string {
	if length < ordinary {
		return "the command ended before NVML had been opened"
	}
	return fmt.Sprintf("NVML did not answer in %v: its driver hangs, or takes that long to attach GPUs, which "+
		"sudo nvidia-smi -pm 1 mends; greenagent doctor says more", length.Round(100*time.Millisecond))
}

// toldOfGPUs reports whether the record says anything about GPUs yet.
func toldOfGPUs(s attribution.Snapshot, missing []runfile.Missing) bool {
	return slices.ContainsFunc(s.Domains, func(d attribution.DomainState) bool { return d.Type == collector.GPU }) ||
		slices.ContainsFunc(missing, func(m runfile.Missing) bool { return m.Type == gpus })
}
