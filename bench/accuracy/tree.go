package main

import (
	"time"

	"greenagent/scenario"
)

// tree keeps a simulated /proc in a folder. It is written anew when a process has
// started or ended: GPU observers look for names and start times only.
type tree struct {
	node   *scenario.Node
	root   string
	next   time.Duration // when it is out of date
	failed error         // the first failure
}

func (f *tree) update(now time.Duration) {
	if now < f.next || f.failed != nil {
		return
	}
	f.failed = f.node.WriteProc(f.root, now)
	f.next = scenario.Forever
	for i := range f.node.Processes {
		for _, change := range []time.Duration{f.node.Processes[i].Start, f.node.Processes[i].End} {
			if change > now {
				f.next = min(f.next, change)
			}
		}
	}
}
