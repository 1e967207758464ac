package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/collector/host"
	"greenagent/energy"
)

func TestServerIsMeasured(t *testing.T) {
	t.Parallel()
	r := examine(admit(t, server()))
	expect(t, find(t, r.Checks, raplPresent), Pass, "", "package-0/dram")
	expect(t, find(t, r.Checks, raplReadable), Pass, "", "can be read: 4")
	expect(t, find(t, r.Checks, cpuModel), Pass, "", "measured")
	expect(t, find(t, r.Checks, memoryModel), Pass, "", "measured")
	expect(t, find(t, r.Checks, hwmonMeter), Info, "")
	expectDomain(t, r, collector.CPU, Measured, "RAPL energy counter")
	expectDomain(t, r, collector.Memory, Measured, "RAPL energy counter")
	expectDomain(t, r, collector.Host, Missing, "")
	if names := known(r, collector.CPU)[0].Names; len(names) != 2 {
		t.Errorf("packages: %q", names)
	}
	if r.Host.CPUs != 224 || r.Host.Virtual || r.Host.OS != "Ubuntu 24.04.1 LTS" {
		t.Errorf("host: %+v", r.Host)
	}
}

func TestWithoutMemoryCounter(t *testing.T) {
	t.Parallel()
	node := server()
	for i := range node.CPU.Packages {
		node.CPU.Packages[i].DRAMIdle, node.CPU.Packages[i].DRAMMax = 0, 0
	}
	node.CPU.Psys = 100 * energy.Watt
	r := examine(admit(t, node))
	expectDomain(t, r, collector.CPU, Measured, "RAPL energy counter")
	expectDomain(t, r, collector.Memory, Modelled, "a model")
	expectDomain(t, r, collector.Host, Measured, "RAPL energy counter")
	expect(t, find(t, r.Checks, memoryModel), Info, "", "±100 %", "modules")
}

func TestVirtualMachine(t *testing.T) {
	t.Parallel()
	node := server()
	node.CPU.Packages = nil
	p := admit(t, node)
	p.write(t, "sys/class/dmi/id/sys_vendor", "QEMU\n")
	r := examine(p)
	if !r.Host.Virtual {
		t.Error("not seen to be virtual")
	}
	// Nothing that is done inside mends it.
	expect(t, find(t, r.Checks, raplPresent), Warn, "", "CPU energy is modelled", "hypervisor")
	without(t, r.Checks, raplReadable)
	expect(t, find(t, r.Checks, cpuModel), Info, "", "8480C")
	expectDomain(t, r, collector.CPU, Modelled, "a model")
}

func TestRAPLModuleNotLoaded(t *testing.T) {
	t.Parallel()
	node := server()
	node.CPU.Packages = nil
	r := examine(admit(t, node))
	expect(t, find(t, r.Checks, raplPresent), Warn, "sudo modprobe intel_rapl_msr")

	node.CPU.Vendor = "ARM"
	r = examine(admit(t, node))
	expect(t, find(t, r.Checks, raplPresent), Warn, "")
}

// What a user sees who is not root.
func TestRAPLForbidden(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Log("root may read everything: the rest is TestReadRAPL's")
		return
	}
	p := admit(t, server())
	for _, zone := range []string{"intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1", "intel-rapl:1:0"} {
		if err := os.Chmod(p.path("sys/class/powercap", zone, "energy_uj"), 0); err != nil {
			t.Fatal(err)
		}
	}
	r := examine(p)
	expect(t, find(t, r.Checks, raplReadable), Warn, allowRAPL, "CPU energy is modelled", "PLATYPUS")
	expectDomain(t, r, collector.CPU, Modelled, "a model")
}

func TestReadRAPL(t *testing.T) {
	t.Parallel()
	forbidden := fmt.Errorf("RAPL: energy_uj: %w (%w)", host.ErrPermission, fs.ErrPermission)
	masked := fmt.Errorf("RAPL: %w", host.ErrMasked)
	one := []host.Domain{{ID: "intel-rapl:0", Name: "package-0"}}
	for name, c := range map[string]struct {
		seen      sensorView
		container bool
		status    Status
		remedy    string
		words     []string
	}{
		"readable":           {sensorView{domains: one}, false, Pass, "", []string{"can be read: 1"}},
		"forbidden":          {sensorView{err: forbidden}, false, Warn, allowRAPL, []string{"the counters", "CVE-2020-8694", "run greenagent as root"}},
		"forbidden, in part": {sensorView{domains: one, warnings: []error{forbidden}}, false, Warn, allowRAPL, []string{"some of the counters"}},
		"in a container":     {sensorView{err: forbidden}, true, Warn, allowRAPL, []string{"for its host"}},
		"masked":             {sensorView{err: masked}, true, Warn, hostSys, []string{"container runtime hides", "hostPath"}},
		"stuck":              {sensorView{err: errNoAnswer}, false, Fail, "sudo reboot", nil},
		"malformed":          {sensorView{err: fmt.Errorf("energy_uj: %w", host.ErrMalformed)}, false, Warn, "", []string{"malformed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := powerView{rapl: c.seen}
			checks := v.raplChecks(&host.Facts{}, c.container)
			expect(t, find(t, checks, raplReadable), c.status, c.remedy, c.words...)
		})
	}
}

func TestMaskedByTheRuntime(t *testing.T) {
	t.Parallel()
	p := admit(t, server())
	p.contain(t)
	p.remove(t, "sys/devices/virtual/powercap")
	r := examine(p)
	expect(t, find(t, r.Checks, raplReadable), Warn, hostSys)
	expectDomain(t, r, collector.CPU, Modelled, "a model")
}

func TestBrokenZone(t *testing.T) {
	t.Parallel()
	p := admit(t, server())
	p.remove(t, "sys/class/powercap/intel-rapl:1/energy_uj")
	if err := os.Mkdir(p.path("sys/class/powercap/intel-rapl:1/energy_uj"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := examine(p)
	expect(t, find(t, r.Checks, raplReadable), Warn, "", "some of the counters", "intel-rapl:1/energy_uj")
}

// stick makes a file that does not answer until the test ends.
func (p patient) stick(t *testing.T, name string) {
	t.Helper()
	p.remove(t, name)
	if err := syscall.Mkfifo(p.path(name), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // let those who wait for it go
		if f, err := os.OpenFile(p.path(name), os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			f.Close()
		}
	})
}

func TestStuckSensorHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	p := admit(t, server())
	p.Timeout = 200 * time.Millisecond
	p.stick(t, "sys/class/powercap/intel-rapl:1/energy_uj")
	began := time.Now()
	r := examine(p)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	expect(t, find(t, r.Checks, raplReadable), Fail, "sudo reboot")
	if d := known(r, collector.CPU); len(d) != 1 || d[0].State != Missing || d[0].Why != "a sensor does not answer" {
		t.Errorf("CPU: %+v", d)
	}
	if r.Status.Exit() != 2 {
		t.Errorf("exit status %d", r.Status.Exit())
	}
}

func TestHwmon(t *testing.T) {
	t.Parallel()
	p := admit(t, server())
	p.write(t, "sys/class/hwmon/hwmon0/name", "power_meter\n")
	p.write(t, "sys/class/hwmon/hwmon0/power1_average", "412000000\n")
	p.write(t, "sys/class/hwmon/hwmon1/name", "mystery\n")
	p.write(t, "sys/class/hwmon/hwmon1/power1_input", "5000000\n")
	r := examine(p)
	expect(t, find(t, r.Checks, hwmonMeter), Pass, "", "power_meter (host)", "Not used", "mystery")
	expectDomain(t, r, collector.Host, Measured, "hwmon power meter")
	expectDomain(t, r, collector.CPU, Measured, "RAPL energy counter")

	for name, c := range map[string]struct {
		seen   sensorView
		status Status
		remedy bool
	}{
		"forbidden": {sensorView{err: fmt.Errorf("hwmon: %w", host.ErrPermission)}, Warn, true},
		"one of two": {sensorView{
			domains:  []host.Domain{{Name: "module", Type: host.Module}},
			warnings: []error{fmt.Errorf("power2_average: %w", host.ErrPermission)},
		}, Warn, true},
		"broken": {sensorView{err: errors.New("input/output error")}, Warn, false},
		"stuck":  {sensorView{err: errNoAnswer}, Fail, true},
		"absent": {sensorView{err: fmt.Errorf("hwmon: %w", host.ErrAbsent)}, Info, false},
	} {
		v := powerView{hwmon: c.seen}
		got := v.hwmonCheck()
		lookOver(t, []Check{got})
		if got.Status != c.status || (got.Remedy != "") != c.remedy {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRAPLIsNotMissedWhereAnotherMeterIs(t *testing.T) {
	t.Parallel()
	node := server()
	node.CPU.Packages = nil
	p := admit(t, node)
	p.write(t, "sys/class/hwmon/hwmon0/name", "amd_energy\n")
	p.write(t, "sys/class/hwmon/hwmon0/energy1_input", "123456789\n")
	p.write(t, "sys/class/hwmon/hwmon0/energy1_label", "Esocket0\n")
	r := examine(p)
	expect(t, find(t, r.Checks, raplPresent), Info, "", "Another sensor")
	expectDomain(t, r, collector.CPU, Measured, "hwmon energy counter")
}

func TestNoSys(t *testing.T) {
	t.Parallel()
	p := admit(t, server())
	p.remove(t, "sys")
	r := examine(p)
	expect(t, find(t, r.Checks, sysReadable), Fail, "greenagent doctor --sys-root /sys", "no such file")
	without(t, r.Checks, raplPresent, raplReadable, hwmonMeter)
	expectDomain(t, r, collector.CPU, Modelled, "a model")

	v := powerView{sys: fs.ErrPermission}
	expect(t, v.checks("/sys", &host.Facts{}, false)[0], Fail, "sudo mount -t sysfs sysfs /sys")
}

func TestNothingOfTheHostIsKnown(t *testing.T) {
	t.Parallel()
	p := admit(t, server())
	p.remove(t, "sys")
	p.remove(t, "proc")
	r := examine(p)
	expect(t, find(t, r.Checks, procReadable), Fail, "greenagent doctor --proc-root /proc")
	expect(t, find(t, r.Checks, cpuModel), Warn, "", "missing")
	expect(t, find(t, r.Checks, memoryModel), Warn, "", "missing")
	for _, typ := range []collector.Type{collector.GPU, collector.CPU, collector.Memory, collector.Host} {
		expectDomain(t, r, typ, Missing, "")
	}
	if strings.Contains(listed(r.Checks), "\x1b") {
		t.Error("escape sequences of its own")
	}
}
