package procfs

import (
	"bytes"
	"time"
)

// CPU holds the CPU times of the whole node since boot, summed over its logical
// CPUs: the first line of /proc/stat.
type CPU struct {
	User, Nice, System, Idle, IOWait, IRQ, SoftIRQ, Steal Ticks
	// Guest and GuestNice are contained in User and Nice (proc(5)).
	Guest, GuestNice Ticks
}

// Busy returns the time the node's CPUs worked for this kernel. Guest time is
// inside user time and not added again. Stolen time is not ours: the hypervisor
// ran somebody else, who pays for it.
//
// It never decreases while the set of online CPUs stays the same.
func (c CPU) Busy() Ticks { return c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ }

// Total returns all the time that passed, summed over the logical CPUs. It may
// decrease a little between readings, as Idle and IOWait may (proc(5)).
func (c CPU) Total() Ticks { return c.Busy() + c.Idle + c.IOWait + c.Steal }

// CPU reads the node's CPU times from /proc/stat.
func (fs *FS) CPU() (CPU, error) {
	fs.at("stat")
	// The first line only: it has at most eleven numbers of twenty digits.
	line, _, err := fs.read(256)
	if err != nil {
		return CPU{}, fs.fail(err)
	}
	c, ok := parseCPU(line)
	if !ok {
		return CPU{}, fs.fail(ErrMalformed)
	}
	return c, nil
}

// parseCPU reads "cpu  2866 0 2191 …". Old kernels have fewer columns: those
// after softirq may be missing.
func parseCPU(text []byte) (CPU, bool) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	line, ok := bytes.CutPrefix(line, []byte("cpu "))
	if !ok {
		return CPU{}, false
	}
	f := fields{rest: line}
	var c CPU
	for i, column := range [...]*Ticks{&c.User, &c.Nice, &c.System, &c.Idle, &c.IOWait, &c.IRQ, &c.SoftIRQ,
		&c.Steal, &c.Guest, &c.GuestNice} {
		field := f.next()
		if len(field) == 0 && i >= 7 {
			break
		}
		v, ok := parseUint(field)
		if !ok || v > 1<<58 { // so that sums cannot overflow
			return CPU{}, false
		}
		*column = Ticks(v)
	}
	return c, true
}

// Booted returns the wall-clock time at which the kernel started, to the
// second: btime in /proc/stat. It moves when the wall clock is stepped.
func (fs *FS) Booted() (time.Time, error) {
	fs.at("stat")
	text, more, err := fs.read(maxFile)
	switch {
	case err != nil:
		return time.Time{}, fs.fail(err)
	case more:
		return time.Time{}, fs.fail(ErrTooLarge)
	}
	seconds, ok := parseBootTime(text)
	if !ok {
		return time.Time{}, fs.fail(ErrMalformed)
	}
	return time.Unix(seconds, 0), nil
}

func parseBootTime(text []byte) (seconds int64, ok bool) {
	const key = "\nbtime "
	i := bytes.Index(text, []byte(key))
	if i < 0 {
		return 0, false
	}
	f := fields{rest: text[i+len(key):]}
	seconds = f.signed()
	return seconds, !f.bad && seconds >= 0
}
