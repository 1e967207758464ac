package meter_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"

	"greenagent/attribution"
	"greenagent/energy"
	"greenagent/meter"
	"greenagent/scenario"
)

// TestScenarios plays the files of testdata: what happens on a node, and what the
// meter makes of it. go test -rewrite writes what it makes of it now.
//
//	node                    the node, one thing a line:
//	  gpu BOARD [idle=W] [context=W] [reset=TIME]
//	  instance ID gpu=N id=GI [slices=N] [from=TIME] [to=TIME]
//	  cpu [idle=W max=W]    without watts it is modelled
//	  fault device=N kind=lost|transient|hung|garbage at=TIME for=TIME [call=counter|power|utilization|processes] [value=N]
//	  driver without=SYMBOL[,SYMBOL]
//	start [policy=P] [observe=TIME] [open=TIME]
//	spawn PID [name=N] [parent=PID] [gpu=N] [power=W | square=W period=TIME duty=D phase=TIME] [sm=PERCENT] [kind=mps] [memory=GIB] [instance=ID] [cores=N]
//	kill PID...
//	advance TIME
//	ledger
//	finish                  and the ledger
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t)
			s.node.Processes = []scenario.Process{{PID: self, PPID: 1, Command: []string{"greenagent"}}}
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				if err := s.play(d); err != nil {
					d.Fatalf(t, "%v", err)
				}
				if d.Cmd == "ledger" || d.Cmd == "finish" {
					return s.ledger()
				}
				return ""
			})
			if s.meter != nil && s.last.Domains == nil {
				s.finish(0)
			}
		})
	})
}

// play does what one command says.
func (s *stage) play(d *datadriven.TestData) error {
	a := words(d.CmdArgs)
	switch d.Cmd {
	case "node":
		for line := range strings.Lines(d.Input) {
			if err := s.describe(strings.Fields(line)); err != nil {
				return fmt.Errorf("%q: %w", strings.TrimSpace(line), err)
			}
		}
	case "start":
		policy, err := attribution.ParsePolicy(a.text("policy", "none"))
		if err != nil {
			return err
		}
		s.start(meter.Config{Policy: policy, Observe: a.time("observe", time.Second)})
		time.Sleep(a.time("open", 5*ms))
		s.open()
		synctest.Wait() // for the first reading
	case "spawn":
		l := load{pid: a.number("0", 0), parent: a.number("parent", self), name: a.text("name", "worker"), gpu: a.number("gpu", -1), sm: a.number("sm", 0), instance: a.text("instance", ""), memory: int64(a.number("memory", 1)) << 30}
		l.power = scenario.Steady(a.watts("power", 0))
		if p := a.watts("square", 0); p > 0 {
			l.power = scenario.Square(0, p, a.time("period", time.Second), a.float("duty", 0.5), a.time("phase", 0))
		}
		l.cpu = scenario.Steady(scenario.Cores(a.float("cores", 0) * float64(scenario.Core)))
		l.resident = l.memory
		if a.text("kind", "") == "mps" {
			l.kinds = scenario.MPS
		}
		s.spawn(l)
	case "kill":
		for _, arg := range d.CmdArgs {
			pid, err := strconv.Atoi(arg.Key)
			if err != nil {
				return err
			}
			s.kill(pid)
		}
	case "advance":
		time.Sleep(a.time("0", 0))
		synctest.Wait()
	case "finish":
		length := s.now() - s.started
		s.finish(min(length/20, 150*ms))
	case "ledger":
	default:
		return fmt.Errorf("no command %q", d.Cmd)
	}
	return a.err
}

// describe adds a line of the node's description.
func (s *stage) describe(fields []string) error {
	a := arguments{values: map[string]string{}}
	for _, f := range fields[1:] {
		key, value, _ := strings.Cut(f, "=")
		a.values[key] = value
	}
	switch fields[0] {
	case "gpu":
		boards := map[string]func(string) scenario.Device{
			"hopper": scenario.Hopper, "ga100": scenario.GA100, "ada": scenario.Ada, "turing": scenario.Turing,
			"volta": scenario.Volta, "pascal": scenario.Pascal, "maxwell": scenario.Maxwell, "gracehopper": scenario.GraceHopper,
		}
		board, ok := boards[fields[1]]
		if !ok {
			return fmt.Errorf("no board %q", fields[1])
		}
		d := board(fmt.Sprintf("GPU-%d", len(s.node.Devices)))
		d.Idle, d.Context = a.watts("idle", d.Idle), a.watts("context", 0)
		if reset := a.time("reset", 0); reset > 0 {
			d.Resets = []time.Duration{reset}
		}
		s.node.Devices = append(s.node.Devices, d)
	case "instance":
		d := &s.node.Devices[a.number("gpu", 0)]
		d.Instances = append(d.Instances, scenario.Instance{
			UUID: fields[1], GPUInstance: uint32(a.number("id", 0)), Slices: a.number("slices", 1), Memory: 10 << 30,
			From: a.time("from", 0), To: a.time("to", 0),
		})
	case "cpu":
		s.node.CPU = scenario.CPU{Vendor: "GenuineIntel", Model: "Intel(R) Xeon(R) Platinum 8480+", LogicalCPUs: 8, MemoryBytes: 64 << 30}
		if limit := a.watts("max", 0); limit > 0 {
			s.node.CPU.Packages = []scenario.Package{{Idle: a.watts("idle", 0), Max: limit}}
		}
	case "fault":
		f := scenario.Fault{Device: a.number("device", 0), At: a.time("at", 0), For: a.time("for", 0), Value: uint64(a.number("value", 0)), Times: a.number("times", 0)}
		f.Kind = map[string]scenario.FaultKind{"lost": scenario.Lost, "transient": scenario.Transient, "hung": scenario.Hang, "garbage": scenario.Garbage}[a.text("kind", "lost")]
		f.Call = map[string]scenario.Call{"": scenario.AnyCall, "counter": scenario.CallCounter, "power": scenario.CallPower,
			"utilization": scenario.CallUtilization, "processes": scenario.CallProcesses}[a.text("call", "")]
		s.node.Faults = append(s.node.Faults, f)
	case "driver":
		s.node.MissingSymbols = strings.Split(a.text("without", ""), ",")
	default:
		return fmt.Errorf("no %q", fields[0])
	}
	return a.err
}

// arguments are a command's words; those without a key are numbered from 0. The
// first mistake in them is kept.
type arguments struct {
	values map[string]string
	err    error
}

func words(args []datadriven.CmdArg) *arguments {
	a := &arguments{values: map[string]string{}}
	n := 0
	for _, arg := range args {
		if len(arg.Vals) == 0 {
			a.values[strconv.Itoa(n)] = arg.Key
			n++
			continue
		}
		a.values[arg.Key] = strings.Join(arg.Vals, ",")
	}
	return a
}

func (a *arguments) text(key, otherwise string) string {
	if v, ok := a.values[key]; ok {
		return v
	}
	return otherwise
}

func (a *arguments) float(key string, otherwise float64) float64 {
	v, ok := a.values[key]
	if !ok {
		return otherwise
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil {
		a.err = err
	}
	return f
}

func (a *arguments) number(key string, otherwise int) int {
	return int(a.float(key, float64(otherwise)))
}

func (a *arguments) watts(key string, otherwise energy.Power) energy.Power {
	return energy.FromWatts(a.float(key, otherwise.Watts()))
}

func (a *arguments) time(key string, otherwise time.Duration) time.Duration {
	v, ok := a.values[key]
	if !ok {
		return otherwise
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		a.err = err
	}
	return d
}
