package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/nvml"
	"greenagent/profile"
)

// deviceView is what one GPU answered.
type deviceView struct {
	nvml.Device
	source collector.Domain // as a run would have it
	before *profile.Profile // what is known of it, nil if nothing is

	sample      nvml.Sample
	sampled     error
	processes   int
	listed      error
	utilization error
	gpm         error // of MIG instances
}

// recalling is for how long what is known of a GPU is waited for, which may be kept
// on a network.
const recalling = time.Second

// before returns what is known of a GPU, nil if nothing is that can be read.
func (o Options) before(ctx context.Context, d nvml.Device) *profile.Profile {
	known, _ := within(ctx, recalling, func() *profile.Profile {
		p, err := o.Store.Load(d.UUID, d.Driver)
		if err != nil {
			return nil
		}
		return &p
	})
	return known
}

// questions is the part of NVML that is tried.
type questions interface {
	Sample(device int, dst *nvml.Sample) error
	Processes(device int, dst []nvml.Process) ([]nvml.Process, error)
	Utilization(device int, since uint64, dst []nvml.Utilization) ([]nvml.Utilization, error)
	Activity(device int, dst []nvml.InstanceActivity) ([]nvml.InstanceActivity, error)
}

func lookAtDevice(lib questions, i int, d nvml.Device, source collector.Domain) deviceView {
	v := deviceView{Device: d, source: source}
	v.sampled = lib.Sample(i, &v.sample)
	processes, err := lib.Processes(i, nil)
	v.processes, v.listed = len(processes), err
	_, v.utilization = lib.Utilization(i, 0, nil)
	if d.Instances != nil {
		_, v.gpm = lib.Activity(i, nil)
	}
	return v
}

// silent reports whether the device told neither energy nor power.
func (v *deviceView) silent() bool {
	return !v.sample.HasCounter && !v.sample.HasInstant && !v.sample.HasAverage
}

func (v *deviceView) checks() []Check {
	checks := []Check{v.counter()}
	if !v.silent() {
		checks = append(checks, v.power())
	}
	if !errors.Is(v.sampled, nvml.ErrAsleep) {
		checks = append(checks, v.lists(), v.activity(), v.mig())
	}
	if c := v.source.Calibration; !c.None() {
		checks = append(checks, check(gpuCalibration, Pass, "calibrated: "+c.String(), "", ""))
	}
	if v.before != nil {
		checks = append(checks, v.known())
	}
	for i := range checks {
		checks[i] = checks[i].of(v.UUID)
	}
	return checks
}

func (v *deviceView) counter() Check {
	uncounted := []string{"Kepler", "Maxwell", "Pascal"}
	switch {
	case v.sample.HasCounter:
		return check(gpuCounter, Pass, "energy counter", "", "")
	case v.silent():
		return v.unmeasured()
	case slices.Contains(uncounted, v.Architecture):
		return check(gpuCounter, Info, "no energy counter: power is integrated",
			"GPUs before Volta have none. Short runs are less certain.", "")
	}
	return check(gpuCounter, Warn, "no energy counter: power is integrated",
		"GPUs since Volta have one; some drivers and virtual GPUs do not show it. Short runs are less certain.", "")
}

// unmeasured says why the device told nothing.
func (v *deviceView) unmeasured() Check {
	err := v.sampled
	remedy, detail := mend(err, v.UUID)
	broken := func(what string) Check {
		if detail != "" {
			detail = ". " + detail
		}
		return check(gpuCounter, Fail, what, err.Error()+detail, remedy)
	}
	switch {
	case err == nil, errors.Is(err, nvml.ErrUnsupported):
		return check(gpuCounter, Warn, "it tells neither energy nor power", "Its energy is missing. Some small boards have no sensor, and virtual GPUs do not show it.", "")
	case errors.Is(err, nvml.ErrAsleep):
		return check(gpuCounter, Info, "it is asleep, and was not woken", "It is measured once something uses it.", "")
	case errors.Is(err, nvml.ErrLost):
		return broken("it is lost")
	case errors.Is(err, nvml.ErrHung):
		return broken("it does not answer")
	case errors.Is(err, nvml.ErrPermission):
		return broken("this user may not read it")
	case errors.Is(err, nvml.ErrTransient):
		return check(gpuCounter, Warn, "it did not answer this time", err.Error(), "greenagent doctor")
	}
	return broken("it cannot be read")
}

func (v *deviceView) power() Check {
	s := &v.sample
	most := max(s.Instant, s.Average)
	switch {
	case !s.HasInstant && !s.HasAverage:
		return check(gpuPower, Warn, "no power: its energy is known, its course within a tick of the counter is not", "", "")
	case v.MaxLimit > 0 && most > v.MaxLimit+v.MaxLimit/2:
		return check(gpuPower, Warn, fmt.Sprintf("it says %s, where the board takes %s at most", most, v.MaxLimit),
			"Some boards and drivers do so for a moment. Such readings are rejected.", "")
	case s.Scope == nvml.ScopeModule && s.HasCounter:
		return check(gpuPower, Info, "power is that of the whole module", "It is not used: energy comes from the counter, which is the GPU's alone.", "")
	case s.Scope == nvml.ScopeModule:
		return check(gpuPower, Warn, "power is that of the whole module, CPU included", "The driver does not tell the GPU's alone.", "")
	case s.HasInstant && s.HasAverage:
		return check(gpuPower, Pass, "instant and average power", "", "")
	case s.HasInstant:
		return check(gpuPower, Pass, "instant power", "", "")
	}
	return check(gpuPower, Pass, "average power", "", "")
}

func (v *deviceView) lists() Check {
	switch err := v.listed; {
	case err == nil:
		return check(gpuProcesses, Pass, "the driver lists processes", fmt.Sprintf("%d now", v.processes), "")
	case errors.Is(err, nvml.ErrUnsupported):
		return check(gpuProcesses, Warn, "the driver lists no processes", "Its energy cannot be given to those who use it.", "")
	default:
		remedy, detail := mend(err, v.UUID)
		return check(gpuProcesses, Warn, "its processes cannot be listed", joined(err, detail), remedy)
	}
}

func (v *deviceView) activity() Check {
	switch err := v.utilization; {
	case err == nil:
		return check(gpuUtilization, Pass, "the driver samples who is active", "", "")
	case errors.Is(err, nvml.ErrUnsupported) && v.Instances != nil:
		return check(gpuUtilization, Info, "the driver does not sample who is active",
			"It does not under MIG. Energy is shared among the instances in use.", "")
	case errors.Is(err, nvml.ErrUnsupported):
		return check(gpuUtilization, Warn, "the driver does not sample who is active",
			"Energy is shared by the memory that processes hold; a process that is alone is told exactly.", "")
	default:
		remedy, detail := mend(err, v.UUID)
		return check(gpuUtilization, Warn, "who is active cannot be read", joined(err, detail), remedy)
	}
}

func (v *deviceView) mig() Check {
	switch n := len(v.Instances); {
	case v.Instances == nil:
		return check(gpuMIG, Pass, "MIG is off", "", "")
	case n == 0:
		return check(gpuMIG, Info, "MIG is on, and no instance is set up", "Nothing can run on it until one is: sudo nvidia-smi mig -lgip lists what fits.", "")
	}
	return v.instances()
}

// instances says by what the energy of MIG instances is told apart.
func (v *deviceView) instances() Check {
	const whole = "Instances have no power of their own: the energy of the whole GPU is measured, and shared among those in use "
	summary := fmt.Sprintf("MIG is on, instances: %d", len(v.Instances))
	switch err := v.gpm; {
	case err == nil:
		return check(gpuMIG, Info, summary+", told apart by how busy they are (GPM)",
			whole+"by how busy they are and how large. That power follows is a prior: the ± allows for it.", "")
	case errors.Is(err, nvml.ErrUnsupported):
		return check(gpuMIG, Info, summary+", told apart by their size",
			whole+"by their size, as neither this GPU nor its driver tell how busy they are (GPM: Hopper and newer).", "")
	default:
		remedy, detail := mend(err, v.UUID)
		return check(gpuMIG, Warn, summary+", told apart by their size",
			whole+"by their size: how busy they are cannot be read. "+joined(err, detail), remedy)
	}
}

func joined(err error, detail string) string {
	if detail == "" {
		return err.Error()
	}
	return err.Error() + ". " + detail
}

// known says what runs start from. They look for what is not known, and verify what
// is.
func (v *deviceView) known() Check {
	k := v.before.Known()
	var parts []string
	add := func(known bool, text string) {
		if known {
			parts = append(parts, text)
		}
	}
	add(k.CounterTick > 0, "its counter ticks every "+shortly(k.CounterTick))
	add(k.PowerTick > 0, "its power sensor every "+shortly(k.PowerTick))
	add(k.Idle > 0, "it idles at "+k.Idle.String())
	if len(parts) == 0 {
		parts = []string{"nothing that a run could start from"}
	}
	how := "learnt from runs, "
	if v.before.Characterised != nil {
		how = "characterised, "
	}
	return check(gpuProfile, Pass, how+v.before.Learnt.Format(time.DateOnly)+": "+strings.Join(parts, ", "), "", "")
}

// domain says how the device's energy is known.
func (v *deviceView) domain() Domain {
	if v.silent() {
		d := missing(collector.GPU, v.unmeasured().Summary)
		d.Names = []string{v.Name}
		return d
	}
	d := Domain{Type: collector.GPU, State: Measured, Names: []string{v.Name}, By: "NVML energy counter", Why: v.source.Note, Uncertainty: expanded(v.source.Gain)}
	if c := v.source.Calibration; !c.None() {
		d.Uncertainty = expanded(c.Uncertainty)
	}
	if v.source.Basis == energy.Integrated {
		d.By = "NVML power"
	}
	return d
}
