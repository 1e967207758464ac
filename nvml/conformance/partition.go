package conformance

import (
	"slices"
	"testing"
	"time"

	"greenagent/nvml"
)

// partition checks that instances fit into the device and stand beside each other.
func (e *examination) partition(t *testing.T) {
	p := nvml.Partition{Instances: []nvml.Instance{{UUID: "of before"}}}
	if err := e.lib.Partition(e.index, &p); err != nil {
		t.Fatal(err)
	}
	if !p.Enabled {
		if p.Slices != 0 || len(p.Instances) != 0 || e.device.Instances != nil {
			t.Errorf("MIG is off, and there are %+v and %+v", p, e.device.Instances)
		}
		return
	}
	if e.device.Instances == nil {
		t.Error("MIG is on, and the device says that it is off")
	}
	type place struct{ gpu, compute uint32 }
	uuids, places := map[string]bool{}, map[place]bool{}
	sizes, used := map[uint32]int{}, map[uint32]int{}
	for _, in := range p.Instances {
		at := place{in.GPUInstance, in.ComputeInstance}
		if uuids[in.UUID] || in.UUID == "" || places[at] || in.GPUInstance == nvml.NoInstance || in.ComputeInstance == nvml.NoInstance {
			t.Errorf("instance %s at %+v, which is taken or none", in.UUID, at)
		}
		uuids[in.UUID], places[at] = true, true
		if in.Slices < 0 || in.GPUSlices < in.Slices || in.Memory < 0 || e.device.Memory > 0 && in.Memory > e.device.Memory {
			t.Errorf("instance %+v is larger than what it is in", in)
		}
		if size, known := sizes[in.GPUInstance]; known && size != in.GPUSlices {
			t.Errorf("GPU instance %d has %d slices and %d", in.GPUInstance, size, in.GPUSlices)
		}
		sizes[in.GPUInstance] = in.GPUSlices
		used[in.GPUInstance] += in.Slices
	}
	sum := 0
	for id, size := range sizes {
		if used[id] > size {
			t.Errorf("GPU instance %d of %d slices holds %d", id, size, used[id])
		}
		sum += size
	}
	if p.Slices > 0 && sum > p.Slices {
		t.Errorf("instances of %d slices on a device of %d", sum, p.Slices)
	}
}

// activity asks for what instances did over some windows.
func (e *examination) activity(t *testing.T) {
	e.unsupported(t, func() error { _, err := e.lib.Activity(e.index, nil); return err })
	marker := nvml.InstanceActivity{GPUInstance: nvml.NoInstance}
	told := false
	for round := range 3 {
		const wait = 300 * time.Millisecond
		e.o.Wait(wait)
		active, err := e.lib.Activity(e.index, []nvml.InstanceActivity{marker})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if len(active) == 0 || active[0] != marker {
			t.Fatalf("round %d: not appended to dst: %v", round, active)
		}
		active = active[1:]
		var p nvml.Partition
		if err := e.lib.Partition(e.index, &p); err != nil {
			t.Fatal(err)
		}
		for i, a := range active {
			if !slices.ContainsFunc(p.Instances, func(in nvml.Instance) bool { return in.GPUInstance == a.GPUInstance }) {
				t.Errorf("round %d: %+v is in no instance of %+v", round, a, p)
			}
			if i > 0 && active[i-1].GPUInstance >= a.GPUInstance {
				t.Errorf("round %d: out of order: %+v", round, active)
			}
			if a.SM > 1_000_000 || a.Over < wait/2 {
				t.Errorf("round %d: %+v", round, a)
			}
		}
		told = told || len(active) > 0 || len(p.Instances) == 0
	}
	if !told {
		t.Error("nothing is told of any instance")
	}
	// At once: nothing can have been counted.
	if again, err := e.lib.Activity(e.index, nil); err != nil || len(again) != 0 {
		t.Errorf("at once again: %+v, %v", again, err)
	}
}
