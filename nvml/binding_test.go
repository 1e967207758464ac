//go:build linux && cgo

package nvml

import (
	"errors"
	"strings"
	"testing"
	"time"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/google/go-cmp/cmp"

	"greenagent/energy"
)

// matches returns the sentinels that err matches.
func matches(err error) (matched []error) {
	for _, s := range []error{ErrAbsent, ErrNoDriver, ErrVersionMismatch, ErrPermission, ErrUnsupported, ErrTransient, ErrLost, ErrAsleep, ErrHung} {
		if errors.Is(err, s) {
			matched = append(matched, s)
		}
	}
	return matched
}

func TestEveryReturnMatchesOneSentinel(t *testing.T) {
	g := newGPU("GPU-1", "test")
	for ret := driver.Return(1); ret < 1100; ret++ {
		for _, err := range []error{failure("init", ret), g.failure("power", ret, sentinel(ret))} {
			if m := matches(err); len(m) != 1 || m[0] != sentinel(ret) {
				t.Fatalf("%v matches %v", err, m)
			}
		}
	}
	if sentinel(driver.SUCCESS) != nil {
		t.Error("success is an error")
	}
	for ret, want := range map[driver.Return]error{
		driver.ERROR_DRIVER_NOT_LOADED:       ErrNoDriver,
		driver.ERROR_UNINITIALIZED:           ErrNoDriver,
		driver.ERROR_LIB_RM_VERSION_MISMATCH: ErrVersionMismatch,
		driver.ERROR_NO_PERMISSION:           ErrPermission,
		driver.ERROR_NOT_SUPPORTED:           ErrUnsupported,
		driver.ERROR_GPU_IS_LOST:             ErrLost,
		driver.ERROR_RESET_REQUIRED:          ErrLost,
		driver.ERROR_UNKNOWN:                 ErrTransient,
		driver.ERROR_INSUFFICIENT_SIZE:       ErrTransient,
		driver.Return(777):                   ErrTransient,
	} {
		if got := sentinel(ret); got != want {
			t.Errorf("%s: %v, want %v", returnName(ret), got, want)
		}
	}
	got := g.failure("energy counter", driver.ERROR_GPU_IS_LOST, ErrLost).Error()
	if want := "nvml: device GPU-1: energy counter: driver says GPU_IS_LOST: GPU is lost"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := failure("init", 777).Error(); !strings.Contains(got, "code 777") {
		t.Errorf("%q does not name the code", got)
	}
}

func TestAbility(t *testing.T) {
	const refused = driver.ERROR_NOT_SUPPORTED
	t.Run("disproved by refusals alone", func(t *testing.T) {
		var a ability
		for n := range refusalLimit - 1 {
			if err := a.learn(refused); err != ErrTransient || a.settled() {
				t.Fatalf("refusal %d: %v, settled %t", n+1, err, a.settled())
			}
		}
		if err := a.learn(driver.ERROR_UNKNOWN); err != ErrTransient || a.settled() {
			t.Fatalf("another failure: %v, settled %t", err, a.settled())
		}
		if err := a.learn(refused); err != ErrUnsupported || !a.absent() {
			t.Fatalf("last refusal: %v, absent %t", err, a.absent())
		}
		if err := a.learn(refused); err != ErrUnsupported {
			t.Fatalf("after the last: %v", err)
		}
	})
	t.Run("proven for good", func(t *testing.T) {
		var a ability
		if err := a.learn(refused); err != ErrTransient {
			t.Fatal(err)
		}
		if err := a.learn(driver.SUCCESS); err != nil {
			t.Fatal(err)
		}
		for range 3 * refusalLimit {
			if err := a.learn(refused); err != ErrTransient || a.absent() {
				t.Fatalf("%v, absent %t", err, a.absent())
			}
		}
	})
}

func TestMergeProcesses(t *testing.T) {
	got := mergeProcesses([]Process{
		{PID: 30, Kinds: Compute, Memory: 5, GPUInstance: NoInstance, ComputeInstance: NoInstance},
		{PID: 10, Kinds: Compute, Memory: 7, GPUInstance: NoInstance, ComputeInstance: NoInstance},
		{PID: 10, Kinds: Compute, Memory: 2, GPUInstance: NoInstance, ComputeInstance: NoInstance},
		{PID: 20, Kinds: Compute, Memory: -1, GPUInstance: 3, ComputeInstance: 0},
		{PID: 10, Kinds: Graphics, Memory: 9, GPUInstance: NoInstance, ComputeInstance: NoInstance},
		{PID: 30, Kinds: Graphics, Memory: 8, GPUInstance: 1, ComputeInstance: 2},
		{PID: 20, Kinds: MPS, Memory: -1, GPUInstance: 3, ComputeInstance: 0},
		{PID: 40, Kinds: MPS, Memory: -1, GPUInstance: NoInstance, ComputeInstance: NoInstance},
		{PID: 40, Kinds: MPS, Memory: 4, GPUInstance: NoInstance, ComputeInstance: NoInstance},
	})
	want := []Process{
		{PID: 10, Kinds: Compute | Graphics, Memory: 9, GPUInstance: NoInstance, ComputeInstance: NoInstance},
		{PID: 20, Kinds: Compute | MPS, Memory: -1, GPUInstance: 3, ComputeInstance: 0},
		{PID: 30, Kinds: Compute | Graphics, Memory: 8, GPUInstance: 1, ComputeInstance: 2},
		{PID: 40, Kinds: MPS, Memory: 4, GPUInstance: NoInstance, ComputeInstance: NoInstance},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestDate(t *testing.T) {
	const now = energy.Instant(90_000_000_000) // 90 s after boot
	wall := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	epoch := uint64(wall.UnixMicro())
	for name, stamps := range map[string][]uint64{
		"since boot":      {88_000_000, 89_900_000},
		"since the epoch": {epoch - 2_000_000, epoch - 100_000},
	} {
		ring := []PowerSample{{Stamp: stamps[0]}, {Stamp: stamps[1]}}
		date(ring, now, wall)
		if ring[0].At != now.Add(-2*time.Second) || ring[1].At != now.Add(-100*time.Millisecond) {
			t.Errorf("%s: %d, %d", name, ring[0].At, ring[1].At)
		}
	}
	date(nil, now, wall) // nothing to date, nothing to recognise the clock by
	absurd := []PowerSample{{Stamp: 1<<64 - 1}}
	date(absurd, now, wall) // must not panic
}

func TestBytes(t *testing.T) {
	for v, want := range map[uint64]int64{0: 0, 80 << 30: 80 << 30, 1<<64 - 1: -1, 1 << 63: -1} {
		if got := bytes(v, -1); got != want {
			t.Errorf("bytes(%#x) = %d, want %d", v, got, want)
		}
	}
}

// The lists reach the handle inside go-nvml's device by the name of its field.
func TestRawHandle(t *testing.T) {
	if rawHandle(nil) != nil {
		t.Error("a handle out of nothing")
	}
	if rawHandle(struct{ driver.Device }{}) != nil {
		t.Error("a handle out of another type")
	}
}

func TestMonotonicClock(t *testing.T) {
	a := monotonic{}.Now()
	b := monotonic{}.Now()
	if a <= 0 || b < a || b.Sub(a) > time.Minute {
		t.Errorf("%d, then %d", a, b)
	}
}
