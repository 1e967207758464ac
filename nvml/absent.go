//go:build !linux || !cgo

package nvml

import (
	"context"
	"fmt"
)

var errBuild = fmt.Errorf("nvml: built without cgo: %w", ErrAbsent)

// Library is NVML, opened; in this build there is none to open.
type Library struct{}

// Open returns ErrAbsent: this build has no binding.
func Open(context.Context, Options) (*Library, error) { return nil, errBuild }

// Devices returns nil.
func (*Library) Devices() []Device { return nil }

// Warnings returns nil.
func (*Library) Warnings() []error { return nil }

// Driver returns "".
func (*Library) Driver() string { return "" }

// Missing returns nil.
func (*Library) Missing() []string { return nil }

// Sample returns ErrAbsent.
func (*Library) Sample(int, *Sample) error { return errBuild }

// Processes returns ErrAbsent.
func (*Library) Processes(_ int, dst []Process) ([]Process, error) { return dst, errBuild }

// Utilization returns ErrAbsent.
func (*Library) Utilization(_ int, _ uint64, dst []Utilization) ([]Utilization, error) {
	return dst, errBuild
}

// PowerSamples returns ErrAbsent.
func (*Library) PowerSamples(_ int, _ uint64, dst []PowerSample) ([]PowerSample, error) {
	return dst, errBuild
}

// Status returns ErrAbsent.
func (*Library) Status(int, *Status) error { return errBuild }

// Replaced returns a channel that is never closed.
func (*Library) Replaced() <-chan struct{} { return nil }

// Stuck returns 0.
func (*Library) Stuck() int { return 0 }

// Partition returns ErrAbsent.
func (*Library) Partition(int, *Partition) error { return errBuild }

// Activity returns ErrAbsent.
func (*Library) Activity(_ int, dst []InstanceActivity) ([]InstanceActivity, error) {
	return dst, errBuild
}

// Close returns nil.
func (*Library) Close() error { return nil }
