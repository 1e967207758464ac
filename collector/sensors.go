package collector

import (
	"strings"
	"time"

	"greenagent/nvml"
)

// sensor is what is known of a GPU's power sensor from its architecture alone:
// how often it is updated and which part of that time it sees. Source: Yang,
// Adamek, Armour, "Accurate and Convenient Energy Measurements for GPUs", SC24,
// arXiv 2312.02741, table of sampling parameters.
type sensor struct {
	tick   time.Duration
	window float64 // of the tick
}

func sensorOf(d nvml.Device) sensor {
	switch d.Architecture {
	case "Hopper":
		return sensor{100 * time.Millisecond, 0.25}
	case "Ampere":
		if strings.Contains(d.Name, "A100") || strings.Contains(d.Name, "A30") {
			return sensor{100 * time.Millisecond, 0.25}
		}
	case "Volta", "Pascal":
		return sensor{20 * time.Millisecond, 0.5}
	}
	return sensor{100 * time.Millisecond, 1}
}
