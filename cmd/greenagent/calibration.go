package main

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"greenagent/collector"
	"greenagent/energy"
)

// calibrationKey is the one key of the configuration file that is no flag: what an
// external meter has shown of GPUs, by UUID.
//
//	calibration:
//	  GPU-1c2d…: {gain: 1.02, offset_w: -3.5, uncertainty: 0.01}
const calibrationKey = "calibration"

// The bounds of a calibration. Cards have been seen between 0.87 and 1.06, and
// −23 W and +16 W off (SC24, see docs/method.md); what is far beyond is a slip.
const (
	leastGain, mostGain = 0.5, 2.0
	mostOffset          = 100 * energy.Watt
	mostUncertainty     = 0.2
	// usualUncertainty is assumed where none is given: a line through what a meter of
	// half a percent showed at a few loads.
	usualUncertainty = 0.01
)

// calibrations are those of the configuration, by UUID in lower case.
type calibrations map[string]collector.Calibration

// of returns a GPU's.
func (c calibrations) of(uuid string) collector.Calibration { return c[strings.ToLower(uuid)] }

var gpuUUID = regexp.MustCompile(`(?i)^GPU-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// readCalibrations reads the value of calibrationKey. Its errors begin with the line
// of the mistake.
func readCalibrations(value *yaml.Node) (calibrations, error) {
	wrong := func(at *yaml.Node, format string, args ...any) error {
		return fmt.Errorf("%d: %s: %w", at.Line, calibrationKey, fmt.Errorf(format, args...))
	}
	if value.Kind != yaml.MappingNode {
		return nil, wrong(value, "want a mapping from GPUs to what a meter showed of them, as GPU-…: {gain: 1.02, offset_w: -3.5}")
	}
	all := calibrations{}
	for i := 0; i+1 < len(value.Content); i += 2 {
		uuid, entry := value.Content[i], value.Content[i+1]
		name := strings.ToLower(uuid.Value)
		_, twice := all[name]
		switch {
		case strings.HasPrefix(name, "mig-"):
			return nil, wrong(uuid, "%q: a MIG instance has no sensor; calibrate the GPU that it is a part of", uuid.Value)
		case !gpuUUID.MatchString(name):
			return nil, wrong(uuid, "%q: want a GPU's UUID, as nvidia-smi -L lists them: GPU-…", uuid.Value)
		case twice:
			return nil, wrong(uuid, "%s: is there twice; leave one", uuid.Value)
		}
		c, at, err := readCalibration(entry)
		if err != nil {
			return nil, wrong(at, "%s: %w", uuid.Value, err)
		}
		all[name] = c
	}
	return all, nil
}

// readCalibration reads that of one GPU. Where it fails, it returns the place.
func readCalibration(entry *yaml.Node) (collector.Calibration, *yaml.Node, error) {
	c := collector.Calibration{Gain: 1, Uncertainty: usualUncertainty}
	if entry.Kind != yaml.MappingNode || len(entry.Content) == 0 {
		return c, entry, errors.New("want what a meter showed, as {gain: 1.02, offset_w: -3.5}")
	}
	given := map[string]bool{}
	for i := 0; i+1 < len(entry.Content); i += 2 {
		key, value := entry.Content[i], entry.Content[i+1]
		if given[key.Value] {
			return c, key, fmt.Errorf("%s: is there twice; leave one", key.Value)
		}
		given[key.Value] = true
		v, err := number(value)
		switch {
		case err != nil:
		case key.Value == "gain":
			c.Gain, err = v, within(v, leastGain, mostGain, "%g: want %g to %g, as 1.02: what the meter shows over what the GPU does")
		case key.Value == "offset_w":
			c.Offset, err = energy.FromWatts(v), within(v, -mostOffset.Watts(), mostOffset.Watts(), "%g: want %g to %g W, as -3.5: what remains of the meter's figure besides")
		case key.Value == "uncertainty":
			// 0 would say that there is no error left.
			c.Uncertainty, err = v, within(v, math.SmallestNonzeroFloat64, mostUncertainty, "%g: want above %.0f and at most %g, as 0.01 for 1 %% (standard, k = 1)")
		default:
			return c, key, fmt.Errorf("unknown key %q; there are gain, offset_w and uncertainty", key.Value)
		}
		if err != nil {
			return c, value, fmt.Errorf("%s: %w", key.Value, err)
		}
	}
	if !given["gain"] && !given["offset_w"] {
		return c, entry, errors.New("neither gain nor offset_w is there; leave the GPU out if it is not calibrated")
	}
	return c, nil, nil
}

func number(n *yaml.Node) (float64, error) {
	text, err := scalar(n)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q: want a number, as 1.02", text)
	}
	return v, nil
}

// within returns an error, of a format that takes v, low and high, if v is not
// between them.
func within(v, low, high float64, format string) error {
	if v < low || v > high {
		return fmt.Errorf(format, v, low, high)
	}
	return nil
}
