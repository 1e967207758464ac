package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"greenagent/collector"
	"greenagent/meter"
)

// whoAmI finds this process in the /proc that is looked at: in one of another PID
// namespace, as a host's is for a container, it has another number.
func (m *measurement) whoAmI() {
	const ours = "/proc"
	m.proc, m.pid = m.program.machine.Proc, os.Getpid()
	pid, err := self(m.proc)
	switch {
	case err == nil:
		m.pid = pid
	case filepath.Clean(m.proc) != ours:
		m.warn(fmt.Sprintf("%s does not show this process (%v): what the run uses is looked up in %s", m.proc, err, ours))
		m.proc = ours
		if pid, err := self(ours); err == nil {
			m.pid = pid
		}
	}
}

// self returns the reader's process id in the namespace of a /proc: proc_pid(5).
func self(proc string) (int, error) {
	link, err := os.Readlink(filepath.Join(proc, "self"))
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(link)
	if err != nil || pid <= 0 {
		return 0, fmt.Errorf("self is %q, want a process id", link)
	}
	return pid, nil
}

func (m *measurement) openHost(ctx context.Context, tree *collector.Tree) {
	begun := time.Now()
	facts, err := m.program.machine.Facts(ctx)
	m.mu.Lock()
	m.facts = facts
	m.mu.Unlock()
	h := m.program.machine.OpenHost(facts)
	m.mu.Lock()
	late := m.late
	m.opened = !late
	m.mu.Unlock()
	if late {
		_ = h.Close() // nothing was read
		return
	}
	m.meter.Add(meter.Feed{Name: "host", Source: h.Source, Observer: tree, Close: h.Close})
	if err != nil {
		m.warn(fmt.Sprintf("facts of the host: %v", err))
	}
	for _, err := range h.Unreadable {
		m.warn(fmt.Sprintf("%v; greenagent doctor says how to mend it", err))
	}
	has := map[collector.Type]bool{}
	for _, d := range h.Source.Domains() {
		has[d.Type] = true
		m.program.log.Debug("opened", "domain", d.ID, "basis", d.Basis.String(), "after", time.Since(begun))
	}
	for _, t := range []collector.Type{collector.CPU, collector.Memory} {
		if !has[t] {
			m.miss(string(t), "neither a sensor nor what a model needs was found")
		}
	}
}

// giveUpHost goes on without the sources of the host: what was to be opened by now
// is left behind.
func (m *measurement) giveUpHost(length time.Duration) {
	m.mu.Lock()
	m.late = !m.opened
	m.mu.Unlock()
	if !m.late {
		return // this very moment
	}
	for _, t := range []collector.Type{collector.CPU, collector.Memory} {
		m.miss(string(t), unopenedHost(length))
	}
}

// unopenedHost says why nothing is known of CPU and memory when a run of that length
// has ended.
func unopenedHost(length time.Duration) string {
	if length < ordinary {
		return "the command ended before its sensors had been opened"
	}
	return fmt.Sprintf("its sensors did not answer in %v; greenagent doctor says more", length.Round(100*time.Millisecond))
}

// ordinary is more than an ordinary start of NVML, and of everything else, takes:
// tens of milliseconds.
const ordinary = time.Second
