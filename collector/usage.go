package collector

import (
	"cmp"
	"slices"
	"time"

	"greenagent/collector/procfs"
	"greenagent/energy"
)

// Process identifies a process for good: its PID and when it was started, so
// that a reused PID inherits nothing. The zero Process stands for everything
// that is not observed one by one.
type Process = procfs.ID

// Owner is the account a process belongs to, as an index into the table of
// whoever resolves owners. The zero Owner is nobody in particular.
type Owner int

// Usage is what one process did with a domain during an interval.
type Usage struct {
	Process Process
	Owner   Owner
	Command procfs.Comm // its name now; a process may change it
	// Busy is how much the process used of the domain, in the unit of the Activity's
	// method: CPU time in ns, or Tag for each of the sampler's tags. 0 for a process
	// that merely resides there.
	Busy uint64
	// Memory it held there, in bytes; 0 unknown.
	Memory int64
	// From is when it came to be there at the earliest, 0 if that is not known or
	// long ago.
	From energy.Instant
	// Place is where it was, an index in the Activity's Places, or nowhere.
	Place int
}

// Tag is one tag of a utilization sampler in Usage.Busy: drivers tell percentages
// of tags, which make no whole numbers.
const Tag = 1000

// Method says by what a domain's energy is divided.
type Method uint8

// The methods.
const (
	ByNothing     Method = iota // nobody was there
	BySole                      // one process was there: no division
	ByUtilization               // the driver's samples of who was active
	ByCPUTime
	ByMemory   // held, where nothing says who was active
	ByPresence // in equal parts, as nobody was active
	BySlices   // the size of MIG instances somebody was in
	ByGPM      // how busy MIG instances were, by GPU performance monitoring, and their size
	Methods    // how many there are
)

var methodNames = [Methods]string{"none", "sole", "utilization", "cpu-time", "memory", "presence", "slices", "gpm"}

// String returns the method's name in metric attributes and run files.
func (m Method) String() string { return methodNames[m] }

// State is a performance state of a device, counted from 1 for P0, the highest; 0 is
// unknown. What a device draws idle depends on it.
type State uint8

// States is the number of states, the unknown one included.
const States = 17

// Activity is who used a domain up to an instant, since the Activity before.
type Activity struct {
	Until energy.Instant
	// Usage is in the order of Compare, each process once.
	Usage []Usage
	// Method is how Busy was obtained, that of the Places if there are any.
	Method Method
	// Places are the parts into which hardware divides the domain, none where it is
	// one. Whole is the size of all of it: what exceeds the places is nobody's.
	Places []Place
	Whole  uint64
	// Samples is how many independent observations stand behind Busy, 0 where it
	// was counted and not sampled.
	Samples float64
	// Concurrent says that several may have been active at one moment (MPS): a tag,
	// which names one of them, then tells less.
	Concurrent bool
	// Strangers says that somebody was active who is not in Usage and cannot be told.
	Strangers bool
	// Step is the resolution of Busy where it was counted: each is uncertain by it.
	Step uint64
	// State is the state in which the device was seen with nobody on it.
	State State
	// Open says that there was nothing new to tell who was busy: better divided
	// together with what is observed next.
	Open bool
	// Again is after what time there will be something new to observe, 0 if it can
	// wait.
	Again time.Duration
}

// Absorb adds what an earlier activity says to a, as if both had been observed at
// once.
func (a *Activity) Absorb(earlier *Activity) {
	if a.Method == ByNothing || a.Method == ByMemory {
		a.Method = max(a.Method, earlier.Method)
		if earlier.Method == ByUtilization {
			a.Method = ByUtilization
		}
	}
	a.absorbPlaces(earlier)
	a.Samples += earlier.Samples
	a.Concurrent = a.Concurrent || earlier.Concurrent
	a.Strangers = a.Strangers || earlier.Strangers
	for _, u := range earlier.Usage {
		u.Place = a.placeOf(earlier, u.Place)
		i, known := slices.BinarySearchFunc(a.Usage, u, Compare)
		if known {
			a.Usage[i].Busy += u.Busy
			a.Usage[i].From = u.From
		} else {
			a.Usage = slices.Insert(a.Usage, i, u)
		}
	}
}

// Compare orders usage by process, so that a division does not depend on the
// order in which processes were seen.
func Compare(a, b Usage) int {
	return cmp.Or(cmp.Compare(a.Process.PID, b.Process.PID), cmp.Compare(a.Process.Start, b.Process.Start))
}

// Observer says who was busy.
type Observer interface {
	// Observe fills dst, one Activity for each domain of the source it belongs
	// to, reusing their Usage. What it can't tell it leaves empty, and says why.
	Observe(now energy.Instant, dst []Activity) error
}
