package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"testing"
	"time"

	"greenagent/nvml"
)

func failed(sentinel error) gpuView { return gpuView{err: fmt.Errorf("nvml: init: %w", sentinel)} }

// Why NVML does not open means one thing or another, as the rest of the machine
// has it.
func TestFailureToOpen(t *testing.T) {
	t.Parallel()
	if !ReachesNVML {
		t.Skip("this build does not open NVML at all")
	}
	bound := []card{{"0000:1b:00.0", "nvidia"}}
	loaded := driverView{loaded: true, version: "570.124.06", cards: bound, os: "Ubuntu 24.04"}
	contained := loaded
	contained.container = true
	plain := driverView{}
	unplugged := gpuView{path: "/opt/lib.so", err: fmt.Errorf("nvml: open: %w", nvml.ErrAbsent)}
	canceled := gpuView{err: fmt.Errorf("nvml: open: %w", context.Canceled)}
	late := gpuView{err: fmt.Errorf("nvml: open: %w", errSlow)}

	for name, c := range map[string]struct {
		seen   gpuView
		driver driverView
		id     string
		status Status
		remedy string
		words  []string
	}{
		"nothing at all":        {failed(nvml.ErrAbsent), plain, nvmlLibrary, Info, "", nil},
		"nothing, no device":    {failed(nvml.ErrAbsent), plain, gpuDevices, Info, "", []string{"no NVIDIA GPU"}},
		"library missing":       {failed(nvml.ErrAbsent), loaded, nvmlLibrary, Fail, "sudo apt-get install libnvidia-compute-570", []string{"570.124.06"}},
		"node without library":  {failed(nvml.ErrAbsent), driverView{control: fileInfo(t)}, nvmlLibrary, Fail, `greenagent doctor --nvml-library "$(find /usr /opt /run -name libnvidia-ml.so.1 2>/dev/null | head -n 1)"`, nil},
		"library not passed on": {failed(nvml.ErrAbsent), contained, nvmlLibrary, Fail, withGPUs, []string{"runtimeClassName: nvidia"}},
		"library asked for":     {unplugged, plain, nvmlLibrary, Fail, "greenagent doctor --nvml-library libnvidia-ml.so.1", []string{"/opt/lib.so"}},
		"card without driver":   {failed(nvml.ErrAbsent), driverView{cards: []card{{"0000:1b:00.0", ""}}, os: "Ubuntu 22.04"}, nvmlDriver, Warn, "sudo ubuntu-drivers install", []string{"0000:1b:00.0 (no driver)"}},
		"nouveau":               {failed(nvml.ErrAbsent), driverView{cards: []card{{"0000:1b:00.0", "nouveau"}}}, nvmlDriver, Warn, "", []string{"nouveau", "https://"}},
		"lent to a guest":       {failed(nvml.ErrAbsent), driverView{cards: []card{{"0000:1b:00.0", "vfio-pci"}}}, nvmlLibrary, Info, "", []string{"lent"}},

		"versions differ":                 {failed(nvml.ErrVersionMismatch), loaded, nvmlVersion, Fail, "sudo reboot", []string{"570.124.06", "sudo rmmod nvidia_drm nvidia_modeset nvidia_uvm nvidia && sudo modprobe nvidia"}},
		"versions differ, in a container": {failed(nvml.ErrVersionMismatch), contained, nvmlVersion, Fail, withGPUs, []string{"started anew"}},

		"not loaded":                  {failed(nvml.ErrNoDriver), driverView{cards: []card{{"0000:1b:00.0", ""}}}, nvmlDriver, Fail, "sudo modprobe nvidia", nil},
		"not loaded, nouveau":         {failed(nvml.ErrNoDriver), driverView{cards: []card{{"0000:1b:00.0", "nouveau"}}}, nvmlDriver, Fail, "sudo reboot", []string{"nouveau"}},
		"not loaded, nothing to load": {failed(nvml.ErrNoDriver), plain, nvmlDriver, Info, "", nil},
		"loaded without nodes":        {failed(nvml.ErrNoDriver), loaded, nvmlDriver, Fail, "sudo nvidia-modprobe -c 0", nil},
		"nodes not passed on":         {failed(nvml.ErrNoDriver), contained, nvmlDriver, Fail, withGPUs, []string{"device nodes"}},

		"forbidden":                {failed(nvml.ErrPermission), loaded, nvmlDriver, Fail, "sudo chmod 0666 /dev/nvidiactl /dev/nvidia[0-9]*", []string{"this user"}},
		"hung":                     {failed(nvml.ErrHung), loaded, nvmlDriver, Fail, "sudo reboot", []string{"--timeout"}},
		"late":                     {late, loaded, nvmlDriver, Fail, "sudo reboot", []string{"longer than --timeout"}},
		"all lost":                 {failed(nvml.ErrLost), loaded, gpuDevices, Fail, "sudo nvidia-smi --gpu-reset", nil},
		"fails":                    {failed(nvml.ErrTransient), loaded, nvmlDriver, Fail, "sudo reboot", nil},
		"taken away at a reload":   {failed(nvml.ErrTransient), contained, nvmlDriver, Fail, withGPUs, []string{"systemd"}},
		"cancelled is no disaster": {canceled, plain, nvmlDriver, Fail, "sudo reboot", []string{"context canceled"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checks := c.seen.checks(&c.driver)
			expect(t, find(t, checks, c.id), c.status, c.remedy, c.words...)
			find(t, checks, gpuDevices) // is always there
			domains := c.seen.domains(checks)
			if len(domains) != 1 || domains[0].State != Missing || domains[0].Why == "" {
				t.Errorf("domains: %+v", domains)
			}
			if len(checks) > 1 && c.status > Info && domains[0].Why != find(t, checks, c.id).Summary {
				t.Errorf("GPUs are missing, as %q", domains[0].Why)
			}
		})
	}
}

func TestInventory(t *testing.T) {
	t.Parallel()
	gpu := func(name string) deviceView { return deviceView{Device: nvml.Device{Name: name}} }
	two := []card{{"0000:1b:00.0", "nvidia"}, {"0000:43:00.0", ""}}
	lost := fmt.Errorf("nvml: device #1: description: %w", nvml.ErrLost)
	for name, c := range map[string]struct {
		seen   gpuView
		driver driverView
		status Status
		remedy string
		words  []string
	}{
		"all":                {gpuView{devices: []deviceView{gpu("A"), gpu("B"), gpu("A")}}, driverView{}, Pass, "", []string{"2 × A, 1 × B"}},
		"as many as cards":   {gpuView{devices: []deviceView{gpu("A"), gpu("A")}}, driverView{cards: two}, Pass, "", []string{"2 × A"}},
		"one not started":    {gpuView{devices: []deviceView{gpu("A")}}, driverView{cards: two}, Warn, "sudo reboot", []string{"1 of 2", "0000:43:00.0 (no driver)"}},
		"one given":          {gpuView{devices: []deviceView{gpu("A")}}, driverView{cards: two, container: true}, Info, "", []string{"1 more"}},
		"none given":         {gpuView{}, driverView{cards: two, container: true}, Warn, withGPUs, []string{"no GPU"}},
		"none":               {gpuView{}, driverView{}, Info, "", []string{"finds no GPU"}},
		"one lost":           {gpuView{devices: []deviceView{gpu("A")}, warnings: []error{lost}}, driverView{cards: two}, Fail, "sudo nvidia-smi --gpu-reset", []string{"1 of 2", "#1"}},
		"one lent to others": {gpuView{devices: []deviceView{gpu("A")}}, driverView{cards: []card{two[0], {"0000:65:00.0", "vfio-pci"}}}, Pass, "", nil},
	} {
		got := c.seen.inventory(&c.driver)
		lookOver(t, []Check{got})
		t.Log(name)
		expect(t, got, c.status, c.remedy, c.words...)
	}
}

func TestSlowStart(t *testing.T) {
	t.Parallel()
	v := gpuView{driver: "570.124.06", took: 4200 * time.Millisecond}
	expect(t, v.start(&driverView{}), Warn, "sudo nvidia-smi -pm 1", "4.2 s", "570.124.06")
	expect(t, v.start(&driverView{container: true}), Warn, "sudo nvidia-smi -pm 1", "for its host")
	v.took = 300 * time.Millisecond
	expect(t, v.start(&driverView{}), Pass, "", "570.124.06")
}

func fileInfo(t *testing.T) fs.FileInfo {
	t.Helper()
	info, err := os.Stat(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return info
}
