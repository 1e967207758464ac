package attribution_test

import (
	"fmt"
	"testing"

	"greenagent/attribution"
	"greenagent/energy"
)

// BenchmarkBook divides one interval of a node of 16 GPUs among 5,000 processes,
// all of them on every GPU.
func BenchmarkBook(b *testing.B) {
	const gpus = 16
	for _, n := range []int{10, 5000} {
		for _, policy := range []attribution.Policy{attribution.None, attribution.Equal} {
			b.Run(fmt.Sprintf("gpus=%d/processes=%d/idle=%v", gpus, n, policy), func(b *testing.B) {
				l := attribution.NewLedger(attribution.Config{Domains: gpus, Policy: policy})
				cut := attribution.Cut{Energy: 345678901 * energy.Microjoule, Floor: 70 * energy.Joule, Activity: crowd(n)}
				node := func() {
					for i := range gpus {
						l.Book(i, cut)
					}
				}
				node()
				b.ReportAllocs()
				for b.Loop() {
					node()
				}
			})
		}
	}
}
