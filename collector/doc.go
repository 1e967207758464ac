// Package collector turns what sensors say into energy over time.
//
// A Source reads the sensors of one kind: NVML, RAPL, a model. Each domain it
// covers (a GPU, a CPU package, memory, the host) has an Integrator, which turns
// the domain's readings into its Curve: the domain's cumulative energy as a
// function of time, E(t), kept as knots in a ring of fixed size.
//
// The curve is the reason energy is conserved. The energy of any interval is the
// difference of two values of one function, so adjacent intervals add up to
// their union exactly, wherever the cut falls, and nothing is integrated twice.
//
// The observers of this package say who was busy meanwhile; package attribution
// joins the two.
package collector
