package doctor

import (
	"context"
	"time"

	"greenagent/collector"
	"greenagent/collector/host"
	"greenagent/meter"
	"greenagent/profile"
)

// Options says what to examine.
type Options struct {
	// Machine is where the machine's interfaces are. All of it must be set but
	// NVML.
	Machine meter.Machine
	// Dev is where device nodes are. Default "/dev".
	Dev string
	// Zone is where the machine is, "" if nobody said.
	Zone string
	// Timeout is how long to wait for an answer of each sensor, and of the start
	// of NVML. All GPUs together have three times as long: where nothing keeps
	// them attached, each takes a second or more to be started. Default 10 s.
	Timeout time.Duration
	// Store has what earlier runs have learnt of GPUs. It is not written to here.
	Store profile.Store
	// Progress, if set, is told what is being waited for.
	Progress func(what string)
}

func (o Options) withDefaults() Options {
	if o.Dev == "" {
		o.Dev = "/dev"
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return o
}

// Examine looks at the machine. What does not answer is in the report; so is
// what ctx cut short.
func Examine(ctx context.Context, o Options) Report {
	o = o.withDefaults()
	o.Progress("looking at the machine")
	facts, answered := within(ctx, o.Timeout, func() host.Facts {
		f, _ := o.Machine.Facts(ctx) // what is unknown shows in the checks
		return f
	})
	if !answered {
		facts.Family, facts.Model = -1, -1
	}
	proc, answered := within(ctx, o.Timeout, func() procView { return lookAtProc(o.Machine.Proc) })
	if !answered {
		proc.err = errNoAnswer
	}
	driver, _ := within(ctx, o.Timeout, func() driverView { return lookAtDriver(o.Machine, o.Dev) })
	driver.container, driver.os = proc.container, facts.OS

	o.Progress("waiting for the sensors of CPU and memory")
	power := lookAtPower(ctx, o, facts)
	o.Progress("waiting for the GPU driver")
	gpus := lookAtGPUs(ctx, o)

	r := Report{Host: Host{
		Name: facts.Hostname, OS: facts.OS, Kernel: facts.Kernel, CPU: facts.CPUModel, CPUs: facts.LogicalCPUs,
		Memory: facts.Memory, Virtual: facts.Virtual, Container: proc.container,
	}}
	r.Checks = append(r.Checks, buildCheck(ReachesNVML, &driver))
	r.Checks = append(r.Checks, gpus.checks(&driver)...)
	r.Checks = append(r.Checks, proc.checks(o.Machine.Proc, len(gpus.devices) > 0)...)
	r.Checks = append(r.Checks, power.checks(o.Machine.Sys, &facts, proc.container)...)
	r.Checks = append(r.Checks, cgroupCheck(o.Machine.Sys), zoneCheck(o.Zone))
	r.complete()
	r.Domains = merge(append(gpus.domains(r.Checks), power.domains()...))
	return r
}

// within runs a probe that may never come back: files of /proc and /sys are
// answered by drivers, by firmware and, in some containers, by other programs.
// A late probe is left behind with all it holds: it must write to nothing else.
func within[T any](ctx context.Context, limit time.Duration, probe func() T) (result T, answered bool) {
	done := make(chan T, 1)
	go func() { done <- probe() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case result = <-done:
		return result, true
	case <-timer.C:
	case <-ctx.Done():
	}
	return result, false
}

// missing is a domain that nothing tells about.
func missing(t collector.Type, why string) Domain {
	return Domain{Type: t, State: Missing, Names: []string{}, Why: why}
}

// expanded returns a relative standard uncertainty with k = 2.
func expanded(standard float64) *float64 {
	u := 2 * standard
	return &u
}
