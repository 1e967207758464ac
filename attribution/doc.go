// Package attribution divides the energy of domains among those who used them,
// and keeps the accounts.
//
// The invariant, for every domain and every interval, in whole microjoules:
//
//	Σ processes (dynamic + idle allocated) + idle + unattributed = the domain's energy
//
// It holds by construction: every amount is divided by largest remainder, and
// what nobody can be charged with has an account of its own. The package is
// pure: it reads no clock, no file and no sensor.
package attribution
