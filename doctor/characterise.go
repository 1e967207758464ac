package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/profile"
)

// CharacteriseSchema names the form of a characterisation's JSON.
const CharacteriseSchema = "greenagent.characterise/1"

// Characterisation is what a closer look at each GPU found.
type Characterisation struct {
	Schema string            `json:"schema"`
	Status Status            `json:"status"` // the worst of the checks'
	GPUs   []profile.Profile `json:"gpus"`   // those that answered, in the driver's order
	Checks []Check           `json:"checks"` // in the order of Kinds
}

// Encode writes it as JSON.
func (c Characterisation) Encode(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(c)
}

// CharacteriseOptions says how to look.
type CharacteriseOptions struct {
	Options
	// For is how long to look. Default 10 s.
	For time.Duration
}

const (
	// denseLooks is the cadence at which every GPU is read.
	denseLooks = 2 * time.Millisecond
	// slowLooks is that of what changes slowly, and tagLooks that of who was active: a
	// little below the driver's own, of 7.2 a second.
	slowLooks = time.Second
	tagLooks  = 50 * time.Millisecond
)

// subject is the part of NVML that characterises a GPU.
type subject interface {
	questions
	PowerSamples(device int, since uint64, dst []nvml.PowerSample) ([]nvml.PowerSample, error)
	Status(device int, dst *nvml.Status) error
}

// Characterise looks at all GPUs at once for a time, and derives how their sensors
// behave. GPUs that are suspended are left asleep. It ends early with ctx, and tells
// what was seen by then. What does not answer is in the checks.
func Characterise(ctx context.Context, o CharacteriseOptions) Characterisation {
	o.Options = o.withDefaults()
	if o.For <= 0 {
		o.For = 10 * time.Second
	}
	c := Characterisation{Schema: CharacteriseSchema, GPUs: []profile.Profile{}, Checks: []Check{}}
	driver, _ := within(ctx, o.Timeout, func() driverView { return lookAtDriver(o.Machine, o.Dev) })
	o.Progress("waiting for the GPU driver")
	seen := gpuView{path: o.Machine.NVML}
	opening, cancel := context.WithTimeoutCause(ctx, 3*o.Timeout, errSlow)
	lib, err := nvml.Open(opening, nvml.Options{
		Path: o.Machine.NVML, Clock: o.Machine.Clock, Proc: o.Machine.Proc, Sys: o.Machine.Sys, Timeout: o.Timeout / 2, InitTimeout: o.Timeout,
	})
	cancel()
	if err != nil {
		seen.err = err
		c.Checks = append(seen.checks(&driver), buildCheck(ReachesNVML, &driver))
		c.complete()
		return c
	}
	defer lib.Close()
	seen.driver = lib.Driver()
	seen.warn(lib.Warnings())
	for _, d := range lib.Devices() {
		seen.devices = append(seen.devices, deviceView{Device: d})
	}
	c.Checks = seen.opened(&driver)
	sources := collector.NewGPUs(lib, nil).Domains()
	missing := lib.Missing()
	var trials []*trial
	for i, d := range lib.Devices() {
		trials = append(trials, newTrial(i, d, sources[i]))
	}
	watch(ctx, lib, o.Machine.Clock, trials, o.For, o.Progress)
	for _, t := range trials {
		known := profile.New(t.UUID, t.Driver, t.Name, t.Architecture, time.Now())
		if before := o.before(context.WithoutCancel(ctx), t.Device); before != nil {
			known = *before
		}
		c.Checks = append(c.Checks, t.checks()...)
		if t.answered() {
			t.describe(&known, time.Now())
			known.Missing = append([]string{}, missing...)
			c.GPUs = append(c.GPUs, known)
		}
	}
	c.complete()
	return c
}

func (c *Characterisation) complete() {
	r := Report{Checks: c.Checks}
	r.complete()
	c.Status, c.Checks = r.Status, r.Checks
}

// watch reads all trials in turn until the time is over, or ctx ends.
func watch(ctx context.Context, lib subject, clock energy.Clock, trials []*trial, length time.Duration, progress func(string)) {
	if len(trials) == 0 {
		return
	}
	begun := clock.Now()
	told := time.Duration(-1)
	timer := time.NewTimer(denseLooks)
	defer timer.Stop()
	for {
		now := clock.Now()
		past := now.Sub(begun)
		if left := (length - past).Truncate(time.Second); left != told {
			told = left
			progress(fmt.Sprintf("looking at the GPUs (%d), %v left", len(trials), left+time.Second))
		}
		if past >= length || ctx.Err() != nil {
			break
		}
		for _, t := range trials {
			t.look(lib, clock)
		}
		timer.Reset(max(0, denseLooks-clock.Now().Sub(now)))
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	for _, t := range trials {
		t.finish(lib, clock)
	}
}
