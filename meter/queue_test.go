package meter

import (
	"testing"

	"greenagent/collector"
	"greenagent/energy"
)

func activity(until energy.Instant, pids ...int) collector.Activity {
	a := collector.Activity{Until: until}
	for _, pid := range pids {
		a.Usage = append(a.Usage, collector.Usage{Process: collector.Process{PID: pid}, Busy: 1})
	}
	return a
}

func TestQueueKeepsOrder(t *testing.T) {
	var q queue
	if q.settled(1<<40) || len(q.latest().Usage) != 0 {
		t.Errorf("an empty queue has something to book, or somebody: %+v", q.latest())
	}
	for i := range 5 {
		q.push(activity(energy.Instant(i+1), i))
	}
	for i := range 5 {
		if q.settled(energy.Instant(i)) || !q.settled(energy.Instant(i+1)) || q.first().Usage[0].Process.PID != i {
			t.Fatalf("activity %d is %+v", i, q.first())
		}
		q.drop()
	}
	if !q.empty() || q.latest().Usage[0].Process.PID != 4 {
		t.Errorf("after the last: %+v", q.latest())
	}
}

func TestQueueDividesTogetherWhatTellsNothingAlone(t *testing.T) {
	var q queue
	open := activity(1, 7)
	open.Open, open.Usage[0].Busy = true, 0
	q.push(open)
	if q.settled(5) {
		t.Error("an open activity was booked alone")
	}
	q.push(activity(2, 8))
	if q.length != 1 || q.first().Until != 2 || len(q.first().Usage) != 2 {
		t.Errorf("the two are %d, the first %+v; want one with both processes", q.length, q.first())
	}
}

func TestQueueLosesNothingWhenFull(t *testing.T) {
	var q queue
	const n = 20
	for i := range n {
		q.push(activity(energy.Instant(i+1), i))
	}
	seen := map[int]bool{}
	for !q.empty() {
		for _, u := range q.first().Usage {
			seen[u.Process.PID] = true
		}
		q.drop()
	}
	if len(seen) != n {
		t.Errorf("%d of %d processes are left", len(seen), n)
	}
}

func TestQueueAllocatesNothing(t *testing.T) {
	var q queue
	spare := activity(0, 1, 2, 3)
	var now energy.Instant
	step := func() {
		now++
		spare.Until = now
		spare.Usage = append(spare.Usage[:0], collector.Usage{}, collector.Usage{}, collector.Usage{})
		spare = q.push(spare)
		for q.settled(now - 3) {
			q.drop()
		}
	}
	for range 50 {
		step()
	}
	if allocations := testing.AllocsPerRun(100, step); allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}
