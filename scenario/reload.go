package scenario

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Reload is the kernel driver gone during [At, At+For) and then loaded again. A
// library that was initialized before At answers nothing any more until it is
// initialized anew; one of another version than the driver's never does again.
// Node.Reload also has the energy counters start anew.
type Reload struct {
	At, For time.Duration
	Driver  string // the version from then on; "" is the one before
}

// Reload has the driver reloaded, at another version unless driver is "", and the
// energy counters of all devices start again from zero.
func (n *Node) Reload(at, d time.Duration, driver string) {
	n.Reloads = append(n.Reloads, Reload{at, d, driver})
	for i := range n.Devices {
		n.Devices[i].Resets = append(n.Devices[i].Resets, at+d)
		slices.Sort(n.Devices[i].Resets)
	}
}

// DriverAt returns the version of the kernel driver at t, and whether one is
// loaded.
func (n *Node) DriverAt(t time.Duration) (version string, loaded bool) {
	version, loaded = n.DriverVersion(), true
	for _, r := range n.Reloads {
		if t < r.At {
			break
		}
		if t-r.At < r.For {
			return version, false
		}
		if r.Driver != "" {
			version = r.Driver
		}
	}
	return version, loaded
}

// Loads returns how often the driver was loaded anew until t.
func (n *Node) Loads(t time.Duration) (count uint32) {
	for _, r := range n.Reloads {
		if t >= r.At && t-r.At >= r.For {
			count++
		}
	}
	return count
}

func (n *Node) validateReloads() error {
	last := -maxDuration
	for i, r := range n.Reloads {
		if r.At < last || r.For < 0 || r.For > maxDuration {
			return fmt.Errorf("reload %d: at %v for %v, after one until %v", i, r.At, r.For, last)
		}
		if !plain(r.Driver) {
			return errors.New("a reload's driver has control characters")
		}
		last = r.At + r.For
	}
	return nil
}
