package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"greenagent/collector"
	"greenagent/nvml"
)

// gpuView is what NVML shows.
type gpuView struct {
	path     string // of the library, "" for the system's
	err      error  // why NVML could not be opened
	driver   string // version
	took     time.Duration
	devices  []deviceView
	warnings []error // about devices that are left out
	asleep   int     // of those that are left out so as not to wake them
}

// warn sorts what the library says of devices that are left out.
func (v *gpuView) warn(warnings []error) {
	for _, err := range warnings {
		if errors.Is(err, nvml.ErrAsleep) {
			v.asleep++
		} else {
			v.warnings = append(v.warnings, err)
		}
	}
}

// slowStart is how long a start of NVML may take: a GPU that nothing keeps
// attached is initialised anew each time, for a second or so.
const slowStart = 2 * time.Second

// errSlow is the cause of giving up on NVML as a whole.
var errSlow = fmt.Errorf("it takes longer than --timeout allows: %w", nvml.ErrHung)

// lookAtGPUs opens NVML and asks each device every question once. A device that
// hangs costs half a timeout; some of them must not hide the others.
func lookAtGPUs(ctx context.Context, o Options) gpuView {
	v := gpuView{path: o.Machine.NVML}
	ctx, cancel := context.WithTimeoutCause(ctx, 3*o.Timeout, errSlow)
	defer cancel()
	began := o.Machine.Clock.Now()
	lib, err := nvml.Open(ctx, nvml.Options{
		Path: o.Machine.NVML, Clock: o.Machine.Clock, Proc: o.Machine.Proc, Sys: o.Machine.Sys,
		Timeout: o.Timeout / 2, InitTimeout: o.Timeout,
	})
	v.took = o.Machine.Clock.Now().Sub(began)
	if err != nil {
		v.err = err
		return v
	}
	defer lib.Close()
	v.driver = lib.Driver()
	v.warn(lib.Warnings())
	known := map[string]collector.Known{}
	for _, d := range lib.Devices() {
		if o.Machine.Known != nil {
			known[d.UUID] = o.Machine.Known(d)
		}
	}
	domains := collector.NewGPUs(lib, known).Domains()
	for i, d := range lib.Devices() {
		view := lookAtDevice(lib, i, d, domains[i])
		view.before = o.before(ctx, d)
		v.devices = append(v.devices, view)
	}
	return v
}

// checks judges what NVML said by what else is known of cards and driver.
func (v *gpuView) checks(driver *driverView) []Check {
	if v.err != nil {
		return v.failure(driver)
	}
	checks := v.opened(driver)
	for i := range v.devices {
		checks = append(checks, v.devices[i].checks()...)
	}
	return checks
}

// opened are the checks of an NVML that is open.
func (v *gpuView) opened(driver *driverView) []Check {
	path := v.path
	if path == "" {
		path = "libnvidia-ml.so.1"
	}
	return []Check{
		check(nvmlLibrary, Pass, path, "", ""),
		v.start(driver),
		check(nvmlVersion, Pass, "library and driver match", "", ""),
		v.inventory(driver),
	}
}

func (v *gpuView) start(driver *driverView) Check {
	if v.took < slowStart {
		return check(nvmlDriver, Pass, strings.TrimSpace("driver "+v.driver), "", "")
	}
	remedy, where := "sudo nvidia-smi -pm 1", ""
	if driver.container {
		where = " In a container, that is a command for its host."
	}
	return check(nvmlDriver, Warn, fmt.Sprintf("driver %s, whose start took %.1f s", v.driver, v.took.Seconds()),
		"Nothing keeps the GPUs attached while nobody uses them, so that the beginning of each run goes unseen. Persistence mode keeps them attached."+where, remedy)
}

// inventory compares NVML's devices to the cards on the bus.
func (v *gpuView) inventory(driver *driverView) Check {
	names := make([]string, len(v.devices))
	for i, d := range v.devices {
		names[i] = d.Name
	}
	what := counted(names)
	if len(v.warnings) > 0 {
		remedy, detail := mend(errors.Join(v.warnings...), "")
		return check(gpuDevices, Fail, fmt.Sprintf("%d of %d GPUs do not answer", len(v.warnings), len(v.warnings)+len(v.devices)),
			strings.TrimSpace(sentences(v.warnings)+" "+detail), remedy)
	}
	lacking := driver.ours() - len(v.devices) - v.asleep
	switch {
	case v.asleep > 0:
		return check(gpuDevices, Info, strings.TrimPrefix(fmt.Sprintf("%s, and %d asleep", what, v.asleep), ", and "),
			"Those that sleep were not woken. They are measured once something uses them.", "")
	case lacking > 0 && driver.container:
		c := check(gpuDevices, Info, what, fmt.Sprintf("The machine has %d more that this container was not given.", lacking), "")
		if len(v.devices) == 0 {
			c.Status, c.Summary, c.Remedy = Warn, "this container was given no GPU", withGPUs
		}
		return c
	case lacking > 0:
		return check(gpuDevices, Warn, fmt.Sprintf("%d of %d GPUs on the PCI bus are unknown to the driver", lacking, driver.ours()),
			"It could not start them; sudo dmesg | grep NVRM says why. On the bus: "+driver.where()+".", "sudo reboot")
	case len(v.devices) == 0:
		return check(gpuDevices, Info, "the driver finds no GPU", "", "")
	}
	return check(gpuDevices, Pass, what, "", "")
}

// failure judges why NVML could not be opened.
func (v *gpuView) failure(driver *driverView) []Check {
	because := v.err.Error()
	found := check(nvmlLibrary, Pass, "the library is there", "", "")
	switch err := v.err; {
	case !ReachesNVML:
		return []Check{devicesUnseen(driver, nil)}
	case errors.Is(err, nvml.ErrAbsent):
		return v.noLibrary(driver)
	case errors.Is(err, nvml.ErrVersionMismatch):
		return []Check{found, mismatch(driver, because), devicesUnseen(driver, err)}
	case errors.Is(err, nvml.ErrNoDriver):
		return []Check{found, notLoaded(driver), devicesUnseen(driver, err)}
	case errors.Is(err, nvml.ErrAsleep):
		// The library was not looked at, either.
		return []Check{check(gpuDevices, Info, "all GPUs are asleep, and were not woken",
			"They are measured once something uses them. On the bus: "+driver.where()+".", "")}
	case errors.Is(err, nvml.ErrLost), errors.Is(err, nvml.ErrUnsupported):
		// NVML started; it is the devices, every one, that failed.
		remedy, detail := mend(err, "")
		return []Check{found, check(gpuDevices, Fail, "no GPU answers", strings.TrimSpace(because+". "+detail), remedy)}
	case errors.Is(err, nvml.ErrPermission):
		remedy, detail := driver.permit()
		return []Check{found, check(nvmlDriver, Fail, "this user may not use the driver", strings.TrimSpace(because+". "+detail), remedy), devicesUnseen(driver, err)}
	case errors.Is(err, nvml.ErrHung):
		return []Check{found, check(nvmlDriver, Fail, "the driver does not answer",
			because+". If it is only slow, as with many GPUs that nothing keeps attached, --timeout 1m waits longer.", "sudo reboot"), devicesUnseen(driver, err)}
	case driver.container:
		// GPUs taken away from a running container, by a reload of systemd:
		// github.com/NVIDIA/nvidia-container-toolkit/issues/48.
		return []Check{found, check(nvmlDriver, Fail, "the driver fails",
			because+". A container that was given GPUs loses them when systemd on its host reloads; started anew, it has them again.", withGPUs), devicesUnseen(driver, err)}
	}
	return []Check{found, check(nvmlDriver, Fail, "the driver fails", because, "sudo reboot"), devicesUnseen(driver, v.err)}
}

func (v *gpuView) noLibrary(driver *driverView) []Check {
	because := v.err.Error()
	unseen := devicesUnseen(driver, v.err)
	switch {
	case v.path != "":
		return []Check{check(nvmlLibrary, Fail, v.path+" cannot be used", because, "greenagent doctor --nvml-library libnvidia-ml.so.1"), unseen}
	case driver.present():
		remedy, detail := driver.installLibrary()
		return []Check{check(nvmlLibrary, Fail, "the driver is there, its library libnvidia-ml.so.1 is not", strings.TrimSpace(because+". "+detail), remedy), unseen}
	}
	absent := check(nvmlLibrary, Info, "no NVIDIA driver is installed", "", "")
	switch {
	case len(driver.cards) == 0:
		return []Check{absent, unseen}
	case driver.lent():
		absent.Detail = "Its GPUs are lent to virtual machines, which can measure them."
		return []Check{absent, unseen}
	}
	remedy, detail := driver.installDriver()
	if driver.nouveau() {
		detail = strings.TrimSpace("The driver nouveau, which has them, tells no energy. " + detail)
	}
	return []Check{absent, check(nvmlDriver, Warn, "there is an NVIDIA GPU without its driver",
		strings.TrimSpace("On the bus: "+driver.where()+". "+detail), remedy), unseen}
}

// mismatch: the user-space part of the driver was upgraded, the kernel's part is
// the old one until its modules are loaded anew; or a container still has the
// library its host had when it was started.
func mismatch(driver *driverView, because string) Check {
	loaded := ""
	if driver.version != "" {
		loaded = " The kernel's is " + driver.version + "."
	}
	c := check(nvmlVersion, Fail, "library and driver are of different versions",
		because+"."+loaded+" So it is after an upgrade. Instead of a restart, with every program that uses a GPU stopped: "+
			"sudo rmmod nvidia_drm nvidia_modeset nvidia_uvm nvidia && sudo modprobe nvidia", "sudo reboot")
	if driver.container {
		c.Detail, c.Remedy = because+"."+loaded+" The host's driver was upgraded since this container was started; started anew, it has the new library.", withGPUs
	}
	return c
}

func notLoaded(driver *driverView) Check {
	switch {
	case driver.container && (driver.loaded || driver.ours() > 0):
		return check(nvmlDriver, Fail, "this container cannot reach the driver", "It was started without the GPUs' device nodes. "+inKubernetes, withGPUs)
	case driver.loaded && driver.control == nil:
		return check(nvmlDriver, Fail, "the driver is loaded, and its device nodes are missing", "", "sudo nvidia-modprobe -c 0")
	case driver.nouveau():
		return check(nvmlDriver, Fail, "the driver is not loaded: nouveau has the GPU", "A restart after the installation lets it take over. On the bus: "+driver.where()+".", "sudo reboot")
	case driver.ours() > 0:
		return check(nvmlDriver, Fail, "the driver is not loaded", "On the bus: "+driver.where()+".", "sudo modprobe nvidia")
	}
	return check(nvmlDriver, Info, "the driver is not loaded, and there is no GPU for it", "", "")
}

// devicesUnseen says which GPUs there are where NVML cannot.
func devicesUnseen(driver *driverView, err error) Check {
	if n := len(driver.cards); n > 0 {
		return check(gpuDevices, Info, fmt.Sprintf("%d on the PCI bus, none of them readable", n), driver.where(), "")
	}
	if driver.present() || err != nil && !errors.Is(err, nvml.ErrAbsent) && !errors.Is(err, nvml.ErrNoDriver) {
		return check(gpuDevices, Info, "none that could be seen without NVML", "", "")
	}
	return check(gpuDevices, Info, "no NVIDIA GPU", "", "")
}

// mend returns what helps against an error of a device, "" for every one of them.
func mend(err error, uuid string) (remedy, detail string) {
	switch {
	case errors.Is(err, nvml.ErrHung):
		return "sudo reboot", "A call to the driver does not return; sudo dmesg | grep Xid may say why."
	case errors.Is(err, nvml.ErrLost) && uuid != "":
		return "sudo nvidia-smi --gpu-reset -i " + uuid, "Its processes must have ended. If that does not help, restart the machine."
	case errors.Is(err, nvml.ErrLost):
		return "sudo nvidia-smi --gpu-reset", "All processes on GPUs must have ended. If that does not help, restart the machine."
	case errors.Is(err, nvml.ErrNoDriver):
		return "sudo modprobe nvidia", "The driver was unloaded a moment ago."
	}
	return "", ""
}

// counted sums up names: "7 × NVIDIA H100, 1 × NVIDIA A30".
func counted(names []string) string {
	var order []string
	count := map[string]int{}
	for _, n := range names {
		if count[n]++; count[n] == 1 {
			order = append(order, n)
		}
	}
	for i, n := range order {
		order[i] = fmt.Sprintf("%d × %s", count[n], n)
	}
	return strings.Join(order, ", ")
}

// sentences tells errors one after the other.
func sentences(errs []error) string {
	parts := make([]string, len(errs))
	for i, err := range errs {
		parts[i] = err.Error() + "."
	}
	return strings.Join(parts, " ")
}

// domains says how the energy of the GPUs is known.
func (v *gpuView) domains(checks []Check) []Domain {
	var domains []Domain
	for i := range v.devices {
		domains = append(domains, v.devices[i].domain())
	}
	for _, err := range v.warnings {
		domains = append(domains, missing(collector.GPU, err.Error()))
	}
	if len(domains) > 0 {
		return domains
	}
	// The worst check about GPUs says why there is none.
	var worst Check
	for _, c := range checks {
		about := slices.Contains([]string{buildCgo, nvmlLibrary, nvmlDriver, nvmlVersion, gpuDevices}, c.kind)
		if about && (worst.kind == "" || c.Status >= worst.Status) {
			worst = c
		}
	}
	return []Domain{missing(collector.GPU, worst.Summary)}
}
