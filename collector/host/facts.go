package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v3/common"
	"github.com/shirou/gopsutil/v3/cpu"
	node "github.com/shirou/gopsutil/v3/host"
	"github.com/shirou/gopsutil/v3/mem"
)

// Roots says where the node's file systems are: "/proc", "/sys" and "/etc" on
// the node itself, the places they are mounted at in a container.
type Roots struct{ Proc, Sys, Etc string }

// Facts is what does not change about a node while it is up.
type Facts struct {
	Hostname string // as the calling process sees it: a pod's name in a pod
	OS       string // "Ubuntu 24.04.1 LTS"; "" where /etc/os-release does not say
	Kernel   string // "6.8.0-45-generic"

	CPUModel    string // as /proc/cpuinfo writes it; "" on most ARM processors
	Vendor      string // "GenuineIntel", "AuthenticAMD", "ARM"
	Family      int    // of the processor, -1 unknown
	Model       int    // of the processor, -1 unknown
	Stepping    int
	LogicalCPUs int // online, 0 unknown
	Packages    int // sockets, at least 1 where LogicalCPUs is known

	Memory int64 // bytes that the kernel can use, 0 unknown
	// Virtual: the node is a guest of a hypervisor. A container on bare
	// metal is not.
	Virtual bool
}

// ReadFacts reads the node's facts. It forks nothing, and what cannot be read
// stays unknown: the error says why, and the rest is right all the same.
//
// gopsutil's own answers to the OS and to virtualisation are not used: the one
// may run lsb_release, the other takes a container for a virtual machine and
// remembers its first answer whatever the roots.
func ReadFacts(ctx context.Context, roots Roots) (Facts, error) {
	ctx = context.WithValue(ctx, common.EnvKey, common.EnvMap{
		common.HostProcEnvKey: roots.Proc, common.HostSysEnvKey: roots.Sys, common.HostEtcEnvKey: roots.Etc,
	})
	f := Facts{Family: -1, Model: -1, OS: prettyName(filepath.Join(roots.Etc, "os-release"))}
	var errs []error
	note := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	var err error
	f.Hostname, err = os.Hostname()
	note("host name", err)
	f.Kernel, err = node.KernelVersionWithContext(ctx)
	note("kernel version", err)
	cpus, err := cpu.InfoWithContext(ctx)
	if err == nil && len(cpus) == 0 {
		err = fmt.Errorf("%s: %w", filepath.Join(roots.Proc, "cpuinfo"), ErrAbsent)
	}
	note("processors", err)
	f.setCPUs(cpus)
	memory, err := mem.VirtualMemoryWithContext(ctx)
	note("memory", err)
	if memory != nil {
		f.Memory = int64(min(memory.Total, 1<<62))
	}
	// x86 hypervisors show a flag that no processor has of itself (CPUID
	// leaf 1, ECX bit 31); elsewhere the firmware's vendor tells.
	f.Virtual = len(cpus) > 0 && slices.Contains(cpus[0].Flags, "hypervisor") || virtualFirmware(roots.Sys)
	return f, errors.Join(errs...)
}

func (f *Facts) setCPUs(cpus []cpu.InfoStat) {
	sockets := make(map[string]struct{})
	for _, c := range cpus {
		sockets[c.PhysicalID] = struct{}{}
	}
	f.LogicalCPUs, f.Packages = len(cpus), len(sockets)
	if len(cpus) == 0 {
		return
	}
	first := cpus[0]
	if first.ModelName != "Undefined" { // what gopsutil calls an ARM part it does not know
		f.CPUModel = first.ModelName
	}
	f.Vendor, f.Stepping = first.VendorID, int(first.Stepping)
	f.Family, f.Model = number(first.Family), number(first.Model)
}

// number reads 17 and 0xd4f, and returns -1 for anything else.
func number(s string) int {
	v, err := strconv.ParseUint(s, 0, 31)
	if err != nil {
		return -1
	}
	return int(v)
}

// prettyName returns PRETTY_NAME of os-release(5).
func prettyName(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }() // read-only: nothing can be lost
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "PRETTY_NAME="); ok {
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}

// virtualFirmware knows hypervisors by what their DMI tables say.
func virtualFirmware(sys string) bool {
	vendor := readText(filepath.Join(sys, "class", "dmi", "id", "sys_vendor"))
	product := readText(filepath.Join(sys, "class", "dmi", "id", "product_name"))
	switch vendor {
	case "QEMU", "Xen", "innotek GmbH", "VMware, Inc.", "Parallels", "OpenStack Foundation", "Red Hat", "Alibaba Cloud":
		return true
	case "Google":
		return product == "Google Compute Engine"
	case "Microsoft Corporation":
		return product == "Virtual Machine"
	case "Amazon EC2":
		return !strings.Contains(product, ".metal")
	}
	return product == "KVM" || strings.HasPrefix(product, "KVM ")
}
