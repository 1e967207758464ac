// Package scenario describes a node completely: its GPUs and their sensors, the
// loads that run on them, its processes and processors, and what goes wrong.
//
// A scenario is the truth that greenagent is tested against. Power is piecewise
// linear in time, so that every energy has a closed form; it is computed in
// integers to the femtojoule and rounded down to the microjoule once, at each
// instant and for each account. Two consequences: energies over adjacent
// intervals add up exactly, and the accounts of a device (idle, context, each
// load) add up exactly to the device.
//
// One description feeds three simulations: nvml/sim (Go), nvml/libsim (a C
// libnvidia-ml.so.1), and the /proc and /sys trees that this package writes. What
// a sensor shows, in Device's reading methods, is the reference for all of them.
//
// Times are durations since the scenario's origin. Descriptions are values: they
// are not changed after being handed over, and may be read from any goroutine.
package scenario
