//go:build linux && cgo

package nvml_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"greenagent/nvml"
	"greenagent/nvml/libsim"
	"greenagent/scenario"
)

// pci is a /sys in which GPUs stand behind bridges.
type pci struct {
	t    *testing.T
	root string
}

func newPCI(t *testing.T, gpus ...string) pci {
	p := pci{t, t.TempDir()}
	for i, address := range gpus {
		folder := filepath.Join(p.root, "devices", "pci0000:00", "0000:00:0"+string(rune('1'+i))+".0", address)
		link := filepath.Join(p.root, "bus", "pci", "devices", address)
		if err := errors.Join(
			os.MkdirAll(filepath.Join(folder, "power"), 0o755), os.MkdirAll(filepath.Join(folder, "..", "power"), 0o755),
			os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(folder, link),
			os.WriteFile(filepath.Join(folder, "vendor"), []byte("0x10de\n"), 0o644),
			os.WriteFile(filepath.Join(folder, "class"), []byte("0x030200\n"), 0o644),
		); err != nil {
			t.Fatal(err)
		}
		p.set(address, "active")
		p.set(address+"/..", "active")
	}
	return p
}

// set has the kernel say that of a device, in place, as sysfs does.
func (p pci) set(address, status string) {
	p.t.Helper()
	folder, err := filepath.EvalSymlinks(filepath.Join(p.root, "bus", "pci", "devices", filepath.Dir(address+"/x")))
	if filepath.Base(address) == ".." {
		folder, err = filepath.EvalSymlinks(filepath.Join(p.root, "bus", "pci", "devices", filepath.Dir(address)))
		folder = filepath.Dir(folder)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "power", "runtime_status"), []byte(status+"\n"), 0o644)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// TestAsleepIsNotWoken: no call reaches a GPU while it, or the bridge above it, is
// suspended.
func TestAsleepIsNotWoken(t *testing.T) {
	const first, second = "0000:01:00.0", "0000:65:00.0"
	p := newPCI(t, first, second)
	node := pair()
	node.Devices[0].BusID, node.Devices[1].BusID = "00000000:01:00.0", "00000000:65:00.0"
	in := libsim.Start(t, node, libsim.Options{})
	in.Setenv(t)
	o := options(in)
	o.Sys = p.root
	lib, err := nvml.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	var before, s nvml.Sample
	if err := lib.Sample(0, &before); err != nil {
		t.Fatal(err)
	}
	for _, asleep := range []struct{ device, status string }{
		{first, "suspended"}, {first, "suspending"}, {first + "/..", "suspended"},
	} {
		p.set(asleep.device, asleep.status)
		calls := in.Calls(0)
		for range 20 {
			in.Advance(time.Second)
			expect(t, "sample", lib.Sample(0, &s), nvml.ErrAsleep)
			_, err := lib.Processes(0, nil)
			expect(t, "processes", err, nvml.ErrAsleep)
			_, err = lib.Utilization(0, 0, nil)
			expect(t, "utilization", err, nvml.ErrAsleep)
			_, err = lib.PowerSamples(0, 0, nil)
			expect(t, "power samples", err, nvml.ErrAsleep)
			expect(t, "status", lib.Status(0, new(nvml.Status)), nvml.ErrAsleep)
			if err := lib.Sample(1, &s); err != nil {
				t.Fatalf("the other: %v", err)
			}
		}
		if n := in.Calls(0) - calls; n != 0 {
			t.Errorf("%s %s, and %d calls reached it", asleep.device, asleep.status, n)
		}
		p.set(asleep.device, "active")
		if err := lib.Sample(0, &s); err != nil || s.Epoch != before.Epoch || s.Counter <= before.Counter {
			t.Errorf("awake: %+v after %+v, %v", s, before, err)
		}
	}
}

// TestAsleepAtOpen: NVML is not even started for GPUs that all sleep, and of several
// the one that sleeps is left alone.
func TestAsleepAtOpen(t *testing.T) {
	const first, second = "0000:01:00.0", "0000:65:00.0"
	p := newPCI(t, first, second)
	p.set(first, "suspended")
	p.set(second, "suspended")
	node := scenario.Node{Devices: []scenario.Device{busy(scenario.Hopper("GPU-0")), busy(scenario.Hopper("GPU-1"))}}
	in := libsim.Start(t, node, libsim.Options{})
	in.Setenv(t)
	o := options(in)
	o.Sys = p.root
	_, err := nvml.Open(t.Context(), o)
	expect(t, "open", err, nvml.ErrAsleep)
	if in.Calls(0)+in.Calls(1) != 0 {
		t.Errorf("%d and %d calls", in.Calls(0), in.Calls(1))
	}
	p.set(second, "active")
	lib, err := nvml.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	if d, w := lib.Devices(), lib.Warnings(); len(d) != 1 || d[0].UUID != "GPU-1" || len(w) != 1 || !errors.Is(w[0], nvml.ErrAsleep) {
		t.Errorf("devices %+v, warnings %v", d, w)
	}
	if n := in.Calls(0); n != 0 {
		t.Errorf("%d calls reached the one asleep", n)
	}
}
