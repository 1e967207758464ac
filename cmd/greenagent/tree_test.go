//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"greenagent/collector/host"
	"greenagent/collector/procfs"
	"greenagent/energy"
	"greenagent/exporter/runfile"
	"greenagent/meter"
	"greenagent/scenario"
)

// counted is a run on this machine's processors as they are modelled, so that its
// energy tells the CPU time that was counted for it.
type counted struct {
	measured
	cpu time.Duration
}

// count has greenagent run a shell's command line.
func count(t *testing.T, script string, flags ...string) counted {
	t.Helper()
	flags = append(flags, "--sys-root", t.TempDir(), "--", "sh", "-c", script)
	r := counted{measured: measure(t, nil, flags...)}
	sums(t, r.measured)
	r.cpu = cpuTime(t, r.record)
	return r
}

// cpuTime returns the CPU time for which a run was charged, where it was modelled.
func cpuTime(t *testing.T, r runfile.Run) time.Duration {
	t.Helper()
	machine := meter.Machine{Proc: "/proc", Sys: t.TempDir(), Etc: "/etc", Clock: meter.System{}}
	facts, err := machine.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	model, err := host.OpenModel(facts, procfs.New(machine.Proc), machine.Clock)
	if err != nil {
		t.Fatal(err)
	}
	load := model.Load(0)
	each := (load.Full - load.Idle).Watts() / float64(facts.LogicalCPUs)
	for _, d := range r.Domains {
		if d.Type == "cpu" && d.Run != nil {
			return time.Duration(d.Run.Joules() / each * float64(time.Second))
		}
	}
	t.Fatalf("no energy of the CPU: %+v", r.Domains)
	return 0
}

// near fails unless the CPU time counted is the CPU time used, as well as clock
// ticks of 10 ms and the few processes of the script itself let it be told.
func (r *counted) near(t *testing.T, used time.Duration) {
	t.Helper()
	t.Logf("%v counted, %v used", r.cpu, used)
	if slack := used/10 + 60*time.Millisecond; (r.cpu - used).Abs() > slack {
		t.Errorf("%v of CPU time counted, %v used\n%s", r.cpu, used, r.text)
	}
}

// seconds reads what burn or tally printed last.
func seconds(t *testing.T, text string) time.Duration {
	t.Helper()
	text = strings.TrimSpace(text)
	text = text[strings.LastIndexByte(text, '\n')+1:]
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("it printed %q", text)
	}
	return time.Duration(v * float64(time.Second))
}

// TestDaemonCounts: what the command double-forked into a session of its own
// counts, and what somebody else burns meanwhile does not.
func TestDaemonCounts(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		_ = command(t, "burn", "700ms").Run()
	}()
	done := filepath.Join(t.TempDir(), "done")
	r := count(t, fmt.Sprintf(`detach sh -c 'burn 700ms >%[1]s.part; mv %[1]s.part %[1]s'
		while [ ! -f %[1]s ]; do sleep 0.05; done; cat %[1]s`, done))
	r.near(t, seconds(t, r.stdout))
	<-stop
	if d := r.domain(t, "cpu"); *d.Others == 0 {
		t.Error("the others used nothing")
	}
}

// TestDaemonOutlives: what the command leaves behind is counted up to the
// command's end, does not hold it up, and is left alone.
func TestDaemonOutlives(t *testing.T) {
	t.Parallel()
	r := count(t, `detach sleep 59.25; burn 300ms; exit 3`)
	if r.status != 3 || r.took > 20*time.Second {
		t.Errorf("status %d after %v, want 3 at once", r.status, r.took)
	}
	r.near(t, seconds(t, r.stdout))
	if words := strings.Join(strings.Fields(r.stderr), " "); !strings.Contains(words, "1 process of the run goes on (sleep): its energy from now on is not counted; end the command with wait") {
		t.Errorf("the report does not tell of the daemon\n%s", r.stderr)
	}
	left := marked(markOfTests + "=" + os.Getenv(markOfTests))
	var pid int
	for _, line := range left {
		if at, name, _ := strings.Cut(line, " "); name == "sleep 59.25 " {
			pid, _ = strconv.Atoi(at)
		}
	}
	if pid == 0 {
		t.Fatalf("the daemon is gone; left: %q", left)
	}
	_ = unix.Kill(pid, unix.SIGKILL)
}

// TestRareLooks: whoever looks at processes only at the start and at the end misses
// none that was waited for.
func TestRareLooks(t *testing.T) {
	t.Parallel()
	r := count(t, "burn 100ms; burn 300ms", "--interval", "5s")
	r.near(t, 400*time.Millisecond)
}

// TestForeignProc: with a /proc of another PID namespace, a container's view of its
// host, the run is found there under the numbers it has there, and nobody else is.
func TestForeignProc(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("a PID namespace needs root")
	}
	if err := exec.CommandContext(t.Context(), "unshare", "--pid", "--fork", "true").Run(); err != nil {
		t.Skip("no PID namespaces here: ", err)
	}
	_ = bystander(t, "burn", "1s")
	file := filepath.Join(t.TempDir(), "run.json")
	for script, most := range map[string]time.Duration{
		"sleep 0.5; exit 3": 30 * time.Millisecond,
		// A signal reaches the command, and nobody in the other namespace.
		"burn 400ms; kill -TERM $PPID; sleep 60; exit 3": time.Second,
	} {
		got := finish(t, command(t, "unshare", "--pid", "--fork", "greenagent", "run", "--sys-root", t.TempDir(), "--json", file, "--", "sh", "-c", script))
		var r runfile.Run
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err != nil || got.status != 3 && got.status != 143 {
			t.Fatalf("status %d, %v\n%s", got.status, err, got.stderr)
		}
		cpu := cpuTime(t, r)
		if cpu > most || most == time.Second && cpu < 300*time.Millisecond {
			t.Errorf("%s: %v of CPU time counted, want at most %v\n%s", script, cpu, most, text)
		}
	}
}

// TestNothing: a command of no length is charged with nothing that cannot be: a
// processor and memory draw no more than some watts in a few milliseconds.
func TestNothing(t *testing.T) {
	t.Parallel()
	for range 5 {
		m := measure(t, nil, "--sys-root", t.TempDir(), "--", "true")
		sums(t, m)
		e, length := m.record.Energy.Run, time.Duration(m.record.Duration)
		if e != nil && (*e > 100*energy.Millijoule || *e > (1000*energy.Watt).For(length)) {
			t.Errorf("%v in %v", *e, length)
		}
		for _, p := range m.record.Processes {
			if len(p.Energy) == 0 {
				t.Errorf("process %d is listed and used nothing", p.PID)
			}
		}
	}
}

// TestIdleCommand: a command that only waits has next to nothing, whatever others do.
func TestIdleCommand(t *testing.T) {
	t.Parallel()
	_ = bystander(t, "burn", "1s")
	r := count(t, "exec sleep 1")
	if r.cpu > 30*time.Millisecond {
		t.Errorf("%v of CPU time counted for a sleep", r.cpu)
	}
}

// TestUnreadableRAPL: counters that only root may read are told, with where to find
// the remedy, and the model stands in for them.
func TestUnreadableRAPL(t *testing.T) {
	t.Parallel()
	sys := t.TempDir()
	node := scenario.Node{CPU: scenario.CPU{LogicalCPUs: 2, Packages: []scenario.Package{{Idle: 20 * energy.Watt, Max: 100 * energy.Watt}}}}
	if err := node.WritePowercap(sys, 0); err != nil {
		t.Fatal(err)
	}
	counters, err := filepath.Glob(sys + "/class/powercap/*/energy_uj")
	if err != nil || len(counters) == 0 {
		t.Fatalf("no counters: %v", err)
	}
	for _, file := range counters {
		if err := os.Chmod(file, 0); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"greenagent", "run", "--sys-root", sys, "--", "sh", "-c", "burn 200ms; exit 3"}
	if os.Getuid() == 0 { // for whom modes are no obstacle, unless he gives that up
		if _, err := exec.LookPath("setpriv"); err != nil {
			t.Skip("as root this needs setpriv")
		}
		args = append([]string{"setpriv", "--bounding-set", "-all", "--"}, args...)
	}
	got := finish(t, command(t, args...))
	words := strings.Join(strings.Fields(got.stderr), " ")
	if got.status != 3 || !strings.Contains(words, "permission denied") || !strings.Contains(words, "greenagent doctor") || !strings.Contains(words, "modelled") {
		t.Errorf("status %d\n%s", got.status, got.stderr)
	}
}

// TestWorkers: the processes that Python starts count, each by its own row.
func TestWorkers(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip(err)
	}
	r := count(t, "exec tally "+python+" ../../examples/train.py --epochs 1 --samples 1200 --workers 3", "--interval", "200ms")
	if r.status != 0 || !strings.Contains(r.stdout, "test accuracy") {
		t.Fatalf("status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	r.near(t, seconds(t, r.stdout))
	if n := len(r.record.Processes); n < 4 {
		t.Errorf("%d processes in the record, want Python and its 3 workers\n%s", n, r.text)
	}
}

// TestForkStorm: processes too short-lived to be seen are counted, and neither
// memory nor record grows with their number.
func TestForkStorm(t *testing.T) {
	t.Parallel()
	const forks = 5000 // by each of two shells, at some thousand a second
	storm := fmt.Sprintf(`i=0; while [ $i -lt %d ]; do (:); i=$((i+1)); done`, forks)
	r := count(t, fmt.Sprintf(`tally sh -c '(%[1]s) & %[1]s; wait'; grep VmHWM /proc/$PPID/status >&2`, storm), "--interval", "100ms")
	if r.status != 0 {
		t.Fatalf("status %d\n%s", r.status, r.stderr)
	}
	r.near(t, seconds(t, r.stdout))
	if n := len(r.record.Processes); n > 1000 {
		t.Errorf("%d processes in the record", n)
	}
	if len(r.stderr) > 4000 {
		t.Errorf("a report of %d bytes\n%s", len(r.stderr), r.stderr)
	}
	small(t, r.stderr)
}

// small fails if greenagent used more than 30 MB, by a line of its
// /proc/<pid>/status.
func small(t *testing.T, line string) {
	t.Helper()
	var peak int
	if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &peak); err != nil { // before the report
		t.Fatalf("%q: %v", line, err)
	}
	t.Logf("peak of resident memory: %d kB", peak)
	if peak > 30_000 && !raceDetector {
		t.Errorf("greenagent used %d kB", peak)
	}
}

// TestManyProcesses: a run of a thousand processes at once stays small. A process
// that uses less than a clock tick shows it only when it is waited for, here at the
// end, by which time its energy has gone to the others: so less than all is counted.
func TestManyProcesses(t *testing.T) {
	t.Parallel()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(unix.RLIMIT_NPROC, &limit); err == nil && limit.Cur < 4000 {
		t.Skipf("at most %d processes here", limit.Cur)
	}
	r := count(t, `tally sh -c 'i=0; while [ $i -lt 1000 ]; do sleep 1 & i=$((i+1)); done; burn 200ms; wait'; grep VmHWM /proc/$PPID/status >&2`, "--interval", "100ms")
	if r.status != 0 {
		t.Fatalf("status %d\n%s", r.status, r.stderr)
	}
	used := seconds(t, r.stdout)
	t.Logf("%v counted, %v used", r.cpu, used)
	if r.cpu < 150*time.Millisecond || r.cpu > used*11/10+60*time.Millisecond {
		t.Errorf("%v of CPU time counted, %v used", r.cpu, used)
	}
	small(t, r.stderr)
}
