package meter

import (
	"context"
	"errors"
	"fmt"

	"greenagent/collector"
	"greenagent/collector/host"
	"greenagent/collector/procfs"
	"greenagent/energy"
	"greenagent/nvml"
)

// Machine says where the machine's interfaces are.
type Machine struct {
	Proc, Sys, Etc string
	NVML           string // path of the library, "" for the system's
	Clock          energy.Clock
	// Known says what is known of a GPU beforehand; may be nil.
	Known func(nvml.Device) collector.Known
}

// HostSources is what a machine offers beside its GPUs, and why something it
// might have is not used.
type HostSources struct {
	Source *collector.Hosts
	Close  func() error
	// Unreadable are the sources that exist and could not be opened, absent ones
	// left out.
	Unreadable []error
}

// OpenHost opens the sources of CPU and memory energy in the order of trust:
// meters, counters, and a model for what neither covers.
func (m Machine) OpenHost(facts host.Facts) HostSources {
	var h HostSources
	var closers []func() error
	var readers []collector.HostReader
	note := func(err error) {
		if err != nil && !errors.Is(err, host.ErrAbsent) {
			h.Unreadable = append(h.Unreadable, err)
		}
	}
	if s, err := host.OpenHwmon(m.Sys, m.Clock); err == nil {
		readers, closers = append(readers, s), append(closers, s.Close)
	} else {
		note(err)
	}
	if s, err := host.OpenPowercap(m.Sys, m.Clock); err == nil {
		readers, closers = append(readers, s), append(closers, s.Close)
	} else {
		note(err)
	}
	if s, err := host.OpenModel(facts, procfs.New(m.Proc), m.Clock); err == nil {
		readers, closers = append(readers, s), append(closers, s.Close)
	} else {
		note(err)
	}
	h.Source = collector.NewHosts(readers...)
	h.Close = func() error {
		var failed error
		for _, c := range closers {
			failed = errors.Join(failed, c())
		}
		return failed
	}
	return h
}

// Facts reads what the machine is. What cannot be read stays unknown.
func (m Machine) Facts(ctx context.Context) (host.Facts, error) {
	return host.ReadFacts(ctx, host.Roots{Proc: m.Proc, Sys: m.Sys, Etc: m.Etc})
}

// OpenGPUs opens NVML. The feed has no observer yet.
func (m Machine) OpenGPUs(ctx context.Context) (*nvml.Library, Feed, error) {
	lib, err := nvml.Open(ctx, nvml.Options{Path: m.NVML, Clock: m.Clock, Proc: m.Proc, Sys: m.Sys})
	if err != nil {
		return nil, Feed{}, fmt.Errorf("GPUs: %w", err)
	}
	known := map[string]collector.Known{}
	for _, d := range lib.Devices() {
		if m.Known != nil {
			known[d.UUID] = m.Known(d)
		}
	}
	return lib, Feed{Name: "NVML", Source: collector.NewGPUs(lib, known), Close: lib.Close}, nil
}
