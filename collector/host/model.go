package host

import (
	"fmt"
	"math"

	"greenagent/collector/procfs"
	"greenagent/energy"
)

// Model stands in where nothing can be read, as on most virtual machines:
//
//	power = idle + utilisation × (full − idle)
//
// for the CPUs and for the memory, with utilisation from the CPU times of
// /proc/stat. What it assumed is in the Note of its domains, their Basis is
// energy.Modelled and their Uncertainty is wide: a model's figure must never be
// taken for a measurement, nor added to one without saying so.
//
// Its readings are Counters: energy since it was opened, a linear function of
// the time and of the CPU time used, so that the total does not depend on when
// one looks.
//
// It must not be used from two goroutines at once.
type Model struct {
	clock   energy.Clock
	proc    *procfs.FS
	domains []Domain
	loads   []Load // parallel to domains
	threads int
	opened  energy.Instant
	base    procfs.Ticks // busy when it was opened
	busy    procfs.Ticks
}

// Load is a modelled power at rest and at full utilisation.
type Load struct{ Idle, Full energy.Power }

// idleShare is what a processor draws at rest, of its TDP: what the servers of
// Cloud Carbon Footprint's average draw at rest, of what they draw in full
// (0.74 W of 3.5 W).
const idleShare = 0.21

// Of a processor nobody knows: watts per logical CPU of the average server in
// SPECpower_ssj2008, as Cloud Carbon Footprint has them for AWS (MIN_WATTS_AVG
// and MAX_WATTS_AVG in AwsFootprintEstimationConstants.ts).
const (
	defaultIdle = 740 * energy.Milliwatt
	defaultFull = 3500 * energy.Milliwatt
)

// Memory goes by its modules: about 5 W for one at work, whatever its size
// (CodeCarbon's methodology, "RAM"). That refresh and standby are three fifths
// of it is a judgement, as is which nodes have large modules: big ones, and
// those that host virtual machines.
const (
	modulePower = 5 * energy.Watt
	moduleRest  = 0.6 // of modulePower
	largeModule = 64 << 30
	smallModule = 16 << 30
	largeMemory = 256 << 30
)

// Relative standard uncertainties of what the model says, k = 1. All are
// judgements; that of an unknown processor is guided by the spread of the table
// of microarchitectures, 50 % of its mean.
const (
	uncertaintyTDP          = 0.30
	uncertaintySharedTDP    = 0.40 // which share of the package is a guest's
	uncertaintyArchitecture = 0.40
	uncertaintyDefault      = 0.55
	uncertaintyMemory       = 0.50
)

// OpenModel makes a model of the node that facts describe; proc must be its
// /proc, and belongs to the model from now on. Domains it knows nothing to say
// of are left out: it fails with ErrAbsent if that is all of them, and with the
// error of /proc/stat if that cannot be read.
func OpenModel(facts Facts, proc *procfs.FS, clock energy.Clock) (*Model, error) {
	m := &Model{clock: clock, proc: proc, threads: max(1, facts.LogicalCPUs)}
	if facts.LogicalCPUs > 0 {
		load, relative, note := modelCPU(&facts)
		m.add("cpu", facts.CPUModel, CPU, load, relative, note)
	}
	if facts.Memory > 0 {
		load, note := modelMemory(facts.Memory, facts.Virtual)
		m.add("memory", fmt.Sprintf("%.3g GiB", float64(facts.Memory)/(1<<30)), Memory, load, uncertaintyMemory, note)
	}
	if len(m.domains) == 0 {
		return nil, fmt.Errorf("model: number of CPUs and size of memory are unknown: %w", ErrAbsent)
	}
	times, err := proc.CPU()
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	m.opened, m.base, m.busy = clock.Now(), times.Busy(), times.Busy()
	return m, nil
}

func (m *Model) add(id, name string, t Type, load Load, relative float64, note string) {
	if name == "" {
		name = id
	}
	m.domains = append(m.domains, Domain{
		ID: "model:" + id, Name: name, Type: t, Parent: NoParent, Kind: Counter, Basis: energy.Modelled,
		Resolution: procfs.Tick, Idle: load.Idle, Full: load.Full, Uncertainty: relative, Note: note,
	})
	m.loads = append(m.loads, load)
}

// Domains returns what there is; the caller must not change it.
func (m *Model) Domains() []Domain { return m.domains }

// Load returns what a domain is taken to draw.
func (m *Model) Load(domain int) Load { return m.loads[domain] }

// Close does nothing; it is there for the sake of the other sources'.
func (m *Model) Close() error { return nil }

// Read appends a reading of every domain to dst, or none if /proc/stat cannot
// be read.
func (m *Model) Read(dst []Reading) ([]Reading, error) {
	before := m.clock.Now()
	times, err := m.proc.CPU()
	if err != nil {
		return dst, fmt.Errorf("model: %w", err)
	}
	r := Reading{Kind: Counter, Before: before, After: m.clock.Now()}
	m.busy = max(m.busy, times.Busy()) // hot-plugging may take CPU time away
	for i, load := range m.loads {
		r.Domain = i
		r.Energy = load.energyOf(r, m.opened, uint64(m.busy-m.base), m.threads)
		dst = append(dst, r)
	}
	return dst, nil
}

// energyOf returns idle power over the time since opened, and the rest of the
// power over the CPU time used, a thread of many being so much of the whole.
func (l Load) energyOf(r Reading, opened energy.Instant, ticks uint64, threads int) energy.Energy {
	used := int64(min(ticks, math.MaxInt64))
	dynamic := energy.MulDiv(int64(l.Full-l.Idle), used, int64(threads)*procfs.TicksPerSecond)
	return l.Idle.For(r.At().Sub(opened)) + energy.Energy(dynamic)
}

// modelCPU says what the node's CPUs draw, how sure that is, and why.
func modelCPU(f *Facts) (load Load, relative float64, note string) {
	n := energy.Power(f.LogicalCPUs)
	if p, ok := findProcessor(f.CPUModel); ok {
		if f.Virtual {
			full := p.tdp * n / energy.Power(p.threads)
			return Load{fraction(full, idleShare), full}, uncertaintySharedTDP, fmt.Sprintf(
				"no power reading in this virtual machine: modelled as %d of the %d threads of a %s (TDP %.0f W), %.0f%% of it at rest",
				n, p.threads, p.model, p.tdp.Watts(), 100*idleShare)
		}
		full := p.tdp * energy.Power(max(1, f.Packages))
		return Load{fraction(full, idleShare), full}, uncertaintyTDP, fmt.Sprintf(
			"no power reading: modelled as %d × %s (TDP %.0f W), %.0f%% of it at rest",
			max(1, f.Packages), p.model, p.tdp.Watts(), 100*idleShare)
	}
	if a, ok := findArchitecture(f); ok {
		return Load{a.idle * n, a.full * n}, uncertaintyArchitecture, fmt.Sprintf(
			"no power reading: modelled as %d logical CPUs of the average %s server, %.2f W each at rest and %.2f W in full, some memory included (SPECpower, by way of Cloud Carbon Footprint)",
			n, a.name, a.idle.Watts(), a.full.Watts())
	}
	return Load{defaultIdle * n, defaultFull * n}, uncertaintyDefault, fmt.Sprintf(
		"no power reading, and %s is in no table: modelled as %d logical CPUs of the average cloud server, %.2f W each at rest and %.2f W in full, some memory included (Cloud Carbon Footprint)",
		called(f.CPUModel), n, defaultIdle.Watts(), defaultFull.Watts())
}

func called(model string) string {
	if model == "" {
		return "the processor"
	}
	return fmt.Sprintf("%.60q", model)
}

// modelMemory says what memory of a size draws, and why. A guest has a part of
// its host's modules; a machine of its own has whole ones.
func modelMemory(bytes int64, virtual bool) (Load, string) {
	// The kernel keeps some for itself before it counts: 251 of 256 GiB.
	installed := (bytes + smallModule - 1) / smallModule * smallModule
	size := int64(smallModule)
	if virtual || installed >= largeMemory {
		size = largeModule
	}
	modules := float64(bytes) / float64(size)
	if !virtual {
		modules = math.Ceil(modules)
	}
	full := energy.FromWatts(modules * modulePower.Watts())
	return Load{fraction(full, moduleRest), full}, fmt.Sprintf(
		"no power reading: modelled as %.3g modules of %d GiB at %.0f W, %.0f%% of it at rest",
		modules, size>>30, modulePower.Watts(), 100*moduleRest)
}

func fraction(p energy.Power, share float64) energy.Power {
	return energy.FromWatts(p.Watts() * share)
}
