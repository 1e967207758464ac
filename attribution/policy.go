package attribution

import "fmt"

// Policy says who pays for the energy a device uses just by being on.
type Policy uint8

// The policies. Dynamic energy divided by use plus idle energy divided equally
// is the Shapley value of the additive model, which is why Equal is offered
// beside None; Reserved is what dedicated hardware costs its user, and what SCI
// (ISO/IEC 21031) counts. Where hardware divides a device into places, as MIG does,
// they hold in each place for its part; what is in no place is nobody's.
const (
	None     Policy = iota // nobody: idle energy keeps its own account
	Equal                  // those present, in equal parts
	Memory                 // those present, by the memory they hold
	Reserved               // the owner for whom the device is reserved
)

var policyNames = [...]string{None: "none", Equal: "equal", Memory: "memory", Reserved: "reserved"}

// String returns the policy's name, as flags and run files have it.
func (p Policy) String() string { return policyNames[p] }

// ParsePolicy returns the policy of a name.
func ParsePolicy(name string) (Policy, error) {
	for i, n := range policyNames {
		if n == name {
			return Policy(i), nil
		}
	}
	return None, fmt.Errorf("idle policy %q: want none, equal, memory or reserved", name)
}
