//go:build linux && cgo

package nvml

/*
#cgo LDFLAGS: -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

// The scope in which the linker will resolve go-nvml's lazily bound calls.
static void *lookup(const char *name) { return dlsym(RTLD_DEFAULT, name); }
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// symbols says which functions the loaded library has. Calling one it lacks
// kills the process (go-nvml binds lazily), so nothing is called that was not
// found here first. Where NVML versioned a function, any version will do:
// go-nvml calls the newest it finds.
type symbols struct {
	driverVersion, handleByUUID                 bool
	name, serial, pci, architecture, capability bool
	limit, limits, memory, rates                bool
	temperature, clocks, performance            bool
	fieldValues, energy, power                  bool
	migGPU, migPart, attributes                 bool

	// Called through their address, see lists.go and parts.go; nil where missing.
	compute, graphics, mps, utilization, samples unsafe.Pointer
	uuid, migMode, migCount, migHandle           unsafe.Pointer
	gpm                                          gpmSymbols
	// The lists of drivers before 450 have shorter entries.
	computeShort, graphicsShort, mpsShort bool
}

// find looks every symbol up. It fails if those are missing without which there
// is nothing to read.
func find() (*symbols, error) {
	for _, versions := range [][]string{
		{"nvmlInit_v2", "nvmlInit"},
		{"nvmlShutdown"},
		{"nvmlDeviceGetCount_v2", "nvmlDeviceGetCount"},
		{"nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex"},
		{"nvmlDeviceGetUUID"},
	} {
		if address(versions...) == nil {
			return nil, fmt.Errorf("not an NVML library: no %s", versions[0])
		}
	}
	s := &symbols{
		driverVersion: address("nvmlSystemGetDriverVersion") != nil,
		handleByUUID:  address("nvmlDeviceGetHandleByUUID") != nil,
		name:          address("nvmlDeviceGetName") != nil,
		serial:        address("nvmlDeviceGetSerial") != nil,
		pci:           address("nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPciInfo_v2", "nvmlDeviceGetPciInfo") != nil,
		architecture:  address("nvmlDeviceGetArchitecture") != nil,
		capability:    address("nvmlDeviceGetCudaComputeCapability") != nil,
		limit:         address("nvmlDeviceGetEnforcedPowerLimit") != nil,
		limits:        address("nvmlDeviceGetPowerManagementLimitConstraints") != nil,
		memory:        address("nvmlDeviceGetMemoryInfo") != nil,
		rates:         address("nvmlDeviceGetUtilizationRates") != nil,
		temperature:   address("nvmlDeviceGetTemperature") != nil,
		clocks:        address("nvmlDeviceGetClockInfo") != nil,
		performance:   address("nvmlDeviceGetPerformanceState") != nil,
		fieldValues:   address("nvmlDeviceGetFieldValues") != nil,
		energy:        address("nvmlDeviceGetTotalEnergyConsumption") != nil,
		power:         address("nvmlDeviceGetPowerUsage") != nil,
		migMode:       address("nvmlDeviceGetMigMode"),
		migCount:      address("nvmlDeviceGetMaxMigDeviceCount"),
		migHandle:     address("nvmlDeviceGetMigDeviceHandleByIndex"),
		uuid:          address("nvmlDeviceGetUUID"),
		migGPU:        address("nvmlDeviceGetGpuInstanceId") != nil,
		migPart:       address("nvmlDeviceGetComputeInstanceId") != nil,
		attributes:    address("nvmlDeviceGetAttributes_v2", "nvmlDeviceGetAttributes") != nil,
		utilization:   address("nvmlDeviceGetProcessUtilization"),
		samples:       address("nvmlDeviceGetSamples"),
		gpm: gpmSymbols{
			support: address("nvmlGpmQueryDeviceSupport"),
			alloc:   address("nvmlGpmSampleAlloc"),
			free:    address("nvmlGpmSampleFree"),
			get:     address("nvmlGpmMigSampleGet"),
			metrics: address("nvmlGpmMetricsGet"),
		},
	}
	s.compute, s.computeShort = processList("nvmlDeviceGetComputeRunningProcesses")
	s.graphics, s.graphicsShort = processList("nvmlDeviceGetGraphicsRunningProcesses")
	s.mps, s.mpsShort = processList("nvmlDeviceGetMPSComputeRunningProcesses")
	return s, nil
}

// gpmSymbols are the functions of GPU performance monitoring, of use together only.
type gpmSymbols struct{ support, alloc, free, get, metrics unsafe.Pointer }

func (s *gpmSymbols) complete() bool {
	return s.support != nil && s.alloc != nil && s.free != nil && s.get != nil && s.metrics != nil
}

// processList finds the newest version of a list; entries are short before _v2.
func processList(name string) (at unsafe.Pointer, short bool) {
	if at = address(name+"_v3", name+"_v2"); at != nil {
		return at, false
	}
	at = address(name)
	return at, at != nil
}

// address returns the first of the names that the process has, nil if none.
func address(names ...string) unsafe.Pointer {
	for _, name := range names {
		c := C.CString(name)
		at := C.lookup(c)
		C.free(unsafe.Pointer(c))
		if at != nil {
			return at
		}
	}
	return nil
}
