package energy

import "fmt"

// Basis says how a figure was obtained. It travels with every number to the
// export, so that a model is never mistaken for a measurement.
type Basis uint8

// The bases, from the most to the least trustworthy.
const (
	// Unknown is the zero value: no energy has been obtained at all.
	Unknown Basis = iota
	// Counted: the difference of a hardware energy counter.
	Counted
	// Integrated: measured power, integrated over time.
	Integrated
	// Modelled: computed from load and a table; nothing was measured.
	Modelled
)

var basisNames = [...]string{Unknown: "unknown", Counted: "counted", Integrated: "integrated", Modelled: "modelled"}

// String returns the name used in run files and metric attributes.
func (b Basis) String() string {
	if int(b) < len(basisNames) {
		return basisNames[b]
	}
	return fmt.Sprintf("basis(%d)", uint8(b))
}

// Measured reports whether a sensor stands behind the figure.
func (b Basis) Measured() bool { return b == Counted || b == Integrated }

// MarshalText implements encoding.TextMarshaler.
func (b Basis) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Basis) UnmarshalText(text []byte) error {
	for i, name := range basisNames {
		if name == string(text) {
			*b = Basis(i)
			return nil
		}
	}
	return fmt.Errorf("basis %q: want unknown, counted, integrated or modelled", text)
}
