package meter

import (
	"greenagent/collector"
	"greenagent/energy"
)

// queue holds the activities of a domain whose energy has not settled yet, oldest
// first. It has a fixed size and reuses the activities' memory; the zero queue is
// empty.
type queue struct {
	slots  [8]collector.Activity
	head   int
	length int
}

func (q *queue) at(i int) *collector.Activity { return &q.slots[(q.head+i)%len(q.slots)] }

func (q *queue) empty() bool { return q.length == 0 }

// first returns the oldest activity; there must be one.
func (q *queue) first() *collector.Activity { return q.at(0) }

// latest returns the activity that was pushed last, also if it was dropped; before
// any, one in which nobody was.
func (q *queue) latest() *collector.Activity { return q.at(q.length - 1 + len(q.slots)) }

// push appends an activity and returns another whose memory can be used for the
// next. What the one before it could not tell, and what does not fit, is divided
// together with what follows.
func (q *queue) push(a collector.Activity) (unused collector.Activity) {
	if q.length > 0 {
		if last := q.at(q.length - 1); last.Open {
			a.Absorb(last)
			unused, *last = *last, a
			return unused
		}
	}
	if q.length == len(q.slots) {
		q.at(1).Absorb(q.at(0))
		q.drop()
	}
	slot := q.at(q.length)
	q.length++
	unused, *slot = *slot, a
	return unused
}

// settled reports whether the first activity can be booked when the energy is
// known up to an instant.
func (q *queue) settled(known energy.Instant) bool {
	return !q.empty() && !q.first().Open && q.first().Until <= known
}

func (q *queue) drop() {
	q.head = (q.head + 1) % len(q.slots)
	q.length--
}
