package collector

import (
	"time"

	"greenagent/collector/procfs"
)

// member is a descendant as far as its CPU time was counted.
type member struct {
	procfs.Process // as last read
	inheritance
	own   time.Duration // counted of its own
	round uint64        // in which it was last seen
}

// advance returns how much of its own time is new.
func (m *member) advance() time.Duration {
	now := m.Busy().Duration()
	d := max(0, now-m.own)
	m.own += d
	return d
}

// children returns the time of the children it waited for, with theirs.
func (m *member) children() time.Duration { return (m.ChildUser + m.ChildSystem).Duration() }

// inheritance is what a process gets credited of children that ended.
type inheritance struct {
	total time.Duration // credited so far
	// owed was counted of children while they lived: it is about to be credited
	// once more, and not to be counted. What was owed the round before and did not
	// come never will: who ignores SIGCHLD is not credited.
	owed, overdue time.Duration
}

// inherit takes the total credited and returns how much of it is new and was not
// counted before.
func (h *inheritance) inherit(total time.Duration) time.Duration {
	d := max(0, total-h.total)
	h.total += d
	paid := min(d, h.owed+h.overdue)
	h.overdue = max(0, h.owed-max(0, paid-h.overdue))
	h.owed = 0
	return d - paid
}

// settle notes, for each process that is gone, what its parent is about to be
// credited with a second time.
func (t *Tree) settle() {
	for _, m := range t.members {
		if m.round != t.round {
			t.heir(m).owed += m.own + m.total
		}
	}
	for pid, m := range t.members {
		if m.round != t.round {
			delete(t.members, pid)
			t.free = append(t.free, m)
		}
	}
}

// bury settles one process before another takes its place.
func (t *Tree) bury(m *member) {
	t.heir(m).owed += m.own + m.total
	t.free = append(t.free, m)
}

// heir returns who is credited with the time of a process that is gone: the
// nearest ancestor that is not gone with it, or root.
func (t *Tree) heir(m *member) *inheritance {
	for range maxDepth {
		m = t.members[m.PPID]
		if m == nil {
			break
		}
		if m.round == t.round {
			return &m.inheritance
		}
	}
	return &t.estate
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
