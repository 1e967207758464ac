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
	"greenagent/nvml"
)

// openGPUs starts NVML, which takes from milliseconds to seconds, or for good.
func (m *measurement) openGPUs(ctx context.Context) {
	machine := m.program.machine
	begun := time.Now()
	lib, feed, err := machine.OpenGPUs(ctx)
	if err != nil {
		if ctx.Err() == nil {
			m.miss(gpus, unmeasured(err, machine.NVML))
		}
		return
	}
	for _, err := range lib.Warnings() {
		m.miss(gpus, unmeasured(err, machine.NVML))
	}
	if len(lib.Devices()) == 0 && len(lib.Warnings()) == 0 {
		m.miss(gpus, "the NVIDIA driver finds none")
	}
	for _, d := range feed.Source.Domains() {
		m.program.log.Debug("opened", "domain", d.ID, "basis", d.Basis.String(), "after", time.Since(begun))
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
		m.warn("GPU: this is not the host's PID namespace, so that the driver's process ids may not match: start the container with --pid=host (hostPID: true)")
	}
	m.meter.Add(feed)
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
