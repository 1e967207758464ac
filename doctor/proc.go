package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"greenagent/collector/procfs"
)

// errNoAnswer: a probe was left behind.
var errNoAnswer = errors.New("no answer in time")

// procView is what /proc shows of processes.
type procView struct {
	err       error // why it cannot be used at all
	home      bool  // in the initial PID namespace
	homeErr   error // why that is not known
	container bool
	hidden    bool // hidepid
	lists     bool // children files
}

func lookAtProc(root string) procView {
	proc := procfs.New(root)
	v := procView{container: inContainer(root)}
	_, stat := proc.CPU()
	_, list := proc.PIDs(nil)
	v.err = errors.Join(stat, list)
	v.home, v.homeErr = proc.InitPIDNamespace()
	v.hidden = proc.Hidden()
	v.lists = exists(filepath.Join(root, "thread-self", "children")) || exists(filepath.Join(root, "1", "task", "1", "children"))
	return v
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// inContainer reports whether one of the namespaces that a container usually has
// of its own is not the one the kernel started with (PROC_*_INIT_INO of
// include/linux/proc_ns.h).
func inContainer(root string) bool {
	for name, initial := range map[string]string{
		"pid": "pid:[4026531836]", "uts": "uts:[4026531838]", "cgroup": "cgroup:[4026531835]",
	} {
		if link, err := os.Readlink(filepath.Join(root, "self", "ns", name)); err == nil && link != initial {
			return true
		}
	}
	return false
}

func (v *procView) checks(root string, gpus bool) []Check {
	if v.err != nil {
		remedy := "sudo mount -t proc proc /proc"
		if root != "/proc" {
			remedy = "greenagent doctor --proc-root /proc"
		}
		return []Check{check(procReadable, Fail, root+" cannot be read: processes and CPU time are unknown", v.err.Error(), remedy)}
	}
	checks := []Check{check(procReadable, Pass, root+" can be read", "", ""), v.namespace(gpus)}
	if v.hidden {
		checks = append(checks, check(procVisible, Warn, "processes of other users are hidden",
			"/proc is mounted with hidepid: what others use has no owner's name. Started as root, greenagent sees all of them.",
			"sudo mount -o remount,hidepid=0 /proc"))
	} else {
		checks = append(checks, check(procVisible, Pass, "processes of other users are visible", "", ""))
	}
	if v.lists {
		return append(checks, check(procChildren, Pass, "the kernel lists the children of processes", "", ""))
	}
	return append(checks, check(procChildren, Info, "the kernel does not list the children of processes",
		"It is built without CONFIG_PROC_CHILDREN. Every process is looked at instead, which costs a little more time.", ""))
}

func (v *procView) namespace(gpus bool) Check {
	switch {
	case v.homeErr != nil:
		return check(pidNamespace, Info, "the PID namespace is unknown", v.homeErr.Error(), "")
	case v.home:
		return check(pidNamespace, Pass, "process ids are the host's", "", "")
	case gpus:
		return check(pidNamespace, Warn, "process ids are a container's own, the GPU driver's are the host's",
			"Energy of GPUs may not find its processes. In Kubernetes: hostPID: true.",
			"docker run --pid=host --gpus all IMAGE greenagent doctor")
	}
	return check(pidNamespace, Info, "process ids are a container's own",
		"Processes outside it are invisible; what they use counts as others'.", "docker run --pid=host IMAGE greenagent doctor")
}

// cgroupCheck says which control groups are mounted (cgroups(7)).
func cgroupCheck(sys string) Check {
	mount := filepath.Join(sys, "fs", "cgroup")
	says := func(s Status, what string) Check { return check(cgroupVersion, s, what, "", "") }
	switch {
	case exists(filepath.Join(mount, "cgroup.controllers")):
		return says(Pass, "version 2")
	case exists(filepath.Join(mount, "unified", "cgroup.controllers")):
		return says(Pass, "versions 1 and 2 side by side")
	case exists(filepath.Join(mount, "cpu")), exists(filepath.Join(mount, "cpu,cpuacct")):
		return says(Pass, "version 1")
	}
	return says(Info, fmt.Sprintf("none mounted at %s: containers cannot be told apart", mount))
}
