package main

import (
	"context"
	_ "embed"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"greenagent/collector"
	"greenagent/collector/procfs"
	"greenagent/meter"
	"greenagent/nvml"
)

//go:embed driver/null.c
var driver []byte

// spent is what one measurement took.
type spent struct {
	length, cpu                  time.Duration
	looks, readings, allocations int
}

func (s spent) percent() float64   { return 100 * s.cpu.Seconds() / s.length.Seconds() }
func (s spent) each(n int) float64 { return float64(n) / s.length.Seconds() }

// kind is something whose cost is measured.
type kind struct {
	name    string
	measure func(ctx context.Context, library string, o options) (spent, error)
}

var kinds = []kind{
	{"a loop that wakes every 45 ms and does nothing", func(ctx context.Context, _ string, o options) (spent, error) {
		return loop(ctx, o, 45*time.Millisecond, func() int { return 0 })
	}},
	{"a loop that reads every GPU every 20 ms, and does no more", naive},
	{"greenagent: energy only", func(ctx context.Context, library string, o options) (spent, error) {
		return meters(ctx, library, o, false)
	}},
	{"greenagent: energy, and whose it is", func(ctx context.Context, library string, o options) (spent, error) {
		return meters(ctx, library, o, true)
	}},
}

// during measures for a while what goes on beside it. count returns looks and
// readings so far.
func during(ctx context.Context, o options, count func() (looks, readings int)) (spent, error) {
	wait := func(d time.Duration) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
			return nil
		}
	}
	if err := wait(o.warm); err != nil {
		return spent{}, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	looks, readings := count()
	began, used := time.Now(), cpuTime()
	if err := wait(o.length); err != nil {
		return spent{}, err
	}
	s := spent{length: time.Since(began), cpu: cpuTime() - used}
	s.looks, s.readings = count()
	runtime.ReadMemStats(&after)
	s.looks, s.readings, s.allocations = s.looks-looks, s.readings-readings, int(after.Mallocs-before.Mallocs)
	return s, nil
}

// loop measures a loop of a function that returns how much it read.
func loop(ctx context.Context, o options, every time.Duration, f func() int) (spent, error) {
	type counts struct{ looks, readings int }
	ask, answer, ended := make(chan struct{}), make(chan counts), make(chan struct{})
	defer func() { close(ask); <-ended }()
	go func() {
		defer close(ended)
		var c counts
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.looks++
				c.readings += f()
			case _, more := <-ask:
				if !more {
					return
				}
				answer <- c
			}
		}
	}()
	return during(ctx, o, func() (int, int) {
		ask <- struct{}{}
		c := <-answer
		return c.looks, c.readings
	})
}

func naive(ctx context.Context, library string, o options) (spent, error) {
	lib, err := nvml.Open(ctx, nvml.Options{Path: library})
	if err != nil {
		return spent{}, err
	}
	defer lib.Close()
	var s nvml.Sample
	return loop(ctx, o, 20*time.Millisecond, func() (n int) {
		for i := range lib.Devices() {
			if lib.Sample(i, &s) == nil {
				n++
			}
		}
		return n
	})
}

// meters measures a meter at the cadence that it chooses.
func meters(ctx context.Context, library string, o options, whose bool) (spent, error) {
	machine := meter.Machine{Proc: "/proc", Sys: "/sys", NVML: library, Clock: meter.System{}}
	lib, feed, err := machine.OpenGPUs(ctx)
	if err != nil {
		return spent{}, err
	}
	source := &counted{Source: feed.Source, ask: make(chan struct{}, 1), answer: make(chan [2]int, 1)}
	feed.Source = source
	if whose {
		feed.Observer = collector.NewGPUUsers(lib, procfs.New(machine.Proc), func(pid int) collector.Owner { return collector.Owner(pid % 2) })
	}
	// The longer a run has lasted, the less often counters are looked at.
	const old = 10 * time.Minute
	m := meter.New(meter.Config{Clock: machine.Clock, From: machine.Clock.Now().Add(-old)})
	m.Add(feed)
	defer func() { m.Finish(machine.Clock.Now(), 0) }()
	return during(ctx, o, func() (int, int) {
		source.ask <- struct{}{}
		n := <-source.answer
		return n[0], n[1]
	})
}

// counted is a source that counts how often it is read, and can be asked so while
// it is.
type counted struct {
	collector.Source
	looks, readings int
	ask             chan struct{}
	answer          chan [2]int
}

func (c *counted) Read(dst []collector.Reading) ([]collector.Reading, error) {
	before := len(dst)
	dst, err := c.Source.Read(dst)
	c.looks++
	c.readings += len(dst) - before
	select {
	case <-c.ask:
		c.answer <- [2]int{c.looks, c.readings}
	default:
	}
	return dst, err
}

func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // cannot fail: the arguments are constants
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
