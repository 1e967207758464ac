//go:build linux && cgo

package nvml

import driver "github.com/NVIDIA/go-nvml/pkg/nvml"

// refusalLimit is how often a device must refuse a question it has never
// answered before it is taken at its word. Drivers have been seen to answer
// NOT_SUPPORTED for a moment at high rates, to questions they do support.
const refusalLimit = 5

// ability is what is known of whether a device answers a question: it starts
// unknown, the first answer proves it for good, refusalLimit refusals without
// one disprove it for good.
type ability struct {
	refusals uint8
	proven   bool
}

func (a *ability) absent() bool  { return !a.proven && a.refusals >= refusalLimit }
func (a *ability) settled() bool { return a.proven || a.absent() }

// learn takes note of an outcome and returns what it means for the caller: nil,
// ErrUnsupported once it is certain, ErrTransient for a refusal until then.
func (a *ability) learn(ret driver.Return) error {
	err := sentinel(ret)
	switch {
	case err == nil:
		a.proven = true
	case err == ErrUnsupported && !a.proven:
		if !a.absent() {
			a.refusals++
		}
		if !a.absent() {
			return ErrTransient
		}
	case err == ErrUnsupported:
		return ErrTransient
	}
	return err
}

// preclude marks what needs no trying, as its symbol is missing.
func (a *ability) preclude() { *a = ability{refusals: refusalLimit} }
