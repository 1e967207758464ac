package collector

import (
	"strings"
	"time"

	"greenagent/nvml"
)

// sensor is what is known of a GPU's power sensor from its architecture alone:
// how often it is updated, which part of that time it sees, and with what time
// constant it follows. Source: Yang, Adamek, Armour, "Accurate and Convenient
// Energy Measurements for GPUs", SC24, arXiv 2312.02741, table of sampling
// parameters; the lag, which it shows and does not put a number on, is a judgement.
type sensor struct {
	tick   time.Duration
	window float64 // of the tick
	lag    time.Duration
}

func sensorOf(d nvml.Device) sensor {
	switch d.Architecture {
	case "Hopper":
		return sensor{tick: 100 * time.Millisecond, window: 0.25}
	case "Ampere":
		if strings.Contains(d.Name, "A100") || strings.Contains(d.Name, "A30") {
			return sensor{tick: 100 * time.Millisecond, window: 0.25}
		}
	case "Volta", "Pascal":
		return sensor{tick: 20 * time.Millisecond, window: 0.5}
	case "Maxwell", "Kepler":
		return sensor{tick: 100 * time.Millisecond, window: 1, lag: 100 * time.Millisecond}
	}
	return sensor{tick: 100 * time.Millisecond, window: 1}
}
