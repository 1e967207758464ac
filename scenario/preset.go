package scenario

import (
	"time"

	"greenagent/energy"
)

// The presets are boards as they are documented and have been measured; edit the
// fields of what they return to make others. Power windows and ticks are those of
// Yang, Adamek and Armour, "Accurate and Convenient Energy Measurements for GPUs"
// (SC24, arXiv 2312.02741); the counters' ticks, which nobody documents, lie
// within the 10 to 100 ms that have been seen and differ on purpose.

const (
	ms  = time.Millisecond
	gib = int64(1) << 30
)

// Hopper is an H100 SXM: instant power sees a quarter of the time.
func Hopper(uuid string) Device {
	return Device{UUID: uuid, Name: "NVIDIA H100 80GB HBM3", Serial: "1650923000001", BusID: "00000000:1B:00.0", Architecture: "Hopper",
		Idle: 70 * energy.Watt, Context: 45 * energy.Watt, MaxLimit: 700 * energy.Watt, Memory: 80 * gib,
		Sensor: Sensor{Counter: true, CounterTick: 100 * ms, CounterPhase: 37 * ms,
			InstantTick: 100 * ms, InstantPhase: 62 * ms, InstantWindow: 25 * ms,
			AverageTick: 100 * ms, AveragePhase: 62 * ms, AverageWindow: 1000 * ms,
			RingTick: 100 * ms, Clock: SinceEpoch, Fields: ScopeGPU | ScopeMemory}}
}

// GA100 is an A100 SXM: as Hopper, without an average.
func GA100(uuid string) Device {
	return Device{UUID: uuid, Name: "NVIDIA A100-SXM4-40GB", Serial: "1564720000002", BusID: "00000000:07:00.0", Architecture: "Ampere",
		Idle: 50 * energy.Watt, Context: 15 * energy.Watt, MaxLimit: 400 * energy.Watt, Memory: 40 * gib,
		Sensor: Sensor{Counter: true, CounterTick: 20 * ms, CounterPhase: 11 * ms,
			InstantTick: 100 * ms, InstantPhase: 5 * ms, InstantWindow: 25 * ms,
			RingTick: 100 * ms, Clock: SinceEpoch, Fields: ScopeGPU}}
}

// Ada is an L40S.
func Ada(uuid string) Device {
	return Device{UUID: uuid, Name: "NVIDIA L40S", Serial: "1324123000003", BusID: "00000000:41:00.0", Architecture: "Ada",
		Idle: 35 * energy.Watt, Context: 45 * energy.Watt, MaxLimit: 350 * energy.Watt, Memory: 48 * gib,
		Sensor: Sensor{Counter: true, CounterTick: 100 * ms, CounterPhase: 81 * ms,
			InstantTick: 100 * ms, InstantPhase: 13 * ms, InstantWindow: 100 * ms,
			AverageTick: 100 * ms, AveragePhase: 13 * ms, AverageWindow: 1000 * ms,
			RingTick: time.Second, Clock: SinceEpoch, Fields: ScopeGPU}}
}

// Turing is a T4 with a driver that has no power fields yet.
func Turing(uuid string) Device {
	return Device{UUID: uuid, Name: "Tesla T4", Serial: "0324918000004", BusID: "00000000:00:1E.0", Architecture: "Turing",
		Idle: 9 * energy.Watt, Context: 17 * energy.Watt, MaxLimit: 70 * energy.Watt, Memory: 16 * gib,
		Sensor: Sensor{Counter: true, CounterTick: 50 * ms, CounterPhase: 3 * ms,
			InstantTick: 100 * ms, InstantPhase: 44 * ms, InstantWindow: 100 * ms,
			RingTick: 100 * ms, Clock: SinceBoot}}
}

// Volta is a V100, the first with an energy counter.
func Volta(uuid string) Device {
	return Device{UUID: uuid, Name: "Tesla V100-SXM2-16GB", Serial: "0323617000005", BusID: "00000000:89:00.0", Architecture: "Volta",
		Idle: 40 * energy.Watt, Context: 15 * energy.Watt, MaxLimit: 300 * energy.Watt, Memory: 16 * gib,
		Sensor: Sensor{Counter: true, CounterTick: 20 * ms, CounterPhase: 7 * ms,
			InstantTick: 20 * ms, InstantPhase: 1 * ms, InstantWindow: 10 * ms,
			RingTick: 20 * ms, Clock: SinceBoot}}
}

// Pascal is a P100: no energy counter.
func Pascal(uuid string) Device {
	return Device{UUID: uuid, Name: "Tesla P100-PCIE-16GB", Serial: "0322916000006", BusID: "00000000:04:00.0", Architecture: "Pascal",
		Idle: 26 * energy.Watt, Context: 6 * energy.Watt, MaxLimit: 250 * energy.Watt, Memory: 16 * gib,
		Sensor: Sensor{InstantTick: 20 * ms, InstantPhase: 9 * ms, InstantWindow: 10 * ms,
			RingTick: 20 * ms, Clock: SinceBoot}}
}

// Maxwell is an M40: no energy counter, and a reading that lags.
func Maxwell(uuid string) Device {
	return Device{UUID: uuid, Name: "Tesla M40", Serial: "0321816000007", BusID: "00000000:82:00.0", Architecture: "Maxwell",
		Idle: 16 * energy.Watt, Context: 44 * energy.Watt, MaxLimit: 250 * energy.Watt, Memory: 12 * gib,
		Sensor: Sensor{InstantTick: 100 * ms, InstantPhase: 20 * ms, Lag: 100 * ms,
			RingTick: 100 * ms, Clock: SinceBoot}}
}

// GraceHopper is a GH200: its power fields reject the GPU's scope and answer for
// the whole module, CPU included.
func GraceHopper(uuid string) Device {
	d := Hopper(uuid)
	d.Name, d.BusID, d.MaxLimit, d.Memory = "NVIDIA GH200 480GB", "00000009:01:00.0", 900*energy.Watt, 96*gib
	d.Module = 150 * energy.Watt
	d.Sensor.Fields = ScopeModule
	return d
}

// Presets returns one board of each kind, its UUID "GPU-" and the kind.
func Presets() []Device {
	return []Device{Hopper("GPU-hopper"), GA100("GPU-ga100"), Ada("GPU-ada"), Turing("GPU-turing"),
		Volta("GPU-volta"), Pascal("GPU-pascal"), Maxwell("GPU-maxwell"), GraceHopper("GPU-gracehopper")}
}
