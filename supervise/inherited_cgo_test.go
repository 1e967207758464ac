//go:build linux && cgo

package supervise

const knowsInherited = true
