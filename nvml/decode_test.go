package nvml

import (
	"encoding/binary"
	"math"
	"testing"

	"greenagent/energy"
)

func raw64(v uint64) (b [8]byte) {
	binary.NativeEndian.PutUint64(b[:], v)
	return b
}

func TestDecode(t *testing.T) {
	short := [8]byte{}
	binary.NativeEndian.PutUint16(short[:], 40_000)
	narrow := [8]byte{4: 0xff, 5: 0xff, 6: 0xff, 7: 0xff} // the union's unused half is not cleared
	binary.NativeEndian.PutUint32(narrow[:], 3_000_000_000)
	negative := [8]byte{}
	binary.NativeEndian.PutUint32(negative[:], math.MaxUint32)
	for _, c := range []struct {
		name      string
		valueType uint32
		raw       [8]byte
		want      int64
		ok        bool
	}{
		{"double", valueDouble, raw64(math.Float64bits(71.9)), 71, true},
		{"double NaN", valueDouble, raw64(math.Float64bits(math.NaN())), 0, false},
		{"double infinite", valueDouble, raw64(math.Float64bits(math.Inf(1))), 0, false},
		{"double negative", valueDouble, raw64(math.Float64bits(-1)), 0, false},
		{"double 2^63", valueDouble, raw64(math.Float64bits(math.MaxInt64)), 0, false},
		{"unsigned int", valueUnsignedInt, narrow, 3_000_000_000, true},
		{"unsigned long", valueUnsignedLong, raw64(1 << 40), 1 << 40, true},
		{"unsigned long long", valueUnsignedLongLong, raw64(1 << 40), 1 << 40, true},
		{"unsigned long long beyond", valueUnsignedLongLong, raw64(math.MaxUint64), 0, false},
		{"signed long long", valueSignedLongLong, raw64(1 << 40), 1 << 40, true},
		{"signed long long negative", valueSignedLongLong, raw64(math.MaxUint64), 0, false},
		{"signed int", valueSignedInt, narrow, 0, false},
		{"signed int negative", valueSignedInt, negative, 0, false},
		{"unsigned short", valueUnsignedShort, short, 40_000, true},
		{"unknown type", 7, raw64(1), 0, false},
		{"absurd type", math.MaxUint32, raw64(1), 0, false},
	} {
		v, ok := decode(c.valueType, c.raw)
		if ok != c.ok || ok && v != c.want {
			t.Errorf("%s: %d, %t; want %d, %t", c.name, v, ok, c.want, c.ok)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for valueType := range uint32(8) {
		f.Add(valueType, uint64(0))
		f.Add(valueType, uint64(math.MaxUint64))
		f.Add(valueType, uint64(math.MaxInt64))
		f.Add(valueType, math.Float64bits(math.NaN()))
		f.Add(valueType, math.Float64bits(1e300))
		f.Add(valueType, uint64(700_000))
	}
	f.Fuzz(func(t *testing.T, valueType uint32, bits uint64) {
		v, ok := decode(valueType, raw64(bits))
		if !ok {
			return
		}
		if v < 0 || valueType > valueUnsignedShort {
			t.Fatalf("type %d, bits %#x: %d", valueType, bits, v)
		}
		if e, ok := millijoules(v); ok && (e < 0 || e/energy.Millijoule != energy.Energy(v)) {
			t.Fatalf("%d mJ became %d µJ", v, e)
		}
		if p, ok := milliwatts(v); ok && (p < 0 || p/energy.Milliwatt != energy.Power(v)) {
			t.Fatalf("%d mW became %d µW", v, p)
		}
	})
}

func TestUnitsOverflow(t *testing.T) {
	most := int64(math.MaxInt64 / 1000)
	if e, ok := millijoules(most); !ok || e != energy.Energy(most)*1000 {
		t.Errorf("%d mJ: %d, %t", most, e, ok)
	}
	if _, ok := millijoules(most + 1); ok {
		t.Error("overflowing energy is accepted")
	}
	if _, ok := milliwatts(most + 1); ok {
		t.Error("overflowing power is accepted")
	}
}
