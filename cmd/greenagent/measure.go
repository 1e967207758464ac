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
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/collector/host"
	"greenagent/collector/procfs"
	"greenagent/exporter/report"
	"greenagent/exporter/runfile"
	"greenagent/meter"
	"greenagent/nvml"
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
	started := time.Now()
	process, err := supervise.Start(supervise.Command{Path: o.command[0], Args: o.command}, p.machine.Clock)
	if err != nil {
		status := statusFailed
		if s := (*supervise.StartError)(nil); errors.As(err, &s) {
			status = s.Status
		}
		return &usageError{err, status}
	}
	defer process.Close()
	m := &measurement{program: p, options: o, process: process, ended: make(chan struct{})}
	m.begin(ctx)

	result := process.Wait()
	m.cpu = result.CPU.Total()
	close(m.ended)
	snapshot := m.end(result)
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
	tree := collector.NewTree(proc, os.Getpid(), theRun, m.reaped)
	m.host.Go(func() { m.openHost(ctx, tree) })
	go m.openGPUs(ctx)
}

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

func (m *measurement) openGPUs(ctx context.Context) {
	machine := m.program.machine
	lib, feed, err := machine.OpenGPUs(ctx)
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, nvml.ErrAbsent):
		m.miss("gpu", "no NVIDIA GPU or driver found (no NVML)")
		return
	case err != nil:
		m.miss("gpu", err.Error())
		return
	}
	if lib == nil {
		return
	}
	proc := procfs.New(machine.Proc)
	tree := collector.NewTree(procfs.New(machine.Proc), os.Getpid(), theRun, nil)
	feed.Observer = collector.NewGPUUsers(lib, proc, func(pid int) collector.Owner {
		if tree.Has(pid) {
			return theRun
		}
		return 0
	})
	if home, err := proc.InitPIDNamespace(); err == nil && !home && len(lib.Devices()) > 0 {
		m.warn("GPU: this is not the host's PID namespace, so that the driver's process ids may not match: start the container with --pid=host (hostPID: true)")
	}
	m.meter.Add(feed)
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
			Name: m.facts.Hostname, OS: m.facts.OS, Kernel: m.facts.Kernel,
			CPU: m.facts.CPUModel, CPUs: m.facts.LogicalCPUs,
		},
		Units: o.counts, Missing: m.missing, Warnings: m.warnings, Owner: theRun,
	}
	if m.facts.Memory > 0 {
		facts.Host.Memory = &m.facts.Memory
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
	if _, ok := gpuDomains(s); !ok && len(m.missing) == 0 {
		facts.Missing = append(facts.Missing, runfile.Missing{Type: "gpu", Reason: "the command ended before NVML had been opened"})
	}
	return runfile.Render(facts, s, runfile.Site{Factor: o.factor, PUE: o.site})
}

func gpuDomains(s attribution.Snapshot) (n int, ok bool) {
	for _, d := range s.Domains {
		if d.Type == collector.GPU {
			n++
		}
	}
	return n, n > 0
}

// tell writes the record and the report where they were asked for. What cannot be
// written there goes to a place where it can: the run is over, and cannot be
// measured again.
func (m *measurement) tell(r runfile.Run) {
	p, o := m.program, m.options
	var files []string
	if o.json != "" && o.json != "-" {
		path, err := m.keep(o.json, r)
		if err != nil {
			fmt.Fprintf(p.stderr, "greenagent: %v\n", err)
		}
		if path != "" {
			files = append(files, path)
		}
	}
	switch {
	case o.reportTo != "":
		if err := reportTo(o.reportTo, r, files); err != nil {
			fmt.Fprintf(p.stderr, "greenagent: report: %v; it follows here\n", err)
			m.print(r, files)
		}
	case !o.quiet:
		m.print(r, files)
	}
	if o.json == "-" {
		if err := runfile.Encode(p.stdout, r); err != nil {
			path, _ := m.keep(fallback(o.id), r)
			fmt.Fprintf(p.stderr, "greenagent: standard output: %v; the record is in %s\n", err, path)
		}
	}
}

func (m *measurement) print(r runfile.Run, files []string) {
	// A standard error that cannot be written to leaves nobody to tell.
	_ = report.Write(m.program.stderr, r, files...)
}

// keep writes the record to a file, or to a temporary one if that fails. It
// returns where it is, "" if nowhere.
func (m *measurement) keep(path string, r runfile.Run) (string, error) {
	err := runfile.WriteFile(path, r)
	if err == nil {
		return path, nil
	}
	instead := fallback(m.options.id)
	if again := runfile.WriteFile(instead, r); again != nil {
		return "", errors.Join(err, again)
	}
	return instead, fmt.Errorf("%w; the record is in %s", err, instead)
}

func fallback(id string) string {
	return filepath.Join(os.TempDir(), "greenagent-"+filepath.Base(id)+".json")
}

func reportTo(path string, r runfile.Run, files []string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(report.Write(f, r, files...), f.Close())
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
