package nvml

import (
	"encoding/binary"
	"math"
	"math/bits"

	"greenagent/energy"
)

// The types of nvmlValue_t (nvmlValueType_t in nvml.h).
const (
	valueDouble = iota
	valueUnsignedInt
	valueUnsignedLong
	valueUnsignedLongLong
	valueSignedLongLong
	valueSignedInt
	valueUnsignedShort
)

// decode reads the union nvmlValue_t as its type says. It reports false for a
// type this version of NVML does not define and for values that are no quantity:
// negative, NaN, or beyond an int64.
func decode(valueType uint32, raw [8]byte) (int64, bool) {
	switch valueType {
	case valueDouble:
		v := math.Float64frombits(binary.NativeEndian.Uint64(raw[:]))
		if !(v >= 0 && v < math.MaxInt64) {
			return 0, false
		}
		return int64(v), true
	case valueUnsignedInt:
		return int64(binary.NativeEndian.Uint32(raw[:])), true
	case valueUnsignedLong:
		if bits.UintSize == 32 { // C's long is as wide as a pointer on Linux
			return int64(binary.NativeEndian.Uint32(raw[:])), true
		}
		return positive(binary.NativeEndian.Uint64(raw[:]))
	case valueUnsignedLongLong, valueSignedLongLong:
		return positive(binary.NativeEndian.Uint64(raw[:]))
	case valueSignedInt:
		v := int32(binary.NativeEndian.Uint32(raw[:]))
		return int64(v), v >= 0
	case valueUnsignedShort:
		return int64(binary.NativeEndian.Uint16(raw[:])), true
	}
	return 0, false
}

// positive accepts what an int64 holds; a negative one lies beyond as a uint64.
func positive(v uint64) (int64, bool) { return int64(v), v <= math.MaxInt64 }

// millijoules and milliwatts convert NVML's units, false where they overflow.
func millijoules(v int64) (energy.Energy, bool) {
	return energy.Energy(v) * energy.Millijoule, v <= math.MaxInt64/int64(energy.Millijoule)
}

func milliwatts(v int64) (energy.Power, bool) {
	return energy.Power(v) * energy.Milliwatt, v <= math.MaxInt64/int64(energy.Milliwatt)
}
