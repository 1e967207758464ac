package attribution_test

import (
	"testing"
	"time"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/energy"
)

// crowd is the usage of so many processes.
func crowd(n int) *collector.Activity {
	a := &collector.Activity{Method: collector.ByCPUTime, Step: 1e7}
	for i := range n {
		a.Usage = append(a.Usage, collector.Usage{
			Process: collector.Process{PID: i + 1, Start: 7}, Owner: collector.Owner(i % 50),
			Busy: uint64(1+i*7919%100000) * 1e7, Memory: int64(i) << 20,
		})
	}
	return a
}

// TestBookingAllocatesNothing once every process has its row.
func TestBookingAllocatesNothing(t *testing.T) {
	for method := range collector.Methods {
		for policy := attribution.None; policy <= attribution.Reserved; policy++ {
			l := attribution.NewLedger(attribution.Config{Domains: 2, Policy: policy})
			cut := attribution.Cut{Energy: 123456789 * energy.Microjoule, Floor: 23456789, Activity: crowd(5000)}
			cut.Interval.End, cut.Activity.Method = energy.Instant(time.Second), method
			book := func() { l.Book(1, cut) }
			book() // opens the rows
			book() // and finds that none can be merged
			if n := testing.AllocsPerRun(20, book); n != 0 {
				t.Errorf("%v, %v: %v allocations", method, policy, n)
			}
		}
	}
}
