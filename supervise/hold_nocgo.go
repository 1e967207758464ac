//go:build linux && !cgo

package supervise

import (
	"errors"

	"golang.org/x/sys/unix"
)

// holdSignals cannot be done without cgo, nor need be: what calls for a new program
// is a library in C.
func holdSignals([]unix.Signal) (hold func() error, release func(), err error) {
	return nil, nil, errors.New("built without cgo")
}
