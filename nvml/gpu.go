//go:build linux && cgo

package nvml

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"

	"greenagent/energy"
)

// gpu is what the library keeps about a device. All but hung belongs to the
// operation under way on it, and between operations to the holder of
// Library.desk: that is why a late call can overwrite nothing of anybody's.
type gpu struct {
	device   Device
	hangs    error          // what to say while hung
	hung     bool           // guarded by Library.life, as are
	hangings int            // how often it hung of late
	rest     energy.Instant // when to ask it again after the last
	asleep   error          // what to say while it sleeps
	sleep    sleep

	handle driver.Device
	raw    unsafe.Pointer // handle's nvmlDevice_t, for the calls of lists.go
	stale  bool           // the device was lost: find the handle anew
	epoch  uint32         // of its counter

	// averages: GetPowerUsage is a mean over a second, not the instant.
	averages bool
	power    powerAbilities
	lists    listAbilities

	values    [3]driver.FieldValue
	sampled   Sample
	current   Status
	processes []Process
	active    []Utilization
	ring      []PowerSample
	buffers   buffers

	mig       ability
	partition Partition
	gpm       gpm
}

// newGPU returns a device yet to be described, or the stand-in for one in a
// request to the library as a whole.
func newGPU(label, what string) *gpu {
	g := &gpu{device: Device{UUID: label}}
	if label == "" {
		g.hangs = fmt.Errorf("nvml: %s: %w", what, ErrHung)
	} else {
		g.hangs = fmt.Errorf("nvml: device %s: %s: %w", label, what, ErrHung)
	}
	return g
}

// describe finds the index-th device, says what it is, and tries what it can.
func (l *Library) describe(g *gpu, index uint64) error {
	handle, ret := l.api.DeviceGetHandleByIndex(int(index))
	if ret != driver.SUCCESS {
		return g.failure("handle", ret, sentinel(ret))
	}
	uuid, ret := handle.GetUUID()
	if ret != driver.SUCCESS {
		return g.failure("UUID", ret, sentinel(ret))
	}
	if uuid == "" {
		return fmt.Errorf("nvml: device %s: driver gives no UUID: %w", g.device.UUID, ErrTransient)
	}
	g.take(handle)
	g.device = Device{UUID: text(uuid), Driver: l.driver}
	l.identify(g)
	if err := l.listPartition(g, 0); errors.Is(err, ErrLost) || errors.Is(err, ErrNoDriver) {
		return err
	}
	if g.partition.Enabled {
		g.device.Instances = append([]Instance{}, g.partition.Instances...)
	}
	return l.settle(g)
}

// take adopts a handle. The nvmlDevice_t inside is an exported field of a type
// go-nvml does not export.
func (g *gpu) take(handle driver.Device) {
	g.handle = handle
	g.raw = rawHandle(handle)
	g.gpm.forget() // what was counted before a reset does not compare
}

// identify reads what is fixed. None of it is needed to measure, so what the
// driver does not say stays empty.
func (l *Library) identify(g *gpu) {
	d := &g.device
	if l.symbols.name {
		if name, ret := g.handle.GetName(); ret == driver.SUCCESS {
			d.Name = text(name)
		}
	}
	if l.symbols.serial {
		if serial, ret := g.handle.GetSerial(); ret == driver.SUCCESS {
			d.Serial = text(serial)
		}
	}
	if l.symbols.limits {
		if _, most, ret := g.handle.GetPowerManagementLimitConstraints(); ret == driver.SUCCESS {
			d.MaxLimit, _ = milliwatts(int64(most))
		}
	}
	if l.symbols.memory {
		if memory, ret := g.handle.GetMemoryInfo(); ret == driver.SUCCESS {
			d.Memory = bytes(memory.Total, 0)
		}
	}
	var pciDevice uint32
	if l.symbols.pci {
		if pci, ret := g.handle.GetPciInfo(); ret == driver.SUCCESS {
			d.BusID = chars(pci.BusId[:])
			if d.BusID == "" { // before nvmlDeviceGetPciInfo_v3
				d.BusID = chars(pci.BusIdLegacy[:])
			}
			pciDevice = pci.PciDeviceId >> 16
		}
	}
	architecture := driver.DeviceArchitecture(0)
	if l.symbols.architecture {
		if a, ret := g.handle.GetArchitecture(); ret == driver.SUCCESS {
			architecture = a
		}
	}
	d.Architecture = architectures[architecture]
	g.averages = architecture >= driver.DEVICE_ARCH_AMPERE && !l.isGA100(g, architecture, pciDevice)
}

var architectures = map[driver.DeviceArchitecture]string{
	driver.DEVICE_ARCH_KEPLER:    "Kepler",
	driver.DEVICE_ARCH_MAXWELL:   "Maxwell",
	driver.DEVICE_ARCH_PASCAL:    "Pascal",
	driver.DEVICE_ARCH_VOLTA:     "Volta",
	driver.DEVICE_ARCH_TURING:    "Turing",
	driver.DEVICE_ARCH_AMPERE:    "Ampere",
	driver.DEVICE_ARCH_ADA:       "Ada",
	driver.DEVICE_ARCH_HOPPER:    "Hopper",
	driver.DEVICE_ARCH_BLACKWELL: "Blackwell",
	driver.DEVICE_ARCH_RUBIN:     "Rubin",
}

// isGA100 tells the one Ampere chip without an averaged reading (nvml.h at
// nvmlDeviceGetPowerUsage) from the others: by compute capability 8.0, or else
// by PCI device ids 0x20xx and the name of the commonest board.
func (l *Library) isGA100(g *gpu, architecture driver.DeviceArchitecture, pciDevice uint32) bool {
	if architecture != driver.DEVICE_ARCH_AMPERE {
		return false
	}
	if l.symbols.capability {
		if major, minor, ret := g.handle.GetCudaComputeCapability(); ret == driver.SUCCESS {
			return major == 8 && minor == 0
		}
	}
	return pciDevice>>8 == 0x20 || strings.Contains(g.device.Name, "A100")
}

// revive finds a lost device's handle anew: it may be another after a reset.
func (l *Library) revive(g *gpu) error {
	if !g.stale {
		return nil
	}
	handle, ret := l.handleOf(g.device.UUID)
	switch {
	case ret == driver.SUCCESS:
		g.take(handle)
		g.stale = false
	case sentinel(ret) == ErrNoDriver, sentinel(ret) == ErrVersionMismatch:
		return g.failure("handle", ret, sentinel(ret))
	default: // NOT_FOUND while it is off the bus
		return g.failure("handle", ret, ErrLost)
	}
	return nil
}

// handleOf finds a device by UUID.
func (l *Library) handleOf(uuid string) (driver.Device, driver.Return) {
	if l.symbols.handleByUUID {
		return l.api.DeviceGetHandleByUUID(uuid)
	}
	count, ret := l.api.DeviceGetCount()
	if ret != driver.SUCCESS {
		return nil, ret
	}
	for i := range min(count, maxDevices) {
		if handle, ret := l.api.DeviceGetHandleByIndex(i); ret == driver.SUCCESS {
			if found, ret := handle.GetUUID(); ret == driver.SUCCESS && found == uuid {
				return handle, driver.SUCCESS
			}
		}
	}
	return nil, driver.ERROR_NOT_FOUND
}

// mark notes what an operation's error says about the handle, and passes it on.
func (g *gpu) mark(err error) error {
	if err != nil && errors.Is(err, ErrLost) {
		g.stale = true
	}
	return err
}

// text makes a string of the driver's fit for labels and terminals' encoders.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// chars is text of a C array.
func chars(c []int8) string {
	var b strings.Builder
	for _, v := range c {
		if v == 0 {
			break
		}
		b.WriteByte(byte(v))
	}
	return text(b.String())
}

// bytes converts an amount of memory; NVML_VALUE_NOT_AVAILABLE and what no
// machine has become unknown.
func bytes(v uint64, unknown int64) int64 {
	if v > 1<<62 {
		return unknown
	}
	return int64(v)
}
