// Package nvml reads NVIDIA GPUs through the NVIDIA Management Library: energy
// counters, power, the driver's own rings of power samples, who holds a context
// and who was active, MIG instances and how busy they are, and what changes slowly.
//
// Open finds the devices and settles, for each, which questions it answers. The
// readings are in readings.go, what can go wrong in errors.go. A Library may be
// used from several goroutines; all of its calls reach the driver through one
// goroutine, one after the other, and none of them can block the program: a
// call that outlasts Options.Timeout returns ErrHung, its device is set aside,
// and the other devices go on.
//
// Reading a Sample in steady state allocates nothing.
//
// The binding needs Linux, cgo and glibc. Elsewhere the package compiles and
// Open returns ErrAbsent. Calls are bound lazily: a program built where the
// linker defaults to immediate binding (-z now) needs
//
//	go build -ldflags '-extldflags=-Wl,-z,lazy'
//
// or it will not start on machines whose driver lacks any of NVML's symbols.
package nvml
