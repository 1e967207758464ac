//go:build linux && cgo

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"

	"greenagent/doctor"
	"greenagent/nvml/libsim"
	"greenagent/scenario"
)

// TestDoctorScripts runs testdata/doctor: greenagent doctor as a person uses it.
// Beside the commands of TestScripts there is
//
//	node KIND   writes the files of a described machine into ./proc and ./sys, and
//	            has its simulated NVML answer, whose clock stands still but for boards:
//	            healthy, boards, mismatch or cpu (without GPUs)
func TestDoctorScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/doctor",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv(markOfTests, os.Getenv(markOfTests))
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
			e.Values[thisTest{}] = e.T().(testing.TB)
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "driver" {
				return false, errors.New("unknown condition " + name)
			}
			_, err := os.Stat("/dev/nvidiactl")
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status, "field": field, "plain": plain,
			"node": func(ts *testscript.TestScript, neg bool, args []string) {
				wants(ts, neg, args, "node KIND", 1)
				n, ok := nodes[args[0]]
				if !ok {
					ts.Fatalf("no such node: %s", args[0])
				}
				settleIn(ts, n(), libsim.Options{Monotonic: args[0] == "boards"})
			},
		},
	})
}

// thisTest is the key of a script's testing.TB.
type thisTest struct{}

var nodes = map[string]func() scenario.Node{
	"cpu": cpuOnly,
	"healthy": func() scenario.Node {
		n := cpuOnly()
		n.Devices = []scenario.Device{scenario.Hopper("GPU-0"), scenario.Hopper("GPU-1")}
		return n
	},
	"boards": func() scenario.Node {
		n := cpuOnly()
		n.Devices = []scenario.Device{scenario.Hopper(someUUID), scenario.Pascal("GPU-1"), scenario.GraceHopper("GPU-2")}
		return n
	},
	"mismatch": func() scenario.Node {
		n := cpuOnly()
		n.Devices = []scenario.Device{scenario.Hopper("GPU-0")}
		n.Faults = scenario.DriverUpgraded(0)
		return n
	},
}

func cpuOnly() scenario.Node {
	return scenario.Node{CPU: scenario.CPU{
		Vendor: "GenuineIntel", Model: "Intel(R) Xeon(R) Platinum 8480C", LogicalCPUs: 4, MemoryBytes: 16 << 30,
		Packages: []scenario.Package{{Idle: 60_000_000, Max: 270_000_000, DRAMIdle: 1_000_000, DRAMMax: 3_000_000}},
	}}
}

func settleIn(ts *testscript.TestScript, node scenario.Node, options libsim.Options) {
	proc, sys := ts.MkAbs("proc"), ts.MkAbs("sys")
	ts.Check(errors.Join(node.WriteProc(proc, 0), os.MkdirAll(sys+"/class", 0o755), node.WritePowercap(sys, 0)))
	if len(node.Devices) == 0 {
		return
	}
	in := libsim.Start(ts.Value(thisTest{}).(testing.TB), node, options)
	name, value, _ := strings.Cut(in.Env(), "=")
	ts.Setenv(name, value)
	ts.Setenv("GREENAGENT_NVML_LIBRARY", in.Path)
}

// On a terminal there is colour, and a line about what is waited for that does
// not stay.
func TestDoctorOnATerminal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env     string
		colored bool
		waits   bool
	}{
		"colour":        {"TERM=xterm", true, true},
		"NO_COLOR":      {"NO_COLOR=1", false, true},
		"dumb terminal": {"TERM=dumb", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := onTerminal(t, c.env, "greenagent", "doctor", "--nvml-library", "/no/such/library")
			if colored := strings.Contains(out, "\x1b[31mFAIL\x1b[0m  nvml.library"); colored != c.colored {
				t.Errorf("coloured: %t", colored)
			}
			_, wiped, waits := strings.Cut(out, "waiting for the GPU driver …\r\x1b[K")
			if waits != c.waits || waits && strings.Contains(wiped, "…") {
				t.Errorf("waits: %t\n%q", waits, out)
			}
			if !c.waits && strings.Contains(out, "\x1b") {
				t.Errorf("escape sequences: %q", out)
			}
		})
	}
}

// onTerminal runs a command on a terminal and returns what it shows.
func onTerminal(t *testing.T, env string, args ...string) string {
	t.Helper()
	c := command(t, args...)
	c.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=", env)
	f, err := pty.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out bytes.Buffer
	if _, err := io.Copy(&out, f); err != nil && !errors.Is(err, syscall.EIO) { // EIO: everybody has hung up
		t.Fatal(err)
	}
	_ = c.Wait() // the exit status is the scripts' matter
	return strings.ReplaceAll(out.String(), "\r\n", "\n")
}

// The object of --json is a report, whatever machine this is.
func TestDoctorHere(t *testing.T) {
	t.Parallel()
	e := finish(t, command(t, "greenagent", "doctor", "--json"))
	var r doctor.Report
	d := json.NewDecoder(strings.NewReader(e.stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%v\n%s%s", err, e.stdout, e.stderr)
	}
	if e.status != r.Status.Exit() || r.Schema != doctor.Schema || len(r.Checks) == 0 || len(r.Domains) < 4 || e.stderr != "" {
		t.Errorf("exit status %d: %+v\n%s", e.status, r, e.stderr)
	}
}
