package collector

import (
	"errors"

	"greenagent/collector/host"
)

// HostReader is one of package host's sources.
type HostReader interface {
	Domains() []host.Domain
	Read(dst []host.Reading) ([]host.Reading, error)
}

// Hosts is the source of the energy of CPUs, memory and the machine as a whole.
// It joins sources that overlap: of each type of domain, the first source that
// has it provides all. It is used by one goroutine.
type Hosts struct {
	parts   []hostPart
	domains []Domain
	buffer  []host.Reading
}

// hostPart is one source and where its domains went: -1 for those not used.
type hostPart struct {
	reader HostReader
	index  []int
}

// NewHosts joins sources given in the order of trust.
func NewHosts(readers ...HostReader) *Hosts {
	s := &Hosts{}
	taken := map[Type]bool{}
	for _, r := range readers {
		part := hostPart{reader: r}
		has, used := map[Type]bool{}, false
		for _, d := range r.Domains() {
			kind, known := typeOf[d.Type]
			// Parts of another domain are in its figure already.
			if !known || !d.Additive() || taken[kind] {
				part.index = append(part.index, -1)
				continue
			}
			has[kind], used = true, true
			// What a figure includes is not added to it from elsewhere.
			if included, ok := typeOf[d.Includes]; ok {
				has[included] = true
			}
			part.index = append(part.index, len(s.domains))
			s.domains = append(s.domains, Domain{
				ID: string(kind) + ":" + d.ID, Type: kind, Name: d.Name,
				Basis: d.Basis, Limit: d.Full, Resolution: max(d.Resolution, d.Window),
				Counter: d.Kind == host.Counter, Fresh: d.Kind == host.Counter,
				Window: 1, Gain: d.Uncertainty, Floor: d.Idle, Note: d.Note,
			})
		}
		for kind := range has {
			taken[kind] = true
		}
		if used {
			s.parts = append(s.parts, part)
		}
	}
	return s
}

// typeOf sorts what a host source covers. A module holds a CPU and its GPU: like
// the host, it contains other domains and is added to none.
var typeOf = map[host.Type]Type{host.CPU: CPU, host.Memory: Memory, host.Module: Host, host.Host: Host}

// Domains implements Source.
func (s *Hosts) Domains() []Domain { return s.domains }

// Read implements Source.
func (s *Hosts) Read(dst []Reading) ([]Reading, error) {
	var failed error
	for _, part := range s.parts {
		readings, err := part.reader.Read(s.buffer[:0])
		s.buffer = readings
		if err != nil {
			failed = errors.Join(failed, err)
		}
		for _, r := range readings {
			to := part.index[r.Domain]
			if to < 0 {
				continue
			}
			reading := Reading{Domain: to, At: r.At(), Spread: r.After.Sub(r.Before) / 2, Epoch: r.Epoch}
			switch r.Kind {
			case host.Counter:
				reading.Counter, reading.Has = r.Energy, HasCounter
			case host.Gauge:
				reading.Power, reading.Has = r.Power, HasPower
			}
			dst = append(dst, reading)
		}
	}
	return dst, failed
}
