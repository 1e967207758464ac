//go:build unix && !linux

package supervise

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// maxRSS is in bytes on Darwin and in KiB on the BSDs, getrusage(2).
func maxRSS(u *unix.Rusage) Bytes {
	if runtime.GOOS == "darwin" {
		return Bytes(u.Maxrss)
	}
	return Bytes(u.Maxrss) << 10
}
