package scenario

import (
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"greenagent/energy"
)

// halved is cut into two, of which the second has a successor and two tenants.
func halved() Device {
	d := Hopper("GPU-1")
	d.Instances = []Instance{
		{UUID: "MIG-1", GPUInstance: 1, Slices: 3},
		{UUID: "MIG-2", GPUInstance: 2, Slices: 1, GPUSlices: 4, To: 20 * time.Second},
		{UUID: "MIG-3", GPUInstance: 2, Slices: 2, From: 20 * time.Second},
	}
	d.Loads = []Load{
		{PID: 1, Instance: "MIG-1", SM: 40, Power: Square(0, 100*energy.Watt, 700*ms, 0.3, 100*ms)},
		{PID: 2, Instance: "MIG-2", SM: 80, Power: Sequence(Segment[energy.Power]{3 * time.Second, 0, 0}, Segment[energy.Power]{5 * time.Second, 0, energy.Watt}), To: 20 * time.Second},
		{PID: 3, Instance: "MIG-3", From: 21 * time.Second, Power: Steady(energy.Watt)},
	}
	return d
}

// TestSMActivity compares with a quadrature of who is active.
func TestSMActivity(t *testing.T) {
	d := halved()
	if err := (&Node{Devices: []Device{d}}).Validate(); err != nil {
		t.Fatal(err)
	}
	const step = 5 * ms
	for _, test := range []struct {
		load     *Load
		instance uint32
		of       float64 // of its GPU instance
		from, to time.Duration
	}{
		{&d.Loads[0], 1, 1, 0, time.Second},
		{&d.Loads[0], 1, 1, 1300 * ms, 19 * time.Second},
		{&d.Loads[1], 2, 0.25, 2 * time.Second, 6 * time.Second},
		{&d.Loads[1], 2, 0.25, 2 * time.Second, 12 * time.Second},
		{&d.Loads[2], 2, 1, 20500 * ms, 23 * time.Second},
	} {
		var busy float64
		for at := test.from + step/2; at < test.to; at += step {
			if test.load.Draw(at) > 0 {
				busy += step.Seconds()
			}
		}
		want := busy / (test.to - test.from).Seconds() * float64(test.load.sm()) / 100 * test.of
		got, ok := d.SMActivity(test.instance, test.from, test.to)
		if !ok || math.Abs(float64(got)/1e6-want) > 0.002 {
			t.Errorf("instance %d from %v to %v: %d millionths, %t; want %.4f", test.instance, test.from, test.to, got, ok, want)
		}
	}
	if sm, ok := d.SMActivity(1, 1010*ms, 1090*ms); ok {
		t.Errorf("between two updates: %d", sm)
	}
	if sm, ok := d.SMActivity(7, 0, time.Second); ok {
		t.Errorf("of an instance that is not there: %d", sm)
	}
}

// TestAboveAdds: times above 0 add up, and are those of the curve's area where that
// is flat.
func TestAboveAdds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Square(0, 3*energy.Microwatt, time.Duration(rapid.IntRange(2, 1e9).Draw(t, "period"))*time.Microsecond,
			rapid.Float64Range(0, 1).Draw(t, "duty"), time.Duration(rapid.IntRange(0, 1e9).Draw(t, "phase")))
		at := time.Duration(rapid.Int64Range(-1e9, 1e15).Draw(t, "at"))
		if got, want := c.Above(at), time.Duration(c.area(at).over(3)); got != want {
			t.Fatalf("%v above 0 until %v, want %v", got, at, want)
		}
	})
}

func TestInstancesThatCannotBe(t *testing.T) {
	for name, spoil := range map[string]func(*Device){
		"in one place":       func(d *Device) { d.Instances[2].From = 19 * time.Second },
		"UUID twice":         func(d *Device) { d.Instances[1].UUID = "MIG-1" },
		"backward":           func(d *Device) { d.Instances[2].To = time.Second },
		"negative":           func(d *Device) { d.Instances[0].Slices = -1 },
		"load before it":     func(d *Device) { d.Loads[2].From = 20*time.Second - 1 },
		"load that outlasts": func(d *Device) { d.Loads[1].To = 20*time.Second + 1 },
	} {
		d := halved()
		spoil(&d)
		if err := (&Node{Devices: []Device{d}}).Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
