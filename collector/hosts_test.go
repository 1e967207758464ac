package collector_test

import (
	"errors"
	"slices"
	"testing"

	"greenagent/collector"
	"greenagent/collector/host"
	"greenagent/energy"
)

// meters is a host source with fixed readings.
type meters struct {
	domains []host.Domain
	failed  error
}

func (m meters) Domains() []host.Domain { return m.domains }

func (m meters) Read(dst []host.Reading) ([]host.Reading, error) {
	for i, d := range m.domains {
		dst = append(dst, host.Reading{
			Domain: i, Kind: d.Kind, Energy: energy.Energy(i) * energy.Joule, Power: energy.Watt, Before: 10, After: 20,
		})
	}
	return dst, m.failed
}

func parts(kinds ...host.Type) meters {
	var m meters
	for _, k := range kinds {
		m.domains = append(m.domains, host.Domain{ID: k.String(), Type: k, Parent: host.NoParent})
	}
	return m
}

func ids(s *collector.Hosts) []string {
	var list []string
	for _, d := range s.Domains() {
		list = append(list, d.ID)
	}
	return list
}

func TestEachTypeComesFromTheFirstSourceThatHasIt(t *testing.T) {
	grace := parts(host.CPU)
	grace.domains[0].ID, grace.domains[0].Includes = "grace", host.Memory
	rapl := parts(host.CPU, host.CPU)
	rapl.domains[0].ID, rapl.domains[1].ID = "package", "core"
	rapl.domains[1].Parent = 0
	unplaced := parts(host.Unknown)
	model := parts(host.CPU, host.Memory)
	for name, c := range map[string]struct {
		sources []collector.HostReader
		want    []string
	}{
		"memory is in the rail":       {[]collector.HostReader{grace, model}, []string{"cpu:grace"}},
		"a core is in its package":    {[]collector.HostReader{unplaced, rapl, model}, []string{"cpu:package", "memory:memory"}},
		"a model for want of sensors": {[]collector.HostReader{unplaced, model}, []string{"cpu:cpu", "memory:memory"}},
		"nothing":                     {nil, nil},
	} {
		if got := ids(collector.NewHosts(c.sources...)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestReadingsKeepTheirDomains(t *testing.T) {
	broken := errors.New("broken")
	rapl := parts(host.Memory, host.Host, host.CPU)
	rapl.failed = broken
	s := collector.NewHosts(parts(host.CPU), rapl)
	readings, err := s.Read(nil)
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want that of the source", err)
	}
	want := map[string]energy.Energy{"cpu:cpu": 0, "memory:memory": 0, "host:host": energy.Joule}
	if len(readings) != len(want) {
		t.Fatalf("%d readings of %d domains: the second source's CPU is not used", len(readings), len(want))
	}
	for _, r := range readings {
		id := s.Domains()[r.Domain].ID
		if r.Counter != want[id] || r.Has != collector.HasCounter || r.At != 15 || r.Spread != 5 {
			t.Errorf("%s: %+v, want %v J at 15 ± 5", id, r, want[id].Joules())
		}
	}
}
