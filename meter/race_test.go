//go:build linux && race

package meter_test

// raceDetector says that this binary has the race detector, under which all takes
// many times as long.
const raceDetector = true
