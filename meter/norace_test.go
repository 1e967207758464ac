//go:build linux && !race

package meter_test

const raceDetector = false
