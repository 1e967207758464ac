package runfile

import (
	"math"
	"slices"
	"strings"
	"time"

	"greenagent/attribution"
	"greenagent/carbon"
	"greenagent/collector"
	"greenagent/energy"
)

// Facts is what a run is besides its energy.
type Facts struct {
	ID, Name   string
	Tags       map[string]string
	Command    []string
	Exit       Exit
	Start, End time.Time
	Duration   time.Duration
	Host       Host
	Units      map[string]float64 // counts by name
	Missing    []Missing
	Warnings   []string
	// Owner is the run in the snapshot's accounts.
	Owner collector.Owner
	// Started tells when a process was started, false where that is not known.
	Started func(collector.Process) (time.Time, bool)
}

// Site is where the run was, as far as emissions are concerned.
type Site struct {
	Factor *carbon.Factor // nil: the zone is not known
	PUE    carbon.PUE
}

// Render returns the record of a run.
func Render(f Facts, s attribution.Snapshot, site Site) Run {
	r := Run{
		Schema: Schema, ID: f.ID, Name: f.Name, Tags: f.Tags, Command: f.Command, Exit: f.Exit,
		Start: f.Start, End: f.End, Duration: Seconds(f.Duration), Complete: true, Host: f.Host,
		Domains: []Domain{}, Missing: append([]Missing{}, f.Missing...), Processes: []Process{}, Marks: []Mark{},
		Warnings: append(append([]string{}, f.Warnings...), s.Warnings...),
	}
	if r.Tags == nil {
		r.Tags = map[string]string{}
	}
	for i := range s.Domains {
		r.Domains = append(r.Domains, domain(&s.Domains[i], f.Owner))
	}
	for i := range s.Processes {
		if p := &s.Processes[i]; p.Owner == f.Owner {
			if rendered, ok := process(p, s.Domains, f.Started); ok {
				r.Processes = append(r.Processes, rendered)
			}
		}
	}
	slices.SortStableFunc(r.Processes, func(a, b Process) int { return a.PID - b.PID })

	sum, u := total(&s, &r, f.Owner)
	boundary := r.boundary()
	if r.module() {
		r.Warnings = append(r.Warnings, containsHost)
	}
	r.Energy = Total{Boundary: strings.Join(boundary, "+"), IdlePolicy: s.Policy.String()}
	if len(boundary) > 0 {
		r.Energy.Run, r.Energy.RunIdle = ptr(sum.Dynamic), ptr(sum.Idle)
		r.Energy.Uncertainty = ptr(u.Expanded())
	}
	r.Emissions = emissions(sum.Dynamic+sum.Idle, u, len(boundary) > 0, site)
	r.Units = units(f.Units, &r)
	return r
}

func ptr[T any](v T) *T { return &v }

// Known returns nil for the zero value, which stands for unknown where this is
// used.
func Known[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func domain(d *attribution.DomainState, owner collector.Owner) Domain {
	r := Domain{
		ID: d.ID, Type: string(d.Type), Name: d.Name,
		Driver: Known(d.Driver), Scope: Known(d.Scope), PowerLimit: Known(d.Limit),
		Basis: d.Basis, Method: d.Method.String(),
		Warnings: append([]string{}, d.Warnings...),
	}
	if c := d.Calibration; !c.None() {
		r.Calibration = &Calibration{Gain: c.Gain, Offset: c.Offset, Uncertainty: c.Uncertainty}
	}
	if d.Basis == energy.Unknown {
		return r
	}
	run := d.Of(owner)
	var others energy.Energy
	for _, o := range d.Owners {
		if o.Owner != owner {
			others += o.Dynamic + o.Idle
		}
	}
	r.Energy, r.Uncertainty = ptr(d.Energy), ptr(d.Uncertainty.Expanded())
	r.Run, r.RunIdle, r.RunUncertainty = ptr(run.Dynamic), ptr(run.Idle), ptr(run.Uncertainty.Expanded())
	r.Confidence = Known(run.Confidence.String())
	if d.Context > 0 || run.Context > 0 {
		r.RunContext = ptr(run.Context)
	}
	r.Others, r.Idle, r.Unattributed = ptr(others), ptr(d.Idle), ptr(d.Unattributed)
	r.Unallocated = ptr(d.Unallocated)
	r.Unobserved, r.CrossCheck = ptr(Seconds(d.Unobserved)), Known(d.Check.Ratio)
	r.Mean, r.Max = ptr(d.Mean), Known(max(d.Peak, d.Mean))
	return r
}

// process renders what one process used; false if that is nothing.
func process(p *attribution.ProcessState, domains []attribution.DomainState, started func(collector.Process) (time.Time, bool)) (Process, bool) {
	r := Process{PID: p.Process.PID, Command: p.Command, Energy: map[string]energy.Energy{}, Uncertainty: map[string]energy.Energy{}}
	for i, e := range p.Entries {
		if sum := e.Dynamic + e.Idle; sum > 0 {
			d := &domains[i]
			r.Energy[d.ID] = sum
			r.Uncertainty[d.ID] = e.Uncertainty(d.Energy, d.Uncertainty).Expanded()
		}
	}
	if started != nil {
		if at, ok := started(p.Process); ok {
			r.Start = &at
		}
	}
	return r, len(r.Energy) > 0
}

// total adds the domains that do not contain each other. Their sensors err
// independently of each other.
func total(s *attribution.Snapshot, r *Run, owner collector.Owner) (attribution.OwnerState, energy.Uncertainty) {
	var sum attribution.OwnerState
	var u energy.Uncertainty
	for i := range s.Domains {
		if !r.Adds(&r.Domains[i]) {
			continue
		}
		run := s.Domains[i].Of(owner)
		sum.Dynamic += run.Dynamic
		sum.Idle += run.Idle
		u = u.Combine(run.Uncertainty)
	}
	return sum, u
}

func emissions(e energy.Energy, u energy.Uncertainty, measured bool, site Site) Emissions {
	r := Emissions{PUE: ptr(site.PUE.Value), PUESource: ptr(site.PUE.Source)}
	if site.Factor == nil {
		if low, high, err := carbon.PriceAnywhere(e, u, site.PUE); err == nil && measured {
			r.Low, r.High = &low, &high
		}
		return r
	}
	f := site.Factor
	r.Zone, r.Intensity = ptr(f.Zone), ptr(f.Value)
	r.Factor = &Factor{
		Source: f.Source, Year: f.Year, Basis: string(f.Basis), Kind: string(f.Kind), Estimated: f.Estimated,
	}
	if measured {
		p := carbon.Price(e, u, *f, site.PUE)
		r.Operational, r.Low, r.High = &p.Operational, &p.Low, &p.High
	}
	return r
}

// units divides the total by the work done. It goes by the energy rather than by
// the emissions, which are rounded to the microgram: a unit may emit far less.
func units(counts map[string]float64, r *Run) map[string]Unit {
	list := map[string]Unit{}
	for name, count := range counts {
		unit := Unit{Count: count}
		if r.Energy.Run != nil {
			each := (*r.Energy.Run + *r.Energy.RunIdle).Joules() / count
			unit.Energy = finite(each)
			if r.Emissions.Intensity != nil {
				const joulesPerKWh = float64(energy.KilowattHour / energy.Joule)
				unit.Carbon = finite(each / joulesPerKWh * *r.Emissions.PUE * float64(*r.Emissions.Intensity))
			}
		}
		list[name] = unit
	}
	return list
}

// finite returns nil for what JSON has no number for.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
