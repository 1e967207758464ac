package scenario

import (
	"errors"
	"testing"
	"time"

	"greenagent/energy"
)

func TestPresetsAreValid(t *testing.T) {
	if err := (&Node{Devices: Presets()}).Validate(); err != nil {
		t.Error(err)
	}
	if err := new(Node).Validate(); err != nil {
		t.Errorf("a node of nothing: %v", err)
	}
}

func TestValidate(t *testing.T) {
	for name, spoil := range map[string]func(*Node){
		"no UUID":             func(n *Node) { n.Devices[0].UUID = "" },
		"UUID twice":          func(n *Node) { n.Devices[1].UUID = n.Devices[0].UUID },
		"UUID of two words":   func(n *Node) { n.Devices[0].UUID = "GPU 1" },
		"newline":             func(n *Node) { n.Devices[0].Name = "a\nfault 0" },
		"driver's newline":    func(n *Node) { n.Driver = "1\n" },
		"negative idle":       func(n *Node) { n.Devices[0].Idle = -1 },
		"loads out of order":  func(n *Node) { n.Devices[0].Loads[0].From = time.Hour },
		"load backward":       func(n *Node) { n.Devices[0].Loads[0].From, n.Devices[0].Loads[0].To = 2, 1 },
		"PID 0":               func(n *Node) { n.Devices[0].Loads[0].PID = 0 },
		"SM":                  func(n *Node) { n.Devices[0].Loads[0].SM = 101 },
		"no such instance":    func(n *Node) { n.Devices[0].Loads[0].Instance = "MIG-1" },
		"curve":               func(n *Node) { n.Devices[0].Loads[0].Power = Steady(-energy.Watt) },
		"resets":              func(n *Node) { n.Devices[0].Resets = []time.Duration{2, 1} },
		"tick":                func(n *Node) { n.Devices[0].Sensor.CounterTick = -1 },
		"gain":                func(n *Node) { n.Devices[0].Sensor.Gain = -1e6 },
		"fault's device":      func(n *Node) { n.Faults = []Fault{{Device: 9}} },
		"fault's kind":        func(n *Node) { n.Faults = []Fault{{Kind: faultKinds}} },
		"growing without end": func(n *Node) { n.Faults = []Fault{{Kind: Growing}} },
		"process":             func(n *Node) { n.Processes = []Process{{PID: -1}} },
		"before boot":         func(n *Node) { n.Processes = []Process{{PID: 1, Start: -2 * time.Hour}} },
		"PID taken":           func(n *Node) { n.Processes = []Process{{PID: 5}, {PID: 5, Start: time.Hour}} },
		"package":             func(n *Node) { n.CPU.Packages = []Package{{Idle: 2, Max: 1}} },
	} {
		node := Node{Devices: []Device{loaded(), Volta("GPU-2")}}
		if err := node.Validate(); err != nil {
			t.Fatal(err)
		}
		spoil(&node)
		if err := node.Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	reused := Node{Processes: []Process{{PID: 5, End: time.Hour}, {PID: 5, Start: time.Hour}}}
	if err := reused.Validate(); err != nil {
		t.Errorf("a PID used again: %v", err)
	}
}

func TestStamps(t *testing.T) {
	node := Node{Uptime: time.Minute, Epoch: time.Unix(1000, 0)}
	for domain, want := range map[ClockDomain]uint64{SinceBoot: 62_500_000, SinceEpoch: 1_002_500_000} {
		stamp := node.Stamp(domain, 2500*ms)
		if stamp != want {
			t.Errorf("domain %d: stamp %d, want %d", domain, stamp, want)
		}
		if at := node.Unstamp(domain, stamp); node.Stamp(domain, at) != stamp || node.Stamp(domain, at+1) != stamp+1 {
			t.Errorf("domain %d: %v is not the last of stamp %d", domain, at, stamp)
		}
	}
}

func TestStrikes(t *testing.T) {
	f := Fault{Device: 1, Call: CallPower, At: time.Second, For: time.Second}
	for _, test := range []struct {
		device int
		call   Call
		at     time.Duration
		want   bool
	}{
		{1, CallPower, time.Second, true}, {1, CallPower, 1999 * ms, true}, {1, CallPower, 999 * ms, false},
		{1, CallPower, 2 * time.Second, false}, {0, CallPower, time.Second, false}, {1, CallCounter, time.Second, false},
		{1, CallInit, time.Second, false},
	} {
		if got := f.Strikes(test.device, test.call, test.at); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
	always := Fault{Device: AllDevices}
	if !always.Strikes(3, CallStatus, time.Hour) || always.Strikes(AllDevices, CallInit, 0) {
		t.Error("a fault of any call strikes every one but initialization")
	}
}

func TestDynamic(t *testing.T) {
	node := Node{Devices: []Device{loaded(), loaded()}}
	if e := node.Dynamic(1, 0, time.Minute); e != 2000*energy.Joule {
		t.Errorf("process 1 used %v on two devices", e)
	}
}
