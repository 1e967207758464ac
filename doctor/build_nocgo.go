//go:build !linux || !cgo

package doctor

// ReachesNVML reports whether this build can load NVML, which takes cgo.
const ReachesNVML = false
