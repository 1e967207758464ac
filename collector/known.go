package collector

import (
	"fmt"
	"time"

	"greenagent/energy"
)

// Known is what is known of a GPU before it is read: what its owner has
// configured, or an earlier run has learnt. The zero value knows nothing.
type Known struct {
	Calibration Calibration
	// CounterTick and PowerTick are how often its energy counter and its power
	// sensor move, 0 unknown.
	CounterTick, PowerTick time.Duration
	// Idle is what it draws with nobody on it, 0 unknown.
	Idle energy.Power
}

// Calibration relates what a device's sensor shows to what an external meter
// does: power = Gain × shown + Offset. The zero value is no calibration.
type Calibration struct {
	Gain   float64 // 0 means 1
	Offset energy.Power
	// Uncertainty is the relative standard uncertainty of a calibrated figure.
	Uncertainty float64
}

// None reports whether there is no calibration.
func (c Calibration) None() bool { return c == Calibration{} }

// String says what is done to the sensor's figures: "1.02 × shown − 3.5 W, ±2 %"
// (k = 2).
func (c Calibration) String() string {
	gain := c.Gain
	if gain == 0 {
		gain = 1
	}
	text := fmt.Sprintf("%.6g × shown", gain)
	switch {
	case c.Offset > 0:
		text += " + " + c.Offset.String()
	case c.Offset < 0:
		text += " − " + (-c.Offset).String()
	}
	return text + fmt.Sprintf(", ±%.2g %%", 200*c.Uncertainty)
}
