package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/collector/host"
	"greenagent/collector/procfs"
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
	// opening is how long the end of a short command may wait for the host's first
	// readings: as a part of the run, at least and at most.
	opening         = 10 // a 10th of the run
	shortestOpening = 8 * time.Millisecond
	longestOpening  = 100 * time.Millisecond
)

// measurement is a run under way.
type measurement struct {
	program *program
	options runOptions
	process *supervise.Process
	started time.Time     // by the wall clock
	slept   time.Duration // the machine, before the run
	meter   *meter.Meter
	cancel  context.CancelFunc

	// replaced is told of a driver that takes executing anew, which was done so often.
	replaced    chan *nvml.Library
	executions  int
	withoutGPUs bool

	// ended is the CPU time of the command itself, once it has ended.
	ended chan struct{}
	cpu   time.Duration

	proc string         // where this process is found, and
	pid  int            // under which number
	host sync.WaitGroup // the opening of the host's sources

	mu       sync.Mutex
	lib      *nvml.Library // once it is open
	noGPUs   error         // why it is not, so far
	facts    host.Facts
	missing  []runfile.Missing
	warnings []string
	opened   bool // the host's sources were opened in time
	late     bool // and if not, they no longer count
}

// run runs the command and reports. It returns an error only if the command was
// not started; after that, nothing greenagent meets with changes the status.
func (p *program) run(ctx context.Context, o runOptions) error {
	if p.before != nil {
		return p.goOn(ctx, o)
	}
	process, err := supervise.Start(supervise.Command{Path: o.command[0], Args: o.command}, p.machine.Clock)
	if err != nil {
		status := statusFailed
		if s := (*supervise.StartError)(nil); errors.As(err, &s) {
			status = s.Status
		}
		return &usageError{err, status}
	}
	m := &measurement{program: p, options: o, process: process}
	// When the command was started by the wall clock, from one look at both.
	m.started = time.Now().Add(process.Started().Sub(p.machine.Clock.Now()))
	m.slept = p.asleep()
	m.attend(ctx, nil)
	return nil
}

// goOn goes on with a run after this process has executed itself anew.
func (p *program) goOn(ctx context.Context, o runOptions) error {
	h := p.before
	o.id = h.ID
	process, err := supervise.Adopt(h.Process, p.machine.Clock)
	if err != nil {
		return &usageError{err, statusFailed}
	}
	m := &measurement{
		program: p, options: o, process: process, started: h.Started, slept: h.Slept,
		missing: h.Missing, warnings: h.Warnings, executions: h.Executions,
	}
	m.attend(ctx, h.Checkpoint)
	return nil
}

// attend measures until the command has ended, from a checkpoint on if there is one,
// and reports.
func (m *measurement) attend(ctx context.Context, from *meter.Checkpoint) {
	p, process := m.program, m.process
	defer process.Close()
	p.stdout, p.stderr = unhurried(p.stdout), unhurried(p.stderr)
	m.ended, m.replaced = make(chan struct{}), make(chan *nvml.Library, 1)
	p.machine.Known = p.recall()
	m.begin(ctx, from)
	for running := true; running; {
		select {
		case <-process.Done():
			running = false
		case lib := <-m.replaced:
			m.executeAnew(ctx, lib)
		}
	}

	result := process.Wait()
	p.status = result.Code
	m.cpu = result.CPU.Total()
	close(m.ended)
	unlessAsked(func() {
		snapshot := m.end(result)
		remembered := p.remember(m.meter.Learnt())
		m.tell(m.render(result, snapshot))
		select {
		case <-remembered:
		case <-time.After(remembering):
			p.log.Debug("what was learnt of GPUs is not kept in time")
		}
	})
	if result.Reraise {
		result.Raise()
	}
}

// begin opens the sensors while the command is already running.
func (m *measurement) begin(ctx context.Context, from *meter.Checkpoint) {
	config := meter.Config{
		Clock: m.program.machine.Clock, From: m.process.Started(),
		Observe: m.options.interval, Policy: m.options.policy, Reserved: theRun, Log: m.program.log,
	}
	m.whoAmI()
	if from == nil {
		m.meter = meter.New(config)
	} else {
		m.meter = meter.Resume(config, from, thisBoot)
	}
	ctx, m.cancel = context.WithCancel(ctx)
	tree := collector.NewTree(procfs.New(m.proc), m.pid, theRun, m.reaped)
	m.host.Go(func() { m.openHost(ctx, tree) })
	if !m.withoutGPUs {
		go m.openGPUs(ctx)
	}
}

// hostIsOpen waits until the opening of the host's sources has come to an end, and
// reports whether it has in that time.
func (m *measurement) hostIsOpen(in time.Duration) bool {
	opened := make(chan struct{})
	go func() { m.host.Wait(); close(opened) }()
	select {
	case <-opened:
		return true
	case <-time.After(in):
		return false
	}
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

func (m *measurement) warn(text string) {
	m.program.log.Info("doubt", "what", text)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.warnings, text) { // said before executing anew
		m.warnings = append(m.warnings, text)
	}
}

func (m *measurement) miss(kind, reason string) {
	m.program.log.Info("not measured", "type", kind, "why", reason)
	m.mu.Lock()
	defer m.mu.Unlock()
	if missing := (runfile.Missing{Type: kind, Reason: reason}); !slices.Contains(m.missing, missing) {
		m.missing = append(m.missing, missing)
	}
}

// end takes the last readings.
func (m *measurement) end(result supervise.Result) attribution.Snapshot {
	length := result.Span.Duration()
	if !m.hostIsOpen(min(max(length/opening, shortestOpening), longestOpening)) {
		m.giveUpHost(length)
	}
	m.cancel()
	s := m.meter.Finish(result.Span.End, min(length/settling, longestSettling))
	if text := goingOn(m.process.Survivors); text != "" {
		m.warn(text)
	}
	return s
}

// render makes the record.
func (m *measurement) render(result supervise.Result, s attribution.Snapshot) runfile.Run {
	asleep := m.program.asleep() - m.slept
	if asleep < 100*time.Millisecond { // no suspension is so short; the clocks are read one after the other
		asleep = 0
	}
	m.lastWords(asleep, s)
	m.mu.Lock()
	defer m.mu.Unlock()
	o, started := m.options, m.started
	length := result.Span.Duration()
	facts := runfile.Facts{
		ID: o.id, Name: o.name, Tags: o.tags, Command: o.command,
		Exit: runfile.Exit{Code: result.Code},
		// The wall clock may have been set meanwhile, and is not asked again.
		Start: started, End: started.Add(length + asleep), Duration: length,
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
			at := started.Add(p.Started(suspended).Sub(result.Span.Start))
			if at.Before(started) {
				at = started // the kernel dates by ticks, and rounds down
			}
			return at, p.Start != 0
		}
	}
	if !toldOfGPUs(s, m.missing) {
		reason := unopened(length)
		if m.noGPUs != nil {
			reason = unmeasured(m.noGPUs, m.program.machine.NVML)
		}
		facts.Missing = append(facts.Missing, runfile.Missing{Type: gpus, Reason: reason})
	}
	return runfile.Render(facts, s, runfile.Site{Factor: o.factor, PUE: o.site})
}

// newID returns an id that sorts by time and is unique across nodes.
func newID(now time.Time) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return now.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(b[:])
}
