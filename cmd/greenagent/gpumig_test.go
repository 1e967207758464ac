//go:build linux && cgo

package main

import (
	"strings"
	"testing"
	"time"

	"greenagent/scenario"
)

// TestGPUUnderMIG: the command in one instance and somebody else in another, of a
// board that tells how busy they are and of one that does not. Nothing runs in the
// third instance, and a slice is in none. Two seconds in, another instance is set up.
func TestGPUUnderMIG(t *testing.T) {
	t.Parallel()
	other := bystander(t, "sleep", "60")
	node := scenario.Node{Devices: []scenario.Device{scenario.Hopper("GPU-gpm"), scenario.GA100("GPU-slices")}}
	for i := range node.Devices {
		d := &node.Devices[i]
		d.Context = 0
		id := []string{"MIG-h", "MIG-a"}[i]
		d.Instances = []scenario.Instance{
			{UUID: id + "1", GPUInstance: 1, Slices: 3, Memory: 40 << 30},
			{UUID: id + "2", GPUInstance: 2, Slices: 2, Memory: 20 << 30},
			{UUID: id + "3", GPUInstance: 3, Slices: 1, Memory: 10 << 30},
			{UUID: id + "4", GPUInstance: 4, Slices: 1, Memory: 10 << 30, From: 2 * time.Second},
		}
		d.Loads = []scenario.Load{
			{PID: theCommand, From: 1300 * time.Millisecond, Memory: 1 << 30, Instance: id + "1", SM: 90, Power: scenario.Steady(180 * watt)},
			{PID: other, From: 1300 * time.Millisecond, Memory: 3 << 30, Instance: id + "2", SM: 90, Power: scenario.Steady(120 * watt)},
		}
	}
	r := measureGPUs(t, node, "export CUDA_VISIBLE_DEVICES=MIG-h1; "+outliving+"sleep 4", "--interval", "250ms")
	sums(t, r.measured)
	for i, method := range []string{"gpm", "slices"} {
		d, want := r.gpu(t, i), r.truth(i)
		if apart(*d.Energy, want) > want/200 {
			t.Errorf("%s: %v, want %v", d.ID, *d.Energy, want)
		}
		mine := r.node.Devices[i].Loads[0].Energy(r.from, r.to)
		theirs := r.node.Devices[i].Loads[1].Energy(r.from, r.to)
		t.Logf("%s: the run %v ± %v of %v, others %v of %v, idle %v, of it unallocated %v; by %s", d.ID,
			*d.Run, *d.RunUncertainty, mine, *d.Others, theirs, *d.Idle, *d.Unallocated, d.Method)
		if apart(*d.Run, mine) > *d.RunUncertainty || apart(*d.Run, mine) > mine/3 || d.Method != method {
			t.Errorf("%s: the run %v ± %v by %s, want %v by %s", d.ID, *d.Run, *d.RunUncertainty, d.Method, mine, method)
		}
		// Up to 2 s a slice of seven was free; only then, and only of idle energy.
		if free := r.node.Devices[i].Idle.For(2*second) / 7; *d.Unallocated > free*11/10 || (*d.Unallocated > 0) != (*d.Idle > 0) {
			t.Errorf("%s: unallocated %v, want up to %v", d.ID, *d.Unallocated, free)
		}
	}
	if strings.Contains(r.stderr, "not freed") {
		t.Errorf("sample memory is left\n%s", r.stderr)
	}
}
