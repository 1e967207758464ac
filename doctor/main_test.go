package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/meter"
	"greenagent/scenario"
)

var rewrite = flag.Bool("rewrite", false, "rewrite golden files and docs/doctor.md")

// childOptions is in the environment of a process that is to examine a machine:
// a process is bound to one NVML library for good, so each has its own.
const childOptions = "GREENAGENT_DOCTOR_TEST"

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(childOptions); ok {
		os.Exit(child(text))
	}
	os.Exit(m.Run())
}

func child(text string) int {
	var p patient
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	r := examine(p)
	if err := r.Encode(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// patient is a machine of our own making.
type patient struct {
	Root    string
	NVML    string
	Timeout time.Duration
}

func (p patient) path(parts ...string) string {
	return filepath.Join(append([]string{p.Root}, parts...)...)
}

func examine(p patient) Report { return Examine(context.Background(), p.options()) }

func (p patient) options() Options {
	return Options{
		Machine: meter.Machine{
			Proc: p.path("proc"), Sys: p.path("sys"), Etc: p.path("etc"), NVML: p.NVML, Clock: meter.System{},
		},
		Dev: p.path("dev"), Timeout: p.Timeout,
	}
}

// server is a machine with two sockets whose counters can be read.
func server() scenario.Node {
	socket := scenario.Package{Idle: 60_000_000, Max: 270_000_000, DRAMIdle: 10_000_000, DRAMMax: 30_000_000}
	return scenario.Node{CPU: scenario.CPU{
		Vendor: "GenuineIntel", Model: "Intel(R) Xeon(R) Platinum 8480C", LogicalCPUs: 224, MemoryBytes: 512 << 30,
		Packages: []scenario.Package{socket, socket},
	}}
}

// admit writes a node's files and returns the machine. It has no NVML, and what
// it would open in its place is not there.
func admit(t *testing.T, node scenario.Node) patient {
	t.Helper()
	p := patient{Root: t.TempDir(), Timeout: 10 * time.Second}
	p.NVML = p.path("no-library.so")
	for _, err := range []error{
		node.WriteProc(p.path("proc"), 0), os.MkdirAll(p.path("sys", "class"), 0o755), node.WritePowercap(p.path("sys"), 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p.link(t, "pid:[4026531836]", "proc/self/ns/pid")
	p.write(t, "etc/os-release", "PRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\n")
	p.write(t, "proc/sys/kernel/osrelease", "6.8.0-45-generic\n")
	p.write(t, "sys/fs/cgroup/cgroup.controllers", "cpu memory\n")
	return p
}

func (p patient) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.path(name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.path(name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (p patient) link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.path(name)), 0o755); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(p.path(name))
	if err := os.Symlink(target, p.path(name)); err != nil {
		t.Fatal(err)
	}
}

func (p patient) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.RemoveAll(p.path(name)); err != nil {
		t.Fatal(err)
	}
}

// install puts the kernel's part of an NVIDIA driver into the machine.
func (p patient) install(t *testing.T, version string) {
	t.Helper()
	p.write(t, "proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  "+version+"  Thu Jan  1 00:00:00 UTC 2026\nGCC version:  gcc version 12.3.0\n")
	p.write(t, "dev/nvidiactl", "")
}

// plug puts a display controller on the PCI bus.
func (p patient) plug(t *testing.T, address, driver string) {
	t.Helper()
	dir := "sys/bus/pci/devices/" + address + "/"
	p.write(t, dir+"vendor", "0x10de\n")
	p.write(t, dir+"class", "0x030200\n")
	if driver != "" {
		p.link(t, "../../../../bus/pci/drivers/"+driver, dir+"driver")
	}
}

// contain makes the machine look as from a container.
func (p patient) contain(t *testing.T) {
	t.Helper()
	p.link(t, "pid:[4026532201]", "proc/self/ns/pid")
}

// apart examines the machine in a process of its own, with env besides.
func (p patient) apart(t *testing.T, env ...string) Report {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(append(os.Environ(), env...), childOptions+"="+string(text))
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	var r Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return r
}

// find returns the check with an id, after looking over all of them.
func find(t *testing.T, checks []Check, id string) Check {
	t.Helper()
	lookOver(t, checks)
	i := slices.IndexFunc(checks, func(c Check) bool { return c.ID == id })
	if i < 0 {
		t.Fatalf("no check %s in\n%s", id, listed(checks))
	}
	return checks[i]
}

func without(t *testing.T, checks []Check, ids ...string) {
	t.Helper()
	for _, c := range checks {
		if slices.Contains(ids, c.ID) {
			t.Errorf("there is a check %s: %s %s", c.ID, c.Status, c.Summary)
		}
	}
}

// lookOver checks what must hold for all checks whatever they say.
func lookOver(t *testing.T, checks []Check) {
	t.Helper()
	seen := map[string]bool{}
	for _, c := range checks {
		if seen[c.ID] {
			t.Errorf("%s twice", c.ID)
		}
		seen[c.ID] = true
		kind := c.ID
		if rest, ok := strings.CutPrefix(c.ID, "gpu.GPU-"); ok {
			kind = "gpu.<uuid>" + rest[strings.LastIndex(rest, "."):]
		}
		i := place(kind)
		if i < 0 {
			t.Errorf("%s is no kind of check", c.ID)
			continue
		}
		if (c.Status >= Warn) && !strings.Contains(kinds[i].Else, c.Status.String()) {
			t.Errorf("%s is %s, of which its description says nothing", c.ID, c.Status)
		}
		if c.Summary == "" || c.Status == Pass && c.Remedy != "" || strings.Contains(c.Detail, "..") || strings.Contains(c.Detail, "%!") {
			t.Errorf("%s: odd: %+v", c.ID, c)
		}
	}
}

func listed(checks []Check) string {
	var b strings.Builder
	for _, c := range checks {
		fmt.Fprintf(&b, "%s %s: %s; %s; $ %s\n", c.Status, c.ID, c.Summary, c.Detail, c.Remedy)
	}
	return b.String()
}

// expect compares a check's status and remedy, and looks for words in its text.
func expect(t *testing.T, c Check, s Status, remedy string, words ...string) {
	t.Helper()
	if c.Status != s || c.Remedy != remedy {
		t.Errorf("%s is %s with %q, want %s with %q: %s; %s", c.ID, c.Status, c.Remedy, s, remedy, c.Summary, c.Detail)
	}
	for _, w := range words {
		if !strings.Contains(c.Summary+"\n"+c.Detail, w) {
			t.Errorf("%s does not say %q: %s; %s", c.ID, w, c.Summary, c.Detail)
		}
	}
}

// known returns the domains of a type.
func known(r Report, typ collector.Type) (found []Domain) {
	for _, d := range r.Domains {
		if d.Type == typ {
			found = append(found, d)
		}
	}
	return found
}

// expectDomain wants a type to be known in one way.
func expectDomain(t *testing.T, r Report, typ collector.Type, s State, by string) {
	t.Helper()
	found := known(r, typ)
	if len(found) != 1 || found[0].State != s || found[0].By != by || (found[0].Uncertainty == nil) != (s == Missing) || (found[0].Why == "") && s != Measured {
		t.Errorf("%s: %+v, want it %s by %q", typ, found, s, by)
	}
}
