//go:build linux && cgo

package supervise

const knowsIgnored = true
