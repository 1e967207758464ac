//go:build linux && cgo

package doctor

const reachesNVML = true
