package scenario

import (
	"fmt"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind uint8

// The faults, with the NVML error each shows as.
const (
	Lost            FaultKind = iota // GPU_IS_LOST
	ResetRequired                    // RESET_REQUIRED
	Hang                             // the call does not return until the fault is over
	Transient                        // UNKNOWN
	Unsupported                      // NOT_SUPPORTED
	NoPermission                     // NO_PERMISSION
	NoDriver                         // DRIVER_NOT_LOADED
	VersionMismatch                  // LIB_RM_VERSION_MISMATCH
	Growing                          // INSUFFICIENT_SIZE, however large the buffer; needs Times, as go-nvml retries without end
	Garbage                          // success, with Fault.Value in place of the reading
	faultKinds
)

// Call is a group of NVML calls that a fault strikes.
type Call uint8

// The groups of calls.
const (
	AnyCall         Call = iota // every one but initialization
	CallInit                    // nvmlInit
	CallCounter                 // GetTotalEnergyConsumption, field 83
	CallPower                   // GetPowerUsage, fields 185 and 186
	CallFields                  // GetFieldValues as a whole
	CallSamples                 // GetSamples
	CallUtilization             // GetProcessUtilization
	CallProcesses               // Get…RunningProcesses
	CallStatus                  // limits, clocks, temperature, memory, utilization rates
	CallActivity                // GPM samples of MIG instances
	calls
)

// AllDevices as a Fault's Device strikes every one.
const AllDevices = -1

// Fault is something that goes wrong during [At, At+For).
type Fault struct {
	Device int // index, or AllDevices; initialization has no device and meets both
	Call   Call
	Kind   FaultKind
	At     time.Duration
	For    time.Duration // 0: Forever
	// Times limits the fault to that many calls; 0 does not.
	Times int
	// Value is what Garbage shows: mW for power, mJ for the counter.
	Value uint64
}

// DriverUnloaded is the kernel driver gone during [at, at+d), for calls and for
// initialization alike; d 0 means Forever.
func DriverUnloaded(at, d time.Duration) []Fault {
	return []Fault{
		{Device: AllDevices, Call: AnyCall, Kind: NoDriver, At: at, For: d},
		{Device: AllDevices, Call: CallInit, Kind: NoDriver, At: at, For: d},
	}
}

// DriverUpgraded is a kernel driver replaced at that time by another version than
// the library's.
func DriverUpgraded(at time.Duration) []Fault {
	return []Fault{
		{Device: AllDevices, Call: AnyCall, Kind: VersionMismatch, At: at},
		{Device: AllDevices, Call: CallInit, Kind: VersionMismatch, At: at},
	}
}

// Strikes reports whether the fault meets such a call on a device at t, its Times
// disregarded.
func (f *Fault) Strikes(device int, call Call, t time.Duration) bool {
	if t < f.At || f.For != 0 && t-f.At >= f.For {
		return false
	}
	if call == CallInit || f.Call == CallInit {
		return call == f.Call
	}
	return (f.Call == AnyCall || f.Call == call) && (f.Device == AllDevices || f.Device == device)
}

func (f *Fault) validate(devices int) error {
	switch {
	case f.Device < AllDevices || f.Device >= devices && f.Device != 0:
		return fmt.Errorf("no device %d", f.Device)
	case f.Call >= calls || f.Kind >= faultKinds:
		return fmt.Errorf("call %d, kind %d", f.Call, f.Kind)
	case f.Kind == Growing && (f.Times < 1 || f.Times > 16):
		return fmt.Errorf("growing %d times, want 1 to 16", f.Times)
	case f.For < 0 || f.Times < 0:
		return fmt.Errorf("lasts %v, %d times", f.For, f.Times)
	}
	return nil
}
