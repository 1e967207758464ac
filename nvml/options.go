package nvml

import (
	"time"

	"greenagent/energy"
)

// Options says how to open the library. The zero value opens the system's.
type Options struct {
	// Path of the library, as dlopen takes it. Default libnvidia-ml.so.1.
	Path string
	// Clock dates the readings. Default CLOCK_MONOTONIC.
	Clock energy.Clock
	// Wall is the wall clock, used only to recognise and convert the stamps of
	// drivers that count from the epoch. Default time.Now.
	Wall func() time.Time
	// Timeout bounds one request to the driver: while one hangs, the requests about
	// other devices wait. Default 1 s, and 5 s for describing a device.
	Timeout time.Duration
	// InitTimeout bounds the start of NVML, which attaches every GPU and takes
	// seconds where no persistence daemon keeps them attached. Default 30 s.
	InitTimeout time.Duration
	// Proc is where /proc is, for the version of the kernel driver, and Sys where
	// /sys is, for which GPUs are asleep. "" does without.
	Proc, Sys string

	describe time.Duration // bounds the description of a device
}
