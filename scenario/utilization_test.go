package scenario

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"greenagent/energy"
)

func TestTagsAreSeventyTwo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Duration(rapid.Int64Range(-int64(time.Hour), int64(maxDuration)).Draw(t, "at"))
		n := tagBefore(at)
		if tagTime(n) > at || tagTime(n+1) <= at {
			t.Fatalf("tag %d at %v, the next at %v, neither the last before %v", n, tagTime(n), tagTime(n+1), at)
		}
		if tagTime(n+SamplerTags)-tagTime(n) != SamplerWindow {
			t.Fatalf("72 tags from %d take %v", n, tagTime(n+SamplerTags)-tagTime(n))
		}
	})
}

// TestShares lets two loads share a device that is wanted twice over, and a third
// one wait.
func TestShares(t *testing.T) {
	d := Hopper("GPU-1")
	d.Loads = []Load{
		{PID: 1, Power: Steady(energy.Watt), SM: 90},
		{PID: 2, Power: Steady(energy.Watt), SM: 30},
		{PID: 3},
	}
	shares, newest := d.Utilization(nil, 0, time.Minute)
	if len(shares) != 2 || shares[0].PID != 1 || shares[1].PID != 2 {
		t.Fatalf("shares %+v, want those of 1 and 2", shares)
	}
	if math.Abs(float64(shares[0].SM-75)) > 3 || shares[0].SM+shares[1].SM != 100 {
		t.Errorf("shares %+v, want about 75 and 25", shares)
	}
	if newest > time.Minute || newest < time.Minute-140*ms {
		t.Errorf("stamped %v at one minute", newest)
	}
	if again, _ := d.Utilization(nil, newest, time.Minute); len(again) != 0 {
		t.Errorf("since the newest tag: %+v", again)
	}
}

// TestUtilizationLeavesIdleOut has one load that keeps the device busy for 40 % of
// the time.
func TestUtilizationLeavesIdleOut(t *testing.T) {
	d := Hopper("GPU-1")
	d.Loads = []Load{{PID: 1, Power: Steady(energy.Watt), SM: 40}}
	if shares, _ := d.Utilization(nil, 0, time.Minute); len(shares) != 1 || math.Abs(float64(shares[0].SM-40)) > 3 {
		t.Errorf("shares %+v, want about 40", shares)
	}
	d.Loads[0] = Load{PID: 1, Power: Square(0, energy.Watt, 3*time.Second, 0.4, 0)}
	if shares, _ := d.Utilization(nil, 0, time.Minute); len(shares) != 1 || math.Abs(float64(shares[0].SM-40)) > 6 {
		t.Errorf("shares %+v, want about 40", shares)
	}
}

// TestStale asks since 0 and gets one who has left.
func TestStale(t *testing.T) {
	d := Hopper("GPU-1")
	d.Loads = []Load{{PID: 1, To: 55 * time.Second, Power: Steady(energy.Watt)}, {PID: 2, From: 55 * time.Second, Power: Steady(energy.Watt)}}
	if shares, _ := d.Utilization(nil, 0, time.Minute); len(shares) != 2 {
		t.Errorf("shares %+v, want the one who left, too", shares)
	}
	if shares, _ := d.Utilization(nil, 56*time.Second, time.Minute); len(shares) != 1 || shares[0] != (Share{PID: 2, SM: 100, Memory: 50}) {
		t.Errorf("shares %+v, want 2 alone", shares)
	}
	if shares, _ := d.Utilization(nil, 0, 70*time.Second); len(shares) != 1 || shares[0].PID != 2 {
		t.Errorf("shares %+v, want what lies back more than 10 s forgotten", shares)
	}
}
