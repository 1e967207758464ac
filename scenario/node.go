package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"greenagent/energy"
)

// Node is a whole machine.
type Node struct {
	Hostname string
	Driver   string // NVIDIA driver's version; "" means 570.124.06
	// Uptime is for how long the machine and its driver had been up, idle, at the
	// origin; 0 means an hour. Simulated clocks best start there, so that
	// "since boot" and their own zero are the same.
	Uptime time.Duration
	// Epoch is the wall clock at the origin; zero means 2026-01-01T00:00:00Z.
	Epoch time.Time

	Devices   []Device
	Processes []Process
	CPU       CPU

	Faults []Fault
	// Reloads of the kernel driver, one after the other; see Node.Reload.
	Reloads []Reload
	// MissingSymbols are functions that the NVML library lacks, as an old driver's.
	MissingSymbols []string
}

// Since returns for how long the machine had been up at the origin.
func (n *Node) Since() time.Duration {
	if n.Uptime == 0 {
		return time.Hour
	}
	return n.Uptime
}

// WallClock returns the wall clock at t.
func (n *Node) WallClock(t time.Duration) time.Time {
	epoch := n.Epoch
	if epoch.IsZero() {
		epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return epoch.Add(t)
}

// DriverVersion returns the NVIDIA driver's version.
func (n *Node) DriverVersion() string {
	if n.Driver == "" {
		return "570.124.06"
	}
	return n.Driver
}

// Stamp returns the driver's µs stamp for t on a clock of the given domain.
func (n *Node) Stamp(domain ClockDomain, t time.Duration) uint64 {
	if domain == SinceEpoch {
		return uint64(n.WallClock(t).UnixMicro())
	}
	return uint64((n.Since() + t) / time.Microsecond)
}

// Unstamp returns the latest time whose stamp is the given one.
func (n *Node) Unstamp(domain ClockDomain, stamp uint64) time.Duration {
	const last = time.Microsecond - 1
	if domain == SinceEpoch {
		return time.UnixMicro(int64(stamp)).Sub(n.WallClock(0)) + last
	}
	return time.Duration(stamp)*time.Microsecond - n.Since() + last
}

// Dynamic returns the true dynamic energy of a process on all devices.
func (n *Node) Dynamic(pid int, from, to time.Duration) (e energy.Energy) {
	for i := range n.Devices {
		for j := range n.Devices[i].Loads {
			if l := &n.Devices[i].Loads[j]; l.PID == pid {
				e += l.Energy(from, to)
			}
		}
	}
	return e
}

// Missing reports whether the NVML library lacks a function.
func (n *Node) Missing(symbol string) bool { return slices.Contains(n.MissingSymbols, symbol) }

// ErrInvalid means that the description contradicts itself.
var ErrInvalid = errors.New("invalid scenario")

// Validate checks the description. Everything else in this package, sim and
// libsim relies on it having succeeded.
func (n *Node) Validate() error {
	for _, s := range []string{n.Hostname, n.Driver} {
		if !plain(s) {
			return fmt.Errorf("%w: %q has control characters", ErrInvalid, s)
		}
	}
	if n.Uptime < 0 || n.Uptime > maxDuration {
		return fmt.Errorf("%w: uptime %v", ErrInvalid, n.Uptime)
	}
	seen := make(map[string]bool)
	for i := range n.Devices {
		if err := n.Devices[i].validate(seen); err != nil {
			return fmt.Errorf("%w: device %d: %w", ErrInvalid, i, err)
		}
	}
	for i := range n.Faults {
		if err := n.Faults[i].validate(len(n.Devices)); err != nil {
			return fmt.Errorf("%w: fault %d: %w", ErrInvalid, i, err)
		}
	}
	if err := n.validateReloads(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := n.validateProcesses(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

func (d *Device) validate(seen map[string]bool) error {
	for _, s := range []string{d.UUID, d.Name, d.Serial, d.BusID, d.Architecture} {
		if !plain(s) {
			return fmt.Errorf("%q has control characters", s)
		}
	}
	if d.UUID == "" || seen[d.UUID] || strings.ContainsAny(d.UUID+d.BusID+d.Serial+d.Architecture, " ") {
		return fmt.Errorf("UUID %q, bus id %q, serial %q and architecture %q must be words, the UUID unique", d.UUID, d.BusID, d.Serial, d.Architecture)
	}
	seen[d.UUID] = true
	if d.Idle < 0 || d.Context < 0 || d.Module < 0 || d.MaxLimit < 0 || d.Limit < 0 || d.Memory < 0 {
		return errors.New("negative power or memory")
	}
	if err := d.validateInstances(seen); err != nil {
		return err
	}
	for i := range d.Loads {
		l := &d.Loads[i]
		switch {
		case l.PID <= 0:
			return fmt.Errorf("load %d: PID %d", i, l.PID)
		case l.From < -maxDuration || l.From > maxDuration || endOf(l.To) < l.From:
			return fmt.Errorf("load %d: from %v to %v", i, l.From, l.To)
		case i > 0 && l.From < d.Loads[i-1].From:
			return fmt.Errorf("load %d starts before load %d: order them by From", i, i-1)
		case l.SM < 0 || l.SM > 100 || l.Memory < 0 || l.Kinds > Compute|Graphics|MPS:
			return fmt.Errorf("load %d: SM %d, memory %d, kinds %d", i, l.SM, l.Memory, l.Kinds)
		case l.Instance != "" && !d.hosts(l):
			return fmt.Errorf("load %d runs in %q, which is no instance at that time", i, l.Instance)
		}
		if err := l.Power.validate(); err != nil {
			return fmt.Errorf("load %d: %w", i, err)
		}
	}
	for _, leap := range d.Leaps {
		if leap.By < 0 {
			return fmt.Errorf("a counter that leaps by %v", leap.By)
		}
	}
	if !slices.IsSorted(d.Resets) {
		return fmt.Errorf("resets %v are not ascending", d.Resets)
	}
	return d.Sensor.validate()
}

func (s *Sensor) validate() error {
	for _, d := range []time.Duration{s.CounterTick, s.CounterPhase, s.InstantTick, s.InstantPhase, s.InstantWindow,
		s.AverageTick, s.AveragePhase, s.AverageWindow, s.Lag, s.RingTick} {
		if d < 0 || d > time.Hour {
			return fmt.Errorf("sensor: a tick, phase or window of %v", d)
		}
	}
	if s.Gain <= -1e6 || s.Gain > 1e6 || s.RingLength < 0 || s.RingLength > 4096 {
		return fmt.Errorf("sensor: gain %d ppm, ring of %d", s.Gain, s.RingLength)
	}
	return nil
}

// plain reports whether s has no control characters, which would break the lines
// of libsim's file.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
