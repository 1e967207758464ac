// Package exporter is the room of what leaves greenagent: package runfile writes
// the record of a run, package report tells it to a person, in prose that is fit for a terminal. Each renders the
// same attribution.Snapshot and computes nothing of its own.
package exporter
