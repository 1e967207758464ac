package runfile_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenagent/attribution"
	"greenagent/carbon"
	"greenagent/collector"
	"greenagent/energy"
	"greenagent/exporter/runfile"
)

const theRun collector.Owner = 1

// snapshot is a node with a GPU shared by the run and another process, a
// modelled CPU, a host meter that contains both, and a GPU that never answered.
func snapshot() attribution.Snapshot {
	return attribution.Snapshot{
		Domains: []attribution.DomainState{{
			Domain: collector.Domain{ID: "gpu:A", Type: collector.GPU, Name: "H100", Driver: "570", Scope: "gpu", Limit: 700 * energy.Watt},
			Basis:  energy.Counted, Energy: 1_000_000_001, Uncertainty: energy.Systematic(29 * energy.Joule),
			Owners: []attribution.OwnerState{
				{Owner: theRun, Dynamic: 600_000_001, Context: 12_000_000, Idle: 50_000_000, Uncertainty: energy.Systematic(19 * energy.Joule), Confidence: attribution.Medium},
				{Owner: 0, Dynamic: 200_000_000, Idle: 25_000_000},
			},
			Idle: 100_000_000, Unattributed: 25_000_000,
			Mean: 500 * energy.Watt, Peak: 690 * energy.Watt, Method: collector.ByUtilization,
		}, {
			Domain: collector.Domain{ID: "cpu:model", Type: collector.CPU, Name: "EPYC"},
			Basis:  energy.Modelled, Energy: 30_000_000, Uncertainty: energy.Systematic(10 * energy.Joule),
			Owners: []attribution.OwnerState{{Owner: theRun, Dynamic: 20_000_000, Uncertainty: energy.Systematic(7 * energy.Joule)}},
			Idle:   10_000_000, Method: collector.ByCPUTime,
		}, {
			Domain: collector.Domain{ID: "host:meter", Type: collector.Host, Name: "power_meter"},
			Basis:  energy.Integrated, Energy: 5_000_000_000,
			Owners: []attribution.OwnerState{{Owner: theRun, Dynamic: 4_000_000_000}}, Unattributed: 1_000_000_000,
		}, {
			Domain: collector.Domain{ID: "gpu:B", Type: collector.GPU, Name: "H100"}, Basis: energy.Unknown,
		}},
		Processes: []attribution.ProcessState{
			{Process: collector.Process{PID: 42, Start: 7}, Owner: theRun, Command: "python3", Entries: []attribution.Entry{
				{Dynamic: 600_000_001, Idle: 50_000_000, Systematic: 3_000_000, Variance: 16_000_000_000_000}, {Dynamic: 20_000_000}, {}, {},
			}},
			{Process: collector.Process{PID: 43, Start: 8}, Owner: 0, Command: "somebody else's", Entries: []attribution.Entry{{Dynamic: 5}, {}, {}, {}}},
			{Process: collector.Process{PID: 44, Start: 9}, Owner: theRun, Command: "idle", Entries: make([]attribution.Entry, 4)},
		},
	}
}

func render(site runfile.Site) runfile.Run {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return runfile.Render(runfile.Facts{
		ID: "id", Command: []string{"python3", "train.py"}, Start: start, End: start.Add(2 * time.Second),
		Duration: 2 * time.Second, Units: map[string]float64{"tokens": 1000}, Owner: theRun,
	}, snapshot(), site)
}

func TestTheRunIsTheSumOfWhatDoesNotContainEachOther(t *testing.T) {
	r := render(runfile.Site{PUE: carbon.AssumedPUE()})
	if got, want := *r.Energy.Run, energy.Energy(620_000_001); got != want {
		t.Errorf("run %d µJ, want the GPU's and the CPU's, %d: the host's meter contains them", int64(got), int64(want))
	}
	if got, want := *r.Energy.RunIdle, energy.Energy(50_000_000); got != want {
		t.Errorf("idle %d µJ, want %d", int64(got), int64(want))
	}
	// Two sensors: √(19² + 7²) J, expanded by 2.
	if got, want := r.Energy.Uncertainty.Joules(), 40.496913; got < want-1e-5 || got > want+1e-5 {
		t.Errorf("uncertainty %v J, want %v", got, want)
	}
	if r.Energy.Boundary != "gpu+cpu" {
		t.Errorf("boundary %q", r.Energy.Boundary)
	}
}

func TestPartsSumExactly(t *testing.T) {
	for _, d := range render(runfile.Site{PUE: carbon.AssumedPUE()}).Domains {
		if d.Energy == nil {
			if d.ID != "gpu:B" || d.Run != nil || d.Idle != nil || d.Mean != nil {
				t.Errorf("%s: unknown in part: %+v", d.ID, d)
			}
			continue
		}
		if sum := *d.Run + *d.RunIdle + *d.Others + *d.Idle + *d.Unattributed; sum != *d.Energy {
			t.Errorf("%s: parts sum to %d µJ of %d", d.ID, int64(sum), int64(*d.Energy))
		}
	}
}

func TestOnlyTheRunsProcessesAreNamed(t *testing.T) {
	r := render(runfile.Site{PUE: carbon.AssumedPUE()})
	if len(r.Processes) != 1 || r.Processes[0].PID != 42 {
		t.Fatalf("processes %+v, want only 42: 43 is somebody else's, 44 used nothing", r.Processes)
	}
	want := map[string]energy.Energy{"gpu:A": 650_000_001, "cpu:model": 20_000_000}
	if diff := cmp.Diff(want, r.Processes[0].Energy); diff != "" {
		t.Errorf("energy of 42 (-want +got):\n%s", diff)
	}
	// Of the GPU 0.65 of 29 J, and 3 J and 4 J of the division; of the CPU two thirds
	// of 10 J; twice that.
	want = map[string]energy.Energy{"gpu:A": 39_003_718, "cpu:model": 13_333_333}
	if diff := cmp.Diff(want, r.Processes[0].Uncertainty); diff != "" {
		t.Errorf("uncertainty of 42 (-want +got):\n%s", diff)
	}
}

// TestDivisionIsTold: by what, how far that can be relied on, and what was for
// contexts; null where it is not known.
func TestDivisionIsTold(t *testing.T) {
	domains := render(runfile.Site{PUE: carbon.AssumedPUE()}).Domains
	gpu, cpu := domains[0], domains[1]
	if gpu.Method != "utilization" || gpu.Confidence == nil || *gpu.Confidence != "medium" || gpu.RunContext == nil || *gpu.RunContext != 12_000_000 {
		t.Errorf("%+v", gpu)
	}
	if cpu.Confidence != nil || cpu.RunContext != nil {
		t.Errorf("%+v", cpu)
	}
}

func TestEmissions(t *testing.T) {
	fr, err := carbon.Lookup("FR")
	if err != nil {
		t.Fatal(err)
	}
	pue, err := carbon.GivenPUE(1.5)
	if err != nil {
		t.Fatal(err)
	}
	r := render(runfile.Site{Factor: &fr, PUE: pue})
	// 670.000001 J × 1.5 × I g / 3.6e6 J
	want := 670.000001 * 1.5 * float64(fr.Value) / 3.6e6
	if got := r.Emissions.Operational.Grams(); got < want-1e-6 || got > want+1e-6 {
		t.Errorf("%v g, want %v", got, want)
	}
	if got := *r.Units["tokens"].Energy; got < 0.669 || got > 0.671 {
		t.Errorf("%v J per token, want 0.67", got)
	}

	r = render(runfile.Site{PUE: carbon.AssumedPUE()})
	if r.Emissions.Operational != nil || r.Emissions.Zone != nil || r.Units["tokens"].Carbon != nil {
		t.Errorf("a figure without a zone: %+v", r.Emissions)
	}
	if r.Emissions.Low == nil || r.Emissions.High == nil || *r.Emissions.High < 10**r.Emissions.Low {
		t.Errorf("without a zone want a wide range, got %v to %v", r.Emissions.Low, r.Emissions.High)
	}
}

func TestUnitsOfWork(t *testing.T) {
	fr, err := carbon.Lookup("FR")
	if err != nil {
		t.Fatal(err)
	}
	r := runfile.Render(runfile.Facts{
		Units: map[string]float64{"none": 0, "many": 1e18}, Owner: theRun,
	}, snapshot(), runfile.Site{Factor: &fr, PUE: carbon.AssumedPUE()})
	if u := r.Units["none"]; u.Energy != nil || u.Carbon != nil {
		t.Errorf("per nothing: %v J, %v g", u.Energy, u.Carbon)
	}
	// 670.000001 J in 1e18 parts: far below a microgram each, and still a figure.
	want := 670.000001 / 1e18 / 3.6e6 * 1.56 * float64(fr.Value)
	if u := r.Units["many"]; u.Carbon == nil || *u.Carbon < 0.999*want || *u.Carbon > 1.001*want {
		t.Errorf("%v g each, want %g", u.Carbon, want)
	}
}

func TestNothingMeasuredIsNullNotZero(t *testing.T) {
	r := runfile.Render(runfile.Facts{Owner: theRun}, attribution.Snapshot{}, runfile.Site{PUE: carbon.AssumedPUE()})
	var text bytes.Buffer
	if err := runfile.Encode(&text, r); err != nil {
		t.Fatal(err)
	}
	var back map[string]map[string]any
	_ = json.Unmarshal(text.Bytes(), &back) // other keys are no objects
	for key, values := range map[string][]string{
		"energy":    {"run_j", "run_idle_j", "uncertainty_j"},
		"emissions": {"operational_g", "low_g", "high_g", "market_g", "embodied_g", "zone", "intensity_g_per_kwh", "factor"},
	} {
		for _, v := range values {
			if got, ok := back[key][v]; !ok || got != nil {
				t.Errorf("%s.%s = %v (there: %v), want null", key, v, got, ok)
			}
		}
	}
}

func TestRecordSurvivesItsJSON(t *testing.T) {
	fr, err := carbon.Lookup("FR")
	if err != nil {
		t.Fatal(err)
	}
	r := render(runfile.Site{Factor: &fr, PUE: carbon.AssumedPUE()})
	var text bytes.Buffer
	if err := runfile.Encode(&text, r); err != nil {
		t.Fatal(err)
	}
	var back runfile.Run
	if err := json.Unmarshal(text.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, back); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
}
