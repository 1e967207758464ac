package runfile

import (
	"slices"

	"greenagent/collector"
	"greenagent/energy"
)

// containsHost says what is left out of a total, and why.
const containsHost = "a GPU's figure is of its whole module: CPU and memory are in it, and are not added to it"

// Adds reports whether a domain's energy is part of the run's total. A host contains
// every other domain, and a module the CPUs and memory beside its GPU: which of
// several it has of its own is not known, so none is counted twice.
func (r *Run) Adds(d *Domain) bool {
	switch collector.Type(d.Type) {
	case collector.Host:
		return false
	case collector.CPU, collector.Memory:
		return d.Basis != energy.Unknown && !r.module()
	}
	return d.Basis != energy.Unknown
}

// module reports whether a domain of the total is a whole module.
func (r *Run) module() bool { return slices.ContainsFunc(r.Domains, isModule) }

func isModule(d Domain) bool {
	return d.Basis != energy.Unknown && d.Scope != nil && *d.Scope == collector.ModuleScope
}

// boundary lists what is in the total.
func (r *Run) boundary() (list []string) {
	for _, part := range []string{"gpu", collector.ModuleScope, "cpu", "memory"} {
		if slices.ContainsFunc(r.Domains, func(d Domain) bool {
			kind := d.Type
			if isModule(d) {
				kind = collector.ModuleScope
			}
			return kind == part && r.Adds(&d)
		}) {
			list = append(list, part)
		}
	}
	return list
}
