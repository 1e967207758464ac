//go:build linux && cgo

package main

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"greenagent/energy"
	"greenagent/nvml/libsim"
	"greenagent/scenario"
)

// idleCUDA builds a libcuda whose kernels sleep.
func idleCUDA(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"cc", "python3"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s on this machine: the loads are not tested", tool)
		}
	}
	library := filepath.Join(t.TempDir(), "libcuda.so.1")
	if out, err := exec.CommandContext(t.Context(), "cc", "-O1", "-Wall", "-shared", "-fPIC", "-o", library, "testdata/cuda.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return library
}

// TestReport runs the whole thing on a simulated GPU, without the conformance
// suite, and checks its rows against what is true of the scenario.
func TestReport(t *testing.T) {
	cuda := idleCUDA(t)
	const high = 300 * energy.Watt
	idle := libsim.Start(t, scenario.Node{Devices: []scenario.Device{scenario.Volta("GPU-0")}}, libsim.Options{Monotonic: true})
	idle.Setenv(t)
	s := &session{
		options:  options{nvml: idle.Path, cuda: cuda, limit: time.Minute},
		folder:   t.TempDir(),
		progress: t.Output(),
		began:    time.Now(),
	}
	var nodes []scenario.Node
	var origins []time.Time
	s.before = func(l load) ([]string, int64) {
		d := scenario.Volta("GPU-0")
		epoch := monotonic() + int64(2500*ms)
		from := 2500 * ms
		for i, p := range l.parties {
			for _, b := range p.Busy {
				d.Loads = append(d.Loads, scenario.Load{PID: 4_000_001 + i, Power: scenario.Steady(high - d.Idle - d.Context), Memory: 1 << 30,
					From: from + seconds(b[0]), To: from + seconds(b[1])})
			}
		}
		in := libsim.Start(t, scenario.Node{Devices: []scenario.Device{d}}, libsim.Options{Monotonic: true})
		if len(l.parties) > 0 {
			nodes, origins = append(nodes, in.Node), append(origins, time.Now().Add(in.Origin.Sub(in.Now())))
		}
		return []string{in.Env()}, epoch
	}
	if err := s.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.conformance(t.Context())
	square := alone("square 1s, 50 %", 2*time.Second, square(2*time.Second, time.Second, 0.5, false))
	square.as = "square"
	list := []load{alone("steady", 1500*ms, steady(1500*ms, 100)), square,
		together("two", time.Second, steady(time.Second, 100), nil, time.Second)}
	s.loads(t.Context(), list)
	s.report.Checks = check(s.report.Rows)
	if len(s.report.Rows) != len(list) {
		t.Fatalf("%d rows, warnings %q", len(s.report.Rows), s.report.Warnings)
	}
	for i, r := range s.report.Rows {
		from := r.Start.Sub(origins[i])
		truth := nodes[i].Devices[0].Energy(from, from+time.Duration(r.Duration))
		if r.Counter == nil || r.Power == nil {
			t.Fatalf("%s: no independent reading", r.Load)
		}
		for what, got := range map[string]energy.Energy{"greenagent": *r.Greenagent.Energy, "the counter": *r.Counter} {
			off := got.Joules()/truth.Joules() - 1
			t.Logf("%s: %s %v of %v, %+.2f %%", r.Load, what, got, truth, 100*off)
			if math.Abs(off) > 0.02 {
				t.Errorf("%s: %s says %v, the truth is %v", r.Load, what, got, truth)
			}
		}
		if len(r.Parties) != len(list[i].parties) {
			t.Errorf("%s: parties %v", r.Load, r.Parties)
		}
		if r.CPU <= 0 || r.CPU > 1 {
			t.Errorf("%s: greenagent took %v of a core", r.Load, r.CPU)
		}
	}
	for _, c := range s.report.Checks {
		if !c.OK {
			t.Errorf("%+v", c)
		}
	}
	folder := filepath.Join(t.TempDir(), "out")
	if err := s.report.write(folder); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(folder, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Tesla V100", "GPU-0", "570.124.06", "| steady |", "docs/hardware.md", "conformance suite was not run"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q\n%s", want, page)
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(text, &back); err != nil || len(back.Rows) != len(list) {
		t.Errorf("report.json: %v", err)
	}
	for _, secret := range []string{os.Getenv("PATH"), libsim.EnvScenario} {
		if secret != "" && strings.Contains(string(text), secret) {
			t.Errorf("the report has %q in it", secret)
		}
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// play runs one load without greenagent.
func play(t *testing.T, l load, environment ...string) (log []string, stderr string, err error) {
	t.Helper()
	s := &session{options: options{cuda: idleCUDA(t), nvml: "none"}, folder: t.TempDir()}
	if err := os.CopyFS(s.folder, scripts); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"uuid": "GPU-0", "epoch_ns": 0, "train": false, "parties": l.parties})
	if err != nil {
		t.Fatal(err)
	}
	plan, calls := filepath.Join(s.folder, "plan"), filepath.Join(s.folder, "calls")
	if err := os.WriteFile(plan, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := s.python(t.Context(), append(environment, "CUDA_TEST_LOG="+calls), "load", plan, filepath.Join(s.folder, "events"))
	var said strings.Builder
	cmd.Stderr = &said
	err = cmd.Run()
	written, readErr := os.ReadFile(calls)
	if readErr != nil {
		t.Fatal(readErr)
	}
	return strings.Split(strings.TrimSpace(string(written)), "\n"), said.String(), err
}

// TestCalls holds the signatures and the order of the calls of libcuda: the one
// called here is C, and shows what it was handed.
func TestCalls(t *testing.T) {
	log, stderr, err := play(t, alone("two kernels", 80*ms, []busy{{0, 0.03, 100}, {0.05, 0.08, 25}}))
	if err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	want := []string{
		"cuInit 0", "cuDeviceGet 0", "cuDeviceGetAttribute 16 7", "cuDevicePrimaryCtxSetFlags 7 4", "cuDevicePrimaryCtxRetain 7",
		"cuCtxSetCurrent 0x123456789a", "cuModuleLoadData 1", "cuModuleGetFunction 0x223456789a burn", "cuMemAlloc 4096",
		"cuLaunchKernel 0x323456789a 400x1x1 256x1x1 0 (nil) 7f0000000000 (nil)", "cuCtxSynchronize",
		"cuLaunchKernel 0x323456789a 100x1x1 256x1x1 0 (nil) 7f0000000000 (nil)", "cuCtxSynchronize",
		"cuDevicePrimaryCtxRelease 7",
	}
	if got := strings.Join(log, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("called\n%s", got)
	}
}

func TestCallThatFailsSaysWhatToDo(t *testing.T) {
	_, stderr, err := play(t, alone("none", 10*ms, nil), "CUDA_TEST_FAILS=cuMemAlloc")
	if err == nil || !strings.Contains(stderr, "cuMemAlloc_v2: CUDA error 2: the GPU's memory is full") {
		t.Errorf("%v: %s", err, stderr)
	}
}

// TestInterrupt: Ctrl-C ends a load within a slice of it, without a traceback.
func TestInterrupt(t *testing.T) {
	s := &session{options: options{cuda: idleCUDA(t), nvml: "none"}, folder: t.TempDir()}
	if err := os.CopyFS(s.folder, scripts); err != nil {
		t.Fatal(err)
	}
	plan, events := filepath.Join(s.folder, "plan"), filepath.Join(s.folder, "events")
	text := `{"uuid":"GPU-0","epoch_ns":0,"train":false,"parties":[{"name":"A","from_s":0,"until_s":60,"busy":[[0,60,100]]}]}`
	if err := os.WriteFile(plan, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := s.python(t.Context(), nil, "load", plan, events)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		if text, err := os.ReadFile(events); err == nil && strings.Contains(string(text), "ready") {
			break
		}
		time.Sleep(10 * ms)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 130 || said.Len() > 0 {
		t.Errorf("%v: %s", err, said.String())
	}
}

func TestPython(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "python3", "-m", "unittest", "test_load")
	cmd.Dir = "load"
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestAssemble checks the kernel with NVIDIA's assembler, where it is at hand: on
// the path, or named by PTXAS. pip download nvidia-cuda-nvcc-cu12 has it.
func TestAssemble(t *testing.T) {
	ptxas := os.Getenv("PTXAS")
	if ptxas == "" {
		ptxas = "ptxas"
	}
	if _, err := exec.LookPath(ptxas); err != nil {
		t.Skip("no ptxas: the kernel is not assembled; set PTXAS to one")
	}
	for _, target := range []string{"sm_52", "sm_70", "sm_80", "sm_90"} {
		if out, err := exec.CommandContext(t.Context(), ptxas, "-arch", target, "-o", filepath.Join(t.TempDir(), "burn"), "load/burn.ptx").CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", target, err, out)
		}
	}
}
