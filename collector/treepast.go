package collector

import (
	"time"

	"greenagent/collector/procfs"
	"greenagent/energy"
)

// remembered is a descendant as it was last seen, and when.
type remembered struct {
	procfs.Process
	seen energy.Instant
}

const (
	// remembrance is for how long an ended process is remembered: longer than the
	// driver tells of a tag.
	remembrance = samplerMemory + 2*listEvery
	// lookEvery is how often descendants are looked at, at most: of those that last
	// long enough to start on a GPU, none is missed.
	lookEvery = 100 * time.Millisecond
	// lookCost is a hundred times what it takes to look at one, so that looking
	// takes a hundredth of the time however many there are.
	lookCost = 1500 * time.Microsecond
)

// Look notes who descends from the root now, for Has and Recall to know when they
// have ended. It may be called at any rate, and looks as often as it makes sense.
func (t *Tree) Look(now energy.Instant) {
	if now < t.next {
		return
	}
	if t.past == nil {
		t.past = make(map[int]remembered)
	}
	pids, err := t.proc.Descendants(t.pids[:0], t.root)
	t.pids, t.next = pids, now.Add(max(lookEvery, time.Duration(len(pids))*lookCost))
	if err != nil {
		return // nobody new is remembered
	}
	for _, pid := range pids {
		var p procfs.Process
		if t.proc.Read(pid, &p) == nil {
			t.past[pid] = remembered{p, now}
		}
	}
	for pid, p := range t.past {
		if now.Sub(p.seen) > remembrance {
			delete(t.past, pid)
		}
	}
}

// Recall implements Past for the descendants of the root.
func (t *Tree) Recall(pid int) (procfs.Process, bool) {
	p, ok := t.past[pid]
	return p.Process, ok
}
