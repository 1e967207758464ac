package energy

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// BenchmarkSplit divides among 5,000 two ways: by selecting the largest remainders,
// as Splitter does, and by sorting all of them.
func BenchmarkSplit(b *testing.B) {
	const n = 5000
	random := rand.New(rand.NewPCG(1, 2))
	weights, shares := make([]uint64, n), make([]Energy, n)
	for i := range weights {
		weights[i] = random.Uint64N(1e9)
	}
	b.Run("by=selection", func(b *testing.B) {
		var s Splitter
		b.ReportAllocs()
		for b.Loop() {
			s.Split(345678901, weights, shares)
		}
	})
	b.Run("by=sorting", func(b *testing.B) {
		var fractions []fraction
		b.ReportAllocs()
		for b.Loop() {
			fractions = splitBySorting(345678901, weights, shares, fractions[:0])
		}
	})
}

// splitBySorting is the method as textbooks have it.
func splitBySorting(total Energy, weights []uint64, shares []Energy, fractions []fraction) []fraction {
	var sum uint64
	for _, w := range weights {
		sum += w
	}
	left := uint64(total)
	for i, w := range weights {
		hi, lo := bits.Mul64(uint64(total), w)
		quota, remainder := bits.Div64(hi, lo, sum)
		shares[i] = Energy(quota)
		left -= quota
		fractions = append(fractions, fraction{remainder, i})
	}
	slices.SortFunc(fractions, func(f, g fraction) int {
		if f.before(g) {
			return -1
		}
		return 1
	})
	for _, f := range fractions[:left] {
		shares[f.index]++
	}
	return fractions
}

// TestSplitBySorting holds the two ways of the benchmark to the same result.
func TestSplitBySorting(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var s Splitter
	for range 200 {
		n := 1 + random.IntN(300)
		weights, one, other := make([]uint64, n), make([]Energy, n), make([]Energy, n)
		for i := range weights {
			weights[i] = 1 + random.Uint64N(1e6)
		}
		total := Energy(random.Int64N(1e12))
		s.Split(total, weights, one)
		splitBySorting(total, weights, other, nil)
		if !slices.Equal(one, other) {
			t.Fatalf("%d among %v: %v, by sorting %v", total, weights, one, other)
		}
	}
}
