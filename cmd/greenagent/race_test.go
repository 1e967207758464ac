//go:build linux && race

package main

// raceDetector says that this binary has the race detector, which uses several
// times the memory.
const raceDetector = true
