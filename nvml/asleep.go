//go:build linux && cgo

package nvml

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Laptops put a GPU that nobody uses to sleep (runtime suspend, D3cold). Any call
// of NVML about it would wake it, and keep the battery from lasting. What the
// kernel says in sysfs does not: see Documentation/power/runtime_pm.rst.

// sleep tells whether a PCI device is suspended: it, or a bridge above it, without
// which it cannot be up. The zero sleep is of a device that never is.
type sleep struct {
	states []*os.File // power/runtime_status of the device and the bridges above
	buffer [32]byte
}

// pciAddress is the name of a PCI device's folder in sysfs.
var pciAddress = regexp.MustCompile(`^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$`)

// watchSleep opens what the kernel says of a device by its address, in sysfs' form.
func watchSleep(sys, address string) sleep {
	var s sleep
	folder, err := filepath.EvalSymlinks(filepath.Join(sys, "bus", "pci", "devices", address))
	if sys == "" || address == "" || err != nil {
		return s
	}
	for pciAddress.MatchString(filepath.Base(folder)) {
		if f, err := os.Open(filepath.Join(folder, "power", "runtime_status")); err == nil {
			s.states = append(s.states, f)
		}
		folder = filepath.Dir(folder)
	}
	return s
}

// deep reports whether the device sleeps, or is falling asleep.
func (s *sleep) deep() bool {
	for _, f := range s.states {
		n, _ := f.ReadAt(s.buffer[:], 0) // it ends before the buffer does
		if strings.HasPrefix(string(s.buffer[:n]), "suspend") {
			return true // "suspended" or "suspending"
		}
	}
	return false
}

func (s *sleep) close() {
	for _, f := range s.states {
		_ = f.Close() // was only read
	}
	s.states = nil
}

// sysfsAddress turns NVML's "00000000:65:00.0" into sysfs' "0000:65:00.0".
func sysfsAddress(busID string) string {
	address := strings.ToLower(busID)
	if domain, rest, ok := strings.Cut(address, ":"); ok && len(domain) == 8 && strings.HasPrefix(domain, "0000") {
		return domain[4:] + ":" + rest
	}
	return address
}

// sleepers returns, of all NVIDIA GPUs that sysfs shows, in the order of their
// addresses, which are asleep.
func sleepers(sys string) (asleep []bool) {
	if sys == "" {
		return nil
	}
	const nvidia, display = "0x10de", "0x03"
	devices, err := filepath.Glob(filepath.Join(sys, "bus", "pci", "devices", "*"))
	if err != nil {
		return nil
	}
	slices.Sort(devices)
	is := func(folder, file, prefix string) bool {
		text, err := os.ReadFile(filepath.Join(folder, file))
		return err == nil && strings.HasPrefix(string(text), prefix)
	}
	for _, folder := range devices {
		if is(folder, "vendor", nvidia) && is(folder, "class", display) {
			s := watchSleep(sys, filepath.Base(folder))
			asleep = append(asleep, s.deep())
			s.close()
		}
	}
	return asleep
}

// undisturbed returns ErrAsleep if every GPU is asleep, which starting NVML to look
// for them might end.
func undisturbed(sys string) error {
	if asleep := sleepers(sys); len(asleep) > 0 && !slices.Contains(asleep, false) {
		return fmt.Errorf("nvml: open: %w", ErrAsleep)
	}
	return nil
}
