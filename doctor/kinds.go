package doctor

import (
	"slices"
	"strings"
)

// Kind is a kind of check.
type Kind struct {
	// ID is the check's id. "<uuid>" stands for a device: there is one such
	// check for each.
	ID   string
	Asks string // the question it answers
	Else string // what WARN and FAIL mean, "" if neither occurs
}

// The ids.
const (
	buildCgo       = "build.cgo"
	nvmlLibrary    = "nvml.library"
	nvmlDriver     = "nvml.driver"
	nvmlVersion    = "nvml.version"
	gpuDevices     = "gpu.devices"
	gpuCounter     = "gpu.<uuid>.counter"
	gpuPower       = "gpu.<uuid>.power"
	gpuProcesses   = "gpu.<uuid>.processes"
	gpuUtilization = "gpu.<uuid>.utilization"
	gpuMIG         = "gpu.<uuid>.mig"
	gpuCalibration = "gpu.<uuid>.calibration"
	gpuProfile     = "gpu.<uuid>.profile"
	gpuAnswers     = "gpu.<uuid>.answers"
	gpuMonotone    = "gpu.<uuid>.monotone"
	gpuTick        = "gpu.<uuid>.tick"
	gpuCrosscheck  = "gpu.<uuid>.crosscheck"
	gpuLatency     = "gpu.<uuid>.latency"
	pidNamespace   = "pid.namespace"
	sysReadable    = "sys.readable"
	raplPresent    = "rapl.present"
	raplReadable   = "rapl.readable"
	hwmonMeter     = "hwmon.meter"
	cpuModel       = "cpu.model"
	memoryModel    = "memory.model"
	procReadable   = "proc.readable"
	procVisible    = "proc.visible"
	procChildren   = "proc.children"
	cgroupVersion  = "cgroup.version"
	zoneKnown      = "zone.known"
)

// kinds is every kind there is, in the order of a report.
var kinds = [...]Kind{
	{buildCgo, "Can this build reach NVML?", "FAIL: there is an NVIDIA driver, and the program was built without cgo."},
	{nvmlLibrary, "Is the NVIDIA management library there?", "FAIL: the driver is loaded and the library is missing, or the one asked for cannot be used."},
	{nvmlDriver, "Does the kernel's NVIDIA driver answer?", "WARN: there is a GPU without a driver, or the start takes seconds. FAIL: not loaded, no permission, no answer."},
	{nvmlVersion, "Are library and driver of one version?", "FAIL: they are not, as after an upgrade without a restart."},
	{gpuDevices, "Which GPUs are there, and do all of them answer?", "WARN: fewer than on the PCI bus. FAIL: one does not answer."},
	{gpuCounter, "Does the GPU count its energy?", "WARN: a GPU that should does not, or its energy is not known at all. FAIL: lost, hung, or forbidden."},
	{gpuPower, "Does the GPU tell its power, and of what?", "WARN: none, that of a whole module, or an impossible one."},
	{gpuProcesses, "Does the driver list who uses the GPU?", "WARN: energy of the GPU cannot be given to processes."},
	{gpuUtilization, "Does the driver tell who was active?", "WARN: energy is shared by memory instead."},
	{gpuMIG, "Is the GPU cut into MIG instances, and what tells them apart?", "WARN: it should tell how busy they are, and does not."},
	{gpuCalibration, "By what is its sensor calibrated?", ""},
	{gpuProfile, "What do runs know of its sensors beforehand?", ""},
	{gpuAnswers, "Does it answer each time? (characterise)", "WARN: some readings failed. FAIL: all did."},
	{gpuMonotone, "Does the counter only rise, and by what can be? (characterise)", "WARN: it fell, or leapt."},
	{gpuTick, "Does the counter tick evenly? (characterise)", "WARN: it stands still."},
	{gpuCrosscheck, "Do counter and power agree? (characterise)", "WARN: they are more than 10 % apart."},
	{gpuLatency, "Does the driver answer in time? (characterise)", "WARN: one in twenty readings takes over 20 ms."},
	{pidNamespace, "Are process ids those that the driver speaks of?", "WARN: there are GPUs, and this is a container with process ids of its own."},
	{sysReadable, "Is this a /sys?", "FAIL: it is not there or cannot be read, as with a wrong --sys-root."},
	{raplPresent, "Does the processor count its energy (RAPL)?", "WARN: it does not, or the kernel does not show it: the CPU is modelled."},
	{raplReadable, "May this user read the counters?", "WARN: all or some cannot be read. FAIL: no answer."},
	{hwmonMeter, "Is there another power meter of CPU, module or node?", "WARN: one is there and cannot be read. FAIL: no answer."},
	{cpuModel, "What is CPU energy taken from?", "WARN: neither sensor nor model: it is missing."},
	{memoryModel, "What is memory energy taken from?", "WARN: neither sensor nor model: it is missing."},
	{procReadable, "Is this a /proc?", "FAIL: it is not, or cannot be read, or does not answer."},
	{procVisible, "Are other users' processes visible?", "WARN: hidepid keeps them from this user."},
	{procChildren, "Does the kernel list children of processes?", ""},
	{cgroupVersion, "Which control groups are there?", ""},
	{zoneKnown, "Is it known where the electricity comes from?", "WARN: the zone that is set is none."},
}

// Kinds returns every kind of check, in the order of a report.
func Kinds() []Kind { return kinds[:] }

// place returns where a kind stands in a report.
func place(id string) int {
	return slices.IndexFunc(kinds[:], func(k Kind) bool { return k.ID == id })
}

// check makes a finding about the machine.
func check(kind string, s Status, summary, detail, remedy string) Check {
	return Check{ID: kind, Status: s, Summary: summary, Detail: detail, Remedy: remedy, kind: kind}
}

// of makes a finding one about a device.
func (c Check) of(uuid string) Check {
	c.ID, c.device = strings.Replace(c.kind, "<uuid>", uuid, 1), uuid
	return c
}
