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
	seen    []procfs.Process
	known   map[Process]*member
	free    []*member
	alive   map[int]*member // by PID, of this round
	round   uint64
	first   Process // the first descendant seen: the command itself
	name    procfs.Comm
	orphans member // children of root itself
	node    procfs.CPU
	started bool
}

// member is a descendant as far as it was counted.
type member struct {
	parent int
	own    procfs.Ticks // CPU time counted
	kids   procfs.Ticks // of children it waited for, as last read
	owed   procfs.Ticks // counted of children that ended and it has not yet waited for
	round  uint64
}

// NewTree returns an observer of the descendants of root, all of which belong to
// owner. reaped tells the CPU time of those children of root that root itself
// has waited for; nil if it waits for none.
func NewTree(proc *procfs.FS, root int, owner Owner, reaped func() time.Duration) *Tree {
	return &Tree{
		proc: proc, root: root, owner: owner, reaped: reaped,
		known: make(map[Process]*member), alive: make(map[int]*member),
	}
}

// Has reports whether a process is one of the descendants: one seen before, or
// one whose ancestors lead to the root.
func (t *Tree) Has(pid int) bool {
	if _, ok := t.alive[pid]; ok {
		return true
	}
	var p procfs.Process
	for range maxDepth {
		if pid <= 1 || t.proc.Read(pid, &p) != nil {
			return false
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
func (t *Tree) First() Process { return t.first }

// Observe implements Observer for any number of domains that are shared by CPU
// time: each gets the same usage, in nanoseconds. The zero Process stands for the
// rest of the node.
func (t *Tree) Observe(now energy.Instant, dst []Activity) error {
	if len(dst) == 0 {
		return nil
	}
	a := &dst[0]
	*a = Activity{Until: now, Usage: a.Usage[:0], Method: ByCPUTime}

	node, err := t.proc.CPU()
	if err != nil {
		return fmt.Errorf("CPU time of the node: %w", err)
	}
	busy := int64(node.Busy() - t.node.Busy())
	if !t.started {
		busy = 0
	}
	t.node, t.started = node, true

	mine := t.descendants(a)
	rest := max(0, busy*int64(procfs.Tick)-mine)
	a.Usage = append(a.Usage, Usage{Busy: uint64(rest)})
	slices.SortFunc(a.Usage, Compare)
	for i := range dst[1:] {
		dst[i+1] = Activity{Until: now, Usage: append(dst[i+1].Usage[:0], a.Usage...), Method: ByCPUTime}
	}
	return nil
}

// descendants appends the usage of the tree and returns its sum in nanoseconds.
func (t *Tree) descendants(a *Activity) int64 {
	t.round++
	t.read()
	t.settle()
	var sum int64
	book := func(u Usage) {
		if u.Busy > 0 || u.Memory > 0 {
			u.Owner = t.owner
			a.Usage = append(a.Usage, u)
			sum += int64(u.Busy)
		}
	}
	command := Usage{Process: t.first, Command: t.name}
	for i := range t.seen {
		p := &t.seen[i]
		m := t.alive[p.PID]
		busy := take(&m.own, p.Busy()) + m.gain(p.ChildUser+p.ChildSystem)
		u := Usage{Process: p.ID, Command: p.Comm, Busy: uint64(busy) * uint64(procfs.Tick), Memory: p.RSS}
		if p.ID == t.first {
			command, t.name = u, p.Comm
			continue
		}
		book(u)
	}
	if t.reaped != nil {
		// What root waited for is booked to the command: those processes are gone.
		total := procfs.Ticks(t.reaped() / reapedUnit)
		command.Busy += uint64(t.orphans.gain(total)) * uint64(reapedUnit)
	}
	if t.first != (Process{}) {
		command.Process = t.first
		book(command)
	}
	return sum
}

// reapedUnit is the resolution in which wait4 tells CPU time.
const reapedUnit = time.Microsecond

// take returns how much a counter has advanced, 0 if it went back.
func take(counted *procfs.Ticks, now procfs.Ticks) procfs.Ticks {
	if now <= *counted {
		return 0
	}
	d := now - *counted
	*counted = now
	return d
}

// gain returns what ended children added that was not counted while they lived.
func (m *member) gain(kids procfs.Ticks) procfs.Ticks {
	d := take(&m.kids, kids)
	paid := min(d, m.owed)
	m.owed -= paid
	return d - paid
}

// read lists the tree as it is now.
func (t *Tree) read() {
	t.seen = t.seen[:0]
	clear(t.alive)
	pids, err := t.proc.Descendants(t.pids[:0], t.root)
	t.pids = pids
	if err != nil && !errors.Is(err, procfs.ErrGone) {
		return
	}
	for _, pid := range pids {
		var p procfs.Process
		if t.proc.Read(pid, &p) != nil {
			continue // ended between the two looks; its parent has its time
		}
		m := t.known[p.ID]
		if m == nil {
			m = t.fresh()
			t.known[p.ID] = m
			if t.first == (Process{}) {
				t.first = p.ID
			}
		}
		if m.round == t.round {
			continue // listed twice while it moved
		}
		m.parent, m.round = p.PPID, t.round
		t.alive[pid] = m
		t.seen = append(t.seen, p)
	}
}

// settle notes, for each process that is gone, what its parent is about to be
// credited with a second time.
func (t *Tree) settle() {
	for id, m := range t.known {
		if m.round == t.round {
			continue
		}
		owed := m.own + m.kids
		if parent, ok := t.alive[m.parent]; ok {
			parent.owed += owed
		} else if m.parent == t.root {
			t.orphans.owed += owed * procfs.Ticks(procfs.Tick/reapedUnit)
		}
		delete(t.known, id)
		t.free = append(t.free, m)
	}
}

func (t *Tree) fresh() *member {
	if n := len(t.free); n > 0 {
		m := t.free[n-1]
		t.free = t.free[:n-1]
		*m = member{}
		return m
	}
	return new(member)
}
