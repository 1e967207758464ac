package doctor

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"greenagent/meter"
	"greenagent/nvml"
)

// driverView is what the kernel shows of NVIDIA's GPUs and driver without NVML.
type driverView struct {
	loaded  bool        // the kernel module is there
	version string      // of the kernel module, "" unknown
	control fs.FileInfo // of /dev/nvidiactl, nil if there is none
	cards   []card      // on the PCI bus
	// Of the surroundings, for the sake of remedies.
	container bool
	os        string
}

// card is an NVIDIA display controller.
type card struct {
	address string // "0000:65:00.0"
	driver  string // kernel driver bound to it, "" if none
}

// lookAtDriver reads some small files that the kernel itself answers.
func lookAtDriver(m meter.Machine, dev string) driverView {
	v := driverView{cards: cards(m.Sys)}
	v.version, v.loaded = nvml.KernelDriver(m.Proc)
	v.control, _ = os.Stat(filepath.Join(dev, "nvidiactl"))
	return v
}

// present reports whether anything says that an NVIDIA driver is installed.
func (v *driverView) present() bool { return v.loaded || v.control != nil }

// cards lists NVIDIA's (vendor 0x10de) display controllers (class 0x03), the
// virtual functions of shared ones left out.
func cards(sys string) []card {
	bus := filepath.Join(sys, "bus", "pci", "devices")
	entries, err := os.ReadDir(bus)
	if err != nil {
		return nil // no PCI here
	}
	var found []card
	for _, e := range entries {
		dir := filepath.Join(bus, e.Name())
		vendor, _ := os.ReadFile(filepath.Join(dir, "vendor"))
		if strings.TrimSpace(string(vendor)) != "0x10de" {
			continue
		}
		class, _ := os.ReadFile(filepath.Join(dir, "class"))
		_, err := os.Lstat(filepath.Join(dir, "physfn"))
		if !strings.HasPrefix(string(class), "0x03") || err == nil {
			continue
		}
		driver, _ := os.Readlink(filepath.Join(dir, "driver"))
		if driver != "" {
			driver = filepath.Base(driver)
		}
		found = append(found, card{e.Name(), driver})
	}
	return found
}

// ours counts the cards that are NVIDIA's driver's, or nobody's; others are
// lent to a virtual machine (vfio-pci) or driven by nouveau.
func (v *driverView) ours() (n int) {
	for _, c := range v.cards {
		if c.driver == "" || c.driver == "nvidia" {
			n++
		}
	}
	return n
}

// lent reports whether every card is a virtual machine's.
func (v *driverView) lent() bool {
	for _, c := range v.cards {
		if c.driver != "vfio-pci" {
			return false
		}
	}
	return true
}

func (v *driverView) nouveau() bool {
	for _, c := range v.cards {
		if c.driver == "nouveau" {
			return true
		}
	}
	return false
}

func buildCheck(cgo bool, v *driverView) Check {
	switch {
	case cgo:
		return check(buildCgo, Pass, "this build can load NVML", "", "")
	case v.present():
		return check(buildCgo, Fail, "this build cannot load NVML, and there is an NVIDIA driver",
			"It was built without cgo, which loading a C library takes: GPUs stay unmeasured.",
			"CGO_ENABLED=1 go build -ldflags '-extldflags=-Wl,-z,lazy' ./cmd/greenagent")
	}
	return check(buildCgo, Info, "this build cannot load NVML", "It was built without cgo. There is no NVIDIA driver here to miss it.", "")
}

// The remedies below are for the machine's distribution where it is known, and
// for the container's runtime in a container: what is mended there is how it was
// started.

// withGPUs starts a container with the GPUs and with NVML, which the runtime
// counts as a utility (NVIDIA Container Toolkit, "Driver Capabilities").
const withGPUs = "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility IMAGE greenagent doctor"

const inKubernetes = "In Kubernetes: runtimeClassName: nvidia, and the variables NVIDIA_VISIBLE_DEVICES=all and NVIDIA_DRIVER_CAPABILITIES=compute,utility."

// installLibrary provides the library for a driver that is there.
func (v *driverView) installLibrary() (remedy, detail string) {
	branch, _, _ := strings.Cut(v.version, ".")
	of := "of the driver's version"
	if v.version != "" {
		of += ", " + v.version
	}
	switch {
	case v.container:
		return withGPUs, inKubernetes
	case strings.HasPrefix(v.os, "Ubuntu") && branch != "":
		return "sudo apt-get install libnvidia-compute-" + branch,
			"It must be " + of + "; its package ends in -server where the driver's does."
	case strings.HasPrefix(v.os, "Debian"):
		return "sudo apt-get install libnvidia-ml1", "It must be " + of + "."
	}
	return `greenagent doctor --nvml-library "$(find /usr /opt /run -name libnvidia-ml.so.1 2>/dev/null | head -n 1)"`,
		"If it is nowhere, install the user-space part of NVIDIA's driver " + of + "."
}

// installDriver provides the driver for a card that is there.
func (v *driverView) installDriver() (remedy, detail string) {
	switch {
	case v.container:
		return withGPUs, inKubernetes
	case strings.HasPrefix(v.os, "Ubuntu"):
		return "sudo ubuntu-drivers install", ""
	case strings.HasPrefix(v.os, "Debian"):
		return "sudo apt-get install nvidia-driver", "It is in the section non-free."
	}
	return "", "How to install it: https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"
}

// permit lets this user open the device nodes.
func (v *driverView) permit() (remedy, detail string) {
	const groupMayUse = 0o060
	if v.container {
		return withGPUs, inKubernetes
	}
	// The group that owns them rather than everybody, unless that is root's.
	if v.control != nil {
		if owner, ok := v.control.Sys().(*syscall.Stat_t); ok && owner.Gid != 0 {
			gid := strconv.FormatUint(uint64(owner.Gid), 10)
			name := gid
			if g, err := user.LookupGroupId(gid); err == nil {
				name = g.Name
			}
			remedy, detail = fmt.Sprintf("sudo usermod -aG %s %s", name, `"$USER"`),
				"Its device nodes belong to the group "+name+". Log in again afterwards."
			if v.control.Mode().Perm()&groupMayUse != groupMayUse {
				remedy = "sudo chmod g+rw /dev/nvidiactl /dev/nvidia[0-9]* && " + remedy
				detail += " To keep the mode over restarts, set the option NVreg_DeviceFileMode=0660 of the kernel module nvidia."
			}
			return remedy, detail
		}
	}
	return "sudo chmod 0666 /dev/nvidiactl /dev/nvidia[0-9]*",
		"That is the driver's default; to keep it over restarts, set the option NVreg_DeviceFileMode=0666 of the kernel module nvidia."
}

// where names the cards for people.
func (v *driverView) where() string {
	parts := make([]string, len(v.cards))
	for i, c := range v.cards {
		parts[i] = c.address + " (" + cmp.Or(c.driver, "no driver") + ")"
	}
	return strings.Join(parts, ", ")
}
