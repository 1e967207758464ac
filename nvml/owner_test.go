//go:build linux && cgo

package nvml

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// staff returns a library of n devices with nothing behind it but its owner.
func staff(n int) *Library {
	l := &Library{clock: monotonic{}, replaced: make(chan struct{}), timeout: 5 * time.Second, timer: time.NewTimer(time.Hour)}
	for i := range n {
		l.gpus = append(l.gpus, newGPU(fmt.Sprintf("GPU-%d", i), "test"))
	}
	l.owner = l.hire()
	return l
}

func (l *Library) try(device int, run operation) error {
	l.desk.Lock()
	defer l.desk.Unlock()
	_, err := l.request(device, run, 0)
	return err
}

func nothing(*Library, *gpu, uint64) error { return nil }

// TestHangIsNoticedAmongRequests: the watchdog's timer goes on from one request to
// the next, and each has its own time nevertheless.
func TestHangIsNoticedAmongRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := staff(2)
		driver := make(chan struct{})
		hang := func(*Library, *gpu, uint64) error { <-driver; return nil }
		for range 1000 { // 45 s: past several timeouts
			if err := l.try(0, nothing); err != nil {
				t.Fatal(err)
			}
			time.Sleep(45 * time.Millisecond)
		}
		for device, timeout := range []time.Duration{5 * time.Second, 100 * time.Millisecond} {
			l.timeout = timeout
			began := time.Now()
			if err := l.try(device, hang); !errors.Is(err, ErrHung) {
				t.Fatalf("a request that hangs: %v", err)
			}
			if took := time.Since(began); took != timeout {
				t.Errorf("noticed after %v, want %v", took, timeout)
			}
		}
		close(driver)
		synctest.Wait()
		if err := l.try(0, nothing); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestHungCallSetsAsideItsDeviceOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := staff(3)
		driver := make(chan struct{})
		late := func(_ *Library, g *gpu, _ uint64) error {
			<-driver
			g.sampled.Counter = 42
			return nil
		}

		start := time.Now()
		if err := l.try(1, late); !errors.Is(err, ErrHung) {
			t.Fatalf("hung call: %v", err)
		}
		if took := time.Since(start); took != l.timeout {
			t.Errorf("noticed after %v, want %v", took, l.timeout)
		}
		start = time.Now()
		for range 100 {
			if err := l.try(1, nothing); !errors.Is(err, ErrHung) {
				t.Fatalf("set aside: %v", err)
			}
			for _, other := range []int{0, 2} {
				if err := l.try(other, nothing); err != nil {
					t.Fatalf("device %d: %v", other, err)
				}
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("a device set aside costs the others %v", took)
		}
		if l.life.stuck != 1 {
			t.Errorf("%d owners left behind for one device", l.life.stuck)
		}

		close(driver)
		synctest.Wait()
		if err := l.try(1, nothing); err != nil {
			t.Errorf("come back: %v", err)
		}
		if l.life.stuck != 0 {
			t.Errorf("%d owners left behind after all", l.life.stuck)
		}
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

func TestEveryDeviceMayHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := staff(4)
		driver := make(chan struct{})
		hang := func(*Library, *gpu, uint64) error { <-driver; return nil }
		for range 3 {
			for i := range l.gpus {
				if err := l.try(i, hang); !errors.Is(err, ErrHung) {
					t.Fatalf("device %d: %v", i, err)
				}
			}
		}
		if l.life.stuck != len(l.gpus) {
			t.Errorf("%d owners left behind by %d devices", l.life.stuck, len(l.gpus))
		}
		start := time.Now()
		if err := l.Close(); !errors.Is(err, ErrHung) {
			t.Errorf("close: %v", err)
		}
		if took := time.Since(start); took > l.timeout {
			t.Errorf("close took %v", took)
		}
		close(driver) // synctest fails if a goroutine stays
	})
}

// Requests that wait behind a hung one are served, in bounded time. In real
// time, as callers that wait for a mutex do not let virtual time pass.
func TestWaitingRequestsSurviveHang(t *testing.T) {
	l := staff(3)
	l.timeout = 300 * time.Millisecond
	driver, hanging := make(chan struct{}), make(chan struct{})
	hung := make(chan error, 1)
	go func() {
		hung <- l.try(0, func(*Library, *gpu, uint64) error { close(hanging); <-driver; return nil })
	}()
	<-hanging
	var callers sync.WaitGroup
	for _, device := range []int{1, 2, 1, 2} {
		callers.Go(func() {
			if err := l.try(device, nothing); err != nil {
				t.Errorf("device %d: %v", device, err)
			}
		})
	}
	callers.Wait()
	if err := <-hung; !errors.Is(err, ErrHung) {
		t.Errorf("hung call: %v", err)
	}
	close(driver)
	for l.try(0, nothing) != nil { // until it has come back
		time.Sleep(time.Millisecond)
	}
	if err := l.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestRequestsThatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := staff(1)
		for _, device := range []int{-1, 1} {
			if err := l.Sample(device, new(Sample)); !errors.Is(err, ErrAbsent) {
				t.Errorf("device %d: %v", device, err)
			}
		}
		for range 2 {
			if err := l.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		if err := l.Status(0, new(Status)); !errors.Is(err, ErrAbsent) {
			t.Errorf("closed: %v", err)
		}
	})
}

func TestOwnerAllocatesNothing(t *testing.T) {
	l := staff(1)
	defer l.Close()
	if n := testing.AllocsPerRun(100, func() {
		if err := l.try(0, nothing); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per request", n)
	}
}
