package nvml

import (
	"time"

	"greenagent/energy"
)

// Device describes one GPU as found when the library was opened. Devices are
// addressed by their index in Library.Devices.
type Device struct {
	UUID         string
	Name         string
	Serial       string       // "" where the board has none
	BusID        string       // PCI, "00000000:65:00.0"
	Architecture string       // "Hopper"; "" where the driver does not say
	Driver       string       // the driver's version, "570.124.06"
	MaxLimit     energy.Power // the highest power limit the board accepts, 0 unknown
	Memory       int64        // bytes, 0 unknown
	Instances    []Instance   // MIG instances when it was opened; nil where MIG was off
}

// Instance is a MIG device: a compute instance in a GPU instance. It has no power
// of its own: what it uses is a share of its parent's.
type Instance struct {
	UUID            string
	GPUInstance     uint32
	ComputeInstance uint32
	Slices          int   // of the parent's compute slices, 0 unknown
	GPUSlices       int   // those of its GPU instance, which may hold others; 0 unknown
	Memory          int64 // bytes
}

// Partition is how a device is cut into MIG instances at one moment. The zero
// value is a device that is not.
type Partition struct {
	Enabled   bool // MIG is on
	Slices    int  // how many compute slices the device has; 0 unknown
	Instances []Instance
}

// InstanceActivity is how busy a GPU instance was since it was last asked for.
type InstanceActivity struct {
	GPUInstance uint32
	SM          uint32        // of its streaming multiprocessors, in millionths
	Over        time.Duration // how long that was
}

// Scope says what a power reading covers.
type Scope uint8

// The scopes of NVML field values.
const (
	ScopeGPU    Scope = 0
	ScopeModule Scope = 1 // a superchip's module: GPU, CPU and their memory
	ScopeMemory Scope = 2
)

// Sample is one reading of a device's power sensor. Fields a device does not
// have are absent: their Has flag is false and they hold 0.
type Sample struct {
	// Before and After bracket the driver call on the library's clock.
	Before, After energy.Instant

	Counter energy.Energy // since the driver was loaded
	Instant energy.Power  // over the sensor's own short window
	Average energy.Power  // over the last second
	// Epoch changes when the counter has started anew, as with a reload of the
	// driver: values of two epochs do not compare.
	Epoch      uint32
	HasCounter bool
	HasInstant bool
	HasAverage bool
	// Scope is what Instant and Average cover. The counter is always the GPU's.
	Scope Scope
}

// Kind says in which of the driver's process lists a process stands.
type Kind uint8

// Kinds combine: a process can hold a compute and a graphics context.
const (
	Compute Kind = 1 << iota
	Graphics
	MPS
)

// NoInstance is the GPU or compute instance id of a process outside MIG.
const NoInstance = 0xFFFFFFFF

// Process is a process that holds a context on a device.
type Process struct {
	PID             int
	Kinds           Kind
	Memory          int64 // bytes of device memory, -1 where the driver does not say
	GPUInstance     uint32
	ComputeInstance uint32
}

// Utilization is the driver's statistic of how much of the time since the
// caller's stamp a process was the active one, in percent by engine.
type Utilization struct {
	PID                          int
	Stamp                        uint64         // driver's µs of the newest sample: hand it back as since
	At                           energy.Instant // Stamp on the library's clock
	SM, Memory, Encoder, Decoder uint8
}

// PowerSample is an entry of the driver's own ring of power readings.
type PowerSample struct {
	Stamp uint64         // driver's µs: hand the newest back as since
	At    energy.Instant // Stamp on the library's clock
	Power energy.Power
}

// Status is what changes slowly: limits, clocks, temperature, memory.
// A negative value is unknown.
type Status struct {
	Limit            energy.Power // enforced now
	Temperature      int          // °C
	SMClock          int          // MHz
	MemoryClock      int          // MHz
	SMUtilization    int          // percent
	MemoryUsed       int64        // bytes
	PerformanceState int          // 0 (highest) … 15
}
