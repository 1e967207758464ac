package energy_test

import (
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"greenagent/energy"
)

// reference is the textbook largest remainder in big integers: sort everything.
func reference(total energy.Energy, weights []uint64) []energy.Energy {
	sum := new(big.Int)
	for _, w := range weights {
		sum.Add(sum, new(big.Int).SetUint64(w))
	}
	shares := make([]energy.Energy, len(weights))
	type rest struct {
		remainder *big.Int
		index     int
	}
	var rests []rest
	left := int64(total)
	for i, w := range weights {
		q, r := new(big.Int).QuoRem(
			new(big.Int).Mul(big.NewInt(int64(total)), new(big.Int).SetUint64(w)), sum, new(big.Int))
		shares[i] = energy.Energy(q.Int64())
		left -= q.Int64()
		rests = append(rests, rest{r, i})
	}
	slices.SortStableFunc(rests, func(a, b rest) int { return b.remainder.Cmp(a.remainder) })
	for i := range left {
		shares[rests[i].index]++
	}
	return shares
}

func TestSplitIsTheLargestRemainder(t *testing.T) {
	var splitter energy.Splitter
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.OneOf(
			rapid.Uint64Range(0, 3), rapid.Uint64Range(0, 1000), rapid.Uint64Range(0, 1<<50),
		), 1, 200).Draw(t, "weights")
		total := energy.Energy(rapid.OneOf(rapid.Int64Range(0, 500), rapid.Int64Range(0, 1<<62)).Draw(t, "total"))
		shares := make([]energy.Energy, len(weights))
		ok := splitter.Split(total, weights, shares)
		if positive := slices.ContainsFunc(weights, func(w uint64) bool { return w > 0 }); ok != positive {
			t.Fatalf("Split = %v with weights %v", ok, weights)
		}
		if !ok {
			return
		}
		if want := reference(total, weights); !slices.Equal(shares, want) {
			t.Fatalf("Split(%d, %v) = %v, want %v", int64(total), weights, shares, want)
		}
		var sum energy.Energy
		for i, s := range shares {
			sum += s
			if s < 0 || weights[i] == 0 && s != 0 {
				t.Fatalf("share %d of weight %d is %d", i, weights[i], int64(s))
			}
		}
		if sum != total {
			t.Fatalf("shares of %d sum to %d", int64(total), int64(sum))
		}
	})
}

func TestSplitRefusesWhatItCannotDivide(t *testing.T) {
	var splitter energy.Splitter
	shares := []energy.Energy{7, 7}
	for _, c := range []struct {
		total   energy.Energy
		weights []uint64
	}{{100, []uint64{0, 0}}, {-1, []uint64{1, 1}}} {
		if splitter.Split(c.total, c.weights, shares) {
			t.Errorf("Split(%d, %v) claims to have divided it", int64(c.total), c.weights)
		}
		if shares[0] != 0 || shares[1] != 0 {
			t.Errorf("Split(%d, %v) left %v behind", int64(c.total), c.weights, shares)
		}
	}
}

func TestSplitAllocatesNothing(t *testing.T) {
	var splitter energy.Splitter
	weights, shares := make([]uint64, 5000), make([]energy.Energy, 5000)
	for i := range weights {
		weights[i] = uint64(i*i%977 + 1)
	}
	splitter.Split(123_456_789, weights, shares)
	if n := testing.AllocsPerRun(10, func() { splitter.Split(123_456_789, weights, shares) }); n != 0 {
		t.Errorf("a split allocates %v times", n)
	}
}

func BenchmarkSplit5000(b *testing.B) {
	var splitter energy.Splitter
	weights, shares := make([]uint64, 5000), make([]energy.Energy, 5000)
	for i := range weights {
		weights[i] = uint64(i*i%977 + 1)
	}
	b.ReportAllocs()
	for b.Loop() {
		splitter.Split(123_456_789, weights, shares)
	}
}
