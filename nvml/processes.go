//go:build linux && cgo

package nvml

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"unsafe"

	driver "github.com/NVIDIA/go-nvml/pkg/nvml"
)

// listAbilities is what a device is known to answer about processes.
type listAbilities struct {
	compute, graphics, mps ability
	utilization, ring      ability
}

// processesSettled reports whether further tries can teach nothing.
func (a *listAbilities) processesSettled() bool {
	return a.compute.settled() && a.graphics.settled() && a.mps.settled()
}

// Processes appends who holds a context on the device to dst: the driver's
// lists of compute, graphics and MPS processes (nvmlDeviceGet*RunningProcesses),
// merged, in the order of their PIDs, one entry per PID. PIDs are those of the
// initial PID namespace, or of the agent's own, from which others are missing.
//
// A list the device does not keep is empty; ErrUnsupported means it keeps none.
// On any error dst is returned as it came: half a list would look like processes
// that ended. The graphics list has been seen to take 4.5 ms; poll at 1 Hz.
func (l *Library) Processes(device int, dst []Process) ([]Process, error) {
	l.desk.Lock()
	defer l.desk.Unlock()
	g, err := l.request(device, (*Library).listProcesses, 0)
	if err != nil {
		return dst, err
	}
	return append(dst, g.processes...), nil
}

func (l *Library) listProcesses(g *gpu, _ uint64) error {
	if err := l.revive(g); err != nil {
		return err
	}
	g.processes = g.processes[:0]
	s, a := l.symbols, &g.lists
	for _, list := range [...]struct {
		what    string
		kind    Kind
		at      unsafe.Pointer
		short   bool
		ability *ability
	}{
		{"compute processes", Compute, s.compute, s.computeShort, &a.compute},
		{"graphics processes", Graphics, s.graphics, s.graphicsShort, &a.graphics},
		{"MPS processes", MPS, s.mps, s.mpsShort, &a.mps},
	} {
		if list.ability.absent() {
			continue
		}
		promised := list.ability.proven
		ret := g.appendProcesses(list.kind, list.at, list.short)
		if ret == driver.ERROR_NO_PERMISSION && g.partition.Enabled && !list.short {
			ret = l.appendInstances(g, list.kind, list.at)
		}
		err := list.ability.learn(ret)
		if err != nil && (promised || sentinel(ret) != ErrUnsupported) {
			return g.mark(g.failure(list.what, ret, err))
		}
	}
	if !a.compute.proven && !a.graphics.proven && !a.mps.proven {
		as := ErrTransient
		if a.compute.absent() && a.graphics.absent() && a.mps.absent() {
			as = ErrUnsupported
		}
		return fmt.Errorf("nvml: device %s: process lists: %w", g.device.UUID, as)
	}
	g.processes = mergeProcesses(g.processes)
	return nil
}

func (g *gpu) appendProcesses(kind Kind, at unsafe.Pointer, short bool) driver.Return {
	if short {
		list, ret := g.shortProcessList(at)
		for _, p := range list {
			g.appendProcess(kind, driver.ProcessInfo{
				Pid: p.Pid, UsedGpuMemory: p.UsedGpuMemory,
				GpuInstanceId: NoInstance, ComputeInstanceId: NoInstance,
			})
		}
		return ret
	}
	list, ret := g.processList(at, g.raw)
	for _, p := range list {
		g.appendProcess(kind, p)
	}
	return ret
}

// appendInstances lists instance by instance: under MIG, that of the whole device is
// for the privileged.
func (l *Library) appendInstances(g *gpu, kind Kind, at unsafe.Pointer) driver.Return {
	listed := len(g.processes)
	for i := range g.partition.Slices {
		part, ret := l.part(g, i)
		if ret != driver.SUCCESS {
			continue
		}
		list, ret := g.processList(at, part)
		if ret != driver.SUCCESS {
			g.processes = g.processes[:listed]
			return ret
		}
		for _, p := range list {
			g.appendProcess(kind, p)
		}
	}
	return driver.SUCCESS
}

func (g *gpu) appendProcess(kind Kind, p driver.ProcessInfo) {
	if p.Pid == 0 || p.Pid > math.MaxInt32 { // no process has such a PID
		return
	}
	g.processes = append(g.processes, Process{
		PID:             int(p.Pid),
		Kinds:           kind,
		Memory:          bytes(p.UsedGpuMemory, -1), // NVML_VALUE_NOT_AVAILABLE: all ones
		GPUInstance:     p.GpuInstanceId,
		ComputeInstance: p.ComputeInstanceId,
	})
}

// mergeProcesses sorts by PID and leaves one entry for each. Entries of one list
// are parts of what a process holds and add up; but every list gives all of it,
// so between lists the largest figure counts. CUDA does not let a process use
// two MIG instances, so the first known one is its own.
func mergeProcesses(list []Process) []Process {
	slices.SortStableFunc(list, func(a, b Process) int {
		return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.Kinds, b.Kinds))
	})
	list = fold(list, func(p, q Process) bool { return p.PID == q.PID && p.Kinds == q.Kinds }, func(p *Process, q Process) {
		if q.Memory > 0 {
			p.Memory = max(p.Memory, 0) + q.Memory
		}
	})
	return fold(list, func(p, q Process) bool { return p.PID == q.PID }, func(p *Process, q Process) {
		p.Memory = max(p.Memory, q.Memory)
	})
}

// fold merges neighbours that are the same into the first of them, in place.
func fold(list []Process, same func(p, q Process) bool, add func(p *Process, q Process)) []Process {
	merged := list[:0]
	for _, q := range list {
		n := len(merged)
		if n == 0 || !same(merged[n-1], q) {
			merged = append(merged, q)
			continue
		}
		p := &merged[n-1]
		p.Kinds |= q.Kinds
		if p.GPUInstance == NoInstance {
			p.GPUInstance, p.ComputeInstance = q.GPUInstance, q.ComputeInstance
		}
		add(p, q)
	}
	return merged
}
