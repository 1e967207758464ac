package doctor

import (
	"testing"
	"time"
)

func TestProcesses(t *testing.T) {
	t.Parallel()
	p := admit(t, server())
	r := examine(p)
	for _, id := range []string{procReadable, procVisible, procChildren, pidNamespace, cgroupVersion} {
		expect(t, find(t, r.Checks, id), Pass, "")
	}
	if r.Host.Container {
		t.Error("seen as a container")
	}

	p.remove(t, "proc/1/task/1/children")
	expect(t, find(t, examine(p).Checks, procChildren), Info, "", "CONFIG_PROC_CHILDREN")
	p.remove(t, "proc/1")
	expect(t, find(t, examine(p).Checks, procVisible), Warn, "sudo mount -o remount,hidepid=0 /proc", "hidepid", "as root")

	p.remove(t, "proc/self/ns/pid")
	expect(t, find(t, examine(p).Checks, pidNamespace), Info, "", "unknown")
}

func TestPIDNamespaceMattersToGPUs(t *testing.T) {
	t.Parallel()
	v := procView{}
	expect(t, v.namespace(true), Warn, "docker run --pid=host --gpus all IMAGE greenagent doctor", "hostPID: true")
	expect(t, v.namespace(false), Info, "docker run --pid=host IMAGE greenagent doctor")
	v.home = true
	expect(t, v.namespace(true), Pass, "")
}

func TestContainer(t *testing.T) {
	t.Parallel()
	p := admit(t, server())
	// On the host's network and PIDs, and still in a container.
	p.link(t, "uts:[4026531838]", "proc/self/ns/uts")
	p.link(t, "cgroup:[4026532999]", "proc/self/ns/cgroup")
	if r := examine(p); !r.Host.Container {
		t.Error("cgroup namespace not seen")
	}
	p.link(t, "cgroup:[4026531835]", "proc/self/ns/cgroup")
	if r := examine(p); r.Host.Container {
		t.Error("initial namespaces taken for a container's")
	}
}

func TestProcThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	p := admit(t, server())
	p.Timeout = 200 * time.Millisecond
	p.stick(t, "proc/stat")
	began := time.Now()
	r := examine(p)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	expect(t, find(t, r.Checks, procReadable), Fail, "greenagent doctor --proc-root /proc", "no answer in time")
	without(t, r.Checks, procVisible, pidNamespace)
}

func TestCgroups(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"cgroup.controllers":         "version 2",
		"unified/cgroup.controllers": "versions 1 and 2 side by side",
		"cpu/tasks":                  "version 1",
	} {
		p := patient{Root: t.TempDir()}
		p.write(t, "fs/cgroup/"+file, "")
		if c := cgroupCheck(p.Root); c.Summary != want || c.Status != Pass {
			t.Errorf("%s: %+v", file, c)
		}
	}
	if c := cgroupCheck(t.TempDir()); c.Status != Info {
		t.Errorf("none: %+v", c)
	}
}
