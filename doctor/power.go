package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"greenagent/collector"
	"greenagent/collector/host"
)

// powerView is what tells the power of CPU, memory and node.
type powerView struct {
	sys      error // why /sys cannot be read
	rapl     sensorView
	hwmon    sensorView
	chosen   []collector.Domain // what a run would use
	answered bool               // chosen is known
}

// sensorView is one source of power, opened once and closed again.
type sensorView struct {
	domains  []host.Domain
	warnings []error
	err      error
}

// source is what the sources of package host have in common.
type source interface {
	Domains() []host.Domain
	Warnings() []error
	Close() error
}

func view[S source](s S, err error) sensorView {
	if err != nil {
		return sensorView{err: err}
	}
	defer s.Close()
	return sensorView{domains: s.Domains(), warnings: s.Warnings()}
}

func lookAtPower(ctx context.Context, o Options, facts host.Facts) powerView {
	var v powerView
	_, v.sys = os.Stat(filepath.Join(o.Machine.Sys, "class"))
	bounded := func(open func() sensorView) sensorView {
		if seen, answered := within(ctx, o.Timeout, open); answered {
			return seen
		}
		return sensorView{err: errNoAnswer}
	}
	v.rapl = bounded(func() sensorView { return view(host.OpenPowercap(o.Machine.Sys, o.Machine.Clock)) })
	v.hwmon = bounded(func() sensorView { return view(host.OpenHwmon(o.Machine.Sys, o.Machine.Clock)) })
	if errors.Is(v.rapl.err, errNoAnswer) || errors.Is(v.hwmon.err, errNoAnswer) {
		return v // who waits for it once waits for it again
	}
	v.chosen, v.answered = within(ctx, o.Timeout, func() []collector.Domain {
		h := o.Machine.OpenHost(facts)
		defer h.Close()
		return h.Source.Domains()
	})
	return v
}

// sensorOf names the sensor behind a chosen domain, "" for the model.
func (v *powerView) sensorOf(d collector.Domain) string {
	id := strings.TrimPrefix(d.ID, string(d.Type)+":")
	has := func(s sensorView) bool {
		return slices.ContainsFunc(s.domains, func(d host.Domain) bool { return d.ID == id })
	}
	switch {
	case has(v.rapl):
		return "RAPL energy counter"
	case has(v.hwmon) && d.Counter:
		return "hwmon energy counter"
	case has(v.hwmon):
		return "hwmon power meter"
	}
	return ""
}

// domains says how the energy of CPU, memory and node is known.
func (v *powerView) domains() []Domain {
	absent := map[collector.Type]string{
		collector.CPU:    "neither a sensor nor what a model needs was found",
		collector.Memory: "neither a sensor nor what a model needs was found",
		collector.Host:   "no meter of the whole machine: the total is that of its parts",
	}
	var domains []Domain
	for _, t := range []collector.Type{collector.CPU, collector.Memory, collector.Host} {
		found := false
		for _, d := range v.chosen {
			if d.Type != t {
				continue
			}
			found = true
			known := Domain{Type: t, State: Measured, Names: []string{d.Name}, By: v.sensorOf(d), Why: d.Note, Uncertainty: expanded(d.Gain)}
			if !d.Basis.Measured() {
				known.State, known.By = Modelled, "a model"
			}
			domains = append(domains, known)
		}
		switch {
		case found:
		case !v.answered:
			domains = append(domains, missing(t, "a sensor does not answer"))
		default:
			domains = append(domains, missing(t, absent[t]))
		}
	}
	return domains
}

// state says how a type's energy is known, and from what.
func (v *powerView) state(t collector.Type) (State, collector.Domain) {
	for _, d := range v.chosen {
		switch {
		case d.Type != t:
		case d.Basis.Measured():
			return Measured, d
		default:
			return Modelled, d
		}
	}
	return Missing, collector.Domain{}
}

func (v *powerView) checks(sys string, facts *host.Facts, container bool) []Check {
	if v.sys != nil {
		remedy := "sudo mount -t sysfs sysfs /sys"
		if sys != "/sys" {
			remedy = "greenagent doctor --sys-root /sys"
		}
		checks := []Check{check(sysReadable, Fail, sys+" cannot be read: no sensor of the host can be found", v.sys.Error(), remedy)}
		return append(checks, v.modelChecks()...)
	}
	checks := []Check{check(sysReadable, Pass, sys+" can be read", "", "")}
	checks = append(checks, v.raplChecks(facts, container)...)
	checks = append(checks, v.hwmonCheck())
	return append(checks, v.modelChecks()...)
}

func (v *powerView) raplChecks(facts *host.Facts, container bool) []Check {
	if err := v.rapl.err; errors.Is(err, host.ErrAbsent) && !errors.Is(err, host.ErrMasked) && !errors.Is(err, host.ErrPermission) {
		return []Check{v.noRAPL(facts)}
	}
	names := make([]string, len(v.rapl.domains))
	for i, d := range v.rapl.domains {
		names[i] = d.Name
	}
	present := check(raplPresent, Pass, "the processor counts its energy", strings.Join(names, ", "), "")
	return []Check{present, v.readRAPL(container)}
}

func (v *powerView) noRAPL(facts *host.Facts) Check {
	state, _ := v.state(collector.CPU)
	none := check(raplPresent, Warn, "no RAPL counters: CPU energy is "+string(state), "", "")
	intel := facts.Vendor == "GenuineIntel" || facts.Vendor == "AuthenticAMD" || facts.Vendor == "HygonGenuine"
	switch {
	case state == Measured:
		none.Status, none.Detail = Info, "Another sensor measures it."
	case facts.Virtual:
		none.Detail = "The hypervisor does not pass them on to this virtual machine; only its host can measure."
	case intel:
		none.Detail = "Processors since 2011 (Intel) and 2017 (AMD, with Linux 5.8) have them; the kernel module that shows them is not loaded."
		none.Remedy = "sudo modprobe intel_rapl_msr"
	default:
		none.Detail = "Linux shows none for this processor."
	}
	return none
}

// allowRAPL lets every user read the counters, until the next boot.
const allowRAPL = "sudo chmod o+r /sys/class/powercap/intel-rapl*:*/energy_uj"

// platypus is the price of that: Lipp et al., "PLATYPUS: Software-based Power
// Side-Channel Attacks on x86", S&P 2021.
const platypus = "Only root may read them since Linux 5.10, as fine-grained readings betray what other programs compute (PLATYPUS, CVE-2020-8694). " +
	"The command opens them to every user until the next boot; on a machine shared with strangers, run greenagent as root instead."

// hostSys starts a container with the host's /sys beside the masked one.
const hostSys = "docker run -v /sys:/host/sys:ro IMAGE greenagent doctor --sys-root /host/sys"

func (v *powerView) readRAPL(container bool) Check {
	err := v.rapl.err
	if err == nil && len(v.rapl.warnings) > 0 {
		err = errors.Join(v.rapl.warnings...)
	}
	what := "the counters"
	if len(v.rapl.domains) > 0 {
		what = "some of the counters"
	}
	state, _ := v.state(collector.CPU)
	so := ": CPU energy is " + string(state)
	switch {
	case err == nil:
		return check(raplReadable, Pass, fmt.Sprintf("counters that can be read: %d", len(v.rapl.domains)), "", "")
	case errors.Is(err, errNoAnswer):
		return check(raplReadable, Fail, "reading the counters does not come back", "A driver or the firmware is stuck.", "sudo reboot")
	case errors.Is(err, host.ErrMasked):
		return check(raplReadable, Warn, "the container runtime hides "+what+so,
			"It puts something empty over them, for the same reason that they are root's. In Kubernetes: a hostPath volume of /sys.", hostSys)
	case errors.Is(err, host.ErrPermission) && container:
		return check(raplReadable, Warn, "this user may not read "+what+so, platypus+" In a container, that is a command for its host.", allowRAPL)
	case errors.Is(err, host.ErrPermission):
		return check(raplReadable, Warn, "this user may not read "+what+so, platypus, allowRAPL)
	}
	return check(raplReadable, Warn, what+" cannot be read"+so, err.Error(), "")
}

func (v *powerView) hwmonCheck() Check {
	var placed, others []string
	for _, d := range v.hwmon.domains {
		if d.Type == host.Unknown {
			others = append(others, d.Name)
		} else {
			placed = append(placed, fmt.Sprintf("%s (%s)", d.Name, d.Type))
		}
	}
	unused := ""
	if len(others) > 0 {
		unused = "Not used, as nobody knows what they measure: " + strings.Join(others, ", ") + "."
	}
	err := errors.Join(v.hwmon.warnings...)
	if v.hwmon.err != nil && !errors.Is(v.hwmon.err, host.ErrAbsent) {
		err = v.hwmon.err
	}
	switch {
	case errors.Is(err, errNoAnswer):
		return check(hwmonMeter, Fail, "reading a power meter does not come back", "A driver or the firmware is stuck.", "sudo reboot")
	case errors.Is(err, host.ErrPermission):
		return check(hwmonMeter, Warn, "this user may not read a power meter", err.Error(),
			"sudo chmod -f o+r /sys/class/hwmon/hwmon*/power*_average /sys/class/hwmon/hwmon*/device/power*_average /sys/class/hwmon/hwmon*/energy*_input")
	case err != nil:
		return check(hwmonMeter, Warn, "a power meter cannot be read", err.Error(), "")
	case len(placed) > 0:
		return check(hwmonMeter, Pass, strings.Join(placed, ", "), unused, "")
	}
	return check(hwmonMeter, Info, "no power meter of CPU, module or node", unused, "")
}

func (v *powerView) modelChecks() []Check {
	about := func(id, what string, t collector.Type) Check {
		state, d := v.state(t)
		switch state {
		case Measured:
			return check(id, Pass, what+" energy is measured, no model is needed", "", "")
		case Modelled:
			return check(id, Info, fmt.Sprintf("%s energy is modelled, ±%.0f %%", what, 100*(*expanded(d.Gain))), d.Note, "")
		}
		return check(id, Warn, what+" energy is missing", "There is neither a sensor nor what a model needs.", "")
	}
	return []Check{about(cpuModel, "CPU", collector.CPU), about(memoryModel, "memory", collector.Memory)}
}
