package scenario

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"greenagent/energy"
)

// loaded returns a Hopper with three loads: one steady, one that alternates and one
// that rises, with a pause in which none is resident.
func loaded() Device {
	d := Hopper("GPU-1")
	d.Loads = []Load{
		{PID: 1, From: 2 * time.Second, To: 12 * time.Second, Power: Steady(100 * energy.Watt)},
		{PID: 2, From: 5 * time.Second, To: 20 * time.Second, Power: Square(0, 300*energy.Watt, 700*ms, 0.3, 0)},
		{PID: 3, From: 30 * time.Second, Power: Ramp(0, 200*energy.Watt, 10*time.Second)},
	}
	return d
}

func TestAccounts(t *testing.T) {
	d := loaded()
	a := d.Accounts(0, 40*time.Second)
	want := Accounts{Idle: 40 * 70 * energy.Joule, Context: 28 * 45 * energy.Joule}
	for i := range d.Loads {
		want.Dynamic += d.Loads[i].Energy(0, 40*time.Second)
	}
	if a != want || d.Energy(0, 40*time.Second) != want.Total() {
		t.Errorf("accounts %+v, want %+v", a, want)
	}
	if e := d.Loads[0].Energy(0, time.Minute); e != 1000*energy.Joule {
		t.Errorf("steady load used %v", e)
	}
}

// TestEnergyFollowsDraw compares with a numeric quadrature of the momentary power.
func TestEnergyFollowsDraw(t *testing.T) {
	d := loaded()
	const step = 100 * time.Microsecond
	var sum float64
	for at := step / 2; at < 45*time.Second; at += step {
		sum += d.Draw(at).Watts() * step.Seconds()
	}
	if got := d.Energy(0, 45*time.Second).Joules(); math.Abs(got-sum) > 0.5 {
		t.Errorf("closed form %v J, quadrature %v J", got, sum)
	}
}

func TestEnergyAdds(t *testing.T) {
	d := loaded()
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.Int64Range(-int64(time.Hour), int64(time.Hour))
		a, b, c := time.Duration(times.Draw(t, "a")), time.Duration(times.Draw(t, "b")), time.Duration(times.Draw(t, "c"))
		if whole, parts := d.Energy(a, c), d.Energy(a, b)+d.Energy(b, c); whole != parts {
			t.Fatalf("%d µJ in one, %d in two", whole, parts)
		}
	})
}

func TestSteadyReadings(t *testing.T) {
	for _, d := range Presets() {
		d.Loads = []Load{{PID: 1, Power: Steady(20 * energy.Watt)}}
		want := d.Idle + d.Context + 20*energy.Watt
		for at := 3 * time.Second; at < 4*time.Second; at += 7 * ms {
			if p := d.InstantPower(at); p != want {
				t.Fatalf("%s: instant %v at %v, want %v", d.UUID, p, at, want)
			}
			if p, ok := d.AveragePower(at); ok && p != want {
				t.Fatalf("%s: average %v at %v, want %v", d.UUID, p, at, want)
			}
			for _, e := range d.Ring(nil, 2*time.Second, at) {
				if e.Power != want || e.At > at || e.At <= 2*time.Second {
					t.Fatalf("%s: ring has %+v at %v, want %v", d.UUID, e, at, want)
				}
			}
		}
	}
}

// TestCounterTicks reads a counter so often that each of its ticks is seen.
func TestCounterTicks(t *testing.T) {
	for _, d := range Presets() {
		if !d.Sensor.Counter {
			if _, ok := d.Counter(time.Second, time.Hour); ok {
				t.Errorf("%s has a counter", d.UUID)
			}
			continue
		}
		d.Loads = []Load{{PID: 1, Power: Steady(20 * energy.Watt)}}
		last, _ := d.Counter(0, time.Hour)
		if last < d.Idle.For(time.Hour-time.Second) || last > d.Idle.For(time.Hour) {
			t.Errorf("%s: %v at the origin after an idle hour", d.UUID, last)
		}
		var edges []time.Duration
		for at := time.Duration(0); at < time.Second; at += ms {
			if e, _ := d.Counter(at, time.Hour); e != last {
				edges, last = append(edges, at), e
			}
		}
		if want := int(time.Second / d.Sensor.CounterTick); len(edges) != want || edges[0] != d.Sensor.CounterPhase {
			t.Errorf("%s: edges at %v, want %d from %v", d.UUID, edges, want, d.Sensor.CounterPhase)
		}
	}
}

// TestWindows shows why an H100's power is not its energy: a load as fast as the
// sensor's tick is seen for a quarter of the time.
func TestWindows(t *testing.T) {
	d := Hopper("GPU-1")
	d.Idle, d.Context = 0, 0
	// On for half of each 100 ms, and during the whole of the window.
	d.Loads = []Load{{PID: 1, Power: Square(0, 400*energy.Watt, 100*ms, 0.5, 20*ms)}}
	at := 5 * time.Second
	if p := d.InstantPower(at); p != 0 {
		t.Errorf("instant power %v: the window from 37 to 62 ms ends where the load is off", p)
	}
	if p, _ := d.AveragePower(at); p != 200*energy.Watt {
		t.Errorf("average power %v, want 200 W", p)
	}
	before, _ := d.Counter(at, time.Hour)
	after, _ := d.Counter(at+10*time.Second, time.Hour)
	if after-before != 2000*energy.Joule {
		t.Errorf("the counter rises by %v, want 2000 J", after-before)
	}
}

func TestLag(t *testing.T) {
	d := Maxwell("GPU-1")
	d.Context, d.Sensor.InstantTick = 0, 0
	d.Loads = []Load{{PID: 1, From: 10 * time.Second, Power: Steady(100 * energy.Watt)}}
	for _, after := range []time.Duration{0, 50 * ms, 100 * ms, 300 * ms, 2 * time.Second} {
		want := 16 + 100*(1-math.Exp(-float64(after)/float64(d.Sensor.Lag)))
		if got := d.InstantPower(10*time.Second + after).Watts(); math.Abs(got-want) > 3 {
			t.Errorf("%v after a step: %.1f W, want about %.1f", after, got, want)
		}
	}
}

func TestGainAndOffset(t *testing.T) {
	d := Volta("GPU-1")
	d.Idle, d.Sensor.Gain, d.Sensor.Offset = 100*energy.Watt, -50_000, 3*energy.Watt
	if p := d.InstantPower(time.Second); p != 98*energy.Watt {
		t.Errorf("power %v, want 98 W", p)
	}
	a, _ := d.Counter(10*time.Second, 0)
	b, _ := d.Counter(20*time.Second, 0)
	if b-a != 980*energy.Joule {
		t.Errorf("counter rises by %v, want 980 J", b-a)
	}
	d.Sensor.Offset = -200 * energy.Watt
	if p := d.InstantPower(time.Second); p != 0 {
		t.Errorf("power %v, want none below 0", p)
	}
}

func TestReset(t *testing.T) {
	d := Volta("GPU-1")
	d.Resets = []time.Duration{10 * time.Second, 20 * time.Second}
	for at, want := range map[time.Duration]energy.Energy{
		5 * time.Second: 40 * 3605 * energy.Joule, 15 * time.Second: 200 * energy.Joule, 21 * time.Second: 40 * energy.Joule,
	} {
		if e, _ := d.Counter(at, time.Hour); e > want || want-e > energy.Joule {
			t.Errorf("counter %v at %v, want %v", e, at, want)
		}
	}
}

func TestStatus(t *testing.T) {
	d := loaded()
	d.Limit = 500 * energy.Watt
	d.Loads[0].Memory, d.Loads[1].Memory = 3, 4
	if s := d.Status(time.Second); s != (Status{Limit: 500 * energy.Watt, Temperature: 35, SMClock: 345, MemoryClock: 405, PerformanceState: 8}) {
		t.Errorf("at rest: %+v", s)
	}
	s := d.Status(11 * time.Second)
	if s.MemoryUsed != 7 || s.PerformanceState != 0 || s.SMUtilization != 100 || s.Temperature < 40 {
		t.Errorf("at work: %+v", s)
	}
}
