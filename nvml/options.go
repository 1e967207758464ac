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
	// Timeout bounds one request to the driver. Default 5 s.
	Timeout time.Duration
	// InitTimeout bounds the start of NVML, which attaches every GPU and takes
	// seconds where no persistence daemon keeps them attached. Default 30 s.
	InitTimeout time.Duration
}
