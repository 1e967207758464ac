package carbon

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// PUE is a site's power usage effectiveness (ISO/IEC 30134-2): the energy of
// the whole facility over that of its IT equipment, at least 1.
type PUE struct {
	Value float64
	// Low and High bound it. They equal Value where somebody stated it.
	Low, High float64
	// Source is "assumed" for a default and "given" for a stated figure.
	Source string
}

// The sources of a PUE, as written in run files.
const (
	PUEAssumed = "assumed"
	PUEGiven   = "given"
)

// AssumedPUE is for a site of which nothing is known: 1.56, the average that
// the Uptime Institute's Global Data Center Survey 2024 found. Nothing bounds an
// unknown site well; 1.0 (a laptop, or a room that needs no cooling) to 2.0 (a
// poorly cooled server room) is greenagent's own assumption.
func AssumedPUE() PUE {
	return PUE{Value: 1.56, Low: 1, High: 2, Source: PUEAssumed}
}

// maxPUE is where a stated figure is taken for a mistake: at 5 a site would
// spend four times as much on cooling and supply as on computing.
const maxPUE = 5

// ErrPUE means that a number cannot be a PUE.
var ErrPUE = errors.New("not a PUE")

// GivenPUE returns the PUE that somebody stated. It fails with ErrPUE when the
// number lies outside 1 to 5.
func GivenPUE(value float64) (PUE, error) {
	switch {
	case math.IsNaN(value):
		return PUE{}, fmt.Errorf("%w: NaN", ErrPUE)
	case value < 1:
		return PUE{}, fmt.Errorf("%w: %g is below 1: PUE is facility energy over IT energy, 1.0 where nothing but the computer draws power", ErrPUE, value)
	case value > maxPUE:
		return PUE{}, fmt.Errorf("%w: %g is above %d: PUE is a ratio such as 1.2, not a percentage", ErrPUE, value, maxPUE)
	}
	return PUE{Value: value, Low: value, High: value, Source: PUEGiven}, nil
}

// ParsePUE reads a PUE as a person writes it, "1.2". It fails with ErrPUE.
func ParsePUE(text string) (PUE, error) {
	value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return PUE{}, fmt.Errorf("%w: %.32q is not a number such as 1.2", ErrPUE, text)
	}
	return GivenPUE(value)
}
