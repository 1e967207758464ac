package procfs

import (
	"fmt"
	"os"
)

// initPIDNamespace is what /proc/<pid>/ns/pid points to in the namespace the
// kernel started with: PROC_PID_INIT_INO of include/linux/proc_ns.h.
const initPIDNamespace = "pid:[4026531836]"

// InitPIDNamespace reports whether the calling process is in the node's initial
// PID namespace, where it sees all processes and PIDs are those that drivers
// speak of.
func (fs *FS) InitPIDNamespace() (bool, error) {
	link, err := os.Readlink(fs.root + "/self/ns/pid")
	if err != nil {
		return false, fmt.Errorf("PID namespace: %w", err)
	}
	return link == initPIDNamespace, nil
}
