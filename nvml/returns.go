//go:build linux && cgo

package nvml

import (
	"fmt"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"
)

// sentinel sorts nvmlReturn_t by what a caller does about it.
func sentinel(ret driver.Return) error {
	switch ret {
	case driver.SUCCESS:
		return nil
	case driver.ERROR_UNINITIALIZED, driver.ERROR_DRIVER_NOT_LOADED:
		return ErrNoDriver
	case driver.ERROR_LIBRARY_NOT_FOUND:
		return ErrAbsent
	case driver.ERROR_LIB_RM_VERSION_MISMATCH:
		return ErrVersionMismatch
	case driver.ERROR_NO_PERMISSION:
		return ErrPermission
	case driver.ERROR_NOT_SUPPORTED,
		driver.ERROR_INVALID_ARGUMENT, // what older drivers say to field ids they do not know
		driver.ERROR_FUNCTION_NOT_FOUND,
		driver.ERROR_ARGUMENT_VERSION_MISMATCH,
		driver.ERROR_DEPRECATED,
		driver.ERROR_VGPU_ECC_NOT_SUPPORTED,
		driver.ERROR_FREQ_NOT_SUPPORTED,
		driver.ERROR_RESET_TYPE_NOT_SUPPORTED:
		return ErrUnsupported
	case driver.ERROR_GPU_IS_LOST, driver.ERROR_RESET_REQUIRED, driver.ERROR_GPU_NOT_FOUND,
		driver.ERROR_INSUFFICIENT_POWER, driver.ERROR_IRQ_ISSUE: // attached, but unusable until someone acts
		return ErrLost
	}
	return ErrTransient // TIMEOUT, UNKNOWN, IN_USE, … and what later versions invent
}

var returnNames = map[driver.Return]string{
	driver.ERROR_UNINITIALIZED:             "UNINITIALIZED",
	driver.ERROR_INVALID_ARGUMENT:          "INVALID_ARGUMENT",
	driver.ERROR_NOT_SUPPORTED:             "NOT_SUPPORTED",
	driver.ERROR_NO_PERMISSION:             "NO_PERMISSION",
	driver.ERROR_NOT_FOUND:                 "NOT_FOUND",
	driver.ERROR_INSUFFICIENT_SIZE:         "INSUFFICIENT_SIZE",
	driver.ERROR_INSUFFICIENT_POWER:        "INSUFFICIENT_POWER",
	driver.ERROR_DRIVER_NOT_LOADED:         "DRIVER_NOT_LOADED",
	driver.ERROR_TIMEOUT:                   "TIMEOUT",
	driver.ERROR_IRQ_ISSUE:                 "IRQ_ISSUE",
	driver.ERROR_LIBRARY_NOT_FOUND:         "LIBRARY_NOT_FOUND",
	driver.ERROR_FUNCTION_NOT_FOUND:        "FUNCTION_NOT_FOUND",
	driver.ERROR_CORRUPTED_INFOROM:         "CORRUPTED_INFOROM",
	driver.ERROR_GPU_IS_LOST:               "GPU_IS_LOST",
	driver.ERROR_RESET_REQUIRED:            "RESET_REQUIRED",
	driver.ERROR_OPERATING_SYSTEM:          "OPERATING_SYSTEM",
	driver.ERROR_LIB_RM_VERSION_MISMATCH:   "LIB_RM_VERSION_MISMATCH",
	driver.ERROR_IN_USE:                    "IN_USE",
	driver.ERROR_MEMORY:                    "MEMORY",
	driver.ERROR_NO_DATA:                   "NO_DATA",
	driver.ERROR_INSUFFICIENT_RESOURCES:    "INSUFFICIENT_RESOURCES",
	driver.ERROR_ARGUMENT_VERSION_MISMATCH: "ARGUMENT_VERSION_MISMATCH",
	driver.ERROR_DEPRECATED:                "DEPRECATED",
	driver.ERROR_NOT_READY:                 "NOT_READY",
	driver.ERROR_GPU_NOT_FOUND:             "GPU_NOT_FOUND",
	driver.ERROR_INVALID_STATE:             "INVALID_STATE",
	driver.ERROR_UNKNOWN:                   "UNKNOWN",
}

// returnName names ret without asking the library, as driver.Return.Error
// would: nvmlErrorString may be missing, and belongs to the owner's thread.
func returnName(ret driver.Return) string {
	if name, ok := returnNames[ret]; ok {
		return name
	}
	return fmt.Sprintf("code %d", int32(ret))
}

// failure is the error of an operation on the library as a whole.
func failure(operation string, ret driver.Return) error {
	return fmt.Errorf("nvml: %s: driver says %s: %w", operation, returnName(ret), sentinel(ret))
}

// failure is the error of an operation on the device. A refusal by a device
// that has answered before, or may still answer, is passed as ErrTransient.
func (g *gpu) failure(operation string, ret driver.Return, as error) error {
	return fmt.Errorf("nvml: device %s: %s: driver says %s: %w", g.device.UUID, operation, returnName(ret), as)
}
