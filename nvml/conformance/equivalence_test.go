//go:build linux && cgo

package conformance

import (
	"cmp"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"greenagent/nvml"
	"greenagent/nvml/libsim"
	"greenagent/nvml/sim"
	"greenagent/scenario"
)

// TestSimulatorsAgree puts the same questions to the Go simulator and, through the
// binding, to the C library, over a node that works and fails: what is proved with
// the one holds with the other.
func TestSimulatorsAgree(t *testing.T) {
	n := node()
	n.Faults = []scenario.Fault{
		{Device: 0, Call: scenario.CallFields, Kind: scenario.Transient, At: 2 * time.Second, For: 300 * time.Millisecond},
		{Device: 1, Call: scenario.CallPower, Kind: scenario.Transient, At: 2 * time.Second, For: 300 * time.Millisecond},
		{Device: 1, Call: scenario.CallCounter, Kind: scenario.Unsupported, At: 4 * time.Second, For: 300 * time.Millisecond},
		{Device: 2, Kind: scenario.Lost, At: 3 * time.Second},
		{Device: 3, Call: scenario.CallPower, Kind: scenario.Garbage, At: 3 * time.Second, For: time.Second, Value: 588_000},
		{Device: 4, Call: scenario.CallUtilization, Kind: scenario.Unsupported},
		{Device: 5, Call: scenario.CallProcesses, Kind: scenario.NoPermission, At: time.Second},
		{Device: 6, Call: scenario.CallStatus, Kind: scenario.Transient, At: 2 * time.Second, For: time.Second},
		{Device: 11, Call: scenario.CallActivity, Kind: scenario.Transient, At: 3 * time.Second, For: 200 * time.Millisecond},
		{Device: 7, Call: scenario.CallSamples, Kind: scenario.Transient, At: 2 * time.Second, For: time.Second},
	}
	in := libsim.Start(t, n, libsim.Options{})
	native := sim.New(n, in.Clock(), in.Origin)
	bound := open(t, in, nil)

	if d := gocmp.Diff(native.Devices(), bound.Devices()); d != "" {
		t.Fatalf("devices (-sim +libsim):\n%s", d)
	}
	stamps := make([]uint64, len(n.Devices))
	for range 120 {
		for i, device := range native.Devices() {
			compare := func(what string, a, b any, errA, errB error) {
				t.Helper()
				if !slices.Equal(Sentinels(errA), Sentinels(errB)) {
					t.Errorf("%s, %s at %v: sim says %v, libsim %v", device.UUID, what, in.Elapsed(), errA, errB)
				}
				if d := gocmp.Diff(a, b); d != "" {
					t.Errorf("%s, %s at %v (-sim +libsim):\n%s", device.UUID, what, in.Elapsed(), d)
				}
			}
			var sampleA, sampleB nvml.Sample
			errA, errB := native.Sample(i, &sampleA), bound.Sample(i, &sampleB)
			if errA != nil && !sampleA.HasCounter && !sampleA.HasInstant && !sampleA.HasAverage {
				sampleA.Before, sampleA.After = sampleB.Before, sampleB.After // brackets of nothing
			}
			compare("sample", sampleA, sampleB, errA, errB)

			listA, errA := native.Processes(i, nil)
			listB, errB := bound.Processes(i, nil)
			compare("processes", listA, listB, errA, errB)

			activeA, errA := native.Utilization(i, stamps[i], nil)
			activeB, errB := bound.Utilization(i, stamps[i], nil)
			slices.SortFunc(activeB, func(a, b nvml.Utilization) int { return cmp.Compare(a.PID, b.PID) })
			for j := range min(len(activeA), len(activeB)) { // µs stamps, dated to the ns
				if off := activeA[j].At.Sub(activeB[j].At); off > -time.Microsecond && off < time.Microsecond {
					activeA[j].At = activeB[j].At
				}
			}
			compare("utilization", activeA, activeB, errA, errB)
			if len(activeA) > 0 {
				stamps[i] = activeA[0].Stamp
			}

			ringA, errA := native.PowerSamples(i, 0, nil)
			ringB, errB := bound.PowerSamples(i, 0, nil)
			for j := range min(len(ringA), len(ringB)) { // µs stamps, dated to the ns
				if off := ringA[j].At.Sub(ringB[j].At); off > -time.Microsecond && off < time.Microsecond {
					ringA[j].At = ringB[j].At
				}
			}
			compare("power samples", ringA, ringB, errA, errB)

			var partsA, partsB nvml.Partition
			errA, errB = native.Partition(i, &partsA), bound.Partition(i, &partsB)
			partsB.Instances = append([]nvml.Instance{}, partsB.Instances...) // none is nil or empty
			partsA.Instances = append([]nvml.Instance{}, partsA.Instances...)
			compare("partition", partsA, partsB, errA, errB)

			workA, errA := native.Activity(i, nil)
			workB, errB := bound.Activity(i, nil)
			compare("activity", workA, workB, errA, errB)

			var statusA, statusB nvml.Status
			errA, errB = native.Status(i, &statusA), bound.Status(i, &statusB)
			compare("status", statusA, statusB, errA, errB)
		}
		if t.Failed() {
			return
		}
		in.Advance(51*time.Millisecond + 7)
	}
}
