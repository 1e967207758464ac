package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"greenagent/energy"
	"greenagent/exporter/runfile"
)

// TestPlanFits: everything, with what each load takes besides and the steps before
// it, fits into ten minutes.
func TestPlanFits(t *testing.T) {
	names := map[string]bool{}
	whole := 90 * time.Second // conformance, doctor, building
	for _, l := range plan() {
		if names[l.Name] {
			t.Errorf("two loads are called %s", l.Name)
		}
		names[l.Name] = true
		whole += l.length() + 1500*ms
		if len(l.parties) > 1 {
			whole += lead
		}
		for _, p := range l.parties {
			end := p.From
			for _, b := range p.Busy {
				if b[0] < end-1e-9 || b[1] <= b[0] || b[1] > p.Until+1e-9 || b[2] <= 0 || b[2] > 100 {
					t.Errorf("%s: %s is busy %v", l.Name, p.Name, b)
				}
				end = b[1]
			}
		}
	}
	t.Log(whole)
	if whole > 10*time.Minute {
		t.Errorf("all of it takes %v", whole)
	}
}

func TestOn(t *testing.T) {
	l := together("", time.Second, square(time.Second, 100*ms, 0.7, false), square(time.Second, 100*ms, 0.3, true), time.Second)
	if on := l.on(); (on - time.Second).Abs() > time.Microsecond {
		t.Errorf("together on for %v", on)
	}
	if on := alone("", time.Second, square(time.Second, 100*ms, 0.2, false)).on(); (on - 200*ms).Abs() > time.Microsecond {
		t.Errorf("a fifth is %v", on)
	}
}

// TestCounted interpolates between the ticks of a counter that grows by 100 W.
func TestCounted(t *testing.T) {
	zero := time.Unix(1000, 0)
	var looks []look
	for i := range 200 { // every 10 ms, ticks every 100 ms
		looks = append(looks, look{zero.Add(time.Duration(i) * 10 * ms), energy.Energy(i/10) * 10 * energy.Joule, 100 * energy.Watt})
	}
	e, bound, ok := counted(looks, zero.Add(250*ms), zero.Add(1250*ms))
	if !ok || math.Abs(e.Joules()-100) > 0.01 || bound != 10*energy.Joule {
		t.Errorf("%v ± %v, %t", e, bound, ok)
	}
	if _, _, ok := counted(looks, zero.Add(-time.Second), zero.Add(time.Second)); ok {
		t.Error("knows of the time before the first tick")
	}
	if e, ok := powered(looks, zero, zero.Add(time.Second)); !ok || e != 100*energy.Joule {
		t.Errorf("%v by power, %t", e, ok)
	}
}

// TestCheck has checks see what is odd.
func TestCheck(t *testing.T) {
	joules := func(j int) *energy.Energy { e := energy.Energy(j) * energy.Joule; return &e }
	seen := func(kind string, whole, run, counter int) row {
		return row{Load: kind, Kind: kind, Duration: runfile.Seconds(10 * time.Second), Busy: runfile.Seconds(10 * time.Second),
			Greenagent: runfile.Domain{Energy: joules(whole), Run: joules(run)}, Counter: joules(counter), CounterBound: joules(1)}
	}
	equal := seen("equal", 1000, 1000, 1000)
	equal.Parties = map[string]energy.Energy{"A": *joules(500), "B": *joules(500)}
	good := []row{seen("rest", 100, 100, 100), seen("steady", 1000, 1000, 1000), seen("steady", 1010, 1010, 1010), seen("square", 1005, 1005, 1000), equal}
	for _, c := range check(good) {
		if !c.OK {
			t.Errorf("odd: %+v", c)
		}
	}
	for what, spoil := range map[string]func([]row){
		"energy that is lost":    func(r []row) { r[3].Greenagent.Run = joules(1004) },
		"another counter":        func(r []row) { r[3].Counter = joules(900) },
		"an unsteady one":        func(r []row) { r[2] = seen("steady", 1100, 1100, 1100) },
		"a square of too much":   func(r []row) { r[3] = seen("square", 1500, 1500, 1500) },
		"an unequal division":    func(r []row) { r[4].Parties = map[string]energy.Energy{"A": *joules(900), "B": *joules(100)} },
		"nobody to divide among": func(r []row) { r[4].Parties = nil },
	} {
		rows := append([]row(nil), good...)
		spoil(rows)
		odd := 0
		for _, c := range check(rows) {
			if !c.OK {
				odd++
			}
		}
		if odd == 0 {
			t.Errorf("%s passes", what)
		}
	}
}

// TestFill finds a load's processes in a record.
func TestFill(t *testing.T) {
	events := filepath.Join(t.TempDir(), "events")
	text := `{"party":"A","pid":11,"event":"started"}
{"party":"B","pid":12,"event":"started"}
{"party":"A","pid":11,"event":"ended","late_s":0.4}
`
	if err := os.WriteFile(events, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := 100 * energy.Joule
	record := runfile.Run{
		Domains: []runfile.Domain{{ID: "cpu:0"}, {ID: "gpu:GPU-0", Energy: &whole}},
		Processes: []runfile.Process{{PID: 11, Energy: map[string]energy.Energy{"gpu:GPU-0": 70 * energy.Joule, "cpu:0": energy.Joule}},
			{PID: 13, Energy: map[string]energy.Energy{"gpu:GPU-0": 30 * energy.Joule}}},
	}
	var r row
	if err := r.fill("GPU-0", record, nil, events); err != nil {
		t.Fatal(err)
	}
	if len(r.Parties) != 2 || r.Parties["A"] != 70*energy.Joule || r.Parties["B"] != 0 {
		t.Errorf("parties %v", r.Parties)
	}
	if len(r.Warnings) != 1 || r.Warnings[0] != "A began 0.4 s late" {
		t.Errorf("warnings %q", r.Warnings)
	}
	if err := r.fill("GPU-1", record, nil, events); err == nil {
		t.Error("finds a GPU that is not in the record")
	}
}

func TestChoose(t *testing.T) {
	list := []gpu{{UUID: "split", Partitioned: true}, {UUID: "used", Processes: 2}, {UUID: "free"}}
	for _, test := range []struct {
		gpus        []gpu
		asked, want string // want: the UUID, or what the error says
		warnings    int
	}{
		{list, "", "free", 0},
		{list, "used", "used", 1},
		{list, "split", "nvidia-smi -mig 0", 0},
		{list, "none", "no GPU none; there are: split, used, free", 0},
		{list[:2], "", "--gpu: split, used", 0},
		{nil, "", "finds no GPU", 0},
	} {
		s := &session{options: options{gpu: test.asked}, progress: t.Output(), report: report{GPUs: test.gpus}}
		got := s.choose()
		if said := fmt.Sprint(s.report.GPU.UUID, got); !strings.Contains(said, test.want) || len(s.report.Warnings) != test.warnings {
			t.Errorf("asked for %q: %s, warnings %q", test.asked, said, s.report.Warnings)
		}
	}
}

// TestLoadsEnd: time that is up and a GPU that nobody can load end no report.
func TestLoadsEnd(t *testing.T) {
	s := &session{options: options{limit: time.Second}, progress: t.Output(), began: time.Now()}
	training := alone("training", ms, nil)
	training.train = true
	s.loads(t.Context(), []load{alone("long", time.Minute, nil), training})
	if got := strings.Join(s.report.Warnings, "; "); got != "long: not run, the time was up; training: not run, PyTorch with CUDA is not installed" {
		t.Errorf("warnings %q", got)
	}
}
