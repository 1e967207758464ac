package nvml

import "errors"

// What can go wrong, sorted by what a caller does about it. Errors of this
// package match exactly one of these with errors.Is.
var (
	// ErrAbsent: there is no NVML here (no library, or built without cgo).
	ErrAbsent = errors.New("NVML is not available")
	// ErrNoDriver: the library is there, the kernel driver is not loaded.
	ErrNoDriver = errors.New("NVIDIA driver is not loaded")
	// ErrVersionMismatch: library and kernel driver are of different versions;
	// the process must re-execute to load the new library.
	ErrVersionMismatch = errors.New("NVML and the kernel driver differ in version")
	// ErrPermission: the user may not ask this.
	ErrPermission = errors.New("no permission")
	// ErrUnsupported: this device or driver will never answer this.
	ErrUnsupported = errors.New("not supported")
	// ErrTransient: worth another try at the next tick.
	ErrTransient = errors.New("temporary failure")
	// ErrLost: the device fell off the bus or needs a reset.
	ErrLost = errors.New("GPU is lost")
	// ErrAsleep: the device is suspended and was not asked, so as not to wake it.
	ErrAsleep = errors.New("GPU is asleep")
	// ErrHung: the driver did not return in time; the device is set aside until
	// the call comes back.
	ErrHung = errors.New("driver call hangs")
)
