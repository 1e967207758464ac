package collector_test

import (
	"slices"
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/energy"
	"greenagent/scenario"
)

// tenant is a process in a MIG instance of the first device.
func tenant(node *scenario.Node, pid int, instance string, from, to time.Duration, sm int) {
	resident(node, 0, pid, from, to, 50*energy.Watt, 1<<30)
	l := &node.Devices[0].Loads[len(node.Devices[0].Loads)-1]
	l.Instance, l.SM = instance, sm
}

// place is one of an activity's places, in parts of the device.
type place struct {
	id         string
	size, busy float64
	pids       []int
}

func placesOf(a collector.Activity) (list []place) {
	for i, p := range a.Places {
		q := place{id: p.ID, size: float64(p.Size) / float64(a.Whole), busy: float64(p.Busy) / float64(a.Whole)}
		for _, u := range a.Usage {
			if u.Place == i {
				q.pids = append(q.pids, u.Process.PID)
			}
		}
		list = append(list, q)
	}
	return list
}

func expectPlaces(t *testing.T, what string, a collector.Activity, method collector.Method, want ...place) {
	t.Helper()
	near := func(x, y float64) bool { return x-y < 0.003 && y-x < 0.003 }
	if got := placesOf(a); a.Method != method || !slices.EqualFunc(got, want, func(p, q place) bool {
		return p.id == q.id && near(p.size, q.size) && near(p.busy, q.busy) && slices.Equal(p.pids, q.pids)
	}) {
		t.Errorf("%s: by %v, %+v\nwant by %v, %+v", what, a.Method, got, method, want)
	}
}

// carved is a Hopper with an instance of three slices, and one of three that two
// compute instances share.
func carved() scenario.Device {
	d := scenario.Hopper("GPU-0")
	d.Instances = []scenario.Instance{
		{UUID: "MIG-a", GPUInstance: 1, Slices: 3},
		{UUID: "MIG-b", GPUInstance: 2, ComputeInstance: 0, Slices: 1, GPUSlices: 3},
		{UUID: "MIG-c", GPUInstance: 2, ComputeInstance: 1, Slices: 2, GPUSlices: 3},
	}
	return d
}

func TestInstancesByGPM(t *testing.T) {
	node := scenario.Node{Devices: []scenario.Device{carved()}}
	tenant(&node, 42, "MIG-a", 0, 0, 50)
	tenant(&node, 43, "MIG-c", 0, 0, 60)
	tenant(&node, 44, "MIG-b", 6*time.Second, 0, 0)
	node.Devices[0].Loads[2].Power = scenario.Steady(energy.Power(0))
	u := newUsers(t, node)
	if a := u.must(50 * ms)[0]; !a.Open || a.Present() != 2 {
		t.Errorf("before GPM can tell anything: %+v", a)
	}
	u.must(1 * time.Second)
	third := 1.0 / 7 // slices
	a := u.must(2 * time.Second)[0]
	if a.Open {
		t.Error("open, though GPM told")
	}
	// All that the shared GPU instance did is of the one in which somebody is.
	expectPlaces(t, "two", a, collector.ByGPM, place{"MIG-a", 3 * third, 1.5 * third, []int{42}},
		place{"MIG-b", 1 * third, 0, nil}, place{"MIG-c", 2 * third, 1.2 * third, []int{43}})
	for now := 3; now <= 8; now++ {
		a = u.must(time.Duration(now) * time.Second)[0]
	}
	// With somebody in both, GPM does not tell them apart.
	expectPlaces(t, "three", a, collector.ByGPM, place{"MIG-a", 3 * third, 1.5 * third, []int{42}},
		place{"MIG-b", 1 * third, 0.4 * third, []int{44}}, place{"MIG-c", 2 * third, 0.8 * third, []int{43}})
}

func TestInstancesWithoutGPM(t *testing.T) {
	d := scenario.GA100("GPU-0")
	d.Instances = []scenario.Instance{{UUID: "MIG-a", GPUInstance: 1, Slices: 3}, {UUID: "MIG-b", GPUInstance: 2, Slices: 2}}
	node := scenario.Node{Devices: []scenario.Device{d}}
	tenant(&node, 42, "MIG-b", 0, 0, 50)
	u := newUsers(t, node)
	for now := range 3 {
		a := u.must(time.Duration(now) * time.Second)[0]
		if a.Open {
			t.Error("open: there is nothing to wait for")
		}
		expectPlaces(t, "an A100", a, collector.BySlices, place{"MIG-a", 3. / 7, 0, nil}, place{"MIG-b", 2. / 7, 0, []int{42}})
	}
}

// TestGPMThatFails is done without after a while, and asked again.
func TestGPMThatFails(t *testing.T) {
	node := scenario.Node{Devices: []scenario.Device{carved()}, Faults: []scenario.Fault{
		{Call: scenario.CallActivity, Kind: scenario.NoPermission, At: 3500 * ms, For: 2 * time.Second},
	}}
	tenant(&node, 42, "MIG-a", 0, 0, 50)
	u := newUsers(t, node)
	for now := 1; now <= 8; now++ {
		a, err := u.look(time.Duration(now) * time.Second)
		failing := now == 4 || now == 5
		if (err != nil) != failing {
			t.Errorf("at %d s: %v", now, err)
		}
		// After the failure there is nothing to compare with.
		want := now != 4 && now != 5 && now != 6
		if (a[0].Method == collector.ByGPM) != want || a[0].Open != (now == 6) {
			t.Errorf("at %d s: by %v, open %t", now, a[0].Method, a[0].Open)
		}
	}
}

// TestInstancesComeAndGo: a process is in the instance that has its ids when it is
// there, and what was cut anew counts for half of the interval in which that was.
func TestInstancesComeAndGo(t *testing.T) {
	d := carved()
	d.Instances[0].To = 5500 * ms
	d.Instances = append(d.Instances,
		scenario.Instance{UUID: "MIG-d", GPUInstance: 1, Slices: 1, From: 5500 * ms},
		scenario.Instance{UUID: "MIG-e", GPUInstance: 7, Slices: 1, From: 5500 * ms})
	node := scenario.Node{Devices: []scenario.Device{d}}
	tenant(&node, 43, "MIG-c", 0, 0, 60)
	tenant(&node, 42, "MIG-a", time.Second, 5200*ms, 50)
	tenant(&node, 50, "MIG-d", 5600*ms, 0, 100)
	tenant(&node, 51, "MIG-e", 6500*ms, 0, 100)
	u := newUsers(t, node)
	third := 1.0 / 7
	b, c := place{"MIG-b", third, 0, nil}, place{"MIG-c", 2 * third, 1.2 * third, []int{43}}
	for now := range 6 {
		u.must(time.Duration(now) * time.Second)
	}
	a := u.must(6 * time.Second)[0]
	quiet := c
	quiet.busy = 0
	expectPlaces(t, "at the change", a, collector.BySlices, place{"MIG-a", 1.5 * third, 0, []int{42}}, b, quiet,
		place{"MIG-d", 0.5 * third, 0, []int{50}}, place{"MIG-e", 0.5 * third, 0, nil})
	a = u.must(7 * time.Second)[0]
	expectPlaces(t, "after it", a, collector.ByGPM, b, c, place{"MIG-d", third, third, []int{50}}, place{"MIG-e", third, third / 2, []int{51}})
	if len(a.Usage) != 3 {
		t.Errorf("present: %+v", a.Usage)
	}
}

// TestMIGSwitchedOn has all instances set up after the start, and all removed.
func TestMIGSwitchedOn(t *testing.T) {
	d := scenario.Hopper("GPU-0")
	d.Instances = []scenario.Instance{{UUID: "MIG-a", GPUInstance: 1, Slices: 7, From: 3 * time.Second, To: 6 * time.Second}}
	node := scenario.Node{Devices: []scenario.Device{d}}
	tenant(&node, 42, "MIG-a", 3*time.Second, 5*time.Second, 100)
	u := newUsers(t, node)
	var present []int
	for now := range 10 {
		a := u.must(time.Duration(now) * time.Second)[0]
		present = append(present, len(a.Places))
		if a.Whole == 0 {
			t.Errorf("at %d s: nothing of nothing is free", now)
		}
	}
	if want := []int{0, 0, 0, 1, 1, 1, 1, 0, 0, 0}; !slices.Equal(present, want) {
		t.Errorf("places: %v, want %v", present, want)
	}
}

func TestObservingInstancesAllocatesNothing(t *testing.T) {
	node := scenario.Node{Devices: []scenario.Device{carved()}}
	tenant(&node, 42, "MIG-a", 0, 0, 50)
	tenant(&node, 43, "MIG-c", 0, 0, 60)
	u := newUsers(t, node)
	now := time.Duration(0)
	for range 5 {
		u.must(now)
		now += time.Second
	}
	nothing(t, "observing MIG instances", func() {
		u.clock.Advance(time.Second)
		if err := u.observer.Observe(u.clock.Now(), u.activity); err != nil {
			t.Fatal(err)
		}
	})
	if u.activity[0].Method != collector.ByGPM {
		t.Errorf("by %v", u.activity[0].Method)
	}
}
