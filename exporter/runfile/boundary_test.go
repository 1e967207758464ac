package runfile_test

import (
	"slices"
	"testing"

	"greenagent/carbon"
	"greenagent/collector"
	"greenagent/energy"
	"greenagent/exporter/runfile"
)

// TestModuleContainsItsCPU: where a GPU's figure is of its whole module, the CPU has
// its line and is not in the total.
func TestModuleContainsItsCPU(t *testing.T) {
	s := snapshot()
	s.Domains[0].Scope, s.Domains[0].Basis = collector.ModuleScope, energy.Integrated
	s.Domains[0].Check = collector.Check{}
	r := runfile.Render(runfile.Facts{ID: "id", Owner: theRun}, s, runfile.Site{PUE: carbon.AssumedPUE()})
	if got, want := *r.Energy.Run, s.Domains[0].Of(theRun).Dynamic; got != want {
		t.Errorf("a run of %d µJ, want the module's %d", int64(got), int64(want))
	}
	if r.Energy.Boundary != "module" || *r.Domains[0].Scope != "module" {
		t.Errorf("boundary %q, scope %q", r.Energy.Boundary, *r.Domains[0].Scope)
	}
	if !slices.ContainsFunc(r.Warnings, func(w string) bool {
		return w == "a GPU's figure is of its whole module: CPU and memory are in it, and are not added to it"
	}) {
		t.Errorf("nothing is said of it: %q", r.Warnings)
	}
	if r.Domains[1].Run == nil {
		t.Error("the CPU has lost its line")
	}
	// Of a module that told nothing, nothing is contained.
	s.Domains[0].Basis = energy.Unknown
	if r := runfile.Render(runfile.Facts{Owner: theRun}, s, runfile.Site{PUE: carbon.AssumedPUE()}); r.Energy.Boundary != "cpu" {
		t.Errorf("without the module, boundary %q", r.Energy.Boundary)
	}
}

func TestCrossCheckIsPublished(t *testing.T) {
	s := snapshot()
	s.Domains[0].Check.Ratio = 0.98
	r := runfile.Render(runfile.Facts{Owner: theRun}, s, runfile.Site{PUE: carbon.AssumedPUE()})
	if k := r.Domains[0].CrossCheck; k == nil || *k != 0.98 {
		t.Errorf("a ratio of %v", k)
	}
	if r.Domains[1].CrossCheck != nil {
		t.Error("a model was compared with something")
	}
}
