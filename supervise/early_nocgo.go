//go:build linux && !cgo

package supervise

func asExecuted(env []string) []string { return env }

func endEarly() {}
