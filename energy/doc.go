// Package energy holds greenagent's quantities and its notion of time.
//
// Every quantity is a type of its own: Energy in whole microjoules, Power in
// whole microwatts, Carbon in whole micrograms of CO2 equivalent, Intensity in
// grams per kilowatt-hour, Instant in nanoseconds of a monotonic clock. The
// additive ones are integers, so that sums are exact and the same in any order:
// a total split among processes adds up to the total again, to the microjoule.
//
// The package imports the standard library only; everything else in greenagent
// may import it.
package energy
