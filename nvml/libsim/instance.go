//go:build linux

package libsim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"greenagent/energy"
	"greenagent/scenario"
)

// Options of Start. The zero value is a virtual clock that starts at the node's
// uptime.
type Options struct {
	// Monotonic makes the scenario run in real time, on CLOCK_MONOTONIC, from now.
	Monotonic bool
}

// Instance is a library with its scenario, for this process and for its children,
// until the test ends.
type Instance struct {
	// Path is the library's; hand it to the binding.
	Path string
	// Node is the scenario as it runs: under Options.Monotonic with the Uptime that
	// makes "since boot" and CLOCK_MONOTONIC the same.
	Node scenario.Node
	// Origin is when the scenario's time 0 is on the clock.
	Origin energy.Instant

	scenario string
	// control is struct control of src/libsim.h. It stays mapped for good: a watchdog
	// or an abandoned call may look at the clock after the test.
	control   []byte
	monotonic bool
}

// Start builds the library for a node and prepares it for whoever has Env in its
// environment. The test is skipped where there is no C compiler.
func Start(tb testing.TB, node scenario.Node, options Options) *Instance {
	tb.Helper()
	in, err := start(tb, node, options)
	if errors.Is(err, ErrNoCompiler) {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatalf("libsim: %v", err)
	}
	tb.Cleanup(in.Release)
	return in
}

func start(tb testing.TB, node scenario.Node, options Options) (*Instance, error) {
	in := &Instance{Node: node, Origin: energy.Instant(node.Since()), monotonic: options.Monotonic}
	if in.monotonic {
		in.Origin = monotonic()
		in.Node.Uptime = time.Duration(in.Origin)
	}
	if err := in.Node.Validate(); err != nil {
		return nil, err
	}
	var err error
	if in.Path, err = Build(tb.Context(), node.MissingSymbols...); err != nil {
		return nil, err
	}
	folder := tb.TempDir()
	control := filepath.Join(folder, "control")
	if in.control, err = mapControl(control); err != nil {
		return nil, err
	}
	in.word(0).Store(int64(in.Origin))
	in.scenario = filepath.Join(folder, "scenario")
	file, err := os.OpenFile(in.scenario, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return in, write(file, &in.Node, clockLine{virtual: !in.monotonic, origin: in.Origin, control: control})
}

// devices is MAX_DEVICES of src/libsim.h.
const devices = 64

// mapControl creates the file that holds struct control: two words, and one for
// each device.
func mapControl(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	const size = 8 * (2 + devices)
	if err := file.Truncate(size); err != nil {
		return nil, err
	}
	return syscall.Mmap(int(file.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
}

// word returns a word of struct control: 0 the clock, 1 the release, then the calls
// of each device.
func (in *Instance) word(i int) *atomic.Int64 {
	return (*atomic.Int64)(unsafe.Pointer(&in.control[8*i]))
}

// Env returns what a child's environment needs, "NAME=value".
func (in *Instance) Env() string { return EnvScenario + "=" + in.scenario }

// Setenv makes this process's next nvmlInit read the scenario. It rules out
// parallel tests, as tb.Setenv does. In a program with cgo, Go hands the variable
// on to C's getenv.
func (in *Instance) Setenv(tb testing.TB) {
	tb.Helper()
	tb.Setenv(EnvScenario, in.scenario)
}

// Clock returns the clock the library runs on.
func (in *Instance) Clock() energy.Clock { return in }

// Now returns the instant the library's clock shows.
func (in *Instance) Now() energy.Instant {
	if in.monotonic {
		return monotonic()
	}
	return energy.Instant(in.word(0).Load())
}

// Elapsed returns the time since the scenario's origin.
func (in *Instance) Elapsed() time.Duration { return in.Now().Sub(in.Origin) }

// Advance moves the virtual clock on, in this process and in every other that has
// the library open, and returns what it then shows.
func (in *Instance) Advance(d time.Duration) energy.Instant {
	if in.monotonic {
		panic("libsim: a monotonic clock cannot be advanced")
	}
	return energy.Instant(in.word(0).Add(int64(d)))
}

// Calls returns how many calls have reached a device, which woke it if it slept.
func (in *Instance) Calls(device int) int64 { return in.word(2 + device).Load() }

// Release lets every hanging call return, now and later.
func (in *Instance) Release() { in.word(1).Store(1) }

func monotonic() energy.Instant {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(fmt.Sprintf("libsim: CLOCK_MONOTONIC: %v", err))
	}
	return energy.Instant(ts.Nano())
}
