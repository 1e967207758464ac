package collector

import (
	"fmt"
	"math"
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
	text := fmt.Sprintf("%.6g × shown", c.scale())
	switch {
	case c.Offset > 0:
		text += " + " + c.Offset.String()
	case c.Offset < 0:
		text += " − " + (-c.Offset).String()
	}
	return text + fmt.Sprintf(", ±%.2g %%", 200*c.Uncertainty)
}

// scale returns the gain.
func (c Calibration) scale() float64 {
	if c.Gain == 0 {
		return 1
	}
	return c.Gain
}

// power returns what an external meter would show, never less than nothing.
func (c Calibration) power(shown energy.Power) energy.Power {
	if c.None() {
		return shown
	}
	return max(0, energy.Power(math.Round(c.scale()*float64(shown)))+c.Offset)
}

// energy returns the energy of a time over which a counter advanced by shown. Of
// a device that draws less than its sensor's offset it is nothing, rather than
// less: energy does not run backwards.
func (c Calibration) energy(shown energy.Energy, d time.Duration) energy.Energy {
	if c.None() {
		return shown
	}
	return max(0, energy.Energy(math.Round(c.scale()*float64(shown)))+c.Offset.For(d))
}
