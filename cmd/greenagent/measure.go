package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/collector/host"
	"greenagent/collector/procfs"
	"greenagent/exporter/runfile"
	"greenagent/meter"
	"greenagent/supervise"
)

// theRun is the run's owner in the accounts; the zero owner is everybody else.
const theRun collector.Owner = 1

const (
	// settling is how long a report may wait for the tick of a counter that ends
	// the run's last interval, as a part of the run and at most.
	settling        = 20 // a 20th of the run
	longestSettling = 150 * time.Millisecond
	// opening is how long the end of a very short command waits for the first
	// readings of the host.
	opening = 8 * time.Millisecond
)

// measurement is a run under way.
type measurement struct {
	program *program
	options runOptions
	process *supervise.Process
	meter   *meter.Meter
	cancel  context.CancelFunc

	// ended is the CPU time of the command itself, once it has ended.
	ended chan struct{}
	cpu   time.Duration

	host sync.WaitGroup // the opening of the host's sources

	mu       sync.Mutex
	facts    host.Facts
	missing  []runfile.Missing
	warnings []string
}

// run runs the command and reports. It returns an error only if the command was
// not started; after that, nothing greenagent meets with changes the status.
func (p *program) run(ctx context.Context, o runOptions) error {
	process, err := supervise.Start(supervise.Command{Path: o.command[0], Args: o.command}, p.machine.Clock)
	if err != nil {
		status := statusFailed
		if s := (*supervise.StartError)(nil); errors.As(err, &s) {
			status = s.Status
		}
		return &usageError{err, status}
	}
	defer process.Close()
	// When the command was started by the wall clock, from one look at both.
	started := time.Now().Add(process.Started().Sub(p.machine.Clock.Now()))
	m := &measurement{program: p, options: o, process: process, ended: make(chan struct{})}
	m.begin(ctx)

	result := process.Wait()
	m.cpu = result.CPU.Total()
	close(m.ended)
	snapshot := m.end(result)
	m.outlived(process.Survivors())
	m.tell(m.render(result, snapshot, started))

	p.status = result.Code
	if result.Reraise {
		result.Raise()
	}
	return nil
}

// begin opens the sensors while the command is already running.
func (m *measurement) begin(ctx context.Context) {
	m.meter = meter.New(meter.Config{
		Clock: m.program.machine.Clock, From: m.process.Started(),
		Observe: m.options.interval, Policy: m.options.policy, Reserved: theRun,
	})
	ctx, m.cancel = context.WithCancel(ctx)
	proc := procfs.New(m.program.machine.Proc)
	tree := collector.NewTree(proc, m.program.self(), theRun, m.reaped)
	m.host.Go(func() { m.openHost(ctx, tree) })
	go m.openGPUs(ctx)
}

// self is this process's PID in the /proc that is read, which may be that of another
// PID namespace: a container's view of its host's.
func (p *program) self() int {
	link, err := os.Readlink(filepath.Join(p.machine.Proc, "self"))
	if err != nil {
		return nobody
	}
	pid, err := strconv.Atoi(link)
	if err != nil {
		return nobody
	}
	return pid
}

// nobody is the PID of no process: a /proc without us has none of ours.
const nobody = -1

// reaped is the CPU time of those processes of the run that greenagent waited for.
func (m *measurement) reaped() time.Duration {
	sum := m.process.Reaped().Total()
	select {
	case <-m.ended:
		sum += m.cpu
	default:
	}
	return sum
}

func (m *measurement) openHost(ctx context.Context, tree *collector.Tree) {
	facts, err := m.program.machine.Facts(ctx)
	if err != nil {
		m.warn(fmt.Sprintf("facts of the host: %v", err))
	}
	m.mu.Lock()
	m.facts = facts
	m.mu.Unlock()
	h := m.program.machine.OpenHost(facts)
	for _, err := range h.Unreadable {
		m.warn(fmt.Sprintf("%v; greenagent doctor says how to mend it", err))
	}
	has := map[collector.Type]bool{}
	for _, d := range h.Source.Domains() {
		has[d.Type] = true
	}
	for _, t := range []collector.Type{collector.CPU, collector.Memory} {
		if !has[t] {
			m.miss(string(t), "neither a sensor nor what a model needs was found")
		}
	}
	m.meter.Add(meter.Feed{Name: "host", Source: h.Source, Observer: tree, Close: h.Close})
}

func (m *measurement) warn(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.warnings = append(m.warnings, text)
}

func (m *measurement) miss(kind, reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.missing = append(m.missing, runfile.Missing{Type: kind, Reason: reason})
}

// outlived tells of what the command has left behind.
func (m *measurement) outlived(left []supervise.Survivor) {
	const most = 3
	var names []string
	for _, s := range left[:min(len(left), most)] {
		names = append(names, fmt.Sprintf("%s (%d)", s.Name, s.PID))
	}
	if more := len(left) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	if len(names) > 0 {
		m.warn(fmt.Sprintf("still running: %s; what they use from now on is not counted", strings.Join(names, ", ")))
	}
}

// end takes the last readings.
func (m *measurement) end(result supervise.Result) attribution.Snapshot {
	// A command shorter than opening the sensors is worth a few milliseconds.
	opened := make(chan struct{})
	go func() { m.host.Wait(); close(opened) }()
	select {
	case <-opened:
	case <-time.After(opening):
		m.miss("host", "the command ended before its sensors were opened")
	}
	m.cancel()
	length := result.Span.Duration()
	return m.meter.Finish(result.Span.End, min(length/settling, longestSettling))
}

// render makes the record.
func (m *measurement) render(result supervise.Result, s attribution.Snapshot, started time.Time) runfile.Run {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.options
	length := result.Span.Duration()
	facts := runfile.Facts{
		ID: o.id, Name: o.name, Tags: o.tags, Command: o.command,
		Exit:  runfile.Exit{Code: result.Code},
		Start: started, End: started.Add(length), Duration: length,
		Host: runfile.Host{
			Name: runfile.Known(m.facts.Hostname), OS: runfile.Known(m.facts.OS), Kernel: runfile.Known(m.facts.Kernel),
			CPU: runfile.Known(m.facts.CPUModel), CPUs: runfile.Known(m.facts.LogicalCPUs),
			Memory: runfile.Known(m.facts.Memory),
		},
		Units: o.counts, Missing: m.missing, Warnings: m.warnings, Owner: theRun,
	}
	if result.Signal != 0 {
		name := unix.SignalName(result.Signal)
		facts.Exit.Signal = &name
	}
	for _, w := range result.Warnings {
		facts.Warnings = append(facts.Warnings, w.Error())
	}
	suspended, err := procfs.Suspended()
	if err == nil {
		facts.Started = func(p collector.Process) (time.Time, bool) {
			return started.Add(p.Started(suspended).Sub(result.Span.Start)), p.Start != 0
		}
	}
	if !toldOfGPUs(s, m.missing) {
		facts.Missing = append(facts.Missing, runfile.Missing{Type: gpus, Reason: unopened(length)})
	}
	return runfile.Render(facts, s, runfile.Site{Factor: o.factor, PUE: o.site})
}

// parseCount reads a positive amount of work.
func parseCount(text string) (float64, error) {
	count, err := strconv.ParseFloat(text, 64)
	if err != nil || !(count > 0) || math.IsInf(count, 0) {
		return 0, errors.New("want a number above 0, as in tokens=1.2e9")
	}
	return count, nil
}

// newID returns an id that sorts by time and is unique across nodes.
func newID(now time.Time) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return now.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(b[:])
}
