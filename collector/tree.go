package collector

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"greenagent/collector/procfs"
	"greenagent/energy"
)

// Tree observes the CPU time of one process's descendants, which is what a run
// is: everything the process started, re-parented grandchildren included as long
// as the process is their subreaper.
//
// Processes too short-lived to be seen are not lost: when one ends, the kernel
// adds its CPU time to the parent that waits for it. What a parent gained that
// way, less what was already counted while its children lived, is booked to the
// parent. It is used by one goroutine.
type Tree struct {
	proc   *procfs.FS
	root   int
	owner  Owner
	reaped func() time.Duration

	pids    []int
	seen    []*member // alive now, parents before their children
	members map[int]*member
	free    []*member
	round   uint64
	command Usage        // the first descendant seen: the command itself
	estate  inheritance  // of the children of root
	node    procfs.Ticks // busy, at the last look
	based   bool         // node was read

	past map[int]remembered // by Look
	next energy.Instant     // when to look again
}

// NewTree returns an observer of the descendants of root, all of which belong to
// owner. reaped tells the CPU time of those children of root that root itself
// has waited for; nil if it waits for none. Time counts from now on.
func NewTree(proc *procfs.FS, root int, owner Owner, reaped func() time.Duration) *Tree {
	t := &Tree{proc: proc, root: root, owner: owner, reaped: reaped, members: make(map[int]*member)}
	if node, err := proc.CPU(); err == nil { // if not, the first Observe says why
		t.node, t.based = node.Busy(), true
	}
	return t
}

// Has reports whether a process is one of the descendants: its ancestors lead to
// the root, or it has ended and was one at a Look not long ago.
func (t *Tree) Has(pid int) bool {
	var p procfs.Process
	for range maxDepth {
		if pid <= 1 {
			return false
		}
		if t.proc.Read(pid, &p) != nil {
			_, was := t.past[pid]
			return was
		}
		if p.PPID == t.root {
			return true
		}
		pid = p.PPID
	}
	return false
}

// maxDepth bounds the walk up a process tree that changes meanwhile.
const maxDepth = 128

// First returns the first descendant seen, the zero Process before.
func (t *Tree) First() Process { return t.command.Process }

// Observe implements Observer for any number of domains that are shared by CPU
// time: each gets the same usage, in nanoseconds. The zero Process stands for the
// rest of the node.
func (t *Tree) Observe(now energy.Instant, dst []Activity) error {
	if len(dst) == 0 {
		return nil
	}
	a := &dst[0]
	*a = Activity{Until: now, Usage: a.Usage[:0], Method: ByCPUTime, Step: uint64(procfs.Tick)}

	node, err := t.proc.CPU()
	if err != nil {
		return fmt.Errorf("CPU time of the node: %w", err)
	}
	mine, err := t.descendants(a)
	if err != nil {
		a.Usage = a.Usage[:0] // what was missed now will be there the next time
	} else {
		busy := node.Busy()
		whole := (busy - min(t.node, busy)).Duration()
		if !t.based {
			whole = 0
		}
		t.node, t.based = busy, true
		a.Usage = append(a.Usage, t.rest(max(0, whole-mine)))
		slices.SortFunc(a.Usage, Compare)
	}
	for i := range dst[1:] {
		dst[i+1] = Activity{
			Until: a.Until, Usage: append(dst[i+1].Usage[:0], a.Usage...),
			Method: a.Method, Samples: a.Samples, Step: a.Step,
		}
	}
	return err
}

// rest returns the usage of everything else on the node.
func (t *Tree) rest(busy time.Duration) Usage {
	u := Usage{Busy: uint64(busy)}
	if node, err := t.proc.Memory(); err == nil { // 0 is unknown, and so it stays
		u.Memory = node.Used()
		for _, m := range t.seen {
			u.Memory -= m.RSS
		}
		u.Memory = max(u.Memory, 0)
	}
	return u
}

// descendants appends the usage of the tree and returns the sum of its CPU time.
func (t *Tree) descendants(a *Activity) (time.Duration, error) {
	t.round++
	// What root has waited for is asked before the tree is read: a process that
	// ends in between is counted as alive now, and once.
	var reaped time.Duration
	if t.reaped != nil {
		reaped = t.reaped()
	}
	if err := t.read(); err != nil {
		return 0, err
	}
	t.settle()

	var sum time.Duration
	t.command.Busy, t.command.Memory = 0, 0
	for _, m := range t.seen {
		busy := m.advance() + m.inherit(m.children())
		u := Usage{Process: m.ID, Owner: t.owner, Command: m.Comm, Busy: uint64(busy), Memory: m.RSS}
		sum += busy
		if t.command.Process == (Process{}) || t.command.Process == m.ID {
			t.command = u
			continue
		}
		a.Usage = append(a.Usage, u)
	}
	if t.command.Process != (Process{}) {
		// Those that root waited for are gone: theirs is booked to the command.
		late := t.estate.inherit(reaped)
		sum += late
		t.command.Busy += uint64(late)
		a.Usage = append(a.Usage, t.command)
	}
	return sum, nil
}

// read lists the tree as it is now.
func (t *Tree) read() error {
	t.seen = t.seen[:0]
	pids, err := t.proc.Descendants(t.pids[:0], t.root)
	t.pids = pids
	if err != nil && !errors.Is(err, procfs.ErrGone) {
		return fmt.Errorf("descendants of %d: %w", t.root, err)
	}
	for _, pid := range pids {
		t.look(pid)
	}
	// The kernel's lists may leave one out while others come and go.
	for pid, m := range t.members {
		if m.round != t.round {
			t.look(pid)
		}
	}
	return nil
}

// look reads one process, if it is still there. Its parent has its time if not.
func (t *Tree) look(pid int) {
	var p procfs.Process
	m := t.members[pid]
	if m != nil && m.round == t.round || t.proc.Read(pid, &p) != nil {
		return
	}
	if m != nil && m.ID != p.ID { // the PID was used again
		t.bury(m)
		m = nil
	}
	if m == nil {
		m = t.fresh()
		t.members[pid] = m
	}
	m.Process, m.round = p, t.round
	t.seen = append(t.seen, m)
}
