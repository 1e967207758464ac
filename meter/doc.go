// Package meter is the pipeline in one page: sources are read, integrators turn
// readings into energy, observers say who was busy, the ledger divides, and a
// snapshot tells the result.
//
// Each source with its observer is a Feed with a goroutine of its own, so that a
// sensor that hangs costs its own series and nothing else. A command, a node's
// agent and a live view differ only in the feeds, in who owns what, and in what
// ends them.
package meter
