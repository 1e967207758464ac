package doctor

import (
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"greenagent/collector"
)

// eight is a report about eight GPUs that fare differently.
func eight() Report {
	r := Report{
		Host: Host{Name: "n1", OS: "Ubuntu 24.04.1 LTS", Kernel: "6.8.0", CPU: "Intel(R) Xeon(R) Platinum 8480C", CPUs: 224, Memory: 2 << 40},
		Domains: []Domain{
			{Type: collector.GPU, State: Measured, Names: []string{"NVIDIA H100", "NVIDIA H100"}, By: "NVML energy counter", Uncertainty: expanded(0.029)},
			missing(collector.GPU, "it is lost"),
			{Type: collector.CPU, State: Modelled, Names: []string{"cpu"}, By: "a model", Why: "no power reading", Uncertainty: expanded(0.3)},
			{Type: collector.Memory, State: Measured, Names: []string{"package-0/dram", "package-1/dram"}, By: "RAPL energy counter", Uncertainty: expanded(0.1)},
			missing(collector.Host, "no meter"),
		},
		Checks: []Check{
			check(raplReadable, Warn, "this user may not read the counters: CPU energy is modelled", platypus, allowRAPL),
			check(nvmlDriver, Pass, "driver 570.124.06", "a detail of no interest", ""),
		},
	}
	for _, uuid := range []string{"GPU-a", "GPU-b", "GPU-c"} {
		counter := check(gpuCounter, Pass, "energy counter", "", "")
		if uuid == "GPU-c" {
			counter = check(gpuCounter, Fail, "it is lost", "nvml: device GPU-c: GPU is lost.", "sudo nvidia-smi --gpu-reset -i GPU-c")
		}
		r.Checks = append(r.Checks, counter.of(uuid), check(gpuMIG, Pass, "MIG is off", "", "").of(uuid))
	}
	r.complete()
	return r
}

func written(t *testing.T, r Report, style Style) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b, style); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText(t *testing.T) {
	t.Parallel()
	const golden = "testdata/eight.txt"
	got := written(t, eight(), Style{})
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Error(d)
	}
	if err := eight().Write(full{}, Style{}); err == nil {
		t.Error("a full disk goes unnoticed")
	}
}

// Colours add to the text and change nothing of it.
func TestColor(t *testing.T) {
	t.Parallel()
	plain, colored := written(t, eight(), Style{}), written(t, eight(), Style{Color: true})
	if !strings.Contains(colored, "\x1b[31mFAIL\x1b[0m") {
		t.Error("FAIL is not red")
	}
	for _, c := range colors {
		colored = strings.ReplaceAll(colored, c, "")
	}
	if d := cmp.Diff(plain, strings.ReplaceAll(colored, "\x1b[0m", "")); d != "" {
		t.Error(d)
	}
	if strings.Contains(plain, "\x1b") {
		t.Error("colour where none was asked for")
	}
}

func TestHostileNames(t *testing.T) {
	t.Parallel()
	evil := "\x1b[31mred\x1b]0;t\a\r\n\xff\u202e" + strings.Repeat("x", 1<<16)
	r := Report{
		Host:    Host{Name: evil, OS: evil, Kernel: evil, CPU: evil},
		Domains: []Domain{{Type: collector.GPU, State: Measured, Names: []string{evil}, By: evil}, missing(collector.CPU, evil), {Type: collector.Type(evil), State: State("s")}},
		Checks: []Check{
			check(nvmlLibrary, Warn, evil, evil, evil),
			check(gpuCounter, Warn, evil, evil, evil).of(evil),
			check(gpuCounter, Fail, evil, evil, evil).of("GPU-1"),
		},
	}
	text := written(t, r, Style{})
	for i, c := range text {
		if c != '\n' && !unicode.IsPrint(c) {
			t.Fatalf("at byte %d: %q", i, text[max(0, i-20):min(len(text), i+20)])
		}
	}
	if len(text) > 20000 {
		t.Errorf("%d bytes", len(text))
	}
}

func TestNothingToMend(t *testing.T) {
	t.Parallel()
	r := Report{Checks: []Check{check(buildCgo, Pass, "fine", "", "")}}
	if text := written(t, r, Style{}); !strings.HasSuffix(text, "\n1 checks, nothing to mend\n") {
		t.Error(text)
	}
}

// Two GPUs in one state are two lines if each is mended by a command of its own.
func TestRemediesStayApart(t *testing.T) {
	t.Parallel()
	var r Report
	for _, uuid := range []string{"GPU-a", "GPU-b"} {
		r.Checks = append(r.Checks,
			check(gpuCounter, Fail, "it is lost", "", "reset "+uuid).of(uuid),
			check(gpuProcesses, Warn, "the driver lists no processes", "why", "").of(uuid))
	}
	text := written(t, r, Style{})
	for _, want := range []string{"$ reset GPU-a\n", "$ reset GPU-b\n", "all 2: the driver lists no processes\n"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q not once in\n%s", want, text)
		}
	}
}
