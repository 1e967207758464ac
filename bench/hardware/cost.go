package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// costOf looks at a process's own CPU time, its children's left out, while it
// runs. The function it returns ends that and gives the part of a core.
func costOf(pid int) func() float64 {
	done, result := make(chan struct{}), make(chan float64)
	go func() {
		tick := time.NewTicker(200 * ms)
		defer tick.Stop()
		var began time.Time
		var first, last, span time.Duration
		for {
			select {
			case <-done:
				if span == 0 {
					result <- 0
				} else {
					result <- (last - first).Seconds() / span.Seconds()
				}
				return
			case <-tick.C:
			}
			used, ok := processorTime(pid)
			switch {
			case !ok:
			case began.IsZero():
				began, first = time.Now(), used
			default:
				last, span = used, time.Since(began)
			}
		}
	}()
	return func() float64 { close(done); return <-result }
}

// processorTime sums the CPU time of a process's threads, to the nanosecond
// (Documentation/scheduler/sched-stats.rst).
func processorTime(pid int) (sum time.Duration, ok bool) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, false
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		var ns int64
		if _, err := fmt.Sscan(string(text), &ns); err == nil {
			sum, ok = sum+time.Duration(ns), true
		}
	}
	return sum, ok
}

// monotonic returns CLOCK_MONOTONIC, which Python shows as well.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // cannot fail: clock and pointer are valid
	}
	return t.Nano()
}
