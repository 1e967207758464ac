//go:build linux && !cgo

package supervise

// Without cgo it cannot be known what was ignored, blocked and closed before the
// Go runtime's own arrangements. It keeps an ignored SIGHUP or SIGINT by itself,
// and of the blocked ones those that do not end a Go program.

func inheritedIgnored() uint64 { return 0 }

func inheritedBlocked() uint64 { return 0 }

func inheritedClosed() uint { return 0 }

func inheritedBefore(uint64) {}
