package report_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"greenagent/energy"
	"greenagent/exporter/report"
	"greenagent/exporter/runfile"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func ptr[T any](v T) *T { return &v }

func domain(kind, name string, basis energy.Basis, run, others, idle, none energy.Energy) runfile.Domain {
	sum := run + others + idle + none
	return runfile.Domain{
		ID: kind + ":x", Type: kind, Name: name, Basis: basis,
		Energy: &sum, Uncertainty: ptr(sum / 17), Run: &run, RunUncertainty: ptr(run / 17), RunIdle: ptr(energy.Energy(0)),
		Others: &others, Idle: &idle, Unattributed: &none,
	}
}

// training is a run on two GPUs, one of which went missing, and a modelled CPU.
func training() runfile.Run {
	const J = energy.Joule
	cpu := domain("cpu", "AMD EPYC 9654", energy.Modelled, 310*J, 20*J, 200*J, 0)
	cpu.Method, cpu.Confidence = "cpu-time", ptr("medium")
	gpu := domain("gpu", "NVIDIA H100 80GB HBM3", energy.Counted, 42_000*J, 1200*J, 5800*J, 3*J)
	gpu.Method, gpu.Confidence = "sole", ptr("high")
	cpu.Warnings = []string{"no power reading: modelled by its TDP"}
	return runfile.Run{
		ID: "r1", Command: []string{"python3", "train.py"}, Duration: runfile.Seconds(83 * time.Second),
		Domains: []runfile.Domain{
			gpu,
			{ID: "gpu:y", Type: "gpu", Name: "NVIDIA H100 80GB HBM3", Basis: energy.Unknown},
			cpu,
		},
		Missing: []runfile.Missing{{Type: "memory", Reason: "its size is not known"}},
		Energy:  runfile.Total{Run: ptr(42_310 * J), RunIdle: ptr(energy.Energy(0)), Uncertainty: ptr(2_400 * J), Boundary: "gpu+cpu", IdlePolicy: "none"},
		Emissions: runfile.Emissions{
			Operational: ptr(810 * energy.Milligram), Low: ptr(490 * energy.Milligram), High: ptr(1100 * energy.Milligram),
			Zone: ptr("FR"), Intensity: ptr(energy.Intensity(44.18)), PUE: ptr(1.56), PUESource: ptr("assumed"),
			Factor: &runfile.Factor{Source: "Ember", Year: 2024, Basis: "lifecycle", Kind: "average"},
		},
		Units:    map[string]runfile.Unit{"tokens": {Count: 1.2e6, Energy: ptr(0.03526), Carbon: ptr(6.7e-7)}},
		Warnings: []string{"NVML: device GPU-y: GPU is lost (812 times)"},
	}
}

func TestReport(t *testing.T) {
	unknown := runfile.Run{Command: []string{"true"}, Duration: runfile.Seconds(900 * time.Microsecond)}
	killed := training()
	killed.Exit = runfile.Exit{Code: 137, Signal: ptr("SIGKILL")}
	killed.Units = map[string]runfile.Unit{"tokens": {Count: 1.2e6, Energy: ptr(0.03526)}}
	killed.Name, killed.Emissions = "baseline", runfile.Emissions{Low: ptr(energy.Gram), High: ptr(30 * energy.Gram)}
	for name, run := range map[string]runfile.Run{"training": training(), "unknown": unknown, "killed": killed} {
		t.Run(name, func(t *testing.T) {
			var got strings.Builder
			if err := report.Write(&got, run, "run.json"); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".txt")
			if *rewrite {
				if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHostileNamesDoNotReachTheTerminal(t *testing.T) {
	hostile := "\x1b]0;owned\a\x1b[2J\r\n\u202e\xff" + strings.Repeat("x", 1<<16)
	r := training()
	r.Command, r.Name = []string{hostile}, ""
	r.Domains[0].Name, r.Domains[2].Warnings = hostile, []string{hostile}
	r.Missing[0].Reason, r.Warnings = hostile, []string{hostile}
	r.Units = map[string]runfile.Unit{hostile: {Count: 1}}
	var b strings.Builder
	if err := report.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	for _, c := range b.String() {
		if c != '\n' && (c < ' ' || c == 0x7f || c == '\u202e') {
			t.Fatalf("%U reached the report", c)
		}
	}
	if !utf8.ValidString(b.String()) {
		t.Error("the report is not UTF-8")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

var errBroken = errors.New("broken pipe")

func TestWriteTellsOfAStreamThatFails(t *testing.T) {
	if err := report.Write(broken{}, training()); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want the stream's error", err)
	}
}
