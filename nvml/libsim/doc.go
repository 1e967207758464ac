// Package libsim builds and drives a simulated NVML: a real libnvidia-ml.so.1, in
// C, that the real binding opens through the dynamic linker and that answers from
// a described node. It is C because a Go shared library would put two Go runtimes
// into one process.
//
// The library is compiled by the system's C compiler against the nvml.h of the
// go-nvml module, so its binary interface is NVIDIA's own. It finds its scenario
// through the environment variable that Instance.Env names, at each nvmlInit; what
// it shows is, to the bit, what package scenario computes. Its clock is either
// CLOCK_MONOTONIC or a file mapped into both processes, which the test moves on.
//
// Symbols an old driver lacks are left out of a variant of the library
// (scenario.Node's MissingSymbols). One process may open several variants one after
// the other, with two cautions that come from the dynamic linker and go-nvml: a
// call that has been made once stays bound to the library that first had it, also
// where a later one lacks it; and go-nvml keeps the newest versioned functions it
// has ever found. Lookups answer for the variant that is open.
package libsim
