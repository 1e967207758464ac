package scenario

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TickRate is the number of clock ticks a second in which /proc counts CPU time
// and start times (USER_HZ).
const TickRate = 100

const tick = time.Second / TickRate

// WriteProc writes what /proc shows at t into the folder root: stat, uptime,
// cpuinfo, meminfo, and for each process stat, statm, status, comm, cmdline, cgroup and
// the list of its children. Processes that have ended are removed. Called again
// with a later t it brings the tree up to date, each file in one write.
//
// PID 1 is always there, and adopts orphans. Ended processes are waited for at
// once: their CPU time passes to the parent's account of its children.
func (n *Node) WriteProc(root string, t time.Duration) error {
	family := n.family(t)
	if err := n.writeProcesses(root, family, t); err != nil {
		return fmt.Errorf("write %s: %w", root, err)
	}
	for name, content := range map[string]string{
		"stat":    n.procStat(t),
		"uptime":  fmt.Sprintf("%.2f %.2f\n", (n.Since() + t).Seconds(), n.idleTime(t).Seconds()),
		"cpuinfo": n.cpuinfo(),
		"meminfo": n.meminfo(t),
	} {
		if err := overwrite(filepath.Join(root, name), content); err != nil {
			return fmt.Errorf("write %s: %w", root, err)
		}
	}
	return nil
}

// idleTime returns the time all logical CPUs together have been idle since boot.
func (n *Node) idleTime(t time.Duration) time.Duration {
	idle := (n.Since() + t) * time.Duration(n.CPU.logical())
	for i := range n.Processes {
		idle -= n.Processes[i].CPUTime(-n.Since(), t)
	}
	return max(idle, 0)
}

func (n *Node) procStat(t time.Duration) string {
	var busy time.Duration
	for i := range n.Processes {
		busy += n.Processes[i].CPUTime(-n.Since(), t)
	}
	cpus := n.CPU.logical()
	line := func(name string, busy, idle time.Duration) string {
		user, system := split(busy)
		return fmt.Sprintf("%s %d 0 %d %d 0 0 0 0 0 0\n", name, user, system, idle/tick)
	}
	var b strings.Builder
	b.WriteString(line("cpu ", busy, n.idleTime(t)))
	for i := range cpus {
		b.WriteString(line("cpu"+strconv.Itoa(i), busy/time.Duration(cpus), n.idleTime(t)/time.Duration(cpus)))
	}
	fmt.Fprintf(&b, "intr 0\nctxt 0\nbtime %d\nprocesses %d\nprocs_running 1\nprocs_blocked 0\n",
		n.WallClock(-n.Since()).Unix(), len(n.Processes)+1)
	return b.String()
}

// split divides CPU time into user and system ticks, three to one.
func split(d time.Duration) (user, system int64) {
	ticks := int64(d / tick)
	return ticks - ticks/4, ticks / 4
}

func (n *Node) cpuinfo() string {
	var b strings.Builder
	sockets := max(len(n.CPU.Packages), 1)
	each := max(n.CPU.logical()/sockets, 1)
	for i := range n.CPU.logical() {
		fmt.Fprintf(&b, "processor\t: %d\nvendor_id\t: %s\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: %s\n", i, n.CPU.Vendor, n.CPU.Model)
		fmt.Fprintf(&b, "physical id\t: %d\nsiblings\t: %d\ncore id\t\t: %d\ncpu cores\t: %d\n\n", min(i/each, sockets-1), each, i%each, each)
	}
	return b.String()
}

func (n *Node) meminfo(t time.Duration) string {
	used := int64(0)
	for i := range n.Processes {
		if n.Processes[i].Alive(t) {
			used += n.Processes[i].Resident
		}
	}
	total := n.CPU.MemoryBytes / 1024
	free := max(total-used/1024, 0)
	return fmt.Sprintf("MemTotal: %15d kB\nMemFree: %16d kB\nMemAvailable: %11d kB\nBuffers: %16d kB\nCached: %17d kB\n", total, free, free, 0, 0)
}

// relative is a process as its place among the others makes it.
type relative struct {
	process  *Process
	parent   int           // PID now
	waited   time.Duration // CPU time of children that have ended
	children []int         // PIDs
}

// family returns the processes alive at t, PID 1 among them.
func (n *Node) family(t time.Duration) []*relative {
	first := &Process{PID: 1, Start: -n.Since(), Command: []string{"/sbin/init"}, Name: "systemd"}
	all := make([]*relative, 0, len(n.Processes)+1)
	byPID := make(map[int][]*relative, len(n.Processes)+1)
	add := func(p *Process) {
		r := &relative{process: p}
		all = append(all, r)
		byPID[p.PID] = append(byPID[p.PID], r)
	}
	if !slices.ContainsFunc(n.Processes, func(p Process) bool { return p.PID == 1 }) {
		add(first)
	}
	for i := range n.Processes {
		if n.Processes[i].Start <= t {
			add(&n.Processes[i])
		}
	}
	alive := func(pid int, at time.Duration) *relative {
		for _, r := range byPID[pid] {
			if r.process.Alive(at) {
				return r
			}
		}
		return nil
	}
	// parent returns who answers for a process at a time: the parent it was born to,
	// if that still lives, else PID 1.
	parent := func(r *relative, at time.Duration) *relative {
		if born := alive(r.process.PPID, r.process.Start); born != nil && born != r && born.process.Alive(at) {
			return born
		}
		return alive(1, at)
	}

	// In the order of their ends, so that each hands on what it was handed.
	slices.SortStableFunc(all, func(a, b *relative) int {
		return int(min(max(endOf(a.process.End)-endOf(b.process.End), -1), 1))
	})
	var living []*relative
	for _, r := range all {
		if r.process.Alive(t) {
			if p := parent(r, t); p != nil && p != r && r.process.PID != 1 && r.process.PPID != 0 {
				r.parent = p.process.PID
				p.children = append(p.children, r.process.PID)
			}
			living = append(living, r)
			continue
		}
		if p := parent(r, r.process.End); p != nil {
			p.waited += r.process.CPUTime(r.process.Start, r.process.End) + r.waited
		}
	}
	return living
}

func (n *Node) writeProcesses(root string, living []*relative, t time.Duration) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	keep := make(map[string]bool, len(living))
	for _, r := range living {
		pid := strconv.Itoa(r.process.PID)
		keep[pid] = true
		if err := n.writeProcess(filepath.Join(root, pid), r, t); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err == nil && !keep[e.Name()] {
			if err := os.RemoveAll(filepath.Join(root, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *Node) writeProcess(folder string, r *relative, t time.Duration) error {
	p := r.process
	task := filepath.Join(folder, "task", strconv.Itoa(p.PID))
	if err := os.MkdirAll(task, 0o755); err != nil {
		return err
	}
	name := p.Name
	if name == "" && len(p.Command) > 0 {
		name = filepath.Base(p.Command[0])
	}
	if len(name) > 15 {
		name = name[:15] // TASK_COMM_LEN, less its NUL
	}
	user, system := split(p.CPUTime(p.Start, t))
	childUser, childSystem := split(r.waited)
	const page = 4096
	stat := fmt.Sprintf("%d (%s) S %d %d %d 0 -1 4194560 0 0 0 0 %d %d %d %d 20 0 1 0 %d %d %d 18446744073709551615"+
		" 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
		p.PID, name, r.parent, p.PID, p.PID, user, system, childUser, childSystem,
		(n.Since()+p.Start)/tick, p.Resident, p.Resident/page)

	escaped := strings.NewReplacer("\\", "\\\\", "\n", "\\n").Replace(name)
	status := fmt.Sprintf("Name:\t%s\nState:\tS (sleeping)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\nUid:\t%d\t%d\t%d\t%d\nGid:\t%d\t%d\t%d\t%d\nVmRSS:\t%8d kB\nThreads:\t1\nNSpid:\t%d\n",
		escaped, p.PID, p.PID, r.parent, p.UID, p.UID, p.UID, p.UID, p.UID, p.UID, p.UID, p.UID, p.Resident/1024, p.PID)

	var command, children bytes.Buffer
	for _, argument := range p.Command {
		command.WriteString(argument)
		command.WriteByte(0)
	}
	slices.Sort(r.children)
	for _, pid := range r.children {
		fmt.Fprintf(&children, "%d ", pid)
	}
	cgroup := p.Cgroup
	switch {
	case cgroup == "":
		cgroup = "0::/\n"
	case strings.HasPrefix(cgroup, "/"):
		cgroup = "0::" + cgroup + "\n"
	}
	for file, content := range map[string]string{
		"statm": fmt.Sprintf("%d %d 0 0 0 0 0\n", p.Resident/page, p.Resident/page),
		"stat":  stat, "status": status, "comm": name + "\n", "cmdline": command.String(), "cgroup": cgroup,
		filepath.Join("task", strconv.Itoa(p.PID), "children"): children.String(),
	} {
		if err := overwrite(filepath.Join(folder, file), content); err != nil {
			return err
		}
	}
	return nil
}

// overwrite puts content into a file in place: an open descriptor goes on reading
// the present, as it does in /proc and /sys.
func overwrite(path, content string) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
	}()
	if _, err := file.WriteAt([]byte(content), 0); err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil || info.Mode().Type() != fs.FileMode(0) || info.Size() <= int64(len(content)) {
		return err
	}
	return file.Truncate(int64(len(content)))
}
