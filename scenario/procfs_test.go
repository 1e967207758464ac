package scenario

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/mem"
	"github.com/shirou/gopsutil/v3/process"
)

// family is: 100 (shell) → 200 (training, until 20 s) → 300 (worker, until 10 s),
// and 400, a worker of the training's that outlives it.
func family() Node {
	return Node{
		CPU: CPU{Vendor: "GenuineIntel", Model: "Intel(R) Xeon(R) Platinum 8480C", LogicalCPUs: 8, MemoryBytes: 64 << 30},
		Processes: []Process{
			{PID: 100, PPID: 1, Start: -time.Minute, Command: []string{"/bin/bash"}, CPU: Steady(Core / 10)},
			{PID: 200, PPID: 100, End: 20 * time.Second, Command: []string{"/usr/bin/python3", "train.py", ""}, UID: 1000, Resident: 8 << 30,
				Cgroup: "/user.slice/session-1.scope", CPU: Steady(2 * Core)},
			{PID: 300, PPID: 200, Start: time.Second, End: 10 * time.Second, Name: "pt (worker) ) S 9", CPU: Steady(Core)},
			{PID: 400, PPID: 200, Start: time.Second, Command: []string{"worker"}, CPU: Square(0, Core, time.Second, 0.5, 0)},
		},
	}
}

// tree writes the node's /proc and shows it to gopsutil.
func tree(t *testing.T, node Node, at time.Duration) string {
	t.Helper()
	if err := node.Validate(); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := node.WriteProc(root, at); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOST_PROC", root)
	return root
}

func TestProcAsGopsutilReadsIt(t *testing.T) {
	node := family()
	tree(t, node, 5*time.Second)
	pids, err := process.Pids()
	slices.Sort(pids)
	if err != nil || !slices.Equal(pids, []int32{1, 100, 200, 300, 400}) {
		t.Fatalf("PIDs %v, %v", pids, err)
	}
	p := &process.Process{Pid: 200} // NewProcess would look for a living one
	if times, err := p.Times(); err != nil || times.User != 7.5 || times.System != 2.5 {
		t.Errorf("times %+v, %v, want 7.5 s and 2.5 s", times, err)
	}
	if parent, err := p.Ppid(); err != nil || parent != 100 {
		t.Errorf("parent %d, %v", parent, err)
	}
	if command, err := p.CmdlineSlice(); err != nil || !slices.Equal(command, node.Processes[1].Command[:2]) { // it drops empty arguments
		t.Errorf("command %q, %v", command, err)
	}
	if uids, err := p.Uids(); err != nil || uids[0] != 1000 {
		t.Errorf("uids %v, %v", uids, err)
	}
	if memory, err := p.MemoryInfo(); err != nil || memory.RSS != 8<<30 {
		t.Errorf("memory %v, %v", memory, err)
	}
	hostile := &process.Process{Pid: 300}
	if times, err := hostile.Times(); err != nil || times.User+times.System != 4 {
		t.Errorf("times of a process with a hostile name: %+v, %v", times, err)
	}

	// 0.1 cores for 65 s, 2 for 5 s, 1 for 4 s and a half for 4 s.
	const busy = 6.5 + 10 + 4 + 2
	if times, err := cpu.Times(false); err != nil || math.Abs(times[0].User+times[0].System-busy) > 0.02 ||
		math.Abs(times[0].User+times[0].System+times[0].Idle-8*3605) > 0.05 {
		t.Errorf("node %+v, %v, want %v s busy of %v s", times, err, busy, 8*3605)
	}
	if info, err := cpu.Info(); err != nil || len(info) != 8 || info[3].ModelName != node.CPU.Model {
		t.Errorf("CPU %+v, %v", info, err)
	}
	if memory, err := mem.VirtualMemory(); err != nil || memory.Total != 64<<30 || memory.Available != 56<<30 {
		t.Errorf("memory %+v, %v", memory, err)
	}
}

// stat returns a process's parent, children's CPU ticks and start time.
func stat(t *testing.T, root, pid string) (parent, waited, start int) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, pid, "stat"))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
	if len(fields) != 50 {
		t.Fatalf("%d fields after the name, want 50: %s", len(fields), content)
	}
	number := func(i int) int { // i as in proc(5)
		n, err := strconv.Atoi(fields[i-3])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return number(4), number(16) + number(17), number(22)
}

func TestChildrenPassOn(t *testing.T) {
	node := family()
	children := func(root, pid string) string {
		content, err := os.ReadFile(filepath.Join(root, pid, "task", pid, "children"))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	root := tree(t, node, 5*time.Second)
	if got := children(root, "200"); got != "300 400 " {
		t.Errorf("children of 200: %q", got)
	}
	if _, waited, start := stat(t, root, "200"); waited != 0 || start != 360000 {
		t.Errorf("200 waited for %d ticks, started at %d", waited, start)
	}

	if err := node.WriteProc(root, 15*time.Second); err != nil {
		t.Fatal(err)
	}
	if _, waited, _ := stat(t, root, "200"); waited != 900 {
		t.Errorf("200 waited for %d ticks, want the 900 of 300", waited)
	}
	if _, err := os.Stat(filepath.Join(root, "300")); !os.IsNotExist(err) {
		t.Errorf("300 is still there: %v", err)
	}

	if err := node.WriteProc(root, 25*time.Second); err != nil {
		t.Fatal(err)
	}
	if _, waited, _ := stat(t, root, "100"); waited != 900+4000 {
		t.Errorf("100 waited for %d ticks, want those of 200 and 300", waited)
	}
	if parent, _, _ := stat(t, root, "400"); parent != 1 || children(root, "1") != "100 400 " || children(root, "100") != "" {
		t.Errorf("the orphan 400 has parent %d; init %q, the shell %q", parent, children(root, "1"), children(root, "100"))
	}
}

// TestOverwriteInPlace reads through a descriptor that was opened before.
func TestOverwriteInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := overwrite(path, "a longer text"); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := overwrite(path, "short"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, _ := file.ReadAt(b, 0); string(b[:n]) != "short" {
		t.Errorf("read %q", b[:n])
	}
}

func TestCgroups(t *testing.T) {
	node := family()
	node.Processes[0].Cgroup = "4:memory:/a\n1:name=systemd:/b\n"
	root := tree(t, node, 5*time.Second)
	got := map[string]string{}
	for _, pid := range []string{"1", "100", "200"} {
		content, err := os.ReadFile(filepath.Join(root, pid, "cgroup"))
		if err != nil {
			t.Fatal(err)
		}
		got[pid] = string(content)
	}
	want := map[string]string{"1": "0::/\n", "100": "4:memory:/a\n1:name=systemd:/b\n", "200": "0::/user.slice/session-1.scope\n"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
