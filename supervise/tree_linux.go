package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// collector/procfs also reads these files, for a meter: from a host's /proc if
// need be, into buffers that one goroutine owns. Here signals depend on what is
// read, from several goroutines and twice for each signal, and the fields are
// others (group, terminal); so this package keeps what little it needs and waits
// for nobody.

// proc is not an argument as elsewhere: the pids found here are signalled, so
// they must be those of this process's own PID namespace.
const proc = "/proc"

// tick is the unit of a process's start time in /proc/pid/stat, since boot:
// sysconf(_SC_CLK_TCK), which is 100 Hz on every Linux that Go runs on.
const tick = time.Second / 100

// ticks is a time since boot in ticks.
type ticks uint64

// now returns the time on the clock of process start times.
func now() ticks {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return ticks(ts.Nano() / int64(tick))
}

// targets returns the processes of the run that a signal is for, parents before
// their children: were the child of a shell killed first, the shell would go on
// to its next line before its own turn came.
//
// A signal that ends things is withheld from what was started as it arrived,
// within two ticks. A signal sent to the whole group reaches the command before
// us; if a trap there has begun to clean up already, its helpers must live.
func (p *Process) targets(sig unix.Signal, arrived ticks) ([]int, error) {
	pids := []int{p.pid}
	self, err := ourselves()
	if err != nil {
		return pids, fmt.Errorf("signals reach the command only, not what it started: %w", err)
	}
	command, err := readStat(proc, p.pid)
	if err != nil {
		return pids, fmt.Errorf("signals reach the command only, not what it started: %w", err)
	}
	list, err := descendants(nil, proc, self, p.strangers)
	if err != nil {
		return pids, fmt.Errorf("signals reach the command only, not what it started: %w", err)
	}
	control := sig == unix.SIGCONT || sig == unix.SIGTSTP || sig == unix.SIGTTIN || sig == unix.SIGTTOU
	for _, pid := range list {
		s, err := readStat(proc, pid)
		if pid == p.pid || err != nil || s.group != command.group {
			continue
		}
		if young := s.started+1 >= arrived; young && !control {
			continue
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// Foreground reports whether this process may use its controlling terminal: its
// process group is the terminal's foreground group. Without a terminal it is
// false.
func Foreground() bool {
	// Under this name it is found by whatever number /proc has for it.
	s, err := readStatFile(proc + "/self/stat")
	return err == nil && s.terminal != 0 && s.group == s.foreground
}

// ourselves returns this process's pid, if /proc has it under that number: it may
// show another PID namespace, as after unshare --pid without --mount-proc, and the
// pids there are those of others.
func ourselves() (int, error) {
	pid := os.Getpid()
	link, err := os.Readlink(proc + "/self")
	if err == nil && link != strconv.Itoa(pid) {
		err = fmt.Errorf("%s shows another PID namespace than this process's", proc)
	}
	return pid, err
}

// descendants appends to dst the processes below pid, each once, parents first,
// without those in except and what is below them.
// A kernel without CONFIG_PROC_CHILDREN is an error; a process that ends
// meanwhile is not.
func descendants(dst []int, root string, pid int, except map[int]bool) ([]int, error) {
	first := len(dst)
	seen := map[int]bool{pid: true}
	add := func(parent int) error {
		return children(root, parent, func(child int) {
			if !seen[child] && !except[child] { // it may have got a new parent while we read
				seen[child] = true
				dst = append(dst, child)
			}
		})
	}
	if err := add(pid); err != nil {
		return dst, err
	}
	for i := first; i < len(dst); i++ {
		if err := add(dst[i]); err != nil && !absent(err) {
			return dst, err
		}
	}
	return dst, nil
}

// children calls found for each child that any thread of pid has,
// /proc/pid/task/tid/children in proc(5).
func children(root string, pid int, found func(int)) error {
	tasks := root + "/" + strconv.Itoa(pid) + "/task"
	dir, err := os.ReadDir(tasks)
	if err != nil {
		return err
	}
	for i, task := range dir {
		text, err := os.ReadFile(tasks + "/" + task.Name() + "/children")
		if err != nil {
			if i > 0 && absent(err) { // a thread has ended
				continue
			}
			return err
		}
		for field := range bytes.FieldsSeq(text) {
			if child, err := strconv.Atoi(string(field)); err == nil && child > 0 {
				found(child)
			}
		}
	}
	return nil
}

func absent(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// Survivors returns those processes of the run that are there now, the command
// itself left out: once it has ended, those that outlive it.
func (p *Process) Survivors() []Survivor {
	p.mu.Lock()
	defer p.mu.Unlock()
	self, err := ourselves()
	if err != nil {
		return nil
	}
	list, err := descendants(nil, proc, self, p.strangers)
	if err != nil {
		return nil // Result.Warnings has it, where there was a signal to pass on
	}
	var found []Survivor
	for _, pid := range list {
		if s, err := readStat(proc, pid); err == nil && pid != p.pid && s.state != 'Z' && s.state != 'X' {
			found = append(found, Survivor{pid, s.name})
		}
	}
	return found
}

// stat is what is needed of /proc/pid/stat, see proc_pid_stat(5).
type stat struct {
	name       string // anything but NUL, at most 15 bytes
	state      byte
	group      int // its process group
	terminal   int // device number of the controlling terminal, 0 for none
	foreground int // the terminal's foreground process group
	started    ticks
}

func readStat(root string, pid int) (stat, error) {
	return readStatFile(root + "/" + strconv.Itoa(pid) + "/stat")
}

func readStatFile(file string) (stat, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return stat{}, err
	}
	s, err := parseStat(text)
	if err != nil {
		return stat{}, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

var errStat = errors.New("not in the form of proc_pid_stat(5)")

// parseStat reads the fields after the command's name, which stands in
// parentheses and may itself contain spaces and parentheses.
func parseStat(text []byte) (stat, error) {
	begin, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if begin < 0 || end < begin {
		return stat{}, errStat
	}
	fields := bytes.Fields(text[end+1:])
	const state, count = 3, 22 // the numbers of the first field after the name and of the last needed
	if len(fields) < count-state+1 {
		return stat{}, errStat
	}
	var bad error
	number := func(field int) int {
		v, err := strconv.Atoi(string(fields[field-state]))
		if err != nil {
			bad = errStat
		}
		return v
	}
	s := stat{
		name: string(text[begin+1 : end]), state: fields[0][0],
		group: number(5), terminal: number(7), foreground: number(8), started: ticks(number(22)),
	}
	if bad != nil {
		return stat{}, bad
	}
	return s, nil
}
